//! What it costs to learn what one replica carries from 28 days of minutes; with `--check` it fails above 5 ms.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench reads the clock and reports")]

mod timing;

use std::hint::black_box;
use std::process::ExitCode;

use forescale::capacity::{Column, Evidence, Limit, Question, learn};
use forescale::units::Time;
use timing::median;

/// 28 days of minutes.
const MINUTES: i64 = 40_320;
const BUDGET_MS: f64 = 5.0;

fn main() -> ExitCode {
    let question = Question { request: Some(1.0), utilization: 0.7, objective: Some(Limit::Latency(0.3)) };
    let evidence = Evidence::of_rows((0..MINUTES).map(row).collect());
    let took = median(31, || {
        black_box(learn(black_box(&evidence), &question));
    });
    println!("learning what one replica carries: {took:.2} ms");
    let checks = std::env::args().any(|argument| argument == "--check");
    if checks && took > BUDGET_MS { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A daily wave with some noise, replicas that follow it above a floor, and a latency that is missed at the top.
fn row(minute: i64) -> (Time, Vec<(Column, f64)>) {
    let day = (std::f64::consts::TAU * minute as f64 / 1_440.0).cos();
    let noise = (minute * 7_919 % 101) as f64 / 101.0 - 0.5;
    let load = (100.0 - 80.0 * day) * (1.0 + 0.2 * noise);
    let replicas = (load / 20.0).floor().max(4.0);
    let each = load / replicas;
    let latency = 0.05 / (1.0 - (each / 26.0).min(0.98)) * (1.0 + 0.3 * noise);
    let cpu = replicas * (0.05 + 0.02 * each) * (1.0 + 0.1 * noise);
    let row = [
        (Column::Load, load),
        (Column::Replicas, replicas),
        (Column::Cpu, cpu),
        (Column::Latency, latency),
        (Column::Errors, 0.0),
        (Column::Generation, if minute < MINUTES / 4 { 1.0 } else { 2.0 }),
    ];
    (Time::from_epoch(minute * 60), row.to_vec())
}
