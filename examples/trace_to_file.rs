//! What a loop does, written to a file: each event that comes, is handled and goes, and each step of a request, with its time.
//!
//! ```sh
//! cargo run --example trace_to_file
//! ```
//!
//! It prints the file, all but the times,
//!
//! ```text
//! timer, created at examples/trace_to_file.rs:112: Attach
//! Create trace_to_file::Job
//! QueueEnter trace_to_file::job_begin
//! entry of queue `jobs`, created at examples/trace_to_file.rs:83: Attach
//! QueueTrigger trace_to_file::job_begin
//! entry of queue `jobs`, created at examples/trace_to_file.rs:83: BeforeHandler
//!     Create tevent_core::wakeup::Wakeup
//! timer, tag 0x7, created at examples/trace_to_file.rs:112: BeforeHandler
//! timer, tag 0x7, created at examples/trace_to_file.rs:112: Detach
//! NotifyCallback trace_to_file::job_slept
//! NotifyCallback trace_to_file::job_done
//! QueueLeave trace_to_file::job_begin
//! entry of queue `jobs`, created at examples/trace_to_file.rs:83: Detach
//! ```

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, process};

use tevent::{Context, ContextRef, DebugLevel, Queue, QueueRef, Req, ReqRef, Wakeup};
use tevent::{set_call_flow_callback, wakeup_recv, wakeup_send};

/// A trace under way.
struct TraceFile {
    start: Instant,
    lines: RefCell<BufWriter<File>>,
}

impl TraceFile {
    fn begin(ev: &ContextRef, path: &Path) -> io::Result<Rc<Self>> {
        let file = File::create_new(path)?;
        let trace = Rc::new(TraceFile { start: Instant::now(), lines: RefCell::new(BufWriter::new(file)) });

        let events = Rc::clone(&trace);
        ev.set_debug(move |_level, message| events.line(message));
        ev.set_max_debug_level(DebugLevel::Trace);

        let requests = Rc::clone(&trace);
        set_call_flow_callback(Some(Rc::new(move |flow| {
            // None for the end of a turn, and for a cleanup that has nothing to call.
            if let Some(function) = flow.function {
                let indent = 4 * flow.depth as usize;
                requests.line(format_args!("{:indent$}{:?} {function}", "", flow.event));
            }
        })));
        Ok(trace)
    }

    /// Called inside whatever it is told of: it must not fail, and a full disk stops no daemon.
    fn line(&self, what: fmt::Arguments<'_>) {
        let _ = writeln!(self.lines.borrow_mut(), "{:.6} {what}", self.start.elapsed().as_secs_f64());
    }

    fn end(&self, ev: &ContextRef) -> io::Result<()> {
        ev.clear_debug();
        set_call_flow_callback(None);
        self.lines.borrow_mut().flush()
    }
}

/// Something to look at: a job that sleeps when its turn in a queue has come.
struct Job {
    ev: ContextRef,
}

fn job_send(ev: &ContextRef, queue: &QueueRef) -> Req<Job> {
    let req = Req::create(Job { ev: ev.clone() });
    if let Err(error) = queue.add(ev, &req, job_begin) {
        req.error(io::Error::other(error));
        return req.post(ev);
    }
    req
}

fn job_begin(req: &ReqRef<Job>) {
    let Some(subreq) = req.with_state(|state| wakeup_send(&state.ev, Duration::from_millis(1))) else {
        return;
    };
    req.add_subreq(subreq, job_slept);
}

fn job_slept(req: &ReqRef<Job>, subreq: Req<Wakeup>) {
    if wakeup_recv(subreq) {
        req.done();
    }
}

fn job_done(_ev: &ContextRef, req: Req<Job>) {
    drop(req); // and so its turn ends
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::temp_dir().join(format!("tevent-{}.trace", process::id()));
    let (ctx, queue) = (Context::new()?, Queue::create("jobs"));

    let trace = TraceFile::begin(&ctx, &path)?;
    ctx.keep(ctx.add_timer(Duration::ZERO, |_ev, _te, _now| {})).set_tag(7); // a tag is for you: to know it again
    ctx.add_subreq(job_send(&ctx, &queue), job_done);
    ctx.loop_wait()?;
    trace.end(&ctx)?;

    for line in fs::read_to_string(&path)?.lines() {
        println!("{}", line.split_once(' ').ok_or("a line without a time")?.1);
    }
    fs::remove_file(&path)?;
    Ok(())
}
