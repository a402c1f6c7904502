//! What is seen each second.

use std::fmt::Write;
use std::io;
use std::sync::atomic::Ordering;

use tevent_peers::resident;

use crate::WORLDS;
use crate::world::Gauge;

/// Turns, and nanoseconds of the processor's time.
pub(crate) type Reading = (u64, u64);

impl Gauge {
    pub(crate) fn read(&self) -> Reading {
        (self.turns.load(Ordering::Relaxed), self.cpu.load(Ordering::Relaxed))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) second: u32,
    /// Bytes, without the pages of files.
    pub(crate) memory: f64,
    pub(crate) files: f64,
    /// Turns of each loop in this second.
    pub(crate) turns: [u64; 2],
    /// Nanoseconds of the processor's time for a turn of each loop.
    pub(crate) costs: [f64; 2],
}

impl Sample {
    /// Room for so many, all of it touched: it is a part of the memory that is measured.
    pub(crate) fn room_for(n: u32) -> Vec<Self> {
        let none = Sample { second: u32::MAX, memory: 1.0, files: 1.0, turns: [1; 2], costs: [1.0; 2] };
        let mut room = vec![none; n as usize];
        room.clear();
        room
    }

    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^52")]
    pub(crate) fn take(second: u32, last: &[Reading; 2], now: &[Reading; 2]) -> Self {
        let since = |i: usize| (now[i].0 - last[i].0, now[i].1 - last[i].1);
        let worlds = [since(0), since(1)];
        Sample {
            second,
            memory: resident() as f64,
            files: open_files().unwrap_or_default() as f64,
            turns: worlds.map(|(turns, _)| turns),
            costs: worlds.map(|(turns, cpu)| cpu as f64 / turns as f64),
        }
    }
}

/// How many files this process has open.
pub(crate) fn open_files() -> io::Result<usize> {
    let with_the_directory = std::fs::read_dir("/proc/self/fd")?.count();
    Ok(with_the_directory - 1)
}

pub(crate) fn to_csv(samples: &[Sample]) -> String {
    let mut csv = String::from("second,memory,files");
    for (name, _batch) in WORLDS {
        _ = write!(csv, ",turns {name},ns a turn {name}");
    }
    csv.push('\n');
    for Sample { second, memory, files, turns, costs } in samples {
        _ = write!(csv, "{second},{memory},{files}");
        for (turns, cost) in turns.iter().zip(costs) {
            _ = write!(csv, ",{turns},{cost:.1}");
        }
        csv.push('\n');
    }
    csv
}
