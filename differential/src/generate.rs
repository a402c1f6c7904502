//! Draws scenarios. What is never drawn, and why, stands here and in README.md; what cannot be carried out at its moment
//! is passed over by both drivers.

use crate::rng::Rng;
use crate::scenario::{Op, Scenario};
use crate::words::{Flags, Id, Maybe, Moment, Script, Yes};

/// What a scenario is about: how often operations on files, timers, immediates, requests, queues and the loop are
/// drawn, and on signals. One that is about few kinds meets their corners more often.
type Theme = [usize; 7];

const THEMES: [Theme; 8] = [
    [26, 14, 14, 26, 20, 30, 0],
    [60, 4, 4, 0, 0, 34, 0],
    [0, 30, 24, 6, 0, 30, 0],
    [0, 8, 6, 60, 0, 24, 0],
    [0, 4, 6, 26, 40, 26, 0],
    [30, 10, 4, 30, 0, 30, 0],
    [0, 4, 4, 0, 0, 30, 60],
    [20, 12, 10, 16, 10, 30, 30],
];

#[derive(Clone, Copy)]
enum Family {
    File,
    Timer,
    Im,
    Req,
    Queue,
    Loop,
    Signal,
}

/// The scenario of a seed.
pub(crate) fn generate(seed: u64) -> Scenario {
    let mut rng = Rng::new(seed);
    let theme = rng.one_of(&THEMES);
    let scripts = rng.between(1, 9);
    let mut drawing = Drawing { rng, theme, scripts, made: [0; 8] };
    let mut ops = drawing.beginning();
    let length = drawing.rng.between(6, 50);
    drawing.draw(&mut ops, length, false);
    if drawing.rng.chance(12) {
        ops.push(Op::FreeContext());
        let length = drawing.rng.between(0, 8);
        drawing.draw(&mut ops, length, false);
    }
    let script = |id| {
        let (length, mut script) =
            (drawing.rng.weighted(&[(3, 0), (6, 1), (5, 2), (3, 3), (2, 5)]), Vec::new());
        drawing.draw(&mut script, length, true);
        (id, script)
    };
    let scripts = (0..scripts).map(script).collect();
    Scenario { name: format!("seed-{seed}"), scripts, ops }
}

struct Drawing {
    rng: Rng,
    theme: Theme,
    scripts: usize,
    /// How many ids of each kind were given out.
    made: [usize; 8],
}

const KINDS: [char; 8] = ['f', 'e', 't', 'i', 'r', 'q', 'n', 's'];

impl Drawing {
    fn count<const KIND: char>(&mut self) -> &mut usize {
        let place = KINDS.iter().position(|kind| *kind == KIND).unwrap_or(0);
        &mut self.made[place]
    }

    /// A new id.
    fn fresh<const KIND: char>(&mut self) -> Id<KIND> {
        let count = self.count::<KIND>();
        *count += 1;
        // Few scenarios come near to the room that the C driver has; later objects are passed over.
        Id((*count - 1).min(255))
    }

    /// One that was given out, often one of the latest, seldom one that is still to come.
    fn some<const KIND: char>(&mut self) -> Id<KIND> {
        let count = *self.count::<KIND>();
        let newest = count.min(3);
        Id(match self.rng.below(10) {
            0 => count,
            1..5 if newest > 0 => count - 1 - self.rng.below(newest),
            _ => self.rng.below(count.max(1)),
        })
    }

    fn script(&mut self) -> Maybe<Script> {
        Maybe(self.rng.chance(88).then(|| Id(self.rng.below(self.scripts))))
    }

    /// Who has an event: mostly nobody but the scenario.
    fn of(&mut self) -> Maybe<Id<'r'>> {
        let of = self.rng.chance(if self.theme[3] > 0 { 30 } else { 0 });
        Maybe(of.then(|| self.some()))
    }

    fn flags(&mut self) -> Flags {
        Flags(self.rng.weighted(&[
            (1, Flags::ALL[0].1),
            (5, Flags::ALL[1].1),
            (3, Flags::ALL[2].1),
            (3, Flags::ALL[3].1),
        ]))
    }

    fn later(&mut self) -> Moment {
        let in_steps = |rng: &mut Rng, most| 500 * u32::try_from(rng.below(most)).unwrap_or(0);
        match self.rng.below(8) {
            0..4 => Moment::In(in_steps(&mut self.rng, 8)),
            4 => Moment::In(u32::try_from(self.rng.below(3000)).unwrap_or(0)),
            5 => Moment::At(-i64::from(in_steps(&mut self.rng, 4))),
            _ => Moment::At(i64::from(in_steps(&mut self.rng, 30))),
        }
    }

    fn moment(&mut self) -> Moment {
        if self.rng.chance(25) { Moment::Zero } else { self.later() }
    }

    fn yes(&mut self) -> Yes {
        Yes(self.rng.chance(50))
    }

    /// Some of what the theme is about, so that there is something from the start.
    fn beginning(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        if self.rng.chance(45) {
            ops.push(Op::AllowNesting());
        }
        let [files, _, _, reqs, queues, _, signals] = self.theme;
        for _ in 0..if files > 0 { self.rng.between(1, 3) } else { 0 } {
            ops.push(self.two_files());
        }
        for _ in 0..if reqs > 20 { self.rng.between(0, 3) } else { 0 } {
            ops.push(Op::Req(self.fresh(), self.script()));
        }
        for _ in 0..if signals > 0 { self.rng.between(0, 2) } else { 0 } {
            ops.push(self.new_signal());
        }
        for _ in 0..if queues > 0 { self.rng.between(1, 2) } else { 0 } {
            ops.push(Op::Queue(self.fresh()));
        }
        ops
    }

    /// Some more operations, now and then a phrase of several that belong together.
    fn draw(&mut self, ops: &mut Vec<Op>, count: usize, in_handler: bool) {
        use Family::{File, Im, Loop, Queue, Req, Signal, Timer};
        let families = [File, Timer, Im, Req, Queue, Loop, Signal];
        let mut choices: Vec<_> = self.theme.into_iter().zip(families).collect();
        if in_handler {
            choices[5].0 /= 5;
        }
        let most = ops.len() + count;
        while ops.len() < most {
            let family = self.rng.weighted(&choices);
            if self.rng.chance(15) {
                self.phrase(family, ops);
                continue;
            }
            ops.push(match family {
                File => self.file_op(),
                Timer => self.timer_op(),
                Im => self.im_op(),
                Req => self.req_op(),
                Queue => self.queue_op(),
                Loop => self.loop_op(),
                Signal => self.signal_op(),
            });
        }
    }

    /// What single draws seldom bring together.
    fn phrase(&mut self, family: Family, ops: &mut Vec<Op>) {
        match (family, self.rng.below(4)) {
            (Family::File, 0..2) => {
                let (near, far) = (self.fresh(), self.fresh());
                ops.extend([
                    Op::Pair(near, far),
                    Op::Fd(self.fresh(), near, self.flags(), self.script(), self.of()),
                    Op::Write(far, 5),
                ]);
            }
            (Family::File, _) => {
                let (event, file) = (self.fresh(), self.some());
                ops.extend([
                    Op::Fd(event, file, self.flags(), self.script(), Maybe(None)),
                    Op::Set(event, self.flags()),
                    Op::Turn(),
                ]);
            }
            (Family::Timer, _) => {
                let timer = self.fresh();
                ops.extend([
                    Op::Timer(timer, self.later(), self.script(), self.of()),
                    Op::Update(timer, self.later()),
                ]);
            }
            (Family::Im, _) => {
                let im = self.fresh();
                ops.extend([Op::Im(im, self.script(), self.of()), Op::Sched(im)]);
            }
            (Family::Req, 0..2) => {
                let (parent, child) = (self.fresh(), self.fresh());
                ops.extend([
                    Op::Req(parent, self.script()),
                    Op::Sub(child, parent, self.script()),
                    Op::CleanupFn(child, self.script()),
                    Op::Defer(child),
                    Op::Done(child),
                ]);
            }
            (Family::Req, 2) => {
                let (parent, child) = (self.some(), self.fresh());
                ops.extend([
                    Op::Req(child, self.script()),
                    Op::Keep(child, parent),
                    Op::CleanupFn(child, self.script()),
                ]);
                if self.rng.chance(50) {
                    ops.push(Op::Take(child));
                }
            }
            (Family::Req, _) => {
                let req = self.some();
                ops.extend([Op::CancelFn(req, self.yes(), self.script()), Op::Cancel(req)]);
            }
            (Family::Queue, 0..2) => {
                let (req, queue) = (self.fresh(), self.some());
                ops.extend([
                    Op::Req(req, self.script()),
                    Op::Entry(self.fresh(), queue, req, self.script()),
                    Op::Turn(),
                ]);
            }
            (Family::Queue, _) => {
                let queue = self.some();
                ops.extend([Op::Stop(queue), Op::Untrigger(self.some()), Op::Start(queue)]);
            }
            (Family::Loop, _) => ops.extend([Op::Turn(), Op::Turn()]),
            (Family::Signal, 0) => {
                // More than what is queued before a signal is held back.
                let signal = self.signal();
                let times = u32::try_from(self.rng.between(250, 300)).unwrap_or(256);
                ops.extend([Op::Raise(signal, times, 0), Op::Turn(), Op::Turn(), Op::Turn()]);
            }
            (Family::Signal, _) => {
                let signal = self.signal();
                ops.extend([Op::Raise(signal, 1, 7), Op::Raise(self.signal(), 2, 40), Op::Turn()]);
            }
        }
    }

    fn two_files(&mut self) -> Op {
        let (one, other) = (self.fresh(), self.fresh());
        if self.rng.chance(65) { Op::Pair(one, other) } else { Op::Pipe(one, other) }
    }

    fn file_op(&mut self) -> Op {
        let bytes = u32::try_from(self.rng.between(1, 20)).unwrap_or(1);
        match self.rng.below(44) {
            0..2 => self.two_files(),
            2..9 => Op::Fd(self.fresh(), self.some(), self.flags(), self.script(), self.of()),
            9..11 => Op::ShareFd(self.fresh(), self.some(), self.flags(), self.script(), self.of()),
            11 => Op::OwnFd(self.fresh(), self.some(), self.flags(), self.script()),
            12 => Op::CloseFn(self.some()),
            13 => Op::Flags(self.some()),
            14..20 => Op::Set(self.some(), self.flags()),
            20..24 => Op::FreeFd(self.some()),
            24..32 => Op::Write(self.some(), bytes),
            32..35 => Op::Read(self.some(), bytes),
            35..38 => Op::Drain(self.some()),
            38..40 => Op::Fill(self.some()),
            40..42 => Op::Shutdown(self.some()),
            _ => Op::Close(self.some()),
        }
    }

    fn timer_op(&mut self) -> Op {
        match self.rng.below(14) {
            0..8 => Op::Timer(self.fresh(), self.moment(), self.script(), self.of()),
            // Never moved to zero: TIMER-4 says MUST DIFFER.
            8..11 => Op::Update(self.some(), self.later()),
            11..13 => Op::FreeTimer(self.some()),
            _ => Op::Sleep(u32::try_from(self.rng.below(3000)).unwrap_or(0)),
        }
    }

    fn im_op(&mut self) -> Op {
        match self.rng.below(14) {
            0..4 => Op::Im(self.fresh(), self.script(), self.of()),
            4..9 => Op::Sched(self.some()),
            9..11 => Op::SchedWith(self.some(), self.script()),
            11 => Op::Reset(self.some()),
            _ => Op::FreeIm(self.some()),
        }
    }

    fn req_op(&mut self) -> Op {
        match self.rng.below(60) {
            0..8 => Op::Req(self.fresh(), self.script()),
            8..14 => Op::Sub(self.fresh(), self.some(), self.script()),
            14..16 => Op::Wakeup(self.fresh(), self.moment(), self.script()),
            16..18 => Op::Keep(self.some(), self.some()),
            18 => Op::Take(self.some()),
            19 => Op::Callback(self.some(), self.script()),
            20..25 => Op::CleanupFn(self.some(), self.script()),
            25..28 => Op::CancelFn(self.some(), self.yes(), self.script()),
            28..30 => Op::Received(self.some()),
            30..35 => Op::FreeReq(self.some()),
            35..41 => Op::Done(self.some()),
            41..43 => Op::Error(self.some(), self.rng.one_of(&[0, 1, 42, u32::MAX])),
            43 => Op::Oom(self.some()),
            44 => Op::Nomem(self.some(), self.yes()),
            45..48 => Op::Post(self.some()),
            48..52 => Op::Defer(self.some()),
            52..55 => Op::Endtime(self.some(), self.moment()),
            55 => Op::NoEndtime(self.some()),
            56..58 => Op::Cancel(self.some()),
            _ => Op::Notify(self.some()),
        }
    }

    fn queue_op(&mut self) -> Op {
        match self.rng.below(40) {
            0 => Op::Queue(self.fresh()),
            1..7 => Op::Add(self.fresh(), self.some(), self.some(), self.script()),
            7..14 => Op::Entry(self.fresh(), self.some(), self.some(), self.script()),
            14..21 => Op::Optimize(self.fresh(), self.some(), self.some(), self.script()),
            21..23 => Op::Blocker(self.fresh(), self.some(), self.some()),
            23..25 => Op::Wait(self.fresh(), self.some(), self.script()),
            25..30 => Op::Leave(self.some()),
            30..32 => Op::Stop(self.some()),
            32..35 => Op::Start(self.some()),
            35 => Op::Len(self.some()),
            36..39 => Op::Untrigger(self.some()),
            _ => Op::FreeQueue(self.some()),
        }
    }

    fn signal(&mut self) -> u32 {
        self.rng.weighted(&[(5, 0), (2, 1), (4, 2), (1, 3)])
    }

    fn new_signal(&mut self) -> Op {
        let how = self.rng.weighted(&[(5, 0), (5, 1), (1, 2), (1, 3)]);
        Op::Signal(self.fresh(), self.signal(), how, self.script())
    }

    fn signal_op(&mut self) -> Op {
        match self.rng.below(20) {
            0..7 => self.new_signal(),
            7..15 => {
                let times = u32::try_from(self.rng.between(1, 5)).unwrap_or(1);
                Op::Raise(self.signal(), times, u32::try_from(self.rng.below(100)).unwrap_or(0))
            }
            _ => Op::FreeSignal(self.some()),
        }
    }

    fn loop_op(&mut self) -> Op {
        match self.rng.below(40) {
            0 => Op::RunAll(),
            1 => Op::Poll(self.some()),
            2..4 => Op::Until(self.some(), u32::try_from(self.rng.between(1, 10)).unwrap_or(1)),
            4 => Op::Sleep(u32::try_from(self.rng.below(3000)).unwrap_or(0)),
            _ => Op::Turn(),
        }
    }
}
