//! The loop against a naive model: random lists of operations, with handlers that carry operations themselves, must do
//! the same on both, to the last flag, count and order.
//!
//! The cases are the same in every run. `TEVENT_MODEL_SEED` draws others, `TEVENT_MODEL_CASES` more of them; a failure
//! is shrunk and names the seed that draws it again.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]
#![allow(clippy::struct_excessive_bools, reason = "the model says each fact as plainly as it can")]

mod model {
    pub(crate) mod files;
    pub(crate) mod naive;
    pub(crate) mod naive_fd;
    pub(crate) mod naive_queue;
    pub(crate) mod naive_req;
    pub(crate) mod naive_turn;
    pub(crate) mod ops;
    pub(crate) mod real;
    pub(crate) mod real_req;
    pub(crate) mod real_turn;
    pub(crate) mod seen;
    pub(crate) mod shelf;
}

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use model::naive::Naive;
use model::ops::{self, Op, Script};
use model::real::Real;
use model::seen::Entry;

/// How often each kind of entry was seen.
type Seen = RefCell<BTreeMap<&'static str, u64>>;

/// Cases that share a seed, so that a failure is drawn again quickly.
const CASES_PER_SEED: u32 = 32;

#[test]
fn every_clause_the_loop_does_what_a_naive_model_does() {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let first_seed = number("TEVENT_MODEL_SEED").unwrap_or(0);
    let cases = number("TEVENT_MODEL_CASES").unwrap_or(2_000);
    let executed = Cell::new(0);
    let seen = RefCell::default();
    for seed in first_seed..first_seed + cases.div_ceil(u64::from(CASES_PER_SEED)) {
        let result = runner(seed).run(&ops::cases(), |(lot, ops)| {
            executed.set(executed.get() + compare(lot, &ops, &seen)?);
            Ok(())
        });
        if let Err(failure) = result {
            panic!("TEVENT_MODEL_SEED={seed} TEVENT_MODEL_CASES=1 draws this again:\n{failure}");
        }
    }
    let (executed, seen) = (executed.get(), seen.into_inner());
    println!("{executed} operations were carried out; what was seen: {seen:?}");
    if cases >= 2_000 {
        assert!(executed >= 100_000, "only {executed} operations");
        let kinds = Entry::KINDS.iter().filter(|kind| seen.get(*kind).is_some_and(|times| *times >= 100));
        assert_eq!(kinds.count(), Entry::KINDS.len(), "something was hardly tried: {seen:?}");
    }
}

/// What the lots of the default run do not draw: a sub-request calls back from the cleanup that `received` runs.
#[test]
fn req_8_the_loop_and_the_model_agree_that_there_is_no_callback_once_received() {
    let notify = Script::from([Op::Notify(0)]);
    agree_on(&[create(None), create(Some(notify)), adopt(), Op::Received(LATEST)]);
}

/// And this: a cleanup hands a sub-request to a request that is being received.
#[test]
fn req_8_the_loop_and_the_model_agree_that_subrequests_outlive_the_cleanup() {
    agree_on(&[create(Some(Script::from([adopt()]))), create(None), adopt(), create(None), Op::Received(0)]);
}

/// As a pick: the latest of its kind.
const LATEST: u8 = 180;

fn create(cleanup: Option<Script>) -> Op {
    Op::Create { callback: None, cleanup, cancel: None }
}

/// The first that the case owns takes the second.
fn adopt() -> Op {
    Op::Adopt { parent: 0, child: 1, give_back: false, script: Script::from([]) }
}

fn agree_on(ops: &[Op]) {
    let agreed = compare(0, ops, &Seen::default());
    assert!(agreed.is_ok(), "{}", agreed.unwrap_err());
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: CASES_PER_SEED,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Carries out the operations on both; says how many there were, those in handlers included.
fn compare(lot: u64, ops: &[Op], seen: &Seen) -> Result<u64, TestCaseError> {
    let (real, mut naive) = (Real::new(lot), Naive::new());
    for (number, op) in ops.iter().enumerate() {
        real.execute(op, None);
        let (happened, choices) = real.take_log();
        for entry in &happened {
            *seen.borrow_mut().entry(entry.kind()).or_default() += 1;
        }
        let expected = naive.follow(op, choices);
        let agreed = happened.iter().zip(&expected).take_while(|(happened, expected)| happened == expected);
        let agreed = agreed.count();
        if agreed < happened.len().max(expected.len()) {
            let list = |log: &[Entry], from: usize| {
                let lines = log.iter().skip(from).take(3).map(|entry| format!("\n    {entry:?}"));
                lines.collect::<String>()
            };
            return Err(TestCaseError::fail(format!(
                "at operation {number}, {op:?},\n  after{}\n  the loop did{}\n  the model did{}\n",
                list(&happened[..agreed], agreed.saturating_sub(3)),
                list(&happened, agreed),
                list(&expected, agreed),
            )));
        }
    }
    Ok(real.executed())
}
