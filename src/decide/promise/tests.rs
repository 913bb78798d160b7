//! A larger forecast never asks for fewer replicas.

use proptest::prelude::*;

use super::*;

fn need(threshold: f64, factor: f64) -> Need {
    Need { factor, threshold: Threshold::new(threshold).expect("positive"), activation: 0.0 }
}

/// Loads at the levels of a distribution, ascending, and the same with some of them raised.
fn raised() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let levels = Spread::levels().len();
    (
        proptest::collection::vec(0.0..300.0f64, levels),
        proptest::collection::vec(prop_oneof![Just(0.0), 0.0..200.0f64], levels),
    )
        .prop_map(|(mut loads, more)| {
            loads.sort_by(f64::total_cmp);
            let high = loads.iter().zip(&more).map(|(a, b)| a + b).collect();
            (loads, high)
        })
}

proptest! {
    /// Up to the highest calibrated level: beyond it the tail is drawn on by its slope, and a slope falls where its foot
    /// rises.
    #[test]
    fn a_quantile_asks_for_no_fewer_when_any_value_of_the_forecast_rises(
        (low, high) in raised(),
        level in 0.5..0.99f64,
        (threshold, factor) in (0.5..50.0f64, 0.2..4.0f64),
    ) {
        let (need, level) = (need(threshold, factor), Quantile::new(level).expect("valid"));
        let asked = |loads: &[f64]| need.expected(Spread::new(loads).at(level));
        prop_assert!(asked(&low) <= asked(&high));
    }

    /// A worth weighs how likely each replica is to be needed, so widening a tail may make the last one a bad bargain;
    /// what must hold is the order of the worths, and that a forecast moved up as a whole never asks for fewer.
    #[test]
    fn a_worth_asks_for_more_the_higher_it_is_and_the_higher_all_of_the_forecast_lies(
        (loads, _) in raised(),
        (a, b) in (0.5..1e4f64, 0.5..1e4f64),
        (threshold, whole) in (4.0..50.0f64, 1u32..20),
    ) {
        let need = need(threshold, 1.0);
        let spread = Spread::new(&loads);
        prop_assert!(need.odds(&spread).worthwhile(a.min(b)) <= need.odds(&spread).worthwhile(a.max(b)));
        let moved: Vec<f64> = loads.iter().map(|l| l + f64::from(whole) * threshold).collect();
        prop_assert!(need.odds(&spread).worthwhile(a) <= need.odds(&Spread::new(&moved)).worthwhile(a));
    }
}
