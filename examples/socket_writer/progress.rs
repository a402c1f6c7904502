//! How far it has come, and a bar that shows it on a terminal.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::time::Duration;

use tevent::{ContextRef, Timer};

use crate::report::grouped;

/// How many frames and bytes are through, of how many.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    frames: Cell<u64>,
    bytes: Cell<u64>,
    /// Frames and bytes; `None` until it is known.
    expected: Cell<Option<(u64, u64)>>,
}

impl Progress {
    pub(crate) fn expect(&self, frames: u64, bytes: u64) {
        self.expected.set(Some((frames, bytes)));
    }

    pub(crate) fn note(&self, frames: u64, bytes: u64) {
        self.frames.set(frames);
        self.bytes.set(bytes);
    }

    pub(crate) fn add(&self, frames: u64, bytes: u64) {
        self.note(self.frames.get() + frames, self.bytes.get() + bytes);
    }
}

/// What was delivered, for an error message.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delivered so far: {}", self.frames.get())?;
        if let Some((frames, _bytes)) = self.expected.get() {
            write!(f, " of {frames}")?;
        }
        write!(f, " frames, {} bytes", grouped(self.bytes.get()))
    }
}

/// A line on the terminal that a timer redraws. It is gone when this is dropped, and never there where standard error
/// is no terminal.
pub(crate) struct Bar {
    _redraw: Timer,
}

const REDRAW_EVERY: Duration = Duration::from_millis(50);
const BAR_WIDTH: u64 = 24;
const BACK_AND_ERASE: &str = "\r\x1b[K";

impl Bar {
    pub(crate) fn start(ev: &ContextRef, progress: &Rc<Progress>) -> Option<Bar> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let progress = Rc::clone(progress);
        let begin = Cell::new(None);
        let redraw = ev.add_timer(REDRAW_EVERY, move |ev, te, _now| {
            if let Some(expected) = progress.expected.get() {
                // What is known first: the rate is of what came since.
                let (now, done) = (ev.now(), progress.bytes.get());
                let (then, before) = begin.get().unwrap_or((now, done));
                begin.set(Some((then, before)));
                let rate = megabytes(done - before) / (now - then).as_secs_f64();
                show(&format!("{BACK_AND_ERASE}{}", line(&progress, expected, rate)));
            }
            te.update(REDRAW_EVERY);
        });
        Some(Bar { _redraw: redraw })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        show(BACK_AND_ERASE);
    }
}

fn line(progress: &Progress, (frames, bytes): (u64, u64), rate: f64) -> String {
    let done = progress.bytes.get().min(bytes);
    let of = |width: u64| if bytes == 0 { width } else { scaled(done, bytes, width) };
    let full: String = (0..BAR_WIDTH).map(|cell| if cell < of(BAR_WIDTH) { '█' } else { '░' }).collect();
    let rate = if rate.is_finite() { format!("  {rate:.0} MB/s") } else { String::new() };
    format!(
        "{full} {:3}%  {} of {frames} frames  {:.0} MB{rate}",
        of(100),
        progress.frames.get(),
        megabytes(done)
    )
}

fn scaled(part: u64, whole: u64, width: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(width) / u128::from(whole);
    u64::try_from(scaled).unwrap_or(width)
}

#[allow(clippy::cast_precision_loss, reason = "it is for people")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn show(text: &str) {
    // A terminal that has gone needs no bar.
    let _ = io::stderr().write_all(text.as_bytes());
}
