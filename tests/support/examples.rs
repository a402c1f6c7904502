//! The programs in `examples/`, as processes.

#![allow(unreachable_pub, reason = "shared by test programs")]

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Where that example is. `cargo test` builds the examples before the tests, but `cargo test --test NAME` does not, and would
/// run old ones: so cargo is asked once, which costs nothing where they are up to date.
pub fn program(example: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(example)
}

fn build() -> PathBuf {
    // target/debug/deps/NAME-0123456789abcdef
    let tests = env::current_exe().unwrap();
    let folder = tests.ancestors().nth(2).unwrap();
    let profile = match folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        named => named,
    };
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--offline", "--examples", "--profile", profile]);
    build.arg("--manifest-path").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    build.arg("--target-dir").arg(folder.parent().unwrap());
    assert!(build.status().unwrap().success(), "the examples cannot be built");
    folder.join("examples")
}
