//! Makes a failing scenario as short as it can be and still fail in the same way.

use std::io;

use crate::compare::Judge;
use crate::scenario::Scenario;

/// How many candidates are tried in one go.
const AT_ONCE: usize = 200;

pub(crate) fn shrink(judge: &Judge, scenario: &Scenario, kind: &'static str) -> io::Result<Scenario> {
    let mut best = scenario.clone();
    let mut chunk = best.len().div_ceil(2).max(1);
    loop {
        match first_failing(judge, &candidates(&best, chunk), kind)? {
            Some(shorter) => best = shorter,
            None if chunk == 1 => return Ok(without_unused(judge, best, kind)?),
            None => {}
        }
        chunk = (chunk / 2).max(1).min(best.len().max(1));
    }
}

fn first_failing(judge: &Judge, candidates: &[Scenario], kind: &str) -> io::Result<Option<Scenario>> {
    for candidates in candidates.chunks(AT_ONCE) {
        let traces = judge.run(candidates)?;
        let failing = traces.iter().position(|traces| !traces.agree() && traces.kind() == kind);
        if let Some(failing) = failing {
            return Ok(Some(candidates[failing].clone()));
        }
    }
    Ok(None)
}

/// All that are left when `chunk` operations in a row are taken out, wherever they stand.
fn candidates(scenario: &Scenario, chunk: usize) -> Vec<Scenario> {
    let (ops, total) = (scenario.ops.len(), scenario.len());
    let without = |from: usize| {
        let mut place = ops;
        let taken = from..from + chunk;
        let mut shorter = scenario.clone();
        let mut at = 0..;
        shorter.ops.retain(|_| at.next().is_none_or(|at| !taken.contains(&at)));
        for script in shorter.scripts.values_mut() {
            let length = script.len();
            let mut at = place..;
            script.retain(|_| at.next().is_none_or(|at| !taken.contains(&at)));
            place += length;
        }
        shorter
    };
    (0..total).step_by(chunk).map(without).collect()
}

/// Scripts that nothing needs go.
fn without_unused(judge: &Judge, mut scenario: Scenario, kind: &str) -> io::Result<Scenario> {
    let ids: Vec<usize> = scenario.scripts.keys().copied().collect();
    for id in ids {
        let mut shorter = scenario.clone();
        shorter.scripts.remove(&id);
        if let Some(shorter) = first_failing(judge, &[shorter], kind)? {
            scenario = shorter;
        }
    }
    Ok(scenario)
}
