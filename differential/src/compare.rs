//! Runs scenarios on both libraries and compares what happened.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::scenario::Scenario;

/// Both drivers, ready to be run.
pub(crate) struct Judge {
    c_driver: PathBuf,
    rust_driver: PathBuf,
    virtual_time: PathBuf,
    /// Where the texts and traces of this process stand.
    workplace: PathBuf,
}

/// What both libraries did with one scenario.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traces {
    pub(crate) c: String,
    pub(crate) rust: String,
}

impl Traces {
    pub(crate) fn agree(&self) -> bool {
        self.c == self.rust && self.c.ends_with(COMPLETE)
    }

    /// A driver that died has not come to the end.
    pub(crate) fn kind(&self) -> &'static str {
        match (self.c.ends_with(COMPLETE), self.rust.ends_with(COMPLETE)) {
            (false, _) => "the C driver died",
            (true, false) => "the Rust driver died",
            (true, true) => "the traces differ",
        }
    }

    /// The first lines that differ, with some before them.
    pub(crate) fn difference(&self) -> String {
        let same = self.c.lines().zip(self.rust.lines()).take_while(|(c, rust)| c == rust).count();
        let mut text = format!("{}, from line {}:\n", self.kind(), same + 1);
        for line in self.c.lines().take(same).skip(same.saturating_sub(12)) {
            let _ = writeln!(text, "        {line}");
        }
        for (who, trace) in [("C    ", &self.c), ("Rust ", &self.rust)] {
            for line in trace.lines().skip(same).take(6) {
                let _ = writeln!(text, "  {who} {line}");
            }
        }
        text
    }
}

const COMPLETE: &str = "=== end\n";

impl Judge {
    pub(crate) fn new(c_driver: &Path) -> io::Result<Self> {
        let beside = c_driver.parent().unwrap_or(Path::new("."));
        let workplace = env::temp_dir().join(format!("tevent-differential-{}", std::process::id()));
        fs::create_dir_all(&workplace)?;
        Ok(Judge {
            c_driver: c_driver.canonicalize()?,
            rust_driver: env::current_exe()?,
            virtual_time: beside.join("virtual_time.so").canonicalize()?,
            workplace,
        })
    }

    /// Runs all of them, one process for many; a driver that dies is started again behind the scenario that killed it.
    pub(crate) fn run(&self, scenarios: &[Scenario]) -> io::Result<Vec<Traces>> {
        let mut all = Vec::with_capacity(scenarios.len());
        while all.len() < scenarios.len() {
            all.extend(self.run_some(&scenarios[all.len()..])?);
        }
        Ok(all)
    }

    /// Runs them up to the first that one of the drivers does not finish, which comes out as it is.
    pub(crate) fn run_some(&self, scenarios: &[Scenario]) -> io::Result<Vec<Traces>> {
        let (c, rust) = self.run_once(scenarios)?;
        let complete =
            c.iter().zip(&rust).take_while(|(c, rust)| c.ends_with(COMPLETE) && rust.ends_with(COMPLETE));
        let count = (complete.count() + 1).min(scenarios.len());
        let part = |traces: &[String], n: usize| traces.get(n).cloned().unwrap_or_default();
        Ok((0..count).map(|n| Traces { c: part(&c, n), rust: part(&rust, n) }).collect())
    }

    fn run_once(&self, scenarios: &[Scenario]) -> io::Result<(Vec<String>, Vec<String>)> {
        let text: String = scenarios.iter().map(Scenario::to_string).collect();
        let input = self.workplace.join("scenarios.txt");
        fs::write(&input, text)?;
        let outputs = ["c.trace", "rust.trace"].map(|name| self.workplace.join(name));
        let c = self.spawn(Command::new(&self.c_driver).arg(&input), &outputs[0])?;
        let rust = self.spawn(Command::new(&self.rust_driver).arg("run").arg(&input), &outputs[1])?;
        for mut driver in [c, rust] {
            let status = driver.wait()?;
            // One that was killed by a signal has failed at a scenario; one that gives up has failed at its input.
            if !status.success() && status.signal().is_none() && status.code() != Some(PANICKED) {
                return Err(io::Error::other(format!("a driver gave up: {status}")));
            }
        }
        let [c, rust] =
            outputs.map(|output| fs::read(output).map(|trace| split(&String::from_utf8_lossy(&trace))));
        Ok((c?, rust?))
    }

    fn spawn(&self, command: &mut Command, output: &Path) -> io::Result<Child> {
        command
            // What has been freed does not look as if it were alive.
            .env("MALLOC_PERTURB_", "165")
            .env("TALLOC_FREE_FILL", "0xdb")
            .env("LD_PRELOAD", &self.virtual_time)
            .stdin(Stdio::null())
            // What a driver says when it dies is seen when it is run by hand.
            .stderr(Stdio::null())
            .stdout(File::create(output)?)
            .spawn()
    }
}

/// What a Rust program that panics exits with.
const PANICKED: i32 = 101;

impl Drop for Judge {
    fn drop(&mut self) {
        // What is left in the temporary directory does no harm.
        let _ = fs::remove_dir_all(&self.workplace);
    }
}

/// A trace for each scenario.
fn split(output: &str) -> Vec<String> {
    let mut traces: Vec<String> = Vec::new();
    for line in output.split_inclusive('\n') {
        if line.starts_with("=== ") && line != COMPLETE {
            traces.push(String::new());
        }
        if let Some(trace) = traces.last_mut() {
            trace.push_str(line);
        }
    }
    traces
}
