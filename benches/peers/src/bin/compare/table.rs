//! The table, in Markdown.

use std::fmt::Write;

use crate::lines::{Line, Unit};
use crate::samples::{Cell, Samples};
use crate::{OURS, RAW, TEVENT};

pub(crate) fn table(
    lines: &[&Line],
    peers: &[&'static str],
    samples: &Samples,
    rounds: usize,
    cores: &str,
) -> String {
    let mut text = String::new();
    _ = writeln!(
        text,
        "Medians of {rounds} rounds, nanoseconds of the processor's time for each operation, on the wall for closures; {cores}."
    );
    _ = writeln!(
        text,
        "Ratios of speed, paired by round; `(least)` where one is wanted, **✗** where it is not reached.\n"
    );
    _ = writeln!(text, "| workload | {} | x libtevent | of raw |", peers.join(" | "));
    _ = writeln!(text, "|---|{}---|---|", "---|".repeat(peers.len()));
    for line in lines {
        let cells = peers.iter().map(|peer| cell(line, peer, samples));
        let cells: Vec<_> = cells.collect();
        let ratios = [(TEVENT, line.least.0), (RAW, line.least.1)];
        let [of_tevent, of_raw] = ratios.map(|(peer, least)| ratio(line, peer, least, samples));
        _ = writeln!(text, "| {} | {} | {of_tevent} | {of_raw} |", line.title, cells.join(" | "));
    }
    ahead(&mut text, lines, peers, samples);
    text
}

/// The table of latencies: the median, and the 99th percentile.
pub(crate) fn latencies(lines: &[&Line], peers: &[&'static str], samples: &Samples, rounds: usize) -> String {
    let mut text = format!(
        "\nFrom a byte written on the other core to the handler called: p50 / p99 in microseconds, medians of {rounds} rounds.\n\n"
    );
    _ = writeln!(text, "| beside | {} | p50, x libtevent |", peers.join(" | "));
    _ = writeln!(text, "|---|{}---|", "---|".repeat(peers.len()));
    for line in lines {
        let cell = |peer: &&'static str| {
            let run = run_of(line, peer);
            if let Some(reason) = samples.lacks(&run) {
                return reason.to_owned();
            }
            let p99 = samples.median_of(&run, |more| more.p99);
            let both = samples.median(&run).zip(p99);
            both.map_or("–".to_owned(), |(p50, p99)| format!("{:.1} / {:.1}", p50 / 1000.0, p99 / 1000.0))
        };
        let cells: Vec<_> = peers.iter().map(cell).collect();
        _ = writeln!(
            text,
            "| {} | {} | {} |",
            line.title,
            cells.join(" | "),
            ratio(line, TEVENT, None, samples)
        );
    }
    text
}

fn run_of(line: &Line, peer: &'static str) -> Cell {
    let (workload, size) = line.cell(peer);
    (peer, workload, size)
}

fn cell(line: &Line, peer: &'static str, samples: &Samples) -> String {
    let run = run_of(line, peer);
    if let Some(reason) = samples.lacks(&run) {
        return reason.to_owned();
    }
    let Some(median) = samples.median(&run) else { return "–".to_owned() };
    let mut text = match line.unit {
        Unit::Bytes => format!("{median:.0} B"),
        Unit::Nanoseconds => significant(median),
    };
    if let Some(wakeups) = samples.median_of(&run, |more| more.wakeups) {
        _ = write!(text, ", {wakeups:.4} wake-ups");
    }
    if peer == OURS && line.most.is_some_and(|most| median.round() > most) {
        text.push_str(" **✗**");
    }
    if let Some(most) = line.most.filter(|_| peer == OURS) {
        _ = write!(text, " (at most {most})");
    }
    text
}

fn ratio(line: &Line, peer: &'static str, least: Option<f64>, samples: &Samples) -> String {
    let Some(ratio) = samples.ratio(&run_of(line, OURS), &run_of(line, peer)) else {
        return "–".to_owned();
    };
    let mut text = format!("{ratio:.2}");
    if ratio >= 100.0 {
        text = format!("{ratio:.0}");
    }
    if let Some(least) = least {
        _ = write!(text, " ({least}){}", if ratio < least { " **✗**" } else { "" });
    }
    text
}

/// Three digits that count.
fn significant(number: f64) -> String {
    match number {
        ..10.0 => format!("{number:.2}"),
        ..100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

/// Who is ahead of us where; the plain loop is a limit and no peer.
fn ahead(text: &mut String, lines: &[&Line], peers: &[&'static str], samples: &Samples) {
    let before = text.len();
    for line in lines {
        let ratio = |peer: &&'static str| {
            let ratio = samples.ratio(&run_of(line, OURS), &run_of(line, peer))?;
            (ratio < 0.995 && ![OURS, RAW].contains(peer)).then(|| format!("{peer} {ratio:.2}"))
        };
        let ahead: Vec<_> = peers.iter().filter_map(ratio).collect();
        if !ahead.is_empty() {
            _ = writeln!(text, "- {}: {}", line.title, ahead.join(", "));
        }
    }
    let title = if text.len() > before {
        "\nAhead of us, and the ratio of our speed to theirs:\n\n"
    } else {
        "\nNobody is ahead of us.\n"
    };
    text.insert_str(before, title);
}
