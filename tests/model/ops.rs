//! What a case is made of: operations, each of which both the loop and the model can carry out, and how they are drawn.

use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;

/// What a handler does when it runs.
pub(crate) type Script = Rc<[Op]>;

/// Names an object: the one whose handler runs, one that is alive, or one of the latest. See [`pick`].
pub(crate) type Pick = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Fd,
    Timer,
    Im,
    Req,
}

/// Whose handler runs.
pub(crate) type Me = Option<(Kind, usize)>;

/// Milliseconds from now or from the start of the case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    Zero,
    In(u8),
    At(u8),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Finish {
    Done,
    Error(u64),
    Oom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    Add,
    OptimizeEmpty,
    Blocker,
}

/// Which files there are; one end is watched, the other acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Socket,
    PipeToRead,
    PipeToWrite,
}

pub(crate) const FILES: [FileKind; 5] =
    [FileKind::Socket, FileKind::Socket, FileKind::Socket, FileKind::PipeToRead, FileKind::PipeToWrite];

/// What happens to a file behind the loop's back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Touch {
    Send,
    Drain,
    Fill,
    DrainFar,
    ShutFar,
    CloseFar,
    /// Its events are freed, and another file takes its place, often with the same number.
    Renew,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    AddFd { file: usize, flags: u16, shared: bool, close_fn: bool, script: Script },
    SetFlags(Pick, u16),
    FreeFd(Pick),
    Touch(usize, Touch),

    AddTimer(Time, Script),
    Update(Pick, Time),
    FreeTimer(Pick),
    Advance(u8),

    NewIm { filled: bool, script: Script },
    Schedule(Pick),
    ScheduleWith(Pick, Script),
    Reset(Pick),
    FreeIm(Pick),

    Create { callback: Option<Script>, cleanup: Option<Script>, cancel: Option<Script> },
    SetCallback(Pick, Script),
    Finish(Pick, Finish),
    Post(Pick),
    Defer(Pick),
    EndTime(Pick, Time),
    ResetEndTime(Pick),
    Received(Pick),
    Notify(Pick),
    Cancel(Pick),
    FreeReq(Pick),
    Adopt { parent: Pick, child: Pick, give_back: bool, script: Script },

    NewQueue,
    Join { queue: Pick, req: Pick, how: Join, script: Script },
    Leave(Pick),
    Stop(Pick),
    Start(Pick),
    Untrigger(Pick),
    FreeQueue(Pick),

    WaitTimeout(Option<u16>),
    Turn,
    Turns(u8),
}

/// How many of a kind live at most; a new one beyond them takes the place of the oldest.
pub(crate) const CAP: usize = 6;
/// How deep handlers stand on top of each other before their scripts are not run any more.
pub(crate) const DEPTH: usize = 4;
/// How deep turns stand on top of each other.
pub(crate) const LEVELS: usize = 3;
/// How many of the latest objects of a kind are looked at, beside those that live.
const WINDOW: usize = 8;

/// The object that is meant, if there is one: by its number among all of its kind. It may be one of the latest that
/// somebody else owns, or nobody any more.
pub(crate) fn pick(n: Pick, me: Option<usize>, live: &[usize], all: usize) -> Option<usize> {
    let n_th = |len: usize| usize::from(n).checked_rem(len);
    match (n, me) {
        (0..100, Some(me)) => Some(me),
        (180.., _) => n_th(all.min(WINDOW)).map(|n| all - 1 - n),
        _ => n_th(live.len()).map(|n| live[n]),
    }
}

/// The objects that are looked at after each operation.
pub(crate) fn looked_at(live: &[usize], all: usize) -> Vec<usize> {
    (0..all).filter(|id| id + WINDOW >= all || live.contains(id)).collect()
}

/// The number of the one whose handler runs, if it is of this kind.
pub(crate) fn of_kind(me: Me, kind: Kind) -> Option<usize> {
    me.filter(|(of, _)| *of == kind).map(|(_, id)| id)
}

/// How often operations on fds, timers, immediates, requests, queues and the loop come up. A case that is about few kinds
/// meets their corners more often.
type Theme = [u32; 6];

const THEMES: [Theme; 4] =
    [[30, 18, 18, 30, 24, 30], [60, 5, 5, 0, 0, 30], [0, 30, 30, 10, 0, 30], [0, 6, 6, 50, 40, 30]];

/// A lot for the loop, and a list of operations, whose handlers carry scripts, whose handlers carry scripts.
pub(crate) fn cases() -> impl Strategy<Value = (u64, Vec<Op>)> {
    let themes = THEMES.map(|theme| vec(op(2, theme), 1..100).boxed());
    (any::<u64>(), Union::new(themes))
}

fn script(depth: u32, theme: Theme) -> BoxedStrategy<Script> {
    match depth.checked_sub(1) {
        None => Just(Script::from([])).boxed(),
        Some(depth) => vec(op(depth, theme), 0..4).prop_map(Script::from).boxed(),
    }
}

fn op(depth: u32, theme: Theme) -> BoxedStrategy<Op> {
    let script = script(depth, theme);
    let kinds = [
        fd_op(&script).boxed(),
        timer_op(&script).boxed(),
        immediate_op(&script).boxed(),
        req_op(&script).boxed(),
        queue_op(&script).boxed(),
        loop_op().boxed(),
    ];
    let chosen = theme.into_iter().zip(kinds).filter(|(weight, _)| *weight > 0);
    Union::new_weighted(chosen.collect()).boxed()
}

fn fd_op(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Op> + use<> {
    let add = (0..FILES.len(), 0..8_u16, any::<bool>(), any::<bool>(), script.clone()).prop_map(
        |(file, flags, shared, close_fn, script)| Op::AddFd { file, flags, shared, close_fn, script },
    );
    let touch = prop_oneof![
        6 => Just(Touch::Send),
        3 => Just(Touch::Drain),
        2 => Just(Touch::Fill),
        2 => Just(Touch::DrainFar),
        1 => Just(Touch::ShutFar),
        1 => Just(Touch::CloseFar),
        1 => Just(Touch::Renew),
    ];
    prop_oneof![
        5 => add,
        3 => (any::<Pick>(), 0..8_u16).prop_map(|(fd, flags)| Op::SetFlags(fd, flags)),
        2 => any::<Pick>().prop_map(Op::FreeFd),
        6 => (0..FILES.len(), touch).prop_map(|(file, touch)| Op::Touch(file, touch)),
    ]
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        2 => Just(Time::Zero),
        3 => (0..5_u8).prop_map(Time::In),
        2 => (0..20_u8).prop_map(Time::At),
    ]
}

fn timer_op(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Op> + use<> {
    prop_oneof![
        4 => (time(), script.clone()).prop_map(|(when, script)| Op::AddTimer(when, script)),
        3 => (any::<Pick>(), time()).prop_map(|(timer, when)| Op::Update(timer, when)),
        1 => any::<Pick>().prop_map(Op::FreeTimer),
        1 => (0..4_u8).prop_map(Op::Advance),
    ]
}

fn immediate_op(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Op> + use<> {
    let new = (prop::bool::weighted(0.8), script.clone());
    prop_oneof![
        3 => new.prop_map(|(filled, script)| Op::NewIm { filled, script }),
        5 => any::<Pick>().prop_map(Op::Schedule),
        2 => (any::<Pick>(), script.clone()).prop_map(|(im, script)| Op::ScheduleWith(im, script)),
        1 => any::<Pick>().prop_map(Op::Reset),
        1 => any::<Pick>().prop_map(Op::FreeIm),
    ]
}

fn req_op(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Op> + use<> {
    let finish = prop_oneof![
        4 => Just(Finish::Done),
        2 => Just(Finish::Error(42)),
        1 => Just(Finish::Error(0)),
        1 => Just(Finish::Oom),
    ];
    let maybe = || prop::option::of(script.clone());
    let create = (maybe(), maybe(), maybe());
    let adopt = (any::<Pick>(), any::<Pick>(), any::<bool>(), script.clone());
    prop_oneof![
        6 => create.prop_map(|(callback, cleanup, cancel)| Op::Create { callback, cleanup, cancel }),
        1 => (any::<Pick>(), script.clone()).prop_map(|(req, script)| Op::SetCallback(req, script)),
        8 => (any::<Pick>(), finish).prop_map(|(req, how)| Op::Finish(req, how)),
        2 => any::<Pick>().prop_map(Op::Post),
        2 => any::<Pick>().prop_map(Op::Defer),
        2 => (any::<Pick>(), time()).prop_map(|(req, when)| Op::EndTime(req, when)),
        1 => any::<Pick>().prop_map(Op::ResetEndTime),
        1 => any::<Pick>().prop_map(Op::Received),
        1 => any::<Pick>().prop_map(Op::Notify),
        1 => any::<Pick>().prop_map(Op::Cancel),
        3 => any::<Pick>().prop_map(Op::FreeReq),
        3 => adopt.prop_map(|(parent, child, give_back, script)| {
            Op::Adopt { parent, child, give_back, script }
        }),
    ]
}

fn queue_op(script: &BoxedStrategy<Script>) -> impl Strategy<Value = Op> + use<> {
    let how = prop_oneof![3 => Just(Join::Add), 2 => Just(Join::OptimizeEmpty), 1 => Just(Join::Blocker)];
    let join = (any::<Pick>(), any::<Pick>(), how, script.clone());
    prop_oneof![
        2 => Just(Op::NewQueue),
        12 => join.prop_map(|(queue, req, how, script)| Op::Join { queue, req, how, script }),
        4 => any::<Pick>().prop_map(Op::Leave),
        2 => any::<Pick>().prop_map(Op::Stop),
        3 => any::<Pick>().prop_map(Op::Start),
        2 => any::<Pick>().prop_map(Op::Untrigger),
        1 => any::<Pick>().prop_map(Op::FreeQueue),
    ]
}

fn loop_op() -> impl Strategy<Value = Op> {
    let timeout = prop_oneof![
        4 => Just(Some(0)),
        2 => Just(Some(3)),
        2 => Just(Some(30_000)),
        1 => Just(None),
    ];
    prop_oneof![
        1 => timeout.prop_map(Op::WaitTimeout),
        8 => Just(Op::Turn),
        4 => (0..6_u8).prop_map(Op::Turns),
    ]
}
