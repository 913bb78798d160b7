//! Forecasts a load: `cargo run --release --example forecast`.
//!
//! Three weeks of minutes with a working day in them are made up here; yours come from wherever you keep them.

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use forescale::forecast::fit;
use forescale::history::{Calendar, Series};
use forescale::units::{Quantile, Span, Step, Time};

/// Prints quantiles of the coming hours.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Monday, three weeks ago, and requests per second that rise and fall with the sun.
    let start = Time::parse("2026-03-02T00:00:00Z")?;
    let day = |minute: i64| (minute as f64 / 1_440.0 * std::f64::consts::TAU).cos();
    let history = Series::from_values(start, Step::MINUTE, (0..21 * 1_440).map(|m| 300.0 - 200.0 * day(m)));
    let now = history.end().ok_or("no samples")?;

    // Learn from four weeks at most, in the time zone of the people who make the load.
    let calendar = Calendar::new("Europe/Berlin".parse()?, Default::default());
    let fitted = fit(&history, &calendar, now, Span::days(28))?;
    // The tracker is brought forward with what has been seen since the fit, as often as you like.
    let mut tracker = fitted.tracker();
    tracker.follow(&history, now);

    let quantiles = [Quantile::MEDIAN, Quantile::BALANCED, Quantile::new(0.99)?];
    println!("after      median    0.95    0.99   of the load; 0.95 of its peak until then");
    for hours in [1, 2, 4] {
        let ahead = Span::hours(hours);
        let at = tracker.quantiles(ahead, &quantiles);
        let peak = tracker.peak(ahead, &[Quantile::BALANCED]);
        let numbers: Vec<String> = at.iter().chain(&peak).map(|load| format!("{load:8.1}")).collect();
        println!("{hours} h     {}", numbers.join(""));
    }
    Ok(())
}
