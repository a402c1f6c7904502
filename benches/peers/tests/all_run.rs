//! Every workload of every Rust program runs, with tiny numbers, so that nothing rots.

use std::process::{Command, Output};

use tevent_peers::KNOWN;

const OURS: &str = env!("CARGO_BIN_EXE_peer-ours");
const SOAK: &str = env!("CARGO_BIN_EXE_soak");
const PROGRAMS: &[&str] = &[
    OURS,
    env!("CARGO_BIN_EXE_peer-calloop"),
    env!("CARGO_BIN_EXE_peer-tokio"),
    env!("CARGO_BIN_EXE_peer-mio"),
];

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("cargo has built it")
}

/// What it printed first.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {said}", output.status);
    let text = String::from_utf8(output.stdout).expect("it prints text");
    text.lines().next().expect("it prints a line").to_owned()
}

#[test]
fn every_workload_of_every_program_runs_or_is_said_to_be_lacking() {
    for program in PROGRAMS {
        // What only we have in two variants.
        for known in KNOWN.iter().filter(|known| *program == OURS || !known.name.ends_with("-batch")) {
            let line = first_line(program, &[known.name, known.tiny, "0"]);
            let lacks = line.starts_with("lacks: ") && *program != OURS;
            assert!(lacks || line.parse::<f64>().is_ok(), "{program} {}: {line}", known.name);
        }
    }
}

#[test]
fn a_run_goes_on_until_it_has_taken_long_enough() {
    let started = std::time::Instant::now();
    first_line(OURS, &["immediate-once", "0", "20"]);
    assert!(started.elapsed().as_millis() >= 20);
}

#[test]
fn bad_arguments_end_with_2_and_a_line_that_names_the_workloads() {
    let bad: [&[&str]; 5] =
        [&[], &["nonsense"], &["ring", "x"], &["ring", "1/2/3"], &["queue", "1", "1", "1"]];
    for arguments in bad {
        let output = run(OURS, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("timer-cycle"), "{arguments:?}");
    }
}

#[test]
fn everything_at_once_panics_nowhere_and_leaves_no_file_open() {
    let output = run(SOAK, &["--seconds", "2"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("files left open: none"));
}

#[test]
fn the_soak_refuses_what_it_does_not_know() {
    for arguments in [["--seconds", "x"], ["--seconds", "0"], ["--nonsense", "1"]] {
        let output = run(SOAK, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_is_one_line_that_names(&output, &arguments);
    }
}

#[test]
fn the_runner_refuses_what_it_does_not_know() {
    let refused = [
        ["--only", "nonsense"],
        ["--peers", "nonsense"],
        ["--rounds", "0"],
        ["--nonsense", "1"],
        ["--table", "/nonexistent/table"],
    ];
    for arguments in refused {
        let output = run(env!("CARGO_BIN_EXE_compare"), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_is_one_line_that_names(&output, &arguments);
    }
    let help = run(env!("CARGO_BIN_EXE_compare"), &["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).starts_with("usage: compare"));
}

/// The value that was refused, or the option.
fn assert_is_one_line_that_names(output: &Output, arguments: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(arguments.iter().any(|argument| said.contains(argument)), "{arguments:?}: {said}");
}

#[test]
fn the_runner_makes_a_table_of_the_rust_programs() {
    let arguments = [
        "--peers",
        "ours,calloop",
        "--rounds",
        "1",
        "--milliseconds",
        "1",
        "--only",
        "request-post,timer-zero",
    ];
    let output = run(env!("CARGO_BIN_EXE_compare"), &arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("| request: create, post, callback, free | "), "{text}");
    assert!(text.contains("| no requests |"), "{text}");
}
