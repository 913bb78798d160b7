//! The experts against independent implementations, which share no code with them (`tests/golden/make.py`).

use std::fs;
use std::path::Path;

use super::bins::Bins;
use super::experts::{Expert, outlook};
use super::learn::learn;
use super::ridge::{Sums, Total};
use super::tasks::Plan;
use super::transform::{Transform, stabilise};
use crate::history::Calendar;
use crate::units::{Span, Step};

const START: i64 = 1_767_571_200;
const STEP: i64 = 600;

fn golden(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().skip(2).map(|line| line.split(';').map(str::to_owned).collect()).collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// The same load as `load` in `make.py`.
fn load() -> Vec<f64> {
    let mut state = 7u64;
    (0..3_000u32)
        .map(|i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 33) as f64 / f64::from(1u32 << 31);
            let (of_day, day) = (i % 144, i / 144);
            let shape = if (48..120).contains(&of_day) { 40.0 + f64::from(of_day) } else { 30.0 };
            (shape * if day % 7 >= 5 { 0.5 } else { 1.0 } * (0.8 + 0.4 * noise)).round_ties_even()
        })
        .collect()
}

#[test]
fn every_plain_expert_agrees() {
    let y = load();
    let transform = Transform::of(&y);
    let z: Vec<f64> = y.iter().map(|&v| stabilise(transform.normal(v))).collect();
    let plan = Plan::new(Step::new(Span::seconds(STEP)).expect("a step"), 100);
    let lesson = learn(&plan, &Calendar::utc(), START, &z);
    let none = Bins::default();
    let past = lesson.past(&plan, &none);
    for row in golden("experts.csv") {
        let [name, ahead, expected] = row.as_slice() else { panic!("three fields: {row:?}") };
        let place = Expert::ALL
            .iter()
            .position(|expert| expert.name() == *name)
            .unwrap_or_else(|| panic!("no expert {name}"));
        let ahead = number(ahead) as i64 * STEP;
        let got = outlook(&lesson.now, &past, ahead).experts[place];
        assert!((got - number(expected)).abs() < 2e-5, "{name} {ahead} s ahead: {got}, not {expected}");
    }
}

#[test]
fn the_ridge_agrees() {
    let mut sums = Sums::<4>::new();
    for row in golden("ridge.csv") {
        if row[0] == "coefficients" {
            let mut total = Total::new();
            total.merge(&sums, 1.0);
            let [got, _] = total.solve((0.05, 0.0));
            for (got, want) in got.iter().zip(&row[1..]) {
                assert!((got - number(want)).abs() < 1e-5, "{got}, not {want}");
            }
            return;
        }
        let x: Vec<f32> = row.iter().map(|v| number(v) as f32).collect();
        sums.add(&[1.0, x[1], x[2], x[3]], x[0], [x[4], 0.0]);
    }
    panic!("no coefficients in the file");
}

#[test]
fn weighted_quantiles_agree() {
    let rows = golden("quantiles.csv");
    let split = rows.iter().position(|r| r[0] == "levels").expect("levels follow");
    let values = rows[..split].iter().map(|r| number(&r[0]) as f32);
    let weights: Vec<f64> = rows[..split].iter().map(|r| number(&r[1])).collect();
    let got = super::backcast::quantiles(&mut Vec::new(), values, &weights, &super::levels::LEVELS);
    for (got, row) in got.iter().zip(&rows[split + 1..]) {
        assert!((f64::from(*got) - number(&row[1])).abs() < 1e-6, "{got}, not {row:?}");
    }
}
