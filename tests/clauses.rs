//! Every clause of the behaviour has a test that carries its name.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const BEHAVIOUR: &str = include_str!("../docs/behaviour.md");

/// The clauses that no test of this workspace can tell, and why.
const EXCUSED: [(&str, &str); 3] = [
    ("TIMER-6", "the clock is `Instant`, which is monotonic by its type; no test can step the wall clock"),
    ("THR-4", "a closure is scheduled, not an immediate: what the clause forbids cannot be written down"),
    ("WRAP-1", "the Rust API leaves it out"),
];

/// `FD-5` of a line such as `- FD-5 The handler gets …`.
fn clause_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix("- ")?.split_whitespace().next()?;
    let (kind, number) = name.split_once('-')?;
    let is_clause = kind.bytes().all(|b| b.is_ascii_uppercase()) && number.parse::<u32>().is_ok();
    is_clause.then_some(name)
}

/// The test functions of a folder and those below it, with `_` after each number, so that `fd_1_` is not `fd_11_`.
fn tests_below(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let functions = source.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
            into.extend(functions.map(str::to_owned));
        }
    }
}

#[test]
fn every_clause_has_a_test_of_its_name() {
    let mut tests = BTreeSet::new();
    tests_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut tests);
    let clauses: Vec<&str> = BEHAVIOUR.lines().filter_map(clause_of).collect();
    assert!(clauses.len() > 80, "only {} clauses were found", clauses.len());
    let excused = |clause: &str| EXCUSED.iter().any(|(name, _why)| *name == clause);
    let missing: Vec<_> = clauses
        .iter()
        .filter(|clause| !excused(clause))
        .filter(|clause| {
            let prefix = format!("{}_", clause.to_lowercase().replace('-', "_"));
            !tests.iter().any(|test| test.contains(&prefix))
        })
        .collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}
