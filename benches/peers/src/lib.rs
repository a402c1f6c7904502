//! What the Rust programs share: arguments, clocks, random numbers, and the one line that they print. The C programs have
//! the same in `c/harness.c`.

mod known;
mod latency;
mod measure;
mod options;
mod work;

use std::process::ExitCode;

pub use known::{KNOWN, Known, Measure};
pub use latency::{Arrivals, make_idle};
pub use measure::{measure, resident, tell_latencies, tell_wakeups};
pub use options::with_options;
pub use work::{
    Hop, LATEST, Random, echo, hop_on, make_hops, make_pair, pin_to, pin_to_other_core, start_other,
    try_hop_on,
};

/// One of a program's workloads.
#[derive(Debug)]
pub struct Workload {
    /// What it is called on the command line.
    pub name: &'static str,
    /// How it is done, or why it is not.
    pub body: Body,
}

/// How a workload is done.
#[derive(Debug)]
pub enum Body {
    /// The peer has no such notion.
    Lacks(&'static str),
    /// Makes what is measured; not measured itself.
    Runs(fn(Setup) -> Work),
}

/// Does that many operations or a few more, and says how many.
pub type Work = Box<dyn FnMut(u64) -> u64>;

/// What a workload is made of.
#[derive(Debug)]
pub struct Setup {
    /// How many; of `100/5000` the first.
    pub size: usize,
    /// Of `100/5000` the second.
    pub of: usize,
    /// The echo server's connections, which do not block.
    pub sockets: Vec<std::net::TcpStream>,
}

/// A workload that is done so.
#[must_use]
pub const fn runs(name: &'static str, setup: fn(Setup) -> Work) -> Workload {
    Workload { name, body: Body::Runs(setup) }
}

/// A workload that this peer has no notion of.
#[must_use]
pub const fn lacks(name: &'static str, reason: &'static str) -> Workload {
    Workload { name, body: Body::Lacks(reason) }
}

/// The whole of a program: `PROGRAM WORKLOAD [SIZE [MILLISECONDS]]`.
#[must_use]
pub fn program(workloads: &[Workload]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(asked) = Asked::parse(&arguments, workloads) else {
        let names: Vec<_> = workloads.iter().map(|workload| workload.name).collect();
        eprintln!("usage: PROGRAM WORKLOAD [SIZE [MILLISECONDS]]; WORKLOAD is one of {}", names.join(" "));
        return ExitCode::from(2);
    };
    match asked.workload.body {
        Body::Lacks(reason) => println!("lacks: {reason}"),
        Body::Runs(setup) => measure(&asked, setup),
    }
    ExitCode::SUCCESS
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Asked<'a> {
    workload: &'a Workload,
    known: &'static Known,
    size: usize,
    of: usize,
    milliseconds: u64,
}

impl<'a> Asked<'a> {
    fn parse(arguments: &[String], workloads: &'a [Workload]) -> Option<Self> {
        let (name, rest) = arguments.split_first()?;
        let workload = workloads.iter().find(|workload| workload.name == name)?;
        let known = KNOWN.iter().find(|known| known.name == name)?;
        let size = rest.first().map_or(known.size, String::as_str);
        let (size, of) = size.split_once('/').unwrap_or((size, "0"));
        let milliseconds = rest.get(1).map_or(Some(100), |text| text.parse().ok())?;
        let (size, of) = (size.parse().ok()?, of.parse().ok()?);
        let is_sound = match known.measure {
            // So many of so many.
            Measure::Repeat if known.size.contains('/') => (1..=of).contains(&size),
            Measure::Repeat => of == 0,
            Measure::Latency => true,
            Measure::Groups | Measure::Once | Measure::Bytes | Measure::Server => size > 0,
        };
        if !is_sound {
            return None;
        }
        (rest.len() < 3).then_some(Asked { workload, known, size, of, milliseconds })
    }
}
