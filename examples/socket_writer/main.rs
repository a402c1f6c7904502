//! The main job of tevent's queue: many requests write to one socket, and never interleave.
//!
//! ```sh
//! cargo run --release --example socket_writer
//! ```
//!
//! With no arguments it opens a TCP connection over loopback, starts 8 writers which send 512 frames through one queue
//! on one socket, and verifies every frame at the other end, in the same process and the same loop. `--help` tells
//! the rest, such as `--no-queue`, which lets the writers race. What it prints is a table, with the time it took.
//!
//! Where to read on: `writers.rs` is the heart of it, in the shape of ported C code. All of it:
//!
//! ```text
//! writing_end.rs      connects, says what will come, runs the writers, waits for the verdict
//!     dial.rs         looks a name up, and connects
//!     writers.rs      send one frame after the other, all on one socket
//!     verdict.rs      waits for what the reading end says
//! reading_end.rs      accepts, verifies what comes, answers with the verdict
//!     reader.rs       verifies every frame of the stream      tally.rs       counts them
//! incoming.rs         what comes in at either end             parser.rs      finds the frames in it
//! frame.rs, plan.rs   what a frame is, and which are sent     control.rs     what the ends tell each other
//! args.rs             the command line                        endpoint.rs    where the ends meet
//! progress.rs         how far it has come                     report.rs, failure.rs      how it ended
//! ```

mod args;
mod control;
mod dial;
mod endpoint;
mod failure;
mod frame;
mod incoming;
mod parser;
mod plan;
mod progress;
mod reader;
mod reading_end;
mod report;
mod tally;
mod verdict;
mod writers;
mod writing_end;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;

use tevent::{Context, ReqError};

use args::{Options, Parsed, Role};
use endpoint::Listening;
use progress::{Bar, Progress};
use reading_end::{reading_end_recv, reading_end_send};
use report::Report;
use writing_end::{writing_end_recv, writing_end_send};

fn main() -> ExitCode {
    let options = match args::parse(env::args_os().skip(1)) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Help) => return tell(args::HELP, 0),
        Err(complaint) => return complain(&complaint, 2),
    };
    match run(&options) {
        Ok(report) => {
            let shown = tell(&report.to_string(), 0);
            report.complaint().map_or(shown, |complaint| complain(&complaint, 1))
        }
        Err(error) => complain(&error.to_string(), 1),
    }
}

/// Runs the ends that this process is, in one loop.
fn run(options: &Options) -> Result<Report, ReqError> {
    let ctx = Context::new()?;
    let (arrived, sent) = (Rc::new(Progress::default()), Rc::new(Progress::default()));

    let (listening, target) = match &options.role {
        Role::Connect(endpoint) => (None, Some(endpoint.clone())),
        Role::Listen(endpoint) => {
            let listening = Listening::bind(endpoint, options.sndbuf)?;
            tell(&format!("listening on {}\n", listening.endpoint()), 0);
            (Some(listening), None)
        }
        Role::Both(endpoint) => {
            let listening = Listening::bind(endpoint, options.sndbuf)?;
            let target = listening.endpoint().clone();
            (Some(listening), Some(target))
        }
    };
    let shown = if listening.is_some() { &arrived } else { &sent };
    let bar = Bar::start(&ctx, shown);
    let reading = listening.map(|listening| reading_end_send(&ctx, listening, &arrived));
    let writing = target.map(|target| writing_end_send(&ctx, &target, options, &sent));

    let finished_or_failed = || {
        let ends = [reading.as_ref().map(|req| req.state()), writing.as_ref().map(|req| req.state())];
        let at_work = |state| state == tevent::ReqState::InProgress;
        let failed = |state| state > tevent::ReqState::Done;
        ends.into_iter().flatten().any(failed) || !ends.into_iter().flatten().any(at_work)
    };
    ctx.loop_until(finished_or_failed)?;
    drop(bar);

    // Where both are here, the one that failed says why; the other was then still at work.
    let read = reading.filter(|req| !req.is_in_progress()).map(reading_end_recv).transpose()?;
    let written = writing.filter(|req| !req.is_in_progress()).map(writing_end_recv).transpose()?;
    // The writing end was told by the reading one what arrived, and knows of the writes besides.
    Ok(written.or(read).expect("there is at least one end"))
}

fn tell(text: &str, code: u8) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(code),
        // Nobody reads: that is for the shell to know, not a reason to panic.
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(line: &str, code: u8) -> ExitCode {
    // If even this cannot be said, the exit code still says it.
    let _ = writeln!(io::stderr(), "socket_writer: {line}");
    ExitCode::from(code)
}
