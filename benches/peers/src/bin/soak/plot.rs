//! What was seen, as an SVG of three charts over time.

use std::fmt::Write;

use crate::WORLDS;
use crate::samples::Sample;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 110.0;
const LEFT: f64 = 70.0;
const COLOURS: [&str; 2] = ["#d62728", "#1f77b4"];

pub(crate) fn plot(samples: &[Sample]) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 530\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"960\" height=\"530\" fill=\"white\"/>\n",
    );
    let memory = values(samples, |sample| sample.memory / 1024.0 / 1024.0);
    chart(&mut svg, samples, 0, "resident memory, MiB", &[memory]);
    let costs = [0, 1].map(|i| values(samples, |sample| sample.costs[i]));
    chart(&mut svg, samples, 1, "ns of the processor's time a turn", &costs);
    chart(&mut svg, samples, 2, "open files", &[values(samples, |sample| sample.files)]);
    for (x, ((name, _batch), colour)) in [780.0, 850.0].iter().zip(WORLDS.iter().zip(COLOURS)) {
        _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" fill=\"{colour}\">{name}</text>", top(1) - 10.0);
    }
    svg.push_str("</svg>\n");
    svg
}

fn values(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    samples.iter().map(of).collect()
}

fn top(row: u8) -> f64 {
    40.0 + 170.0 * f64::from(row)
}

/// A step of 1, 2 or 5 with zeros, so that about that many fit.
fn step(most: f64, fit: f64) -> f64 {
    let least = most / fit;
    let decade = 10_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * decade >= least);
    times.unwrap_or(10.0) * decade
}

/// From zero, so that flat looks flat.
fn chart(svg: &mut String, samples: &[Sample], row: u8, title: &str, curves: &[Vec<f64>]) {
    let Some(last) = samples.last() else { return };
    let minutes = f64::from(last.second) / 60.0;
    let most = curves.iter().flatten().copied().fold(1.0, f64::max) * 1.05;
    let (top, bottom) = (top(row), top(row) + HEIGHT);
    let x = |at: f64| LEFT + at / minutes * WIDTH;
    let y = |value: f64| bottom - value / most * HEIGHT;

    _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\" font-size=\"14\">{title}</text>", top - 10.0);
    let steps =
        |step: f64, most: f64| (0_u8..).map(move |i| f64::from(i) * step).take_while(move |at| *at <= most);
    let unit = step(minutes, 10.0);
    for at in steps(unit, minutes) {
        _ = writeln!(svg, "<path d=\"M{:.1} {top}V{bottom}\" stroke=\"#ddd\"/>", x(at));
        let label = (at * 100.0).round() / 100.0;
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{label} min</text>",
            x(at),
            bottom + 18.0
        );
    }
    for value in steps(step(most, 4.0), most) {
        _ = writeln!(svg, "<path d=\"M{LEFT} {:.1}h{WIDTH}\" stroke=\"#ddd\"/>", y(value));
        let (x, y) = (LEFT - 6.0, y(value) + 4.0);
        _ = writeln!(svg, "<text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\">{value}</text>");
    }
    for (curve, colour) in curves.iter().zip(COLOURS) {
        let mut path = String::new();
        for (sample, value) in samples.iter().zip(curve) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            _ = write!(path, "{command}{:.1} {:.1}", x(f64::from(sample.second) / 60.0), y(*value));
        }
        _ = writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\"/>");
    }
}
