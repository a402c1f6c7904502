//! Running the programs, and what they said.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::lines::{LATENCIES, LINES, Line};

/// Where the programs put what is not measured, if there is such a core.
pub(crate) static OTHER_CORE: OnceLock<usize> = OnceLock::new();

/// A program's run: peer, workload, size.
pub(crate) type Cell = (&'static str, &'static str, &'static str);

/// What one run told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Number { each: f64, more: More },
    Lacks(String),
}

/// What some runs tell beside that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct More {
    /// Writes that woke the loop, for each.
    pub(crate) wakeups: Option<f64>,
    /// The 99th percentile.
    pub(crate) p99: Option<f64>,
}

#[derive(Default)]
pub(crate) struct Samples(BTreeMap<Cell, Vec<Told>>);

impl Samples {
    pub(crate) fn add(&mut self, cell: Cell, told: Told) {
        self.0.entry(cell).or_default().push(told);
    }

    /// Why there is no number.
    pub(crate) fn lacks(&self, cell: &Cell) -> Option<&str> {
        self.0.get(cell)?.iter().find_map(|told| match told {
            Told::Lacks(reason) => Some(reason.as_str()),
            Told::Number { .. } => None,
        })
    }

    /// The numbers, one for each round.
    pub(crate) fn numbers(&self, cell: &Cell) -> Vec<f64> {
        let told = self.0.get(cell).into_iter().flatten();
        told.filter_map(|told| if let Told::Number { each, .. } = told { Some(*each) } else { None })
            .collect()
    }

    pub(crate) fn median(&self, cell: &Cell) -> Option<f64> {
        median(self.numbers(cell))
    }

    /// The median of one of those.
    pub(crate) fn median_of(&self, cell: &Cell, one: fn(&More) -> Option<f64>) -> Option<f64> {
        let told = self.0.get(cell).into_iter().flatten();
        let ones =
            told.filter_map(|told| if let Told::Number { more, .. } = told { one(more) } else { None });
        median(ones.collect())
    }

    /// How many times as fast the first is as the second: the median of the ratios within each round.
    pub(crate) fn ratio(&self, fast: &Cell, slow: &Cell) -> Option<f64> {
        let (fast, slow) = (self.numbers(fast), self.numbers(slow));
        median(fast.iter().zip(&slow).map(|(fast, slow)| slow / fast).collect())
    }

    /// All of it, a line for each run.
    pub(crate) fn to_csv(&self) -> String {
        let mut csv = String::from("peer,workload,size,round,each\n");
        for cell @ (peer, workload, size) in self.0.keys() {
            for (round, each) in self.numbers(cell).iter().enumerate() {
                _ = writeln!(csv, "{peer},{workload},{size},{},{each}", round + 1);
            }
        }
        csv
    }
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = *numbers.get(middle)?;
    Some(if numbers.len() % 2 == 1 { upper } else { f64::midpoint(numbers[middle - 1], upper) })
}

/// The runs of a round for these lines.
pub(crate) fn cells_of<'a>(lines: impl Iterator<Item = &'a Line>, peers: &[&'static str]) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    for line in lines {
        for peer in peers {
            let (workload, size) = line.cell(peer);
            if !cells.contains(&(*peer, workload, size)) {
                cells.push((peer, workload, size));
            }
        }
    }
    cells
}

/// Whether anything is called so.
pub(crate) fn is_workload(name: &str) -> bool {
    LINES.iter().chain(LATENCIES).any(|line| line.workload == name || line.ours == Some(name))
}

/// Runs a program once.
pub(crate) fn run(programs: &Path, cell: &Cell, milliseconds: &str) -> Result<Told, Box<dyn Error>> {
    let (peer, workload, size) = cell;
    let program = programs.join(format!("peer-{peer}"));
    let mut command = Command::new(&program);
    command.args([workload, size, milliseconds]);
    if let Some(core) = OTHER_CORE.get() {
        command.env("PEERS_OTHER_CORE", core.to_string());
    }
    let output =
        command.output().map_err(|error| format!("{}: {error}: use ci/peers.sh", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("peer-{peer} {workload} {size} failed, {}: {said}", output.status).into());
    }
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if let Some(reason) = first.strip_prefix("lacks: ") {
        return Ok(Told::Lacks(reason.to_owned()));
    }
    let each = first.parse().map_err(|_| format!("peer-{peer} {workload} {size} printed `{first}`"))?;
    let mut more = More { wakeups: None, p99: None };
    for line in lines {
        match line.split_once(' ') {
            Some(("wakeups", number)) => more.wakeups = number.parse().ok(),
            Some(("p99", number)) => more.p99 = number.parse().ok(),
            _ => {}
        }
    }
    Ok(Told::Number { each, more })
}
