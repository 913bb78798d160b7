//! `forescale backtest` as its users call it, on a generated load: files, exit codes, the same result twice.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn backtest(out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["backtest", "--generate", "business-hours", "--threshold", "50", "--last", "1d", "--out"])
        .arg(out)
        .args([
            "--strategies",
            "reactive,naive,predictive,shadow,oracle,forescale-reactive",
            "--price",
            "0.1",
        ])
        .args(more)
        .output()
        .expect("the binary runs")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("written")
}

#[test]
fn a_backtest_writes_its_files_and_repeats() {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let first = backtest(one.path(), &["--format", "json"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let summary: Value = serde_json::from_slice(&first.stdout).expect("JSON");
    assert_eq!(
        summary,
        serde_json::from_str::<Value>(&read(&one.path().join("summary.json"))).expect("JSON")
    );
    assert_eq!(summary["schema"], 1);
    let rows = summary["strategies"].as_array().expect("strategies");
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["reactive", "naive", "predictive", "shadow", "oracle", "forescale-reactive"]);
    for row in rows {
        for figure in ["tau_u", "theta_u", "theta_o", "replica_hours", "rh_ratio", "events_per_day", "cost"] {
            assert!(row[figure].is_f64(), "{figure} of {row}");
        }
        for count in ["starts", "reversals"] {
            assert!(row[count].is_u64(), "{count} of {row}");
        }
        assert_eq!(row["matched"]["tau_u"], 1.0);
    }
    let figure = |name: usize, figure: &str| rows[name][figure].as_f64().expect("a number");
    assert_eq!(figure(3, "tau_u"), figure(5, "tau_u"), "in shadow the answer is that of mode reactive");
    assert!(figure(2, "tau_u") < figure(0, "tau_u"), "the forecast is ahead of the morning's rise");
    let steps = read(&one.path().join("steps.csv"));
    assert!(steps.starts_with("timestamp,strategy,load,demand,desired,ready\n"));
    assert_eq!(steps.lines().count(), 1 + 6 * 1_440, "one row for each sample and strategy");
    let page = read(&one.path().join("report.html"));
    assert!(page.matches("<svg").count() >= 5 && !page.contains("http://") && !page.contains("https://"));
    let second = backtest(two.path(), &["--format", "json"]);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(page, read(&two.path().join("report.html")));
}

#[test]
fn assertions_decide_the_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    for (condition, code, says) in [
        ("predictive.tau_u <= 100", 0, ""),
        ("predictive.tau_u < 0", 1, "found 0"),
        ("predictive.matched.rh_ratio <= 3", 1, "found none"),
        ("predictive.nonsense <= 3", 2, "no figure"),
        ("cron.tau_u <= 3", 2, "no strategy"),
        ("predictive", 2, "expected STRATEGY.FIGURE"),
    ] {
        let done = backtest(folder.path(), &["--no-sweep", "--assert", condition]);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(code), "{condition}: {told}");
        assert!(told.contains(says), "{condition}: {told}");
    }
}

#[test]
fn several_workloads_get_a_folder_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let done =
        backtest(folder.path(), &["--no-sweep", "--generate", "bursty", "--set", "underProvisionTarget=1%"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let summary: Value = serde_json::from_str(&read(&folder.path().join("summary.json"))).expect("JSON");
    let names: Vec<_> =
        summary["traces"].as_array().expect("traces").iter().map(|t| t["trace"].clone()).collect();
    assert_eq!(names, ["business-hours", "bursty"]);
    for name in ["business-hours", "bursty"] {
        for file in ["summary.json", "steps.csv", "frontier.csv", "report.html"] {
            assert!(folder.path().join(name).join(file).exists(), "{name}/{file}");
        }
    }
}

#[test]
fn models_take_part_and_hours_are_long_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::from("timestamp,value\n");
    for hour in 0..21 * 24 {
        let busy = if (8..18).contains(&(hour % 24)) { 300 } else { 40 };
        text += &format!(
            "{},{}\n",
            forescale::units::Time::from_epoch(1_767_571_200 + 3_600 * hour),
            busy + hour % 7
        );
    }
    let trace = folder.path().join("hours.csv");
    std::fs::write(&trace, text).expect("written");
    let trace = trace.to_string_lossy();
    let more = ["--trace", &trace, "--strategies", "holt-winters,mstl", "--format", "json"];
    let done = backtest(folder.path(), &[&more[..], &["--set", "underProvisionTarget=1%"]].concat());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let summary: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let hours = &summary["traces"][0];
    assert_eq!(hours["trace"], "hours");
    let rows = hours["strategies"].as_array().expect("strategies");
    let short = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name);
        row.and_then(|row| row["tau_u"].as_f64()).unwrap_or(f64::NAN)
    };
    for model in ["holt-winters", "mstl"] {
        assert!(short(model) < short("reactive"), "{model} {} and {}", short(model), short("reactive"));
        let frontier = read(&folder.path().join("hours").join("frontier.csv"));
        assert!(frontier.contains(&format!("\n{model},1.1,")), "{model} is swept");
    }
}

#[test]
fn an_interruption_keeps_what_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let child = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["backtest", "--threshold", "50", "--strategies", "reactive,naive,mean,predictive", "--out"])
        .arg(folder.path())
        .args(
            ["business-hours", "bursty", "level-shift", "flash-crowd"]
                .map(|name| format!("--generate={name}")),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let first = folder.path().join("business-hours").join("summary.json");
    let begun = Instant::now();
    while !first.exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing is finished");
        std::thread::yield_now();
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()));
    let done = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("Interrupted") && told.contains("reactive"), "{told}");
    let summary: Value = serde_json::from_str(&read(&folder.path().join("summary.json"))).expect("JSON");
    let rows = |trace: &Value| trace["strategies"].as_array().map_or(0, Vec::len);
    let traces = summary["traces"].as_array().expect("traces");
    let finished: usize = traces.iter().map(rows).sum();
    assert!((1..16).contains(&finished), "{finished} of 16 were finished");
    for trace in traces {
        let own = folder.path().join(trace["trace"].as_str().expect("a name"));
        let kept: Value = serde_json::from_str(&read(&own.join("summary.json"))).expect("JSON");
        assert_eq!(kept["strategies"], trace["strategies"]);
        assert!(own.join("report.html").exists() && own.join("steps.csv").exists());
    }
}

#[test]
fn bad_input_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for (more, says) in [
        (&["--set", "quantile=2"][..], "quantile"),
        (&["--set", "nonsense"], "KEY=VALUE"),
        (&["--trace", "/nowhere.csv"], "/nowhere.csv"),
        (&["--strategies", "magic"], "magic"),
    ] {
        let done = backtest(folder.path(), more);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(2), "{more:?}: {told}");
        assert!(told.contains(says), "{more:?}: {told}");
    }
}
