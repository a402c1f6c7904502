//! A tree of requests, three levels deep, freed at every moment of its life (REQ-12).

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use support::{Kind, on_every_backend, pair};
use tevent::{ContextRef, FdFlags, Immediate, Queue, Req, ReqError, ReqRef, ReqState, Timer, When};

const ECANCELED: u64 = 125;

/// How the leaves of the tree come to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// By an fd event, a timer, a queue's trigger and an immediate.
    Done,
    /// As `Done`, and every callback is deferred.
    Deferred,
    /// Before their parents know them.
    Posted,
    TimedOut,
    /// From the root down, by cancel functions.
    Cancelled,
    /// Inside the advance of their parent, which is inside the advance of the root.
    Borrowed,
}

/// 0 is the root, 1 and 2 are its children, 3 to 6 their children.
const NODES: usize = 7;

fn is_under(node: usize, top: usize) -> bool {
    node == top || (node > 0 && is_under((node - 1) / 2, top))
}

/// A tree, and the step at which one of its nodes is freed.
struct Tree {
    ev: ContextRef,
    scenario: Scenario,
    queue: Queue,
    near: UnixStream,
    far: UnixStream,
    target: usize,
    free_at: usize,
    step: Cell<usize>,
    freed: Cell<bool>,
    root: RefCell<Option<Req<Node>>>,
    refs: RefCell<Vec<Option<ReqRef<Node>>>>,
    /// Every state and every closure of a node holds its token.
    tokens: [Rc<()>; NODES],
    cleaned: RefCell<[Vec<ReqState>; NODES]>,
    root_called_back: Cell<bool>,
    faults: RefCell<Vec<String>>,
}

type Token = Rc<()>;

struct Node {
    tree: Rc<Tree>,
    left: usize,
    failed: Option<ReqError>,
    _token: Token,
    /// Events that the state itself owns; never ready.
    _events: (tevent::FdEvent, Timer, Immediate),
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tree.tick();
    }
}

impl Tree {
    fn new(ctx: &ContextRef, scenario: Scenario, target: usize, free_at: usize) -> Rc<Self> {
        let (near, far) = pair();
        (&far).write_all(b"x").unwrap();
        Rc::new(Tree {
            ev: ctx.clone(),
            scenario,
            queue: Queue::create("tree"),
            near,
            far,
            target,
            free_at,
            step: Cell::new(0),
            freed: Cell::new(false),
            root: RefCell::default(),
            refs: RefCell::new(vec![None; NODES]),
            tokens: Default::default(),
            cleaned: RefCell::default(),
            root_called_back: Cell::new(false),
            faults: RefCell::default(),
        })
    }

    /// One more moment at which the target can be freed.
    fn tick(&self) {
        self.step.set(self.step.get() + 1);
        if self.step.get() == self.free_at {
            // It may have ended before, or be in the hands of its parent's callback.
            if let Some(owner) = self.take(self.target) {
                self.freed.set(true);
                drop(owner);
            }
        }
    }

    /// A closure of the node is called.
    fn enter(&self, number: usize, what: &str) {
        if self.freed.get() && is_under(number, self.target) {
            self.faults.borrow_mut().push(format!("{what} of node {number} ran after the free"));
        }
        self.tick();
    }

    fn take(&self, number: usize) -> Option<Req<Node>> {
        if number == 0 {
            return self.root.take();
        }
        let (node, parent) = (self.node(number)?, self.node((number - 1) / 2)?);
        parent.take(&node)
    }

    fn node(&self, number: usize) -> Option<ReqRef<Node>> {
        self.refs.borrow()[number].clone()
    }

    /// How many states and closures of the nodes under this one are there.
    fn alive(&self, top: usize) -> usize {
        let under = (0..NODES).filter(|number| is_under(*number, top));
        under.map(|number| Rc::strong_count(&self.tokens[number]) - 1).sum()
    }
}

/// Sends a node with all below it.
fn send(tree: &Rc<Tree>, number: usize) -> Req<Node> {
    let ev = &tree.ev;
    let token = || (Rc::clone(tree), Rc::clone(&tree.tokens[number]));
    let hour = When::In(Duration::from_secs(3600));
    let (a, b, c) = (token(), token(), token());
    let req = Req::create(Node {
        tree: Rc::clone(tree),
        left: if number < 3 { 2 } else { 0 },
        failed: None,
        _token: token().1,
        _events: (
            ev.add_fd(&tree.far, FdFlags::READ, move |_, _, _| a.0.enter(number, "fd event")).unwrap(),
            ev.add_timer(hour, move |_, _, _| b.0.enter(number, "timer")),
            Immediate::new(move |_, _| c.0.enter(number, "immediate")),
        ),
    });
    tree.refs.borrow_mut()[number] = Some(req.clone());
    if tree.scenario == Scenario::Deferred {
        req.defer_callback(ev);
    }
    let held = token();
    req.set_cleanup_fn(move |_req, state| {
        held.0.cleaned.borrow_mut()[number].push(state);
        // What freeing a request itself calls comes with the free, or with the end of a borrow.
        match state {
            ReqState::Received => held.0.tick(),
            _ => held.0.enter(number, "cleanup"),
        }
    });
    let held = token();
    req.set_cancel_fn(move |req| {
        held.0.enter(number, "cancel");
        let below = [2 * number + 1, 2 * number + 2]
            .map(|below| (below < NODES).then(|| held.0.node(below)).flatten());
        for child in below.into_iter().flatten() {
            child.cancel();
        }
        number < 3 || req.error(ECANCELED)
    });
    if number < 3 {
        for below in [2 * number + 1, 2 * number + 2] {
            let held = token();
            req.add_subreq(send(tree, below), move |req, subreq| child_ended(&held.0, number, req, subreq));
        }
    } else {
        start_leaf(tree, number, &req);
    }
    req
}

fn start_leaf(tree: &Rc<Tree>, number: usize, req: &ReqRef<Node>) {
    let ev = &tree.ev;
    let (held, held_by_trigger) = [0; 2].map(|_| (Rc::clone(tree), Rc::clone(&tree.tokens[number]))).into();
    let work = tree.scenario;
    let finish = move |req: &ReqRef<Node>| {
        held.0.enter(number, "work");
        if matches!(work, Scenario::Done | Scenario::Deferred) {
            let tree = Rc::clone(&held.0);
            req.advance(move |_node| {
                tree.tick();
                Poll::Ready(Ok(()))
            });
        }
    };
    let trigger = move |req: &ReqRef<Node>| {
        held_by_trigger.0.enter(number, "trigger");
        if number == 5 && matches!(work, Scenario::Done | Scenario::Deferred) {
            req.done();
        }
    };
    tree.queue.add(ev, req, trigger).unwrap();
    match number {
        3 => drop(req.add_fd(ev, &tree.near, FdFlags::READ, move |req, _flags| finish(req)).unwrap()),
        4 => drop(req.add_timer(ev, When::Zero, move |req, _te, _now| finish(req))),
        6 => req.add_immediate(finish).schedule(ev),
        _ => {}
    }
    match tree.scenario {
        Scenario::Posted => {
            req.done();
            req.post(ev);
        }
        Scenario::TimedOut => req.set_endtime(ev, When::Zero),
        _ => {}
    }
}

/// A child has finished: its result is taken, and the second one finishes the parent.
fn child_ended(tree: &Rc<Tree>, number: usize, req: &ReqRef<Node>, subreq: Req<Node>) {
    tree.enter(number, "callback of a child");
    let failed = subreq.result().err();
    subreq.received();
    tree.tick();
    drop(subreq);
    tree.tick();
    let ended = req.with_state(|node| {
        tree.tick();
        node.left -= 1;
        node.failed = node.failed.take().or(failed);
        (node.left == 0).then(|| node.failed.clone())
    });
    match ended.flatten() {
        Some(None) => drop(req.done()),
        Some(Some(error)) => drop(req.error(error)),
        None => {}
    }
}

/// What comes from the root down.
fn start_root(tree: &Rc<Tree>, root: &ReqRef<Node>) {
    let held = (Rc::clone(tree), Rc::clone(&tree.tokens[0]));
    let start = root.add_immediate(move |root| {
        held.0.enter(0, "start");
        match held.0.scenario {
            Scenario::Cancelled => drop(root.cancel()),
            Scenario::Borrowed => finish_borrowed(&held.0, 0),
            _ => {}
        }
    });
    start.schedule(&tree.ev);
    let held = (Rc::clone(tree), Rc::clone(&tree.tokens[0]));
    root.set_callback(move |root| {
        held.0.enter(0, "callback");
        held.0.root_called_back.set(true);
        root.received();
        held.0.tick();
    });
}

fn finish_borrowed(tree: &Rc<Tree>, number: usize) {
    let Some(req) = tree.node(number) else { return };
    let tree = Rc::clone(tree);
    req.advance(move |_node| {
        tree.tick();
        if number >= 3 {
            return Poll::Ready(Ok(()));
        }
        finish_borrowed(&tree, 2 * number + 1);
        finish_borrowed(&tree, 2 * number + 2);
        tree.tick();
        Poll::Pending
    });
}

/// One run; says how many steps it had, and whether there was something to free at that step.
fn run(backend: Kind, scenario: Scenario, target: usize, free_at: usize) -> (usize, bool) {
    let case = format!("{scenario:?} on {backend:?}, node {target} freed at step {free_at}");
    let ctx = backend.context();
    ctx.set_wait_timeout(Duration::ZERO);
    let tree = Tree::new(&ctx, scenario, target, free_at);
    let root = send(&tree, 0);
    start_root(&tree, &root);
    *tree.root.borrow_mut() = Some(root);
    for _ in 0..40 {
        tree.tick();
        if tree.freed.get() {
            assert_eq!(tree.alive(target), 0, "{case}: alive after the free");
        }
        let _ = ctx.loop_once();
    }
    if !tree.freed.get() {
        assert!(tree.root_called_back.get(), "{case}: the root never finished");
    }
    let steps = tree.step.get();
    drop(tree.root.take());
    assert_eq!(tree.faults.take(), [""; 0], "{case}");
    assert_eq!(tree.alive(0), 0, "{case}: leaked");
    assert!(tree.queue.is_empty(), "{case}: an entry is left in the queue");
    for (number, states) in tree.cleaned.take().iter().enumerate() {
        assert!(states.is_sorted_by(|a, b| a < b), "{case}: cleanup of node {number} ran for {states:?}");
        assert_eq!(states.last(), Some(&ReqState::Received), "{case}: cleanup of node {number}");
    }
    assert!(ctx.loop_wait().is_ok(), "{case}: an event is left");
    // The nodes' Refs hold the tree.
    tree.refs.take();
    (steps, tree.freed.get())
}

#[track_caller]
fn free_at_every_step(backend: Kind, scenario: Scenario) {
    // Both children and all four leaves, each of which ends in its own way.
    for target in 0..NODES {
        let (mut step, mut hits) = (1, 0);
        loop {
            let (steps, freed) = run(backend, scenario, target, step);
            if steps < step {
                break;
            }
            hits += usize::from(freed);
            step += 1;
        }
        assert!(step > 60 && hits > 3, "{scenario:?}: node {target} freed at {hits} of {step} steps");
    }
}

on_every_backend! {
    fn req_12_a_tree_freed_at_any_step_of_being_done(backend) {
        free_at_every_step(backend, Scenario::Done);
    }

    fn req_12_a_tree_freed_at_any_step_of_deferred_callbacks(backend) {
        free_at_every_step(backend, Scenario::Deferred);
    }

    fn req_12_a_tree_freed_at_any_step_of_posted_callbacks(backend) {
        free_at_every_step(backend, Scenario::Posted);
    }

    fn req_12_a_tree_freed_at_any_step_of_timing_out(backend) {
        free_at_every_step(backend, Scenario::TimedOut);
    }

    fn req_12_a_tree_freed_at_any_step_of_being_cancelled(backend) {
        free_at_every_step(backend, Scenario::Cancelled);
    }

    fn req_12_a_tree_freed_at_any_step_of_finishing_while_states_are_borrowed(backend) {
        free_at_every_step(backend, Scenario::Borrowed);
    }
}
