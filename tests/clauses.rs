//! Every clause of the behaviour that is built has a test that carries its name.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const BEHAVIOUR: &str = include_str!("../docs/behaviour.md");

/// Of the clauses that are built in part, or are built and cannot be told by a test of this workspace.
const EXCUSED: [(&str, &str); 2] = [
    ("TIMER-6", "the clock is `Instant`, which is monotonic by its type; no test can step the wall clock"),
    ("THR-4", "a closure is scheduled, not an immediate: what the clause forbids cannot be written down"),
];

/// `FD-5` of a line such as `- FD-5 The handler gets …`.
fn clause_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix("- ")?.split_whitespace().next()?;
    let (kind, number) = name.split_once('-')?;
    let is_clause = kind.bytes().all(|b| b.is_ascii_uppercase()) && number.parse::<u32>().is_ok();
    is_clause.then_some(name)
}

fn is_built(clause: &str) -> bool {
    let missing = BEHAVIOUR.split("Not built yet:").nth(1).unwrap().split("\n\n").next().unwrap();
    let (kind, _number) = clause.split_once('-').unwrap();
    let words =
        missing.replace(['\n', '.'], " ").replace("wait_for_read_send and wait_for_error_send of IO-4", "");
    if let Some(rest) = words.split(&format!("{kind} except")).nth(1) {
        return rest.split_whitespace().next().unwrap().trim_end_matches(',') == clause;
    }
    !words.split([',', ' ']).any(|word| word == clause || word == kind)
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
fn every_clause_that_is_built_has_a_test_of_its_name() {
    let mut tests = BTreeSet::new();
    tests_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut tests);
    let clauses: Vec<&str> = BEHAVIOUR.lines().filter_map(clause_of).collect();
    assert!(clauses.len() > 80, "only {} clauses were found", clauses.len());
    let excused = |clause: &str| EXCUSED.iter().any(|(name, _why)| *name == clause);
    let missing: Vec<_> = clauses
        .iter()
        .filter(|clause| is_built(clause) && !excused(clause))
        .filter(|clause| {
            let prefix = format!("{}_", clause.to_lowercase().replace('-', "_"));
            !tests.iter().any(|test| test.contains(&prefix))
        })
        .collect();
    assert!(missing.is_empty(), "no test is named after {missing:?}");
}

#[test]
fn the_list_of_what_is_not_built_is_read_right() {
    for built in
        ["LOOP-1", "LOOP-8", "LOOP-10", "FD-11", "REQ-16", "IO-1", "IO-4", "TRACE-3", "THR-1", "QUEUE-10"]
    {
        assert!(is_built(built), "{built}");
    }
    for missing in ["SIG-1", "THR-3", "REQ-14", "IO-2", "TRACE-1", "WRAP-1"] {
        assert!(!is_built(missing), "{missing}");
    }
}
