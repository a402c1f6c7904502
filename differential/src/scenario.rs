//! A scenario: a text of operations, one a line. c/text.c reads the same.

use std::collections::BTreeMap;
use std::fmt;

use crate::words::{
    Entry, FdEvent, File, Flags, Im, Maybe, Moment, Queue, Req, Script, Signal, Timer, Word, Yes,
};

macro_rules! operations {
    ($($name:literal $op:ident($($word:ident: $kind:ty),*);)*) => {
        /// One operation. Where it cannot be carried out, both drivers pass it over.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum Op {
            $($op($($kind),*),)*
        }

        impl Op {
            fn read(line: &str) -> Option<Op> {
                let mut words = line.split_whitespace();
                let op = match words.next()? {
                    $($name => Op::$op($(<$kind>::read(words.next()?)?),*),)*
                    _ => return None,
                };
                words.next().is_none().then_some(op)
            }
        }

        impl fmt::Display for Op {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Op::$op($($word),*) => {
                        f.write_str($name)?;
                        $(write!(f, " {}", $word)?;)*
                        Ok(())
                    })*
                }
            }
        }
    };
}

operations! {
    "pipe" Pipe(read: File, write: File);
    "pair" Pair(one: File, other: File);
    "write" Write(file: File, bytes: u32);
    "read" Read(file: File, bytes: u32);
    "fill" Fill(file: File);
    "drain" Drain(file: File);
    "shutdown" Shutdown(file: File);
    "close" Close(file: File);
    "fd" Fd(event: FdEvent, file: File, flags: Flags, handler: Maybe<Script>, of: Maybe<Req>);
    "share_fd" ShareFd(event: FdEvent, file: File, flags: Flags, handler: Maybe<Script>, of: Maybe<Req>);
    "own_fd" OwnFd(event: FdEvent, file: File, flags: Flags, handler: Maybe<Script>);
    "close_fn" CloseFn(event: FdEvent);
    "flags" Flags(event: FdEvent);
    "set" Set(event: FdEvent, flags: Flags);
    "free_fd" FreeFd(event: FdEvent);

    "timer" Timer(timer: Timer, when: Moment, handler: Maybe<Script>, of: Maybe<Req>);
    "update" Update(timer: Timer, when: Moment);
    "free_timer" FreeTimer(timer: Timer);
    "im" Im(im: Im, handler: Maybe<Script>, of: Maybe<Req>);
    "sched" Sched(im: Im);
    "sched_with" SchedWith(im: Im, handler: Maybe<Script>);
    "reset" Reset(im: Im);
    "free_im" FreeIm(im: Im);

    // The signal by its place among those that scenarios know; 1 for SA_SIGINFO, 2 for SA_RESETHAND.
    "signal" Signal(event: Signal, signal: u32, how: u32, handler: Maybe<Script>);
    "raise" Raise(signal: u32, times: u32, value: u32);
    "free_signal" FreeSignal(event: Signal);

    "req" Req(req: Req, callback: Maybe<Script>);
    "sub" Sub(req: Req, parent: Req, callback: Maybe<Script>);
    "wakeup" Wakeup(req: Req, when: Moment, callback: Maybe<Script>);
    "wait" Wait(req: Req, queue: Queue, callback: Maybe<Script>);
    "keep" Keep(req: Req, parent: Req);
    "take" Take(req: Req);
    "callback" Callback(req: Req, callback: Maybe<Script>);
    "cleanup_fn" CleanupFn(req: Req, cleanup: Maybe<Script>);
    "cancel_fn" CancelFn(req: Req, says: Yes, cancel: Maybe<Script>);
    "received" Received(req: Req);
    "free_req" FreeReq(req: Req);

    "done" Done(req: Req);
    "error" Error(req: Req, code: u32);
    "oom" Oom(req: Req);
    "nomem" Nomem(req: Req, there: Yes);
    "post" Post(req: Req);
    "defer" Defer(req: Req);
    "endtime" Endtime(req: Req, when: Moment);
    "no_endtime" NoEndtime(req: Req);
    "cancel" Cancel(req: Req);
    "notify" Notify(req: Req);

    "queue" Queue(queue: Queue);
    "add" Add(entry: Entry, queue: Queue, req: Req, trigger: Maybe<Script>);
    "entry" Entry(entry: Entry, queue: Queue, req: Req, trigger: Maybe<Script>);
    "optimize" Optimize(entry: Entry, queue: Queue, req: Req, trigger: Maybe<Script>);
    "blocker" Blocker(entry: Entry, queue: Queue, req: Req);
    "leave" Leave(entry: Entry);
    "stop" Stop(queue: Queue);
    "start" Start(queue: Queue);
    "len" Len(queue: Queue);
    "untrigger" Untrigger(entry: Entry);
    "free_queue" FreeQueue(queue: Queue);

    "turn" Turn();
    "until" Until(req: Req, turns: u32);
    "run_all" RunAll();
    "poll" Poll(req: Req);
    "sleep" Sleep(microseconds: u32);
    "allow_nesting" AllowNesting();
    "free_context" FreeContext();
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// What handlers do, by the number of the script.
    pub(crate) scripts: BTreeMap<usize, Vec<Op>>,
    pub(crate) ops: Vec<Op>,
}

impl Scenario {
    /// Reads all scenarios of a text.
    pub(crate) fn read_all(text: &str) -> Result<Vec<Scenario>, String> {
        let mut all = Vec::new();
        let mut current = Scenario::default();
        let mut script = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let at = |what: &str| format!("line {}: {what}: {line}", number + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("scenario ") {
                name.clone_into(&mut current.name);
            } else if let Some(id) = line.strip_prefix("handler ") {
                let Script { 0: id } = Script::read(id).ok_or_else(|| at("not a handler"))?;
                script = Some(id);
                current.scripts.insert(id, Vec::new());
            } else if line == "end" {
                if script.take().is_none() {
                    all.push(std::mem::take(&mut current));
                }
            } else {
                let op = Op::read(line).ok_or_else(|| at("not an operation"))?;
                let scripted = script.and_then(|id| current.scripts.get_mut(&id));
                scripted.unwrap_or(&mut current.ops).push(op);
            }
        }
        if current == Scenario::default() {
            Ok(all)
        } else {
            Err("the last scenario has no `end`".to_owned())
        }
    }

    /// How many operations it has, those of its handlers too.
    pub(crate) fn len(&self) -> usize {
        self.ops.len() + self.scripts.values().map(Vec::len).sum::<usize>()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scenario {}", self.name)?;
        for (id, script) in &self.scripts {
            writeln!(f, "handler h{id}")?;
            for op in script {
                writeln!(f, "  {op}")?;
            }
            writeln!(f, "end")?;
        }
        for op in &self.ops {
            writeln!(f, "{op}")?;
        }
        writeln!(f, "end")
    }
}
