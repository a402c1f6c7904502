//! Blocking work in threads: each job is a request, which finishes in the loop when its thread has done the work.
//!
//! One piece of work for a thread of its own is `Req::from_thread`, as the last job here. The others do by hand what it does, as a pool of
//! threads needs it: in place of `thread::Builder` in `job_start` stands what gives a job to the pool.
//!
//! ```sh
//! cargo run --example threads
//! ```
//!
//! It prints
//!
//! ```text
//! 3 threads are at work, and the loop is free
//! there are 25 primes below 100
//! there are 1229 primes below 10000
//! a job has failed: No such file or directory (os error 2)
//! ```

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{fs, io, thread};

use tevent::{Context, ContextRef, Req, ReqError, ReqRef, future_recv};

/// The state of a job's request.
struct Job {
    answer: usize,
}

thread_local! {
    /// The jobs that threads are at work for. A Ref stays in the loop's thread, so that a worker knows the number only.
    static AT_WORK: RefCell<HashMap<u64, ReqRef<Job>>> = RefCell::default();
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

fn job_send<F>(ev: &ContextRef, work: F) -> Req<Job>
where
    F: FnOnce() -> io::Result<usize> + Send + 'static,
{
    let req = Req::create(Job { answer: 0 });
    if let Err(error) = job_start(ev, &req, work) {
        req.error(error);
        return req.post(ev); // the caller sets its callback only when this has returned
    }
    req
}

fn job_start<F>(ev: &ContextRef, req: &ReqRef<Job>, work: F) -> io::Result<()>
where
    F: FnOnce() -> io::Result<usize> + Send + 'static,
{
    let number = NEXT.replace(NEXT.get() + 1);
    let proxy = ev.thread_proxy()?; // `loop_wait` goes on while it lives; `ev.threaded()` gives a handle that it does not wait for
    thread::Builder::new().spawn(move || {
        // Without this a request whose thread has panicked would never end.
        let outcome =
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(io::Error::other("it has panicked")));
        // It runs in the loop's thread. An error says that the loop is gone, and so is whoever wants to know.
        let _ = proxy.schedule(move |_ev| job_done(number, outcome));
    })?;
    AT_WORK.with_borrow_mut(|jobs| jobs.insert(number, req.clone()));
    Ok(())
}

fn job_done(number: u64, outcome: io::Result<usize>) {
    let Some(req) = AT_WORK.with_borrow_mut(|jobs| jobs.remove(&number)) else { return };
    // Nothing happens if the request has been freed meanwhile.
    match outcome {
        Ok(answer) => {
            req.with_state(|state| state.answer = answer);
            req.done();
        }
        Err(error) => {
            req.error(error);
        }
    }
}

fn job_recv(req: Req<Job>) -> Result<usize, ReqError> {
    req.recv(|state| state.answer)
}

fn primes_below(limit: usize) -> usize {
    (2..limit).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

fn main() -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    let few = job_send(&ctx, || Ok(primes_below(100)));
    let many = job_send(&ctx, || Ok(primes_below(10_000)));
    let file = Req::from_thread(&ctx, || fs::read("/no/such/file"));
    println!("3 threads are at work, and the loop is free");

    ctx.loop_wait()?; // until the last proxy is gone
    println!("there are {} primes below 100", job_recv(few)?);
    println!("there are {} primes below 10000", job_recv(many)?);
    match future_recv(file) {
        Ok(bytes) => println!("the file has {} bytes", bytes.len()),
        Err(error) => println!("a job has failed: {}", io::Error::from(error)),
    }
    Ok(())
}
