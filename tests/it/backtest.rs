//! Tests `forescale backtest` as its users call it, on a generated load: files, exit codes, reproducible results.

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
        for file in ["summary.json", "steps.csv", "changes.csv", "frontier.csv", "report.html"] {
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

/// A trace of six days that starts on a Monday, with a sample every `step` seconds, but only the rows that `keep`
/// accepts.
fn trace(folder: &Path, step: i64, keep: impl Fn(i64) -> bool) -> String {
    let mut text = String::from("timestamp,value\n");
    for i in (0..6 * 86_400 / step).filter(|&i| keep(i)) {
        let minute = i * step / 60;
        let busy = if (480..1_080).contains(&(minute % 1_440)) { 300 } else { 40 };
        let value = busy + minute * 7_919 % 61;
        text += &format!("{},{value}\n", forescale::units::Time::from_epoch(1_767_571_200 + step * i));
    }
    let path = folder.join(format!("every-{step}.csv"));
    std::fs::write(&path, text).expect("written");
    path.to_string_lossy().into_owned()
}

fn run(out: &Path, more: &[&str]) -> Value {
    let done = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["backtest", "--threshold", "20", "--no-sweep", "--format", "json", "--out"])
        .arg(out)
        .args(more)
        .output()
        .expect("the binary runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("JSON")
}

/// The rows of a CSV that belong to a strategy: the first column and the others.
fn rows_of(text: &str, strategy: &str) -> Vec<(f64, Vec<f64>)> {
    let of = |line: &str| {
        let mut fields = line.split(',');
        let at = chrono::DateTime::parse_from_rfc3339(fields.next()?).ok()?.timestamp_millis() as f64 / 1e3;
        (fields.next()? == strategy).then(|| (at, fields.filter_map(|f| f.parse().ok()).collect()))
    };
    text.lines().skip(1).filter_map(of).collect()
}

/// All figures of a strategy from its rows and changes, by the definitions of the literature; every row has equal
/// weight.
fn recomputed(out: &Path, strategy: &str, from: f64, until: f64) -> Vec<(&'static str, f64)> {
    let rows = rows_of(&read(&out.join("steps.csv")), strategy);
    let seconds = (until - from) / rows.len() as f64;
    let (mut short, mut under, mut over, mut ready, mut demand) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let (mut backlog, mut offered, mut late) = (0.0f64, 0.0, 0.0);
    for (at, row) in &rows {
        assert!((from..until).contains(at));
        let [load, d, _, s] = row[..] else { panic!("found {row:?}, expected load, demand, desired, ready") };
        short += f64::from(u8::from(s < d));
        under += (d - s).max(0.0) / d;
        over += (s - d).max(0.0) / d;
        (ready, demand) = (ready + s, demand + d);
        // A pod serves a quarter more than the threshold; a wait of up to one second is acceptable.
        let service = 20.0 * 1.25 * s;
        offered += load;
        late += if backlog > service || load > service { load } else { 0.0 };
        backlog = (backlog + (load - service) * seconds).max(0.0);
    }
    let (mut events, mut starts, mut reversals) = (0.0, 0.0, 0.0);
    let mut before: Option<(f64, bool)> = None;
    for pair in rows_of(&read(&out.join("changes.csv")), strategy).windows(2) {
        let (at, step) = (pair[1].0, pair[1].1[0] - pair[0].1[0]);
        if (from..until).contains(&at) {
            events += 1.0;
            starts += step.max(0.0);
            let undone = before.is_some_and(|(then, up)| up != (step > 0.0) && at - then < 600.0);
            reversals += f64::from(u8::from(undone));
        }
        before = Some((at, step > 0.0));
    }
    let percent = 100.0 / rows.len() as f64;
    let hours = ready * seconds / 3_600.0;
    vec![
        ("tau_u", short * percent),
        ("theta_u", under * percent),
        ("theta_o", over * percent),
        ("replica_hours", hours),
        ("rh_ratio", ready / demand),
        ("cost", 0.5 * hours),
        ("slo_violations", 100.0 * late / offered),
        ("events_per_day", events / ((until - from) / 86_400.0)),
        ("starts", starts),
        ("reversals", reversals),
    ]
}

#[test]
fn every_figure_is_recomputed_from_the_files_whatever_the_step() {
    let folder = tempfile::tempdir().expect("a folder");
    for step in [57, 60, 300, 600, 3_600] {
        // Days of whole steps: 57 s divides 19 hours.
        let hours = if step == 57 { 19 } else { 24 };
        let trace = trace(folder.path(), step, |_| true);
        let out = folder.path().join(step.to_string());
        let (from, until) = (1_767_571_200 + 3 * 3_600 * hours, 1_767_571_200 + 5 * 3_600 * hours);
        let [first, last] = [from, until].map(|at| forescale::units::Time::from_epoch(at).to_string());
        let scored = ["--from", &first, "--to", &last, "--price", "0.5"];
        let names = ["reactive", "naive", "predictive"];
        let strategies = names.join(",");
        let summary = run(&out, &[&["--trace", &trace, "--strategies", &strategies], &scored[..]].concat());
        for (name, row) in names.iter().zip(summary["strategies"].as_array().expect("strategies")) {
            for (figure, found) in recomputed(&out, name, from as f64, until as f64) {
                let told = row[figure].as_f64().expect("a number");
                assert!(
                    (told - found).abs() < 1e-6,
                    "{name}, {step} s, {figure}: {told}, by the rows {found}"
                );
            }
        }
    }
}

#[test]
fn what_is_odd_about_a_trace_is_told_and_so_is_distrust() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = trace(folder.path(), 300, |i| !(100..112).contains(&i));
    let mut text = read(Path::new(&path));
    text += "2026-01-10T23:55:00Z,5\n2026-01-11T00:00:00Z,-3\n2026-01-11T00:05:00Z,9\n";
    std::fs::write(&path, text).expect("written");
    let summary = run(&folder.path().join("out"), &["--trace", &path, "--strategies", "reactive,predictive"]);
    let notes = summary["notes"].to_string();
    for says in [
        "1 sample below zero, at 2026-01-11T00:00:00Z",
        "1 sample at an instant that has one already, at 2026-01-10T23:55:00Z",
        "13 samples missing in 2 gaps, the first at 2026-01-05T08:20:00Z, the longest 1h",
    ] {
        assert!(notes.contains(says), "{says}: {notes}");
    }
    let rows = summary["strategies"].as_array().expect("strategies");
    assert!(rows[0].get("distrusted").is_none() && rows[1]["distrusted"].is_f64(), "{rows:?}");
}

#[test]
fn the_tolerance_of_the_scaled_object_is_the_twins() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = trace(folder.path(), 300, |_| true);
    let manifest = folder.path().join("web.yaml");
    let behaving = |behavior: &str| {
        let text = format!(
            "kind: ScaledObject\nmetadata: {{name: web}}\nspec:\n  advanced:\n    \
             horizontalPodAutoscalerConfig:\n      behavior: {behavior}\n  triggers:\n  - type: external\n    \
             metadata: {{scalerAddress: 'forescale:6000', query: up, threshold: '20'}}\n"
        );
        std::fs::write(&manifest, text).expect("written");
        manifest.to_string_lossy().into_owned()
    };
    let events = |behavior: &str| {
        let policy = behaving(behavior);
        let more = ["--trace", &trace, "--strategies", "reactive", "--policy", &policy];
        run(&folder.path().join("out"), &more)["strategies"][0]["events_per_day"].as_f64().expect("a number")
    };
    let (exact, coarse) = (
        events("{scaleUp: {tolerance: 0}, scaleDown: {tolerance: 0}}"),
        events("{scaleUp: {tolerance: 0.5}, scaleDown: {tolerance: 0.5}}"),
    );
    assert!(exact > coarse, "{exact} and {coarse} changes a day");
    let done = backtest(folder.path(), &["--policy", &behaving("{scaleUp: {tolerance: -1}}")]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(2), "{told}");
    assert!(told.contains("behavior.scaleUp.tolerance: found '-1'"), "{told}");
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

#[test]
fn spare_replicas_carry_the_peak_when_a_third_of_the_pods_is_lost() {
    let run = |more: &[&str]| {
        let dir = tempfile::tempdir().expect("a folder");
        let output = Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args([
                "backtest",
                "--generate",
                "business-hours",
                "--threshold",
                "50",
                "--last",
                "1d",
                "--no-sweep",
            ])
            .args(["--strategies", "predictive", "--lead", "10m", "--format", "json", "--out"])
            .arg(dir.path())
            .args(more)
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let figure = |name: &str| summary["strategies"][0][name].as_f64().expect("a number");
        (figure("tau_u"), figure("replica_hours"), read(&dir.path().join("steps.csv")))
    };
    let (calm, _, steps) = run(&[]);
    let demand = |row: &&str| row.split(',').nth(3).and_then(|field| field.parse::<u32>().ok());
    let peak = steps.lines().skip(1).max_by_key(demand).expect("rows").split(',').next().expect("an instant");
    let loss = format!("33%@{peak}");
    let (bare, cost, _) = run(&["--lose", &loss]);
    let (spared, dearer, _) = run(&["--lose", &loss, "--set", "spareReplicas=34%"]);
    println!("short: {calm:.2} % without a loss, {bare:.2} % with it, {spared:.2} % with 34 % to spare");
    println!("replica-hours {cost:.0} and {dearer:.0}");
    // Ten minutes of a day are 0.69 %.
    assert!(bare > calm + 0.5 && spared <= calm.min(0.1), "{calm} {bare} {spared}");
    assert!(dearer > cost * 1.3, "what is kept to spare is paid for");
    let refused = backtest(tempfile::tempdir().expect("a folder").path(), &["--lose", "a third"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("34%@2026"), "the error shows the form");
}
