//! A caller's bug panics with the caller's own place, says what was wrong, and leaves the loop usable.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::sync::Once;

use support::{Kind, Log, on_every_backend, run_ready, turns};
use tevent::{ContextRef, Immediate, Queue, QueueEntryRef, Req, ReqState, When};

thread_local! {
    /// The message, the file and the line of the latest panic of this thread.
    static LATEST: RefCell<Option<(String, String, u32)>> = const { RefCell::new(None) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Puts a hook before the usual one that keeps to itself what panics while this thread listens.
fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !LISTENING.get() {
                return usual(info);
            }
            let place = info.location().unwrap();
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let message = text.or_else(|| payload.downcast_ref().cloned()).unwrap_or_default();
            LATEST.set(Some((message, place.file().to_owned(), place.line())));
        }));
    });
}

/// Asserts that the misuse panics on the very line of this call, and says `expected`.
#[track_caller]
fn assert_blames_this_line<R>(expected: &str, misuse: impl FnOnce() -> R) {
    install_hook();
    let outer = LISTENING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(misuse));
    LISTENING.set(outer);
    assert!(result.is_err(), "no panic: {expected}");
    let here = Location::caller();
    let (message, file, line) = LATEST.take().unwrap();
    assert!(message.contains(expected), "another message: {message}");
    assert_eq!((file.as_str(), line), (here.file(), here.line()), "{message}");
}

/// Turns of the loop inside one of its own handlers.
fn nest(ev: &ContextRef) {
    let req = Req::create(());
    assert_blames_this_line("without allow_nesting()", || ev.loop_once());
    assert_blames_this_line("without allow_nesting()", || ev.loop_until(|| false));
    assert_blames_this_line("without allow_nesting()", || req.poll(ev));
    let im = ev.keep(Immediate::new(|_, _| {}));
    im.schedule(ev); // `loop_wait` turns only while there is something to wait for
    assert_blames_this_line("without allow_nesting()", || ev.loop_wait());
    assert!(im.is_scheduled(), "no nested turn has run");
}

on_every_backend! {
    fn loop_5_nesting_without_leave_blames_the_caller(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        let (in_timer, in_immediate, in_callback) = (log.clone(), log.clone(), log.clone());
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| {
            nest(ev);
            in_timer.add("timer");
        }));
        let im = Immediate::new(move |ev, _| {
            nest(ev);
            in_immediate.add("immediate");
        });
        im.schedule(&ctx);
        let (req, ev) = (Req::create(()), ctx.clone());
        req.set_callback(move |_| {
            nest(&ev);
            in_callback.add("callback");
        });
        req.set_endtime(&ctx, When::Zero);
        run_ready(&ctx);
        assert_eq!(log.take(), ["immediate", "timer", "callback"]);
    }

    fn loop_5_the_loop_is_usable_after_it(backend) {
        let (ctx, log) = (backend.context(), Log::new());
        ctx.keep(ctx.add_timer(When::Zero, |ev, _, _| nest(ev)));
        run_ready(&ctx);
        let inner = log.clone();
        ctx.allow_nesting();
        ctx.keep(ctx.add_timer(When::Zero, move |ev, _, _| {
            turns(ev, 1);
            inner.add("outer");
        }));
        let inner = log.clone();
        ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| inner.add("nested")));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["nested", "outer"]);
    }

    fn loop_5_another_context_may_be_turned_in_a_handler(backend) {
        let (ctx, other, log) = (backend.context(), backend.context(), Log::new());
        let inner = log.clone();
        other.keep(other.add_timer(When::Zero, move |_, _, _| inner.add("other")));
        ctx.keep(ctx.add_timer(When::Zero, move |_, _, _| turns(&other, 1)));
        turns(&ctx, 1);
        assert_eq!(log.take(), ["other"]);
    }

    fn queue_8_untrigger_of_a_running_queue_blames_the_caller(backend) {
        let (ctx, queue, req) = (backend.context(), Queue::create("busy"), Req::create(()));
        let entry = queue.add_entry(&ctx, &req, |_| {}).unwrap();
        assert_blames_this_line("stop `busy` first", || entry.untrigger());
        turns(&ctx, 1);
        assert_blames_this_line("stop `busy` first", || entry.untrigger());
        assert!(entry.is_triggered(), "nothing has changed");
        queue.stop();
        entry.untrigger();
        assert!(!entry.is_triggered());
    }

    fn queue_8_untrigger_of_any_but_the_head_blames_the_caller(backend) {
        let (ctx, queue, req) = (backend.context(), Queue::create("busy"), Req::create(()));
        let head = queue.add_blocker(&ctx, &req).unwrap();
        let second = queue.add_entry(&ctx, &req, |_| {}).unwrap();
        turns(&ctx, 1);
        queue.stop();
        assert_blames_this_line("only the head of queue `busy`", || second.untrigger());
        drop(req.take(&head));
        second.untrigger();
    }

    fn queue_8_untrigger_of_an_entry_that_has_left_blames_the_caller(backend) {
        let (ctx, queue, req) = (backend.context(), Queue::create("busy"), Req::create(()));
        let left = queue.add_blocker(&ctx, &req).unwrap();
        drop(req.take(&left));
        let expected = "only an entry that is in a queue";
        assert_blames_this_line(expected, || left.untrigger());
        let orphan = queue.add_blocker(&ctx, &req).unwrap();
        drop(queue);
        assert_blames_this_line(expected, || QueueEntryRef::untrigger(&orphan));
    }
}

#[test]
fn req_1_with_state_inside_with_state_blames_the_caller() {
    let (req, log) = (Req::create(1), Log::new());
    let inner = log.clone();
    req.set_callback(move |_| inner.add("called"));
    let work = |s: &mut i32| {
        assert_blames_this_line("is being worked on already", || req.with_state(|_| ()));
        req.done();
        *s += 1;
    };
    req.with_state(work).unwrap();
    assert_eq!((req.with_state(|s| *s), req.state()), (Some(2), ReqState::Done));
    assert_eq!(log.take(), ["called"], "what had to wait ran once");
}

#[test]
fn req_1_with_state_inside_advance_blames_the_caller() {
    let (req, log) = (Req::create(()), Log::new());
    let (own, inner) = (req.clone(), log.clone());
    req.advance(move |()| {
        assert_blames_this_line("is being worked on already", || own.with_state(|()| ()));
        inner.add("advanced");
        std::task::Poll::Pending
    });
    assert_eq!(log.take(), ["advanced"]);
    assert!(req.is_in_progress() && req.with_state(|()| ()).is_some());
}

#[test]
fn req_8_recv_while_the_state_is_worked_on_blames_the_caller() {
    let (home, shelf) = (Req::create(()), Rc::new(Cell::new(None)));
    let req = home.keep(Req::create(()));
    shelf.set(home.take(&req));
    req.done();
    let worked = req.with_state(|()| {
        let owner: Req<()> = shelf.take().unwrap();
        assert_blames_this_line("is being worked on already", || owner.recv(|()| ()));
    });
    assert!(worked.is_some());
    assert_eq!(req.state(), ReqState::Received, "recv took it by value");
}

#[test]
fn loop_a_real_clock_cannot_be_moved_or_held() {
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_simulated()) {
        let ctx = kind.context();
        let expected = "only a simulated context";
        assert_blames_this_line(expected, || ctx.advance_clock(std::time::Duration::ZERO));
        assert_blames_this_line(expected, || drop(ctx.hold_clock()));
    }
}

#[test]
fn loop_a_batch_holds_at_least_one_event() {
    assert_blames_this_line("at least one", || tevent::Context::builder().batch(0));
}
