//! The same random scenarios on tevent and on the C library, compared line by line. See README.md.

mod compare;
mod driver;
mod generate;
mod rng;
mod scenario;
mod shrink;
mod words;

use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, io};

use compare::{Judge, Traces};
use scenario::Scenario;

const USAGE: &str = "\
usage: tevent-differential generate SEED
       tevent-differential run FILE
       tevent-differential replay DIR --c-driver PATH
       tevent-differential compare --seeds A..B --c-driver PATH [--keep DIR]

`run` wants LD_PRELOAD=.../virtual_time.so, which the others find beside the C driver and load themselves.";

/// How many scenarios one pair of processes is given.
const BATCH: u64 = 500;
/// After so many failures there is enough to look at.
const ENOUGH: usize = 10;

type Anyhow<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match *args.as_slice() {
        ["generate", seed] => generate(seed),
        ["run", file] => run(Path::new(file)),
        ["replay", dir, "--c-driver", c_driver] => replay(Path::new(dir), Path::new(c_driver)),
        ["compare", "--seeds", seeds, "--c-driver", c_driver] => compare(seeds, Path::new(c_driver), None),
        ["compare", "--seeds", seeds, "--c-driver", c_driver, "--keep", dir] => {
            compare(seeds, Path::new(c_driver), Some(Path::new(dir)))
        }
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn generate(seed: &str) -> Anyhow<bool> {
    print!("{}", generate::generate(seed.parse()?));
    Ok(true)
}

fn run(file: &Path) -> Anyhow<bool> {
    if !driver::time_is_virtual() {
        return Err("the clock runs: load virtual_time.so with LD_PRELOAD".into());
    }
    for scenario in Scenario::read_all(&fs::read_to_string(file)?)? {
        print!("{}", driver::run(&scenario)?);
    }
    Ok(true)
}

/// All scenarios that failed once.
fn replay(dir: &Path, c_driver: &Path) -> Anyhow<bool> {
    let files: io::Result<Vec<PathBuf>> =
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut files = files?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let judge = Judge::new(c_driver)?;
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        let scenarios = Scenario::read_all(&fs::read_to_string(&file)?)?;
        for (scenario, traces) in scenarios.iter().zip(judge.run(&scenarios)?) {
            if traces.agree() {
                passed += 1;
            } else {
                failed += 1;
                println!("{}, {}: {}", file.display(), scenario.name, traces.difference());
            }
        }
    }
    println!("regressions: {passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn compare(seeds: &str, c_driver: &Path, keep: Option<&Path>) -> Anyhow<bool> {
    let (first, end) = seeds.split_once("..").ok_or("seeds are given as A..B")?;
    let seeds: Range<u64> = first.parse()?..end.parse()?;
    let keep =
        keep.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions"), Path::to_path_buf);
    let judge = Judge::new(c_driver)?;
    let (mut passed, mut failed, mut lines) = (0, 0, 0);
    let mut from = seeds.start;
    while from < seeds.end && failed < ENOUGH {
        let to = seeds.end.min(from + BATCH);
        let scenarios: Vec<Scenario> = (from..to).map(generate::generate).collect();
        for (scenario, traces) in scenarios.iter().zip(judge.run(&scenarios)?) {
            if traces.agree() {
                passed += 1;
                lines += traces.c.lines().count();
            } else if failed < ENOUGH {
                failed += 1;
                tell(&judge, scenario, &traces, &keep)?;
            }
        }
        from = to;
    }
    println!("{lines} lines of traces were equal");
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// Shrinks a scenario that failed, keeps it and shows it.
fn tell(judge: &Judge, scenario: &Scenario, traces: &Traces, keep: &Path) -> Anyhow<()> {
    let kind = traces.kind();
    let shrunk = shrink::shrink(judge, scenario, kind)?;
    let again = judge.run(std::slice::from_ref(&shrunk))?;
    let again = again.first().ok_or("the shrunk scenario left no trace")?;
    let file = keep.join(format!("{}.txt", scenario.name));
    fs::create_dir_all(keep)?;
    fs::write(&file, format!("# {kind}\n{shrunk}"))?;
    println!("{}: shrunk from {} operations to {}", file.display(), scenario.len(), shrunk.len());
    println!("{shrunk}{}", again.difference());
    Ok(())
}
