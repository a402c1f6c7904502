//! Everything at once, for a long time: two loops, one of them with `batch(64)`, two threads that schedule into them and raise
//! signals, and a child now and then. Memory, open files and what a turn costs must stay as they are: see docs/performance.md.

mod events;
mod fds;
mod forks;
mod plot;
mod requests;
mod samples;
mod signals;
mod threads;
mod verdict;
mod world;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::WaitOptions;
use tevent_peers::with_options;

use samples::{Sample, open_files, to_csv};
use world::{Did, Gauge, Shared};

const HELP: &str = "\
usage: soak [OPTIONS]: everything at once on two loops; fails unless memory, files and the cost of a turn stay flat

  --seconds N     how long [600]; below 60 only panics and leaked files count
  --csv FILE      writes what was seen each second
  --plot FILE     draws it, as SVG
";

/// The loops, and how many events they take from one wait.
const WORLDS: [(&str, usize); 2] = [("default", 1), ("batch(64)", 64)];

struct Options {
    seconds: u32,
    csv: Option<PathBuf>,
    plot: Option<PathBuf>,
}

impl Options {
    fn take(&mut self, option: &str, value: String) -> Result<(), String> {
        match option {
            "--seconds" => match value.parse() {
                Ok(seconds) if seconds > 0 => self.seconds = seconds,
                _ => return Err(format!("{value} is no number of seconds")),
            },
            "--csv" => self.csv = Some(value.into()),
            _plot => self.plot = Some(value.into()),
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let options = Options { seconds: 600, csv: None, plot: None };
    with_options(HELP, options, Options::take, |options| {
        soak(options).map_err(|error| format!("soak: FAILED: {error}"))?;
        println!("soak: passed");
        Ok(())
    })
}

fn soak(options: &Options) -> Result<(), Box<dyn Error>> {
    let before = open_files()?;
    let (samples, dids) = run(options.seconds)?;
    let after = open_files()?;
    signals::reap(WaitOptions::empty());

    if let Some(path) = &options.csv {
        std::fs::write(path, to_csv(&samples))?;
    }
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::plot(&samples))?;
    }
    for ((name, _batch), did) in WORLDS.iter().zip(&dids) {
        let each = did.iter().map(|(kind, n)| format!("{n} {kind}"));
        println!("{name}: {}", each.collect::<Vec<_>>().join(", "));
    }
    if let Some((kind, _)) = dids.iter().flatten().find(|(kind, n)| *n == 0 && *kind != "forks") {
        return Err(format!("no {kind} came to their end: this was no soak").into());
    }
    if after != before {
        return Err(format!("{before} files were open before it, {after} after it").into());
    }
    println!("files left open: none");
    if options.seconds < 60 {
        println!("too short to say more");
        return Ok(());
    }
    Ok(verdict::judge(&samples)?)
}

/// All of it, until the time is over. Nothing that it opened is open afterwards.
fn run(seconds: u32) -> Result<(Vec<Sample>, Vec<Did>), String> {
    let shared = Arc::new(Shared::default());
    let gauges: [Gauge; 2] = Default::default();
    let mut samples = Sample::room_for(seconds);
    let dids = thread::scope(|scope| {
        let (begun, handles) = channel();
        let worlds = WORLDS.iter().zip(&gauges).map(|((_name, batch), gauge)| {
            let (shared, begun) = (Arc::clone(&shared), begun.clone());
            let world = move || {
                let tell = |ev: &tevent::ContextRef| _ = begun.send(ev.threaded());
                world::run(*batch, &shared, gauge, tell)
            };
            scope.spawn(world)
        });
        let worlds: Vec<_> = worlds.collect();
        let handles = handles.iter().take(worlds.len()).collect::<Result<Vec<_>, _>>();
        let handles = handles.expect("the kernel gives an eventfd");
        let others: Vec<_> = (0..2)
            .map(|_| {
                let (handles, shared) = (handles.clone(), Arc::clone(&shared));
                scope.spawn(move || threads::run(&handles, &shared))
            })
            .collect();

        let started = Instant::now();
        let mut last = gauges.each_ref().map(Gauge::read);
        for second in 1..=seconds {
            thread::sleep(
                (started + Duration::from_secs(second.into())).saturating_duration_since(Instant::now()),
            );
            let now = gauges.each_ref().map(Gauge::read);
            samples.push(Sample::take(second, &last, &now));
            last = now;
            if worlds.iter().any(thread::ScopedJoinHandle::is_finished) {
                break; // by a panic, which was said
            }
        }
        shared.stop.store(true, Ordering::Relaxed);
        let others: Result<Vec<_>, _> = others.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let dids = worlds.into_iter().map(thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>();
        others.and(dids)
    });
    shared.sleepers.lock().map_err(|_| "a thread has panicked")?.clear();
    Ok((samples, dids.map_err(|_| "a thread has panicked")?))
}
