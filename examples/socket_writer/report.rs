//! The table at the end.

use std::fmt;
use std::time::Duration;

use crate::control::Verdict;
use crate::progress::megabytes;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    pub(crate) time: Duration,
    /// Known to the writing end only.
    pub(crate) partial_writes: Option<u64>,
    /// `None` where there was no queue, or where it is not known.
    pub(crate) longest_queue: Option<usize>,
}

impl Report {
    /// What to say where not all is well.
    pub(crate) fn complaint(&self) -> Option<String> {
        let Verdict { announced, whole, torn, out_of_order, .. } = self.verdict;
        (!self.verdict.is_perfect()).then(|| {
            format!("{whole} of {announced} frames arrived whole: {torn} torn, {out_of_order} out of order")
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { announced, whole, torn, out_of_order, bytes, digest } = self.verdict;
        let or_dash = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), grouped);
        let seconds = self.time.as_secs_f64();
        let rows = [
            (
                "frames",
                if whole == announced {
                    grouped(whole)
                } else {
                    format!("{} of {}", grouped(whole), grouped(announced))
                },
            ),
            ("bytes", grouped(bytes)),
            ("partial writes", or_dash(self.partial_writes)),
            ("longest queue", or_dash(self.longest_queue.map(|length| length as u64))),
            ("time", format!("{seconds:.3} s")),
            ("MB/s", format!("{:.1}", megabytes(bytes) / seconds.max(1e-9))),
            ("torn frames", grouped(torn)),
            ("out of order", grouped(out_of_order)),
            ("digest", format!("{digest:016x}")),
        ];
        let left = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let right = rows.iter().map(|(_, value)| value.len()).max().unwrap_or_default();
        rows.iter().try_for_each(|(name, value)| writeln!(f, "{name:left$}  {value:>right$}"))
    }
}

/// A number with its thousands set apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
