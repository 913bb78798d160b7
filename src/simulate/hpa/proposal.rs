//! Turns metric values into the replicas they ask for: ratio, tolerance, rounding up, the largest of several.
//!
//! It follows `replica_calculator.go` and `computeReplicasForMetrics`. Values are in thousandths, as in the API.

use crate::simulate::MetricType;

/// The workload as the controllers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulate) struct Scale {
    /// `spec.replicas`.
    pub(in crate::simulate) spec: i64,
    /// `status.replicas`: pods that exist.
    pub(in crate::simulate) status: i64,
    /// Pods that are ready.
    pub(in crate::simulate) ready: i64,
}

/// One metric of the HPA at one sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulate) struct Reading {
    /// How its value and target are compared.
    pub(in crate::simulate) metric_type: MetricType,
    /// The target in thousandths.
    pub(in crate::simulate) target: i64,
    /// The value in thousandths; `None` if it could not be fetched.
    pub(in crate::simulate) value: Option<i64>,
}

/// How far the ratio may differ from one without effect; the bounds themselves have no effect either.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::simulate) struct Tolerance {
    /// Above one.
    pub(in crate::simulate) up: f64,
    /// Below one.
    pub(in crate::simulate) down: f64,
}

impl Tolerance {
    fn holds(self, ratio: f64) -> bool {
        // Exactly the expressions of the controller: 1.1 must compare as it does after rounding.
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// A value in thousandths as KEDA passes it on: printed with three decimals, ties to even. `None` if it is not a
/// number.
pub(in crate::simulate) fn milli(value: f64) -> Option<i64> {
    let scaled = value * 1_000.0;
    if !scaled.is_finite() {
        return None;
    }
    let (low, rest) = (scaled.floor(), scaled - scaled.floor());
    // The product may have been rounded onto a tie; the rounding error tells on which side the value is.
    let lost = if rest == 0.5 { value.mul_add(1_000.0, -scaled) } else { 0.0 };
    let rounded = if lost == 0.0 { scaled.round_ties_even() } else { low + f64::from(lost > 0.0) };
    Some(rounded as i64)
}

/// The largest proposal. `None` if no metric could be fetched, or if one is missing and the others would scale down:
/// then the sync fails and leaves no recommendation.
pub(super) fn of_all(readings: &[Reading], scale: Scale, tolerance: Tolerance) -> Option<i64> {
    let proposals = readings.iter().filter_map(|reading| of_one(reading, scale, tolerance));
    let (count, largest) = proposals.fold((0, 0), |(count, largest), p| (count + 1, p.max(largest)));
    let missing = readings.len() - count;
    if count == 0 || (missing > 0 && largest < scale.spec) { None } else { Some(largest) }
}

fn of_one(reading: &Reading, scale: Scale, tolerance: Tolerance) -> Option<i64> {
    let (value, target) = (reading.value? as f64, reading.target as f64);
    match reading.metric_type {
        MetricType::AverageValue => {
            let ratio = value / (target * scale.status as f64);
            Some(if tolerance.holds(ratio) { scale.status } else { pods(value / target) })
        }
        MetricType::Value => {
            let ratio = value / target;
            if tolerance.holds(ratio) {
                return Some(scale.spec);
            }
            // If there are no pods, the controller refuses to count the ready ones.
            (scale.status > 0).then(|| pods(ratio * scale.ready as f64))
        }
    }
}

fn pods(count: f64) -> i64 {
    count.ceil().clamp(0.0, f64::from(i32::MAX)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Tolerance = Tolerance { up: 0.1, down: 0.1 };

    fn average(value: f64, target: f64) -> Reading {
        Reading {
            metric_type: MetricType::AverageValue,
            target: milli(target).expect("a number"),
            value: milli(value),
        }
    }

    fn running(n: i64) -> Scale {
        Scale { spec: n, status: n, ready: n }
    }

    #[test]
    fn the_tolerance_includes_its_bounds() {
        for (replicas, value, want) in [
            (10, 11.0, 10),
            (10, 9.0, 10),
            (20, 22.0, 20),
            (20, 18.0, 20),
            (20, 23.0, 23),
            (20, 17.0, 17),
            (9, 10.0, 10),
            (19, 20.0, 19),
            (30, 33.0, 30),
            (30, 34.0, 34),
            (100, 110.0, 100),
            (100, 89.0, 89),
            (5, 7.0001, 7),
            (5, 4.0006, 5),
            (7, 2.9999, 3),
        ] {
            assert_eq!(
                of_all(&[average(value, 1.0)], running(replicas), DEFAULT),
                Some(want),
                "{value} at {replicas}"
            );
        }
        let exact = Tolerance { up: 0.0, down: 0.0 };
        assert_eq!(of_all(&[average(21.0, 1.0)], running(20), exact), Some(21));
        assert_eq!(of_all(&[average(33.3, 2.5)], running(25), DEFAULT), Some(14));
    }

    #[test]
    fn three_decimals_and_ties_to_even() {
        for (value, want) in [
            (7.0001, 7_000),
            (4.0006, 4_001),
            (2.9999, 3_000),
            // Exact ties in binary: 1/16, 3/16, and one whose product with 1,000 is rounded onto the tie.
            (0.0625, 62),
            (0.1875, 188),
            (1.0005, 1_000),
            (-0.0004, 0),
        ] {
            assert_eq!(milli(value), Some(want), "{value}");
        }
        assert_eq!((milli(f64::NAN), milli(f64::INFINITY)), (None, None));
    }

    #[test]
    fn rounding_is_that_of_printing() {
        let mut dice = crate::units::Dice::new(7);
        for _ in 0..20_000 {
            let value = (dice.uniform() * 2e7).floor() / 2e4 * 0.5;
            let printed: f64 = format!("{value:.3}").parse().expect("a number");
            assert_eq!(milli(value), Some((printed * 1_000.0).round() as i64), "{value}");
        }
    }

    #[test]
    fn value_counts_ready_pods_and_needs_pods() {
        let reading = |value| Reading { metric_type: MetricType::Value, target: 10_000, value: Some(value) };
        let slow = Scale { spec: 8, status: 8, ready: 4 };
        assert_eq!(of_all(&[reading(20_000)], slow, DEFAULT), Some(8));
        assert_eq!(of_all(&[reading(11_000)], slow, DEFAULT), Some(8));
        assert_eq!(of_all(&[reading(20_000)], Scale { status: 0, ready: 0, ..slow }, DEFAULT), None);
    }

    #[test]
    fn a_missing_metric_blocks_scaling_down_only() {
        let missing = Reading { value: None, ..average(1.0, 1.0) };
        assert_eq!(of_all(&[average(15.0, 1.0), missing], running(10), DEFAULT), Some(15));
        assert_eq!(of_all(&[average(4.0, 1.0), missing], running(10), DEFAULT), None);
        assert_eq!(of_all(&[missing], running(10), DEFAULT), None);
        assert_eq!(of_all(&[], running(10), DEFAULT), None);
    }
}
