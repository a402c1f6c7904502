//! Lists keep the room for the most that ever stood in them at a time, and not more. docs/tutorial/11-special-problems.md has the
//! numbers.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "support/counting.rs"]
mod counting;

use std::time::Duration;

use counting::bytes_kept;
use tevent::{Context, ContextRef, Immediate, Queue, Req};

/// A power of two, as lists grow to.
const BURST: u32 = 1 << 16;
const HOUR: Duration = Duration::from_secs(3600);

fn many<T>(make: impl Fn() -> T) -> Vec<T> {
    (0..BURST).map(|_| make()).collect()
}

/// Wants so many bytes for each of a burst that has come and gone.
#[track_caller]
fn assert_keeps(what: &str, each: isize, burst: impl Fn()) {
    let kept = bytes_kept(&burst);
    println!("{what}: {kept} bytes for {BURST}");
    assert_eq!(kept / isize::try_from(BURST).unwrap(), each, "{what} keep {kept} bytes for {BURST}");
    assert_eq!(bytes_kept(burst), 0, "{what}: the same burst again finds its room");
}

fn burst_of_requests(ctx: &ContextRef) {
    drop(many(|| {
        let req = Req::create(());
        req.defer_callback(ctx);
        req
    }));
}

fn burst_of_immediates(ctx: &ContextRef) {
    let all = many(|| Immediate::new(|_, _| {}));
    for im in &all {
        im.schedule(ctx);
    }
    ctx.loop_wait().unwrap();
}

fn burst_of_timers(ctx: &ContextRef) {
    drop(many(|| ctx.add_timer(HOUR, |_, _, _| {})));
}

#[test]
fn of_a_context() {
    let ctx = Context::new().unwrap();
    assert_keeps("immediates", 24, || burst_of_immediates(&ctx));
    assert_keeps("timers", 16, || burst_of_timers(&ctx));
    assert_keeps("requests", 32, || burst_of_requests(&ctx));
    assert_keeps("kept", 40, || {
        for im in many(|| ctx.keep(Immediate::new(|_, _| {}))) {
            drop(ctx.take(&im));
        }
    });
}

#[test]
fn a_context_that_begins_anew_has_given_back_that_of_immediates_and_timers() {
    let ctx = Context::new().unwrap();
    let burst = || {
        burst_of_immediates(&ctx);
        burst_of_timers(&ctx);
        ctx.re_initialise().unwrap();
    };
    burst(); // the memory of a few events stays for the next ones
    let kept = bytes_kept(burst);
    assert!(kept < 2000, "{kept} bytes are kept");
}

#[test]
fn of_a_queue_until_it_is_dropped() {
    let ctx = Context::new().unwrap();
    burst_of_requests(&ctx);
    let kept = bytes_kept(|| {
        let queue = Queue::create("");
        assert_keeps("queue entries", 16, || {
            drop(many(|| {
                let req = Req::create(());
                queue.add(&ctx, &req, |_| {}).unwrap();
                req
            }));
        });
    });
    assert!(kept < 2000, "{kept} bytes are kept"); // the first room among the context's immediates
}

/// They come from outside, and nobody knows how many at a time are usual.
#[test]
fn hardly_any_for_closures_of_other_threads() {
    let ctx = Context::new().unwrap();
    let handle = ctx.threaded().unwrap();
    let kept = bytes_kept(|| {
        many(|| handle.schedule(|_ev| ()).unwrap());
        ctx.loop_until(|| ctx.stats().handled.immediates == u64::from(BURST)).unwrap();
    });
    println!("closures of other threads: {kept} bytes for {BURST}");
    assert!(kept < 50_000, "{kept} bytes are kept");
}
