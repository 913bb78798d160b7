//! Tests `forescale timeline`: the coming days as a table, as JSON, as a picture, and with a forecast from a real
//! Prometheus.

use std::path::Path;
use std::process::Command;

use forescale::units::Time;
use serde_json::Value;

use crate::support::load;
use crate::support::prometheus::Prometheus;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/timeline");

/// Days around the end of summer time in Berlin: an override that ends, a night that is an hour longer, a holiday, a
/// freeze whose ceiling conflicts with the floor of office hours.
fn clock_change(more: &[&str]) -> String {
    let policy = format!("{GOLDEN}/clock-change.yaml");
    let calendar = format!("holidays={GOLDEN}/holidays.ics");
    let span = ["--from", "2026-10-24T06:00:00Z", "--days", "5"];
    run(&[&[&policy, "--calendar", &calendar][..], &span, more].concat())
}

#[test]
fn the_table_of_a_clock_change_is_as_its_reader_expects() {
    let expected = std::fs::read_to_string(format!("{GOLDEN}/clock-change.txt")).expect("the golden table");
    assert_eq!(clock_change(&[]), expected);
}

#[test]
fn the_document_and_the_picture_tell_of_the_same_stretches() {
    let dir = tempfile::tempdir().expect("a directory");
    let picture = dir.path().join("timeline.svg");
    let document: Value =
        serde_json::from_str(&clock_change(&["--format", "json", "--svg", text(&picture)])).expect("JSON");
    let stretches = document["stretches"].as_array().expect("stretches");
    assert_eq!(stretches.len(), 17);
    for (a, b) in stretches.iter().zip(&stretches[1..]) {
        assert_eq!(a["to"], b["from"], "one ends where the next begins");
    }
    assert_eq!((&stretches[0]["from"], &stretches[16]["to"]), (&document["from"], &document["to"]));
    // 22:00 to 02:30 in the night in which the clocks go back: 02:30 occurs twice, and the first one closes the
    // window.
    assert_eq!(stretches[1]["from"], "2026-10-24T20:00:00Z");
    assert_eq!(stretches[1]["to"], "2026-10-25T00:30:00Z");
    let svg = std::fs::read_to_string(&picture).expect("the picture");
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for part in ["Europe/Berlin", "Sun 25", "Wed 28"] {
        assert!(svg.contains(part), "{part} is missing in the picture");
    }
}

#[test]
fn events_of_the_configuration_are_days_ahead_in_the_table() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let config = "datasources: {}\nevents:\n  - {name: launch, start: 2026-10-26T09:00, end: 2026-10-27T01:00, \
                  timezone: Europe/Berlin, workloads: ['shop/*'], min: 9}\n";
    let config = write("server.yaml", config);
    let object = |name: &str, more: &str| {
        let keys = format!("scalerAddress: 'forescale:6000', timezone: Europe/Berlin, schedule: '[]'{more}");
        let object = format!(
            "kind: ScaledObject\nmetadata: {{name: web, namespace: {name}}}\nspec:\n  triggers:\n  - {{type: external, \
             metadata: {{{keys}, start: 0 8 * * *, end: 0 18 * * *, desiredReplicas: '2'}}}}\n"
        );
        object.replace("schedule: '[]', ", "").replace(", schedule: '[]'", "")
    };
    let table = |name: &str, more: &str| {
        let file = write(&format!("{name}.yaml"), &object(name, more));
        run(&[text(&file), "--config", text(&config), "--from", "2026-10-26T00:00:00Z", "--days", "2"])
    };
    let shop = table("shop", "");
    assert!(shop.contains("launch") && shop.contains('9'), "{shop}");
    for (namespace, more) in [("bank", ""), ("shop", ", events: none")] {
        let other = table(namespace, more);
        assert!(!other.contains("launch"), "{other}");
    }
}

#[tokio::test]
async fn the_forecast_of_a_live_prometheus_fills_the_hours() {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let dir = tempfile::tempdir().expect("a directory");
    let policy = dir.path().join("web.yaml");
    let keys = "query: sum(load)\nthreshold: 10\nmaxReplicas: 12\n";
    std::fs::write(
        &policy,
        format!("{keys}schedule:\n  - {{days: daily, start: '00:00', end: '06:00', min: 7}}\n"),
    )
    .expect("written");
    let url = prometheus.url();
    let args = ["--prometheus", &url, text(&policy), "--days", "3", "--format", "json"];
    let document: Value = serde_json::from_str(&run(&args)).expect("JSON");
    let hours = document["hours"].as_array().expect("hours");
    assert_eq!(hours.len(), 72);
    let mut is_capped = false;
    for hour in hours {
        let number = |key: &str| hour[key].as_f64().expect("a number");
        let at = Time::parse(hour["from"].as_str().expect("an instant")).expect("RFC 3339");
        // The wave is 40 at midnight UTC and 160 at noon, give or take its noise of 4.
        let day = at.epoch().rem_euclid(86_400) as f64 / 86_400.0;
        let wave = 102.0 - 60.0 * (day * std::f64::consts::TAU).cos();
        assert!((number("load_median") - wave).abs() < 20.0, "{at}: {hour}, the wave is at {wave:.0}");
        assert!(
            number("load_low") <= number("load_median") && number("load_median") <= number("load_insured")
        );
        let least = if day < 0.25 { 7.0 } else { 1.0 };
        assert!((least..=12.0).contains(&number("replicas")), "{at}: {hour}");
        is_capped |= !hour["capped_from"].is_null();
    }
    assert!(is_capped, "at noon 16 replicas are needed and 12 allowed");
}

fn run(args: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_forescale")).arg("timeline").args(args).output().expect("runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
