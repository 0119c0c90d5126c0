//! How time is taken and told: the contestants in turn, medians, and what disturbed them.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long it takes.
pub fn timed(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

/// The same work so many times.
pub fn repeat<T>(times: u32, mut run: impl FnMut() -> T) {
    for _ in 0..times {
        black_box(run());
    }
}

/// The median with the extremes: time for one, or from 1 KiB on throughput.
pub fn figure(times: &[Duration], count: u32, size: Option<usize>) -> String {
    let each: Vec<f64> = times.iter().map(|time| time.as_secs_f64() / f64::from(count)).collect();
    let middle = median(each.clone());
    let off = |time: f64| (time / middle - 1.0) * 100.0;
    let least = off(each.iter().copied().fold(f64::INFINITY, f64::min));
    let most = off(each.iter().copied().fold(0.0, f64::max));
    let value = match size {
        Some(size) if size >= 1024 => format!("{:.0} MB/s", size as f64 / middle / 1e6),
        _ if middle < 1e-6 => format!("{:.0} ns", middle * 1e9),
        _ => format!("{:.2} us", middle * 1e6),
    };
    format!("{value} ({least:+.0}/{most:+.0}%)")
}

/// By how much the first is faster: the median of the ratios of the rounds.
pub fn ratio(ours: &[Duration], theirs: &[Duration]) -> f64 {
    median(ours.iter().zip(theirs).map(|(a, b)| b.as_secs_f64() / a.as_secs_f64()).collect())
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The number behind `--rounds`, or `usual`.
pub fn rounds(usual: usize) -> usize {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next().and_then(|number| number.parse().ok())) {
        (None, _) => usual,
        (Some("--rounds"), Some(rounds)) if rounds > 0 => rounds,
        _ => {
            eprintln!("usage: cargo xtask bench [--rounds N]");
            std::process::exit(2);
        }
    }
}
