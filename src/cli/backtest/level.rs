//! The load that one replica carries, as given on the command line.

use anyhow::Context;

use crate::history::Series;
use crate::units::{Threshold, Time};

/// The load of one replica, as given on the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) enum Level {
    /// A number.
    Given(Threshold),
    /// This percentile of the load is carried by this many replicas.
    Share { percentile: f64, replicas: f64 },
}

/// A part of `--capacity`: from an instant on, a replica carries this much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) struct Part {
    pub from: Time,
    pub level: Level,
}

/// Parses `100`, or `50@2026-03-04T10:00:00Z`.
pub(super) fn parse_part(text: &str) -> Result<Part, String> {
    let (level, from) = text.split_once('@').map_or((text, None), |(level, from)| (level, Some(from)));
    let from =
        from.map_or(Ok(Time::MIN), |from| Time::parse(from.trim()).map_err(|fault| fault.to_string()))?;
    Ok(Part { from, level: Level::parse(level.trim())? })
}

// === impl Level ===

impl Level {
    /// Parses a number or `pPERCENTILE/REPLICAS`.
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "found '{text}', expected a number above 0, or a percentile of the load divided by a number of replicas, \
                 such as p99.9/20"
            )
        };
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0);
        match text.strip_prefix('p').and_then(|share| share.split_once('/')) {
            Some((percentile, replicas)) => {
                let percentile = number(percentile).filter(|p| *p <= 100.0).ok_or_else(fault)?;
                Ok(Level::Share { percentile, replicas: number(replicas).ok_or_else(fault)? })
            }
            None => {
                let value = number(text).ok_or_else(fault)?;
                Threshold::new(value).map(Level::Given).map_err(|_| fault())
            }
        }
    }

    pub(in crate::cli) fn threshold(self, series: &Series) -> anyhow::Result<Threshold> {
        let (percentile, replicas) = match self {
            Level::Given(threshold) => return Ok(threshold),
            Level::Share { percentile, replicas } => (percentile, replicas),
        };
        let mut values = series.values();
        values.retain(|v| !v.is_nan());
        values.sort_unstable_by(f64::total_cmp);
        // Linear interpolation between ranks, like numpy's percentile.
        let rank = percentile / 100.0 * (values.len() as f64 - 1.0);
        let at = |i: f64| values.get(i as usize).copied().unwrap_or(0.0);
        let value = at(rank.floor()) + rank.fract() * (at(rank.ceil()) - at(rank.floor()));
        Threshold::new(value / replicas).with_context(|| format!("the {percentile}th percentile is {value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Step;

    #[test]
    fn levels_are_numbers_or_shares() {
        let threshold = Level::parse("12.5").expect("a number").threshold(&series());
        assert_eq!(threshold.expect("given").get(), 12.5);
        let threshold = Level::parse("p50/4").expect("a share").threshold(&series());
        assert_eq!(threshold.expect("half of the load").get(), 0.5);
        for text in ["", "0", "-1", "p/4", "p101/4", "p50/0", "nan", "p50"] {
            assert!(Level::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_capacity_holds_from_an_instant_on() {
        let part = parse_part("50@2026-03-04T10:00:00Z").expect("a part");
        assert_eq!(part.from, Time::parse("2026-03-04T10:00:00Z").expect("an instant"));
        assert_eq!(part.level.threshold(&series()).expect("given").get(), 50.0);
        assert_eq!(parse_part("p50/4").expect("a share").from, Time::MIN);
        assert!(parse_part("50@noon").is_err() && parse_part("@2026-03-04T10:00:00Z").is_err());
    }

    fn series() -> Series {
        Series::from_values(Time::from_epoch(0), Step::MINUTE, [1.0, f64::NAN, 3.0, 2.0])
    }
}
