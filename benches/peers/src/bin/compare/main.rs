//! Runs the same workloads on all peers, in random order within each round, and writes a table: see docs/performance.md.

mod lines;
mod plot;
mod samples;
mod table;

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::thread::sched_getaffinity;
use tevent_peers::{KNOWN, Random, pin_to, with_options};

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
    fn take(&mut self, option: &str, value: String) -> Result<(), String> {
        match option {
            "--rounds" => self.rounds = number(&value)?,
            "--milliseconds" => self.milliseconds = number(&value)?.to_string(),
            "--only" => self.only = value.split(',').map(workload).collect::<Result<_, _>>()?,
            "--peers" => self.peers = value.split(',').map(peer).collect::<Result<_, _>>()?,
            "--table" => self.table = Some(writable(value)?),
            "--samples" => self.samples = Some(writable(value)?),
            _plot => self.plot = Some(writable(value)?),
        }
        Ok(())
    }

    fn wants(&self, line: &Line) -> bool {
        let named = |name: &String| line.workload == name || line.ours == Some(name);
        self.only.is_empty() || self.only.iter().any(named)
    }
}

fn peer(name: &str) -> Result<&'static str, String> {
    PEERS.iter().find(|peer| **peer == name).copied().ok_or_else(|| format!("there is no peer {name}"))
}

fn workload(name: &str) -> Result<String, String> {
    let names = || KNOWN.iter().map(|known| known.name).collect::<Vec<_>>().join(" ");
    let found = is_workload(name).then(|| name.to_owned());
    found.ok_or_else(|| format!("there is no workload {name}, only {}", names()))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{text} is no number above 0"))
}

/// Found out before anything is measured.
fn writable(path: String) -> Result<PathBuf, String> {
    match File::options().create(true).append(true).open(&path) {
        Ok(_file) => Ok(path.into()),
        Err(error) => Err(format!("cannot write {path}: {error}")),
    }
}

fn main() -> ExitCode {
    let options = Options {
        rounds: 9,
        milliseconds: "100".to_owned(),
        only: Vec::new(),
        peers: PEERS.to_vec(),
        table: None,
        samples: None,
        plot: None,
    };
    with_options(HELP, options, Options::take, compare)
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
