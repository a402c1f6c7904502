//! Whether it stayed flat: the median of the last quarter against that of the second; the first warms up.

use crate::WORLDS;
use crate::samples::Sample;

/// How much more the last quarter may have: a factor, and something beside it. Memory and files are what they are; what a turn
/// costs depends on what else the machine does.
const MEMORY: Bound = Bound { factor: 1.02, beside: 128.0 * 1024.0 };
const FILES: Bound = Bound { factor: 1.05, beside: 4.0 };
const COST: Bound = Bound { factor: 1.25, beside: 0.0 };

struct Bound {
    factor: f64,
    beside: f64,
}

/// Says how it went.
pub(crate) fn judge(samples: &[Sample]) -> Result<(), String> {
    let mut grown = Vec::new();
    let mut one = |name: &str, bound: &Bound, unit: f64, of: &dyn Fn(&Sample) -> f64| {
        let values: Vec<f64> = samples.iter().map(of).collect();
        let quarter = values.len() / 4;
        let (early, late) = (median(&values[quarter..2 * quarter]), median(&values[3 * quarter..]));
        println!(
            "{name}: {:.2}, then {:.2} ({:+.2} %)",
            early / unit,
            late / unit,
            (late / early - 1.0) * 100.0
        );
        let flat = late <= early * bound.factor + bound.beside; // and never where there is no number
        if !flat {
            grown.push(name.to_owned());
        }
    };
    one("memory, MiB", &MEMORY, 1024.0 * 1024.0, &|sample| sample.memory);
    one("open files", &FILES, 1.0, &|sample| sample.files);
    for (i, (name, _batch)) in WORLDS.iter().enumerate() {
        one(&format!("ns a turn, {name}"), &COST, 1.0, &|sample| sample.costs[i]);
    }
    match grown[..] {
        [] => Ok(()),
        _ => Err(format!("not flat: {}", grown.join("; "))),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(memory: impl Fn(f64) -> f64, cost: impl Fn(f64) -> f64) -> Result<(), String> {
        let sample = |second: u32| Sample {
            second,
            memory: memory(second.into()),
            files: 300.0,
            turns: [1; 2],
            costs: [cost(second.into()); 2],
        };
        judge(&(1..=100).map(sample).collect::<Vec<_>>())
    }

    #[test]
    fn what_stays_is_flat_whatever_it_was_at_first() {
        assert_eq!(judged(|second| 1e7 - 1e6 / second, |second| 900.0 + 10.0 * (second % 7.0)), Ok(()));
    }

    #[test]
    fn what_grows_is_named() {
        let leak = judged(|second| 1e7 + 1e4 * second, |_| 900.0);
        assert_eq!(leak, Err("not flat: memory, MiB".to_owned()));
        let slower = judged(|_| 1e7, |second| 900.0 + 9.0 * second);
        assert_eq!(slower, Err("not flat: ns a turn, default; ns a turn, batch(64)".to_owned()));
    }

    #[test]
    fn what_was_not_seen_is_not_flat() {
        assert!(judge(&[]).is_err());
    }
}
