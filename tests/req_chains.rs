//! Requests that finish and are dropped on top of each other: inside borrowed states, and 100,000 deep.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::env;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use support::{Kind, Log, pair};
use tevent::{ContextRef, FdFlags, Immediate, Queue, Req, ReqError, ReqRef, ReqState};

/// A request that logs the end of its child and its own.
fn logging(log: &Log, name: &'static str) -> Req<()> {
    let (req, log) = (Req::create(()), log.clone());
    req.set_cleanup_fn(move |_req, state| log.add(format!("{name} cleans up for {state:?}")));
    req
}

/// Root, child and grandchild; each finishes when what is under it has finished.
fn three_levels(log: &Log) -> (Req<()>, ReqRef<()>, ReqRef<()>) {
    let [root, child, grandchild] = ["root", "child", "grandchild"].map(|name| logging(log, name));
    let logs = [log.clone(), log.clone(), log.clone()];
    let [of_root, of_child, of_grandchild] = logs;
    let grandchild = child.add_subreq(grandchild, move |child, _grandchild| {
        of_grandchild.add("child hears of grandchild");
        child.done();
    });
    let child = root.add_subreq(child, move |root, _child| {
        of_child.add("root hears of child");
        root.done();
    });
    root.set_callback(move |_root| of_root.add("root calls back"));
    (root, child, grandchild)
}

/// Logs the begin and the end of an advance, and does the work in between.
fn logged(log: &Log, req: &ReqRef<()>, name: &'static str, work: impl FnOnce() + 'static) {
    let log = log.clone();
    req.advance(move |()| {
        log.add(format!("{name} begins"));
        work();
        log.add(format!("{name} ends"));
        Poll::Pending
    });
}

#[test]
fn req_2_finishes_in_three_nested_advances_run_as_each_borrow_ends() {
    let log = Log::new();
    let (root, child, grandchild) = three_levels(&log);
    let (l, r, c, g) = (log.clone(), root.clone(), child, grandchild);
    logged(&log, &root, "root", move || {
        let (l2, r2, c2) = (l.clone(), r.clone(), c.clone());
        logged(&l, &c, "child", move || {
            let (l3, g3) = (l2.clone(), g.clone());
            logged(&l2, &g, "grandchild", move || {
                assert!(g3.done());
                logged(&l3, &r2, "root again", || {});
                logged(&l3, &c2, "child again", || {});
            });
        });
    });
    let expected = [
        "root begins",
        "child begins",
        "grandchild begins",
        "grandchild ends",
        "grandchild cleans up for Done",
        "child ends",
        "child again begins",
        "child again ends",
        "child hears of grandchild",
        "child cleans up for Done",
        // One that is handed over is dropped when the callback returns, after what that did.
        "grandchild cleans up for Received",
        "root ends",
        "root again begins",
        "root again ends",
        "root hears of child",
        "root cleans up for Done",
        "root calls back",
        "child cleans up for Received",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(root.state(), ReqState::Done);
}

#[test]
fn req_2_a_child_that_finishes_in_its_parents_advance_calls_back_after_it_in_order() {
    let log = Log::new();
    let root = Req::create(0);
    let children: Vec<_> = (0..4)
        .map(|n| {
            let log = log.clone();
            root.add_subreq(Req::create(()), move |root, _child| {
                let seen = root.with_state(|count| std::mem::replace(count, *count + 1));
                log.add(format!("child {n} is number {seen:?}"));
            })
        })
        .collect();
    let inside = log.clone();
    root.advance(move |_count| {
        children.iter().rev().for_each(|child| assert!(child.done()));
        inside.add("all are done");
        Poll::Pending
    });
    let order = [3, 2, 1, 0].into_iter().enumerate();
    let mut expected = vec!["all are done".to_owned()];
    expected.extend(order.map(|(at, n)| format!("child {n} is number {:?}", Some(at))));
    assert_eq!(log.take(), expected);
}

#[test]
fn req_12_a_child_that_finished_in_its_parents_advance_is_silent_once_the_parent_is_freed_there() {
    let log = Log::new();
    let (root, child, grandchild) = three_levels(&log);
    let reference = root.clone();
    reference.advance(move |()| {
        grandchild.done();
        assert!(!child.is_in_progress(), "only the root is borrowed");
        drop(root);
        Poll::Ready(Ok(()))
    });
    let log = log.take();
    assert!(
        log.iter().all(|line| !line.starts_with("root hears") && !line.starts_with("root calls")),
        "{log:?}"
    );
    assert_eq!(log.last().unwrap(), "root cleans up for Received");
}

#[test]
fn req_8_a_finish_that_waits_for_the_end_of_a_borrow_is_void_once_the_request_is_freed() {
    let log = Log::new();
    let (req, late) = (logging(&log, "it"), log.clone());
    req.set_callback(move |_req| late.add("it calls back"));
    let reference = req.clone();
    reference.advance(move |()| {
        assert!(req.done());
        drop(req);
        Poll::Pending
    });
    assert_eq!(log.take(), ["it cleans up for Received"]);
}

#[test]
fn req_15_of_a_finish_inside_an_advance_and_its_own_result_the_first_counts() {
    let req = Req::create(());
    let inside = req.clone();
    req.advance(move |()| {
        assert!(inside.error(5));
        assert!(!inside.done(), "a finish was accepted before");
        Poll::Ready(Ok(()))
    });
    assert_eq!(req.result(), Err(ReqError::new(5)));
}

/// What does not fit on the stack is called later, but never after a free.
#[test]
fn req_8_no_callback_after_the_free_however_deep_the_stack_of_callbacks_is() {
    for depth in 1..200 {
        let late = Rc::new(Cell::new(false));
        let seen = Rc::clone(&late);
        let innermost = move || {
            let req = Req::create(());
            let freed = Rc::new(Cell::new(false));
            let (is_freed, late) = (Rc::clone(&freed), Rc::clone(&late));
            req.set_callback(move |_req| late.set(is_freed.get()));
            req.done();
            freed.set(true);
            drop(req);
        };
        call_at_depth(depth, Rc::new(innermost));
        assert!(!seen.get(), "at depth {depth} the callback ran after the request was freed");
    }
}

fn call_at_depth(depth: u32, innermost: Rc<dyn Fn()>) {
    let req = Req::create(());
    req.set_callback(move |_req| match depth {
        0 => innermost(),
        _ => call_at_depth(depth - 1, Rc::clone(&innermost)),
    });
    req.done();
}

/// How long the chains are; less where a tool makes each step dear.
fn chain_length() -> usize {
    env::var("TEVENT_TEST_CHAIN").map_or(100_000, |length| length.parse().unwrap())
}

/// Runs the case on a small stack in a process of its own: an overflow fails the test and spares the others.
#[track_caller]
fn on_a_small_stack(test: &str, case: fn()) {
    if env::var_os("TEVENT_TEST_ON_SMALL_STACK").is_none() {
        let mut again = Command::new(env::current_exe().unwrap());
        let output = again.args(["--exact", test]).env("TEVENT_TEST_ON_SMALL_STACK", "1").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.contains("1 passed"), "{}\n{out}{err}", output.status);
        return;
    }
    let stack = env::var("TEVENT_TEST_STACK").map_or(STACK, |size| size.parse().unwrap());
    let thread = thread::Builder::new().stack_size(stack).spawn(case).unwrap();
    thread.join().unwrap();
}

/// A debug build needs about 1 KiB for each of the 64 levels that may stand on top of each other.
const STACK: usize = 256 * 1024;

/// One link of a chain: whatever owns it, it owns the next.
struct Link {
    number: usize,
    order: Rc<RefCell<Vec<usize>>>,
    next: Option<Box<dyn Any>>,
}

impl Link {
    /// For closures that only have to hold it.
    fn hold(&self) {
        assert!(self.next.is_some() || self.number + 1 == chain_length());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.order.borrow_mut().push(self.number);
    }
}

struct Owners {
    ev: ContextRef,
    socket: Rc<UnixStream>,
    req: Req<()>,
    queue: Queue,
}

/// Drops 100,000 owners, each of which owns the next.
fn drop_nested(wrap: fn(&Owners, Link) -> Box<dyn Any>) {
    let ctx = Kind::Simulated.context();
    let socket = Rc::new(pair().0);
    let owners = Owners { ev: ctx.clone(), socket, req: Req::create(()), queue: Queue::create("owner") };
    let order = Rc::new(RefCell::new(Vec::new()));
    let mut next = None;
    for number in (0..chain_length()).rev() {
        let link = Link { number, order: Rc::clone(&order), next };
        next = Some(wrap(&owners, link));
    }
    assert!(order.borrow().is_empty(), "dropped early");
    drop(next);
    assert!(order.take().into_iter().eq(0..chain_length()), "each once, the outer before the inner");
}

/// Each `name(owners, link) wrap` is a test that drops a chain of 100,000 of what `wrap` makes.
macro_rules! dropped_on_a_small_stack {
    ($($name:ident($owners:pat, $link:ident) $wrap:block)*) => {$(
        #[test]
        fn $name() {
            on_a_small_stack(stringify!($name), || drop_nested(|$owners, $link| Box::new($wrap)));
        }
    )*};
}

dropped_on_a_small_stack! {
    req_12_a_chain_of_states_is_dropped(_, link) { Req::create(link) }
    req_12_a_chain_of_callbacks_is_dropped(_, link) {
        let req = Req::create(());
        req.set_callback(move |_req| link.hold());
        req
    }
    req_3_a_chain_of_cleanup_functions_is_dropped(_, link) {
        let req = Req::create(());
        req.set_cleanup_fn(move |_req, _state| link.hold());
        req
    }
    req_7_a_chain_of_cancel_functions_is_dropped(_, link) {
        let req = Req::create(());
        req.set_cancel_fn(move |_req| link.next.is_some());
        req
    }
    req_12_a_chain_of_callbacks_of_sub_requests_is_dropped(_, link) {
        let req = Req::create(());
        req.add_subreq(Req::create(()), move |_req, _subreq| link.hold());
        req
    }
    req_12_a_chain_of_kept_immediates_is_dropped(_, link) {
        let req = Req::create(());
        req.keep(Immediate::new(move |_ev, _im| link.hold()));
        req
    }
    im_3_a_chain_of_immediates_is_dropped(_, link) { Immediate::new(move |_ev, _im| link.hold()) }
    im_2_a_chain_of_handlers_of_one_schedule_is_dropped(owners, link) {
        let im = Immediate::empty();
        im.schedule_with(&owners.ev, move |_ev, _im| link.hold());
        im
    }
    timer_5_a_chain_of_timers_is_dropped(owners, link) {
        owners.ev.add_timer(Duration::from_secs(9), move |_ev, _te, _now| link.hold())
    }
    fd_9_a_chain_of_fd_events_is_dropped(owners, link) {
        owners.ev.add_fd(&*owners.socket, FdFlags::READ, move |_ev, _fde, _flags| link.hold()).unwrap()
    }
    fd_8_a_chain_of_close_functions_is_dropped(owners, link) {
        let fde = owners.ev.add_fd(&*owners.socket, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap();
        fde.set_close_fn(move |_number| link.hold());
        fde
    }
    fd_8_a_chain_of_shared_files_is_dropped(owners, link) {
        let file = Rc::new(SharedFile(Rc::clone(&owners.socket), link));
        owners.ev.add_fd(file, FdFlags::READ, |_ev, _fde, _flags| {}).unwrap()
    }
    loop_7_a_chain_of_contexts_is_dropped(_, link) {
        let ctx = Kind::Simulated.context();
        ctx.keep(Immediate::new(move |_ev, _im| link.hold()));
        ctx
    }
    queue_3_a_chain_of_entries_that_belong_to_requests_is_dropped(owners, link) {
        let req = Req::create(());
        owners.queue.add(&owners.ev, &req, move |_req| link.hold()).unwrap();
        req
    }
    queue_5_a_chain_of_entries_is_dropped(owners, link) {
        let entry = owners.queue.add_entry(&owners.ev, &owners.req, move |_req| link.hold()).unwrap();
        owners.req.take(&entry).unwrap()
    }
    queue_9_a_chain_of_queues_is_dropped(owners, link) {
        let queue = Queue::create("link");
        queue.add(&owners.ev, &owners.req, move |_req| link.hold()).unwrap();
        queue
    }
}

struct SharedFile(Rc<UnixStream>, #[allow(dead_code, reason = "held for its drop")] Link);

impl AsFd for SharedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Finishes the first of 100,000 requests; `link` makes each finish the next, and note its number when it does.
fn finish_in_a_row(link: fn(&ReqRef<()>, Box<dyn Fn()>)) {
    let order = Rc::new(RefCell::new(Vec::new()));
    let reqs: Vec<Req<()>> = (0..chain_length()).map(|_| Req::create(())).collect();
    for (number, req) in reqs.iter().enumerate() {
        let (order, next) = (Rc::clone(&order), reqs.get(number + 1).map(|next| ReqRef::clone(next)));
        let called = Box::new(move || {
            order.borrow_mut().push(number);
            if let Some(next) = &next {
                next.done();
            }
        });
        link(req, called);
    }
    assert!(reqs[0].done());
    assert!(
        order.take().into_iter().eq(0..chain_length()),
        "each once, in order, before the first call returns"
    );
}

#[test]
fn req_2_a_chain_of_requests_that_finish_the_next_in_their_callback() {
    on_a_small_stack("req_2_a_chain_of_requests_that_finish_the_next_in_their_callback", || {
        finish_in_a_row(|req, called| req.set_callback(move |_req| called()));
    });
}

#[test]
fn req_3_a_chain_of_requests_that_finish_the_next_in_their_cleanup_function() {
    on_a_small_stack("req_3_a_chain_of_requests_that_finish_the_next_in_their_cleanup_function", || {
        finish_in_a_row(|req, called| {
            req.set_cleanup_fn(move |_req, state| {
                if state == ReqState::Done {
                    called();
                }
            });
        });
    });
}

#[test]
fn req_2_a_chain_of_requests_that_finish_their_parent() {
    on_a_small_stack("req_2_a_chain_of_requests_that_finish_their_parent", || {
        let count = Rc::new(Cell::new(0));
        let innermost = Req::create(());
        let first = innermost.clone();
        let mut outermost = innermost;
        for number in 1..chain_length() {
            let (parent, count) = (Req::create(()), Rc::clone(&count));
            parent.add_subreq(outermost, move |parent, subreq| {
                assert!(subreq.recv(|()| ()).is_ok());
                assert_eq!(count.replace(number), number - 1, "from the inside out");
                parent.done();
            });
            outermost = parent;
        }
        assert!(first.done());
        assert_eq!((outermost.state(), count.get()), (ReqState::Done, chain_length() - 1));
    });
}
