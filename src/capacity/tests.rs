//! Services of known capacity, and what is made of them: how near the answers are, and that there is none where there
//! cannot be one.

mod service;

use super::*;
use service::{Kind, case};

/// Services of each kind.
const SEEDS: u64 = 12;

/// `FORESCALE_SEEDS=FROM..TO` chooses others than those of the plain run.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var_os("FORESCALE_SEEDS");
    let given = given.and_then(|text| {
        let text = text.to_string_lossy();
        let (from, to) = text.split_once("..")?;
        Some(from.parse().ok()?..to.parse().ok()?)
    });
    given.unwrap_or(1..SEEDS + 1)
}

struct Found {
    kind: Kind,
    seed: u64,
    truth: f64,
    findings: Findings,
}

fn all() -> Vec<Found> {
    let cases = Kind::ALL.into_iter().flat_map(|kind| seeds().map(move |seed| (kind, seed)));
    let found = cases.map(|(kind, seed)| {
        let case = case(kind, seed);
        Found { kind, seed, truth: case.truth, findings: learn(&case.evidence, &case.question) }
    });
    found.collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are what the test is read for")]
fn answers_are_near_the_truth_and_only_where_there_is_one() {
    let all = all();
    assert!(all.len() >= 200, "{}", all.len());
    let (mut errors, mut answerable, mut told) = (Vec::new(), 0, String::new());
    for kind in Kind::ALL {
        let of: Vec<&Found> = all.iter().filter(|found| found.kind == kind).collect();
        let mut off: Vec<f64> = Vec::new();
        let mut why = std::collections::BTreeMap::new();
        for found in &of {
            match &found.findings.verdict {
                Verdict::Known(known) => off.push(known.carried.value / found.truth - 1.0),
                Verdict::CannotTell(whys) => *why.entry(whys[0].as_str()).or_insert(0) += 1,
            }
        }
        let worst = off.iter().copied().fold(0.0, |w: f64, e| if e.abs() > w.abs() { e } else { w });
        let mean = off.iter().sum::<f64>() / off.len().max(1) as f64;
        told += &format!(
            "{kind:?}: {} of {} answered, mean error {:.1} %, worst {:.1} %, refused {why:?}\n",
            off.len(),
            of.len(),
            100.0 * mean,
            100.0 * worst
        );
        if kind.is_answerable() {
            answerable += of.len();
            errors.extend(off.iter().map(|error| error.abs()));
        }
    }
    errors.sort_by(f64::total_cmp);
    let at = |share: f64| errors[(share * (errors.len() - 1) as f64) as usize];
    let (median, ninth, answered) = (at(0.5), at(0.9), errors.len() as f64 / answerable as f64);
    told += &format!(
        "median error {:.1} %, 90th percentile {:.1} %, answered {:.0} %\n",
        100.0 * median,
        100.0 * ninth,
        100.0 * answered
    );
    println!("{told}");
    assert!(median <= 0.05 && ninth <= 0.12 && answered >= 0.85, "{told}");
    for found in all.iter().filter(|found| !found.kind.is_answerable()) {
        let (kind, seed, findings) = (found.kind, found.seed, &found.findings);
        assert!(findings.verdict.known().is_none(), "{kind:?} {seed}: {findings:#?}\n{told}");
    }
}
