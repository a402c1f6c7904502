//! Runs the same workloads on all peers, in random order within each round, and writes a table: see docs/performance.md.

mod lines;
mod plot;
mod samples;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::thread::sched_getaffinity;
use tevent_peers::{Random, pin_to};

use lines::{LATENCIES, LINES, Line, RING_SIZES, TIMER_SIZES};
use samples::{Cell, Samples, Told, cells_of, is_workload, run};

const OURS: &str = "ours";
const TEVENT: &str = "tevent";
const RAW: &str = "raw";
const PEERS: &[&str] = &[OURS, TEVENT, RAW, "libevent", "libev", "libuv", "calloop", "tokio", "mio"];

const HELP: &str = "\
usage: compare [OPTIONS]: runs the programs beside it and writes a table of nanoseconds and ratios

  --rounds N          how many rounds [9]
  --milliseconds N    how long each run takes at least, where it can be chosen [100]
  --only WORKLOADS    with commas between [all]
  --peers PEERS       with commas between [ours,tevent,raw,libevent,libev,libuv,calloop,tokio,mio]
  --table FILE        writes the table there too
  --samples FILE      writes every number there, as CSV
  --plot FILE         draws how timers and fds scale, as SVG (runs for it too)
";

struct Options {
    rounds: usize,
    milliseconds: String,
    only: Vec<String>,
    peers: Vec<&'static str>,
    table: Option<PathBuf>,
    samples: Option<PathBuf>,
    plot: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            rounds: 9,
            milliseconds: "100".to_owned(),
            only: Vec::new(),
            peers: PEERS.to_vec(),
            table: None,
            samples: None,
            plot: None,
        };
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{option} wants a value"))?;
            match option.as_str() {
                "--rounds" => options.rounds = value.parse().map_err(|_| format!("{value} is no number"))?,
                "--milliseconds" => options.milliseconds = value,
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                "--peers" => options.peers = value.split(',').map(peer).collect::<Result<_, _>>()?,
                "--table" => options.table = Some(value.into()),
                "--samples" => options.samples = Some(value.into()),
                "--plot" => options.plot = Some(value.into()),
                _ => return Err(format!("there is no option {option}")),
            }
        }
        match options.only.iter().find(|name| !is_workload(name)) {
            Some(name) => Err(format!("there is no workload {name}")),
            None => Ok(options),
        }
    }

    fn wants(&self, line: &Line) -> bool {
        let named = |name: &String| line.workload == name || line.ours == Some(name);
        self.only.is_empty() || self.only.iter().any(named)
    }
}

fn peer(name: &str) -> Result<&'static str, String> {
    PEERS.iter().find(|peer| **peer == name).copied().ok_or_else(|| format!("there is no peer {name}"))
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    let cores = pin()?;
    let program = std::env::current_exe()?;
    let programs = program.parent().ok_or("this program lies nowhere")?;
    let mut cells =
        cells_of(LINES.iter().chain(LATENCIES).filter(|line| options.wants(line)), &options.peers);
    if options.plot.is_some() {
        for peer in &options.peers {
            cells.extend(TIMER_SIZES.iter().map(|size| (*peer, "timer-cycle", *size)));
            cells.extend(RING_SIZES.iter().map(|size| (*peer, "ring", *size)));
        }
        cells.extend(RING_SIZES.iter().map(|size| (OURS, "ring-batch", *size)));
        cells.sort_unstable();
        cells.dedup();
    }
    let mut samples = Samples::default();
    // Once as a trial: whether all are there, and what they lack.
    for cell in &cells {
        if let lacks @ Told::Lacks(_) = run(programs, cell, "0")? {
            samples.add(*cell, lacks);
        }
    }
    cells.retain(|cell| samples.lacks(cell).is_none());
    rounds(options, programs, cells, &mut samples)?;

    let wanted = |lines: &'static [Line]| lines.iter().filter(|line| options.wants(line)).collect::<Vec<_>>();
    let (lines, latencies) = (wanted(LINES), wanted(LATENCIES));
    let mut text = String::new();
    if !lines.is_empty() {
        text += &table::table(&lines, &options.peers, &samples, options.rounds, &cores);
    }
    if !latencies.is_empty() {
        text += &table::latencies(&latencies, &options.peers, &samples, options.rounds);
    }
    print!("{text}");
    if let Some(path) = &options.table {
        std::fs::write(path, &text)?;
    }
    if let Some(path) = &options.samples {
        std::fs::write(path, samples.to_csv())?;
    }
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::plot(&options.peers, &samples))?;
    }
    Ok(())
}

fn rounds(
    options: &Options,
    programs: &Path,
    mut cells: Vec<Cell>,
    samples: &mut Samples,
) -> Result<(), Box<dyn Error>> {
    let mut random = Random::default();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}: {} runs", options.rounds, cells.len());
        for i in (1..cells.len()).rev() {
            cells.swap(i, usize::try_from(random.draw() % (i as u64 + 1))?);
        }
        for cell in &cells {
            samples.add(*cell, run(programs, cell, &options.milliseconds)?);
        }
    }
    Ok(())
}

/// Moves this process, and so all that it starts, to the first core it may use; threads and processes that are not
/// measured go to the second.
fn pin() -> Result<String, Box<dyn Error>> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let measured = cores.next().ok_or("there is no core")?;
    pin_to(measured);
    let Some(other) = cores.next() else {
        return Ok(format!("all on core {measured}, the only one"));
    };
    samples::OTHER_CORE.set(other).map_err(|_| "pinned twice")?;
    Ok(format!("measured on core {measured}, other threads and the echo clients on core {other}"))
}
