//! Planted mistakes: in every file in `tests/lint/bad`, lines with `# expect: RULE` say which findings must be there,
//! and no other finding is allowed. The files in `tests/lint/good` have no findings; `shipped.rs` checks what we
//! ship.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use forescale::lint::{Answer, Finding, Input, Report, Settings, Told, github, json, lint, rules, sarif};
use forescale::source::Doubt;
use forescale::units::{Shards, Span, Time};

use crate::support::{self, root};

fn settings() -> Settings {
    Settings {
        now: Time::parse("2026-11-24T12:00:00Z").expect("an instant"),
        scrape_interval: Span::seconds(15),
        retention: Some(Span::days(30)),
        catalogue: None,
        shards: Shards::ONE,
        env: Default::default(),
        told: told(),
    }
}

/// The settings that a file is judged by: `# shards: N` divides the workloads.
fn settings_of(input: &Input) -> Settings {
    let said = input.text.lines().find_map(|line| line.strip_prefix("# shards: "));
    let shards = said.map_or(Shards::ONE, |count| Shards::parse(count).expect("a number"));
    Settings { shards, ..settings() }
}

/// What a Prometheus was asked of the queries in one of the files; it scrapes neither kube-state-metrics nor cAdvisor.
fn told() -> Told {
    let metric = |name: &str| name.to_owned();
    let doubts = BTreeMap::from([
        ("sum(requests_total)", Doubt::CounterWithoutRate { metric: metric("requests_total") }),
        ("sum(rate(depth[2m]))", Doubt::RateOfGauge { metric: metric("depth"), function: metric("rate") }),
        ("sum(dept)", Doubt::NoMetric { metric: metric("dept"), nearest: Some(metric("depth")) }),
        ("sum(jobs) or vector(0)", Doubt::NoMetric { metric: metric("jobs"), nearest: None }),
    ]);
    let doubts = doubts.into_iter().map(|(query, doubt)| (query.to_owned(), vec![doubt])).collect();
    let answers = BTreeMap::from([
        ("sum(dept)", Answer::Nothing),
        ("sum(jobs) or vector(0)", Answer::One),
        ("depth", Answer::Many),
        ("rate(depth)", Answer::Rejected("expected type range vector".to_owned())),
    ]);
    let answers = answers.into_iter().map(|(query, answer)| (query.to_owned(), answer)).collect();
    Told { doubts, answers, sees_pods: Some(false), sees_cpu: Some(false) }
}

/// All YAML files below a folder.
fn files(folder: &str) -> Vec<Input> {
    let input = |path: PathBuf| Input {
        name: path.file_name().expect("a name").to_string_lossy().into(),
        text: std::fs::read_to_string(&path).expect("readable"),
    };
    support::files(&root(folder), "yaml").into_iter().map(input).collect()
}

/// The findings expected by the comments of a file.
fn expected(input: &Input) -> BTreeSet<(usize, String)> {
    let marked =
        input.text.lines().enumerate().filter_map(|(i, l)| Some((i + 1, l.split_once("# expect: ")?.1)));
    marked.flat_map(|(line, names)| names.split(", ").map(move |n| (line, n.trim().to_owned()))).collect()
}

fn found(report: &Report) -> BTreeSet<(usize, String)> {
    report.findings.iter().map(|f| (f.line, f.rule.name.to_owned())).collect()
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().map(|f| format!("\n  {}:{} [{}] {}", f.file, f.line, f.rule.name, f.message)).collect()
}

#[test]
fn every_planted_mistake_is_found_at_its_line_and_nothing_else() {
    let bad = files("tests/lint/bad");
    let mut wrong = String::new();
    let mut rules_met = BTreeSet::new();
    for input in &bad {
        let report = lint(std::slice::from_ref(input), &settings_of(input));
        let (want, got) = (expected(input), found(&report));
        assert!(!want.is_empty(), "{}: no expectation", input.name);
        if want != got || !report.unreadable.is_empty() {
            wrong += &format!("\n{}: expected {want:?}, found:{}", input.name, shown(&report.findings));
        }
        rules_met.extend(want.into_iter().map(|(_, name)| name));
    }
    println!("{} files, {} rules of {}", bad.len(), rules_met.len(), rules::ALL.len());
    assert!(wrong.is_empty(), "{wrong}");
    assert!(bad.len() >= 30);
    let missed: Vec<_> =
        rules::ALL.iter().filter(|rule| !rules_met.contains(rule.name)).map(|r| r.name).collect();
    assert!(missed.is_empty(), "no planted mistake breaks {missed:?}");
}

#[test]
fn good_files_have_no_findings() {
    for input in files("tests/lint/good") {
        let settings = Settings { told: Told::default(), ..settings_of(&input) };
        let report = lint(std::slice::from_ref(&input), &settings);
        assert!(report.findings.is_empty(), "{}", shown(&report.findings));
        assert_eq!(report.judged, 1, "{}", input.name);
    }
}

#[test]
fn every_form_names_rule_and_line() {
    let input = files("tests/lint/bad").into_iter().find(|f| f.name == "unknown-key.yaml").expect("the file");
    let report = lint(&[input], &settings());
    assert!(report.has_errors());
    assert_eq!(json(&report)["findings"][0]["rule"], "unknown-key");
    let sarif = sarif(&report);
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], report.findings[0].line);
    let annotation = github(&report);
    assert!(annotation.starts_with("::error file=unknown-key.yaml,line="), "{annotation}");
    assert!(annotation.contains("%0A") && annotation.lines().count() == 1);
}

#[test]
fn no_secret_is_repeated() {
    for input in files("tests/lint/bad") {
        let report = lint(std::slice::from_ref(&input), &settings());
        assert!(!json(&report).to_string().contains("hunter2"), "{}", input.name);
    }
}
