//! The lines of the table: what is measured, and the least that we want.

/// A line of the table.
pub(crate) struct Line {
    pub(crate) title: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) size: &'static str,
    /// What we run where it is not that workload.
    pub(crate) ours: Option<&'static str>,
    pub(crate) unit: Unit,
    /// The least ratio of speed to libtevent's and to the plain loop's.
    pub(crate) least: (Option<f64>, Option<f64>),
    /// The most bytes.
    pub(crate) most: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
}

impl Line {
    const fn least(mut self, of_tevent: f64, of_raw: f64) -> Self {
        self.least = (Some(of_tevent), Some(of_raw));
        self
    }

    const fn ours(mut self, workload: &'static str) -> Self {
        self.ours = Some(workload);
        self
    }

    /// The workload and size that a peer runs for this line.
    pub(crate) fn cell(&self, peer: &str) -> (&'static str, &'static str) {
        let ours = self.ours.filter(|_| peer == crate::OURS);
        (ours.unwrap_or(self.workload), self.size)
    }
}

const fn line(title: &'static str, workload: &'static str, size: &'static str) -> Line {
    Line { title, workload, size, ours: None, unit: Unit::Nanoseconds, least: (None, None), most: None }
}

const fn bytes(title: &'static str, workload: &'static str, size: &'static str, most: f64) -> Line {
    let mut line = line(title, workload, size);
    line.unit = Unit::Bytes;
    line.most = Some(most);
    line
}

/// In the order of the table.
pub(crate) const LINES: &[Line] = &[
    line("immediate that re-arms itself", "immediate-rearm", "0").least(6.0, 0.3),
    line("immediates, a burst of 1,000", "immediate-burst", "1000").least(6.0, 0.3),
    line("immediate created, run, freed", "immediate-once", "0").least(4.0, 0.4),
    line("timer added and cancelled, none pending", "timer-cycle", "0").least(2.0, 0.8),
    line("timer added and cancelled, 1,000 pending", "timer-cycle", "1000").least(30.0, 0.8),
    line("timer added and cancelled, 10,000 pending", "timer-cycle", "10000").least(250.0, 0.8),
    line("timer added and cancelled, 100,000 pending", "timer-cycle", "100000").least(7000.0, 0.8),
    line("timer with the latest deadline, 10,000 pending", "timer-latest", "10000").least(1.7, 0.8),
    line("10,000 timers in 50 ms added and fired", "timer-fire", "10000").least(14.0, 0.9),
    line("1,000 zero timers", "timer-zero", "1000").least(2.0, 0.8),
    line("pipe ring, 1 active of 1,000", "ring", "1/1000").least(1.18, 0.97),
    line("pipe ring, 100 active of 1,000", "ring", "100/1000").least(1.12, 0.8),
    line("pipe ring, 100 active of 5,000", "ring", "100/5000").least(1.12, 0.8),
    line("pipe ring, 100 of 1,000, ours batch(64)", "ring", "100/1000").ours("ring-batch").least(1.4, 0.97),
    line("pipe ring, 100 of 5,000, ours batch(64)", "ring", "100/5000").ours("ring-batch").least(1.3, 0.97),
    line("fd event added and freed", "fd-churn", "0").least(1.1, 0.97),
    line("fd event added, waited for, freed; owning", "fd-cycle-owning", "0").least(1.8, 1.4),
    line("fd event added, waited for, freed; borrowed", "fd-cycle-borrowed", "0").least(1.15, 0.95),
    line("request: create, post, callback, free", "request-post", "0").least(5.0, 0.5),
    line("request: create, callback, free", "request-nopost", "0").least(4.0, 0.5),
    line("queue of 1,000 requests", "queue", "1000").least(5.0, 0.3),
    line("TCP echo, 1 client", "echo", "1"),
    line("TCP echo, 50 clients", "echo", "50"),
    line("TCP echo, 500 clients", "echo", "500"),
    line("TCP echo, 1 client, ours batch(64)", "echo", "1").ours("echo-batch").least(1.05, 0.97),
    line("TCP echo, 50 clients, ours batch(64)", "echo", "50").ours("echo-batch").least(1.2, 0.97),
    line("TCP echo, 500 clients, ours batch(64)", "echo", "500").ours("echo-batch").least(1.2, 0.97),
    line("1,000,000 closures from another thread", "closures", "1000000").least(12.0, 0.6),
    bytes("memory: idle fd event, 15,000", "memory-fds", "15000", 112.0),
    bytes("memory: timer, 100,000", "memory-timers", "100000", 96.0),
    bytes("memory: request with 32-byte state, 100,000", "memory-requests", "100000", 200.0),
    bytes("memory: immediate, 100,000", "memory-immediates", "100000", 96.0),
];

/// The lines of the table of latencies.
pub(crate) const LATENCIES: &[Line] = &[
    line("nothing else", "latency", "0/0"),
    line("10,000 idle fds", "latency", "10000/0"),
    line("10,000 idle fds, 100,000 timers pending", "latency", "10000/100000"),
];

/// The sizes of the scaling plots: pending timers, and fds in the ring with 10 active.
pub(crate) const TIMER_SIZES: &[&str] = &["0", "10", "100", "1000", "10000", "100000"];
pub(crate) const RING_SIZES: &[&str] = &["10/10", "10/100", "10/1000", "10/3000", "10/9000"];
