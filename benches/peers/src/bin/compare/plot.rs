//! How timers and fds scale, as an SVG of two log-log charts.

use std::fmt::Write;

use crate::OURS;
use crate::lines::{RING_SIZES, TIMER_SIZES};
use crate::samples::Samples;

const COLOURS: &[&str] =
    &["#d62728", "#1f77b4", "#000000", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#ff7f0e", "#17becf"];
/// Ours with `batch(64)`.
const BATCHED: &str = "#ff9896";
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 320.0;

struct Curve {
    peer: &'static str,
    colour: &'static str,
    points: Vec<(f64, f64)>,
}

pub(crate) fn plot(peers: &[&'static str], samples: &Samples) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1180 420\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"1180\" height=\"420\" fill=\"white\"/>\n",
    );
    let timers = curves(peers, samples, "timer-cycle", TIMER_SIZES);
    let mut ring = curves(peers, samples, "ring", RING_SIZES);
    ring.push(curve(OURS, BATCHED, samples, "ring-batch", RING_SIZES));
    chart(&mut svg, 70.0, "a timer added and cancelled, ns, by timers pending (0 stands at 1)", &timers);
    chart(&mut svg, 570.0, "an event of the pipe ring, ns, by fds, 10 of them active", &ring);
    let named = peers.iter().copied().zip(COLOURS.iter().copied()).chain([("ours, batch(64)", BATCHED)]);
    for (i, (peer, colour)) in (0_u8..).zip(named) {
        let y = 60.0 + 20.0 * f64::from(i);
        _ = writeln!(svg, "<path d=\"M1020 {y}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        _ = writeln!(svg, "<text x=\"1050\" y=\"{}\">{peer}</text>", y + 4.0);
    }
    svg.push_str("</svg>\n");
    svg
}

fn curves(
    peers: &[&'static str],
    samples: &Samples,
    workload: &'static str,
    sizes: &[&'static str],
) -> Vec<Curve> {
    let curve =
        |(peer, colour): (&&'static str, &&'static str)| curve(peer, colour, samples, workload, sizes);
    peers.iter().zip(COLOURS).map(curve).collect()
}

fn curve(
    peer: &'static str,
    colour: &'static str,
    samples: &Samples,
    workload: &'static str,
    sizes: &[&'static str],
) -> Curve {
    let point = |size: &&'static str| {
        let number: f64 = size.rsplit('/').next()?.parse().ok()?;
        // Nothing pending stands where one would be.
        Some((number.max(1.0), samples.median(&(peer, workload, *size))?))
    };
    Curve { peer, colour, points: sizes.iter().filter_map(point).collect() }
}

/// From the power of ten at or below the least to the one at or above the greatest.
fn decades(numbers: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = numbers.clone().fold(f64::INFINITY, f64::min).log10().floor();
    let greatest = numbers.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
    (least, greatest.max(least + 1.0))
}

fn chart(svg: &mut String, left: f64, title: &str, curves: &[Curve]) {
    let points = curves.iter().flat_map(|curve| &curve.points);
    if points.clone().next().is_none() {
        return;
    }
    let (x_from, x_to) = decades(points.clone().map(|point| point.0));
    let (y_from, y_to) = decades(points.map(|point| point.1));
    let (top, bottom) = (50.0, 50.0 + HEIGHT);
    let x = |exponent: f64| left + (exponent - x_from) / (x_to - x_from) * WIDTH;
    let y = |exponent: f64| bottom - (exponent - y_from) / (y_to - y_from) * HEIGHT;

    _ = writeln!(svg, "<text x=\"{left}\" y=\"30\" font-size=\"14\">{title}</text>");
    let mut exponent = x_from;
    while exponent <= x_to {
        let at = x(exponent);
        _ = writeln!(svg, "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/>");
        let label = 10_f64.powf(exponent);
        _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
            bottom + 18.0
        );
        exponent += 1.0;
    }
    exponent = y_from;
    while exponent <= y_to {
        let at = y(exponent);
        _ = writeln!(svg, "<path d=\"M{left} {at:.1}h{WIDTH}\" stroke=\"#ddd\"/>");
        let label = 10_f64.powf(exponent);
        _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            left - 6.0,
            at + 4.0
        );
        exponent += 1.0;
    }
    for Curve { peer, colour, points } in curves.iter().filter(|curve| !curve.points.is_empty()) {
        let mut path = String::new();
        for (across, up) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let (x, y) = (x(across.log10()), y(up.log10()));
            _ = write!(path, "{command}{x:.1} {y:.1}");
            _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
        }
        _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"><title>{peer}</title></path>"
        );
    }
}
