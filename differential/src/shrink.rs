//! Makes a failing scenario as short as it can be and still fail in the same way.

use std::io;
use std::time::{Duration, Instant};

use crate::compare::Judge;
use crate::scenario::Scenario;

/// How many candidates are tried in one go.
const AT_ONCE: usize = 200;
/// Where candidates never end, each takes long; then what there is has to do.
const LONGEST: Duration = Duration::from_secs(40);

pub(crate) fn shrink(judge: &Judge, scenario: &Scenario, kind: &'static str) -> io::Result<Scenario> {
    let search = Search { judge, kind, started: Instant::now() };
    let mut best = scenario.clone();
    let mut chunk = best.len().div_ceil(2).max(1);
    loop {
        match search.first_failing(&candidates(&best, chunk))? {
            Some(shorter) => best = shorter,
            None if chunk == 1 => return without_unused(&search, best),
            None => {}
        }
        chunk = (chunk / 2).max(1).min(best.len().max(1));
    }
}

struct Search<'a> {
    judge: &'a Judge,
    kind: &'static str,
    started: Instant,
}

impl Search<'_> {
    fn first_failing(&self, candidates: &[Scenario]) -> io::Result<Option<Scenario>> {
        let mut done = 0;
        while done < candidates.len() && self.started.elapsed() < LONGEST {
            let end = candidates.len().min(done + AT_ONCE);
            let traces = self.judge.run_some(&candidates[done..end])?;
            let failing = traces.iter().position(|traces| !traces.agree() && traces.kind() == self.kind);
            if let Some(failing) = failing {
                return Ok(Some(candidates[done + failing].clone()));
            }
            done += traces.len();
        }
        Ok(None)
    }
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
fn without_unused(search: &Search, mut scenario: Scenario) -> io::Result<Scenario> {
    let ids: Vec<usize> = scenario.scripts.keys().copied().collect();
    for id in ids {
        let mut shorter = scenario.clone();
        shorter.scripts.remove(&id);
        if let Some(shorter) = search.first_failing(&[shorter])? {
            scenario = shorter;
        }
    }
    Ok(scenario)
}
