//! The programs in `examples/`: each says at its head what it is for, how it is run and what it prints; and that is what it prints.
//!
//! Only those whose output varies may keep silent about it. They have a test of their own, `tests/NAME.rs`.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/examples.rs"]
mod programs;

// As a user's project has it: the test stands with the code.
#[allow(dead_code, reason = "what it prints is looked at in its own process")]
#[path = "../examples/simulated_time.rs"]
mod simulated_time;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// An example's head, without the comment signs.
struct Head {
    name: String,
    lines: Vec<String>,
}

impl Head {
    fn new(name: String, source: &Path) -> Self {
        let text = fs::read_to_string(source).unwrap();
        let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
        Head { name, lines: lines.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect() }
    }

    /// What stands between the fences of the first block in that language.
    fn block<'a>(lines: &'a [String], language: &str) -> Option<&'a [String]> {
        let fence = format!("```{language}");
        let begin = lines.iter().position(|line| *line == fence)? + 1;
        let length = lines[begin..].iter().position(|line| line == "```")?;
        Some(&lines[begin..begin + length])
    }

    /// The arguments of the program in the command by which a reader runs it.
    fn arguments(&self) -> Result<Vec<&str>, &'static str> {
        if self.lines.first().is_none_or(String::is_empty) {
            return Err("its first line says what it is for");
        }
        let commands = Head::block(&self.lines, "sh").unwrap_or_default();
        let command = commands.first().ok_or("the command stands first in a block ```sh")?;
        let (cargo, arguments) = command.split_once(" -- ").unwrap_or((command, ""));
        let named = cargo.strip_prefix("cargo run ").and_then(|rest| rest.rsplit_once("--example "));
        if named.is_none_or(|(_options, name)| name != self.name) {
            return Err("the command is `cargo run --example` and its name");
        }
        Ok(arguments.split_whitespace().collect())
    }

    /// What it prints, if it says so.
    fn output(&self) -> Option<String> {
        let says = self.lines.iter().position(|line| line.starts_with("It prints"))?;
        let lines = Head::block(&self.lines[says..], "text")?;
        Some(lines.join("\n") + "\n")
    }

    fn has_own_test(&self) -> bool {
        Path::new(ROOT).join(format!("tests/{}.rs", self.name)).exists()
    }

    /// Runs it as its head says, and looks whether it prints what its head says.
    fn check(&self) -> Result<(), String> {
        let arguments = self.arguments()?;
        let Some(expected) = self.output() else {
            let excused = self.has_own_test();
            let missing =
                "a block ```text follows on `It prints`, or it has a test of its own, tests/NAME.rs";
            return excused.then_some(()).ok_or(missing.to_owned());
        };
        // One that hangs has failed.
        let mut command = Command::new("timeout");
        command.arg("60").arg(programs::program(&self.name)).args(arguments).stdin(Stdio::null());
        let ran = command.output().unwrap();
        let (printed, complaint) =
            (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        if ran.status.success() && complaint.is_empty() && printed == expected {
            return Ok(());
        }
        Err(format!("{}\n{complaint}expected:\n{expected}printed:\n{printed}", ran.status))
    }
}

/// All of them: `examples/NAME.rs` and `examples/NAME/main.rs`.
fn heads() -> Vec<Head> {
    let folder = fs::read_dir(Path::new(ROOT).join("examples")).unwrap();
    let found = folder.filter_map(|entry| {
        let path = entry.unwrap().path();
        let source = if path.is_dir() { path.join("main.rs") } else { path.clone() };
        let name = path.file_stem()?.to_str()?.to_owned();
        source.exists().then(|| Head::new(name, &source))
    });
    found.collect()
}

#[test]
fn each_example_prints_what_its_head_says() {
    let heads = heads();
    assert!(heads.iter().any(|head| head.name == "timer" && head.output().is_some()), "none is found");
    let failures = heads.iter().filter_map(|head| {
        let failure = head.check().err()?;
        Some(format!("{}: {failure}\n", head.name))
    });
    let failures: String = failures.collect();
    assert!(failures.is_empty(), "\n{failures}");
}
