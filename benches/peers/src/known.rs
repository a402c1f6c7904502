//! The workloads that programs may have; the same list stands in `c/harness.c`.

/// A workload by name.
#[derive(Debug)]
pub struct Known {
    /// What it is called.
    pub name: &'static str,
    /// Its size when none is given.
    pub size: &'static str,
    /// A size for tests.
    pub tiny: &'static str,
    /// How it is measured.
    pub measure: Measure,
}

/// How a workload is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Again and again until it has taken long enough: the processor's time for each, which is all the time where
    /// nothing sleeps, but for what other processes take.
    Repeat,
    /// The same, where `size` operations belong together.
    Groups,
    /// Once, `size` operations, on two threads: time on the wall for each.
    Once,
    /// Once, `size` objects: what resident memory grows by for each.
    Bytes,
    /// Once, as long as the load lasts: the processor's time for each request.
    Server,
    /// Twenty times a millisecond of what is asked for: time on the wall, the median and the 99th percentile.
    Latency,
}

const fn known(name: &'static str, size: &'static str, tiny: &'static str, measure: Measure) -> Known {
    Known { name, size, tiny, measure }
}

/// All of them.
pub const KNOWN: &[Known] = &[
    known("immediate-rearm", "0", "0", Measure::Repeat),
    known("immediate-burst", "1000", "10", Measure::Groups),
    known("immediate-once", "0", "0", Measure::Repeat),
    known("timer-cycle", "0", "10", Measure::Repeat),
    known("timer-latest", "10000", "10", Measure::Repeat),
    known("timer-fire", "10000", "10", Measure::Groups),
    known("timer-zero", "1000", "10", Measure::Groups),
    known("ring", "1/1000", "2/10", Measure::Repeat),
    known("ring-batch", "1/1000", "2/10", Measure::Repeat),
    known("fd-churn", "0", "0", Measure::Repeat),
    known("fd-cycle-owning", "0", "0", Measure::Repeat),
    known("fd-cycle-borrowed", "0", "0", Measure::Repeat),
    known("request-post", "0", "0", Measure::Repeat),
    known("request-nopost", "0", "0", Measure::Repeat),
    known("queue", "1000", "10", Measure::Groups),
    known("echo", "1", "3", Measure::Server),
    known("echo-batch", "1", "3", Measure::Server),
    known("closures", "1000000", "100", Measure::Once),
    known("memory-fds", "15000", "10", Measure::Bytes),
    known("memory-timers", "100000", "10", Measure::Bytes),
    known("memory-requests", "100000", "10", Measure::Bytes),
    known("memory-immediates", "100000", "10", Measure::Bytes),
    known("latency", "10000/100000", "10/10", Measure::Latency),
];
