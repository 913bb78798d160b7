//! Tests `forescale assess` as its users call it, against a real Prometheus: each kind of workload in a fleet gets
//! its verdict, an interrupted run and shards produce the same `fleet.json`, and missing data is reported in the row.

mod found;
mod rows;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::load::now;
use crate::support::prometheus::{Backfill, Prometheus};

/// Days of history: a third is for learning, the rest is scored.
const DAYS: i64 = 9;

fn assess(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forescale")).arg("assess").args(args).output().expect("the binary runs")
}

/// One workload of the generated fleet.
struct Member {
    name: &'static str,
    verdict: &'static str,
    /// The load by minute of the day and a noise from -1 to 1; `None` if there is no history.
    load: Option<fn(i64, f64) -> f64>,
    /// The replicas that ran for that load; `None` if unknown.
    ran: Option<fn(f64) -> f64>,
    min: u32,
}

fn needed(load: f64) -> f64 {
    (load / 10.0).ceil().max(1.0)
}

const FLEET: [Member; 6] = [
    Member {
        name: "steep",
        verdict: "predictive",
        // From 30 to 330 within ten minutes every two hours: no rule of busy hours covers it.
        load: Some(|minute, noise| {
            let m = (minute % 120) as f64;
            30.0 + 300.0 * (m / 10.0).min(1.0).min(((60.0 - m) / 10.0).clamp(0.0, 1.0)) + 3.0 * noise
        }),
        ran: Some(|_| 28.0),
        min: 1,
    },
    Member {
        name: "office",
        verdict: "schedule",
        load: Some(|minute, noise| if (540..1_020).contains(&minute) { 300.0 } else { 25.0 } + 2.0 * noise),
        ran: None,
        min: 1,
    },
    Member {
        name: "flat",
        verdict: "reactive",
        load: Some(|_, noise| 203.0 + 2.0 * noise),
        ran: Some(needed),
        min: 1,
    },
    Member {
        name: "floor",
        verdict: "over_provisioned",
        load: Some(|_, noise| 54.0 + noise),
        ran: Some(|_| 20.0),
        min: 20,
    },
    Member { name: "missing", verdict: "cannot_tell", load: None, ran: Some(|_| 3.0), min: 1 },
    Member {
        name: "stopped",
        verdict: "cannot_tell",
        load: Some(|_, noise| 50.0 + noise),
        ran: Some(|_| 0.0),
        min: 1,
    },
];

fn history() -> Vec<Backfill> {
    let end = now().div_euclid(3_600) * 3_600;
    let mut series = Vec::new();
    let load_of = |member: &Member| {
        let load = member.load?;
        let value = |k: i64| {
            let noise = ((k.wrapping_mul(2_654_435_761) >> 8) & 0xFF) as f64 / 127.5 - 1.0;
            load((end / 60 - DAYS * 1_440 + k).rem_euclid(1_440), noise)
        };
        Some((0..DAYS * 1_440).map(|k| (end - (DAYS * 1_440 - k) * 60, value(k))).collect::<Vec<_>>())
    };
    for member in &FLEET {
        if let Some(points) = load_of(member) {
            series.push(Backfill { metric: format!("load{{app=\"{}\"}}", member.name), points });
        }
    }
    for member in &FLEET {
        let Some(ran) = member.ran else { continue };
        let points = load_of(member).unwrap_or_else(|| vec![(end - 60, 0.0)]);
        let points = points.into_iter().map(|(at, load)| (at, ran(load))).collect();
        let labels = format!("namespace=\"shop\",deployment=\"{}\"", member.name);
        series
            .push(Backfill { metric: format!("kube_deployment_status_replicas_ready{{{labels}}}"), points });
    }
    series
}

fn manifests(folder: &Path) -> String {
    let mut text = String::new();
    for member in &FLEET {
        let Member { name, min, .. } = member;
        text += &format!(
            "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
             scaleTargetRef: {{name: {name}}}\n  minReplicaCount: {min}\n  maxReplicaCount: 60\n  triggers:\n  \
             - {{type: prometheus, metadata: {{serverAddress: 'http://p', query: 'sum(load{{app=\"{name}\"}})', \
             threshold: '10'}}}}\n---\n"
        );
    }
    text += "kind: HorizontalPodAutoscaler\nmetadata: {name: cpu, namespace: shop}\nspec: {scaleTargetRef: {kind: \
             Deployment, name: cpu}, maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: \
             Utilization, averageUtilization: 60}}}]}\n";
    let path = folder.join("fleet.yaml");
    std::fs::write(&path, text).expect("written");
    path.to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Each workload has its verdict, its reason and, if it benefits, a manifest that passes lint.
fn judged(json: &Value, folder: &Path) {
    assert_eq!(json["schema"], 1);
    let rows = json["workloads"].as_array().expect("rows");
    assert_eq!(rows.len(), FLEET.len() + 1);
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).expect("a row");
    for member in &FLEET {
        assert_eq!(row(member.name)["verdict"], member.verdict, "{:#}", row(member.name));
    }
    assert!(
        row("steep")["saving_percent"].as_f64().is_some_and(|saving| saving > 10.0),
        "{:#}",
        row("steep")
    );
    assert!(
        row("floor")["saving_percent"].as_f64().is_some_and(|saving| saving > 50.0),
        "{:#}",
        row("floor")
    );
    assert_eq!(row("office")["saving_percent"], Value::Null, "what ran is not known");
    for (name, why) in [
        ("missing", "yields no samples"),
        ("stopped", "no replica of it was ready"),
        ("cpu", "CPU requests of Deployment cpu are not known"),
    ] {
        assert!(row(name)["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{:#}", row(name));
    }
    for name in ["steep", "office"] {
        let manifest = folder.join(row(name)["manifest"].as_str().expect("a proposal"));
        let mut lint = Command::new(env!("CARGO_BIN_EXE_forescale"));
        // Its trigger points to its shard.
        let linted = lint.args(["lint", "--shards", "4"]).arg(&manifest).output().expect("runs");
        assert_eq!(linted.status.code(), Some(0), "{}", String::from_utf8_lossy(&linted.stdout));
    }
    let page = read(&folder.join("fleet.html"));
    for name in ["steep", "office", "flat", "floor"] {
        let report = format!("reports/shop/{name}.html");
        assert!(page.contains(&format!("href=\"{report}\"")), "{name}");
        assert!(read(&folder.join(&report)).contains(&format!("<h1>shop/{name}</h1>")), "{name}");
    }
    assert!(page.contains("<svg class=\"spark\"") && page.contains("steep") && !page.contains("http://p\""));
    let csv = read(&folder.join("fleet.csv"));
    assert_eq!(csv.lines().count(), rows.len() + 1);
}

/// How many results a folder holds.
fn kept(folder: &str) -> usize {
    let kept = std::fs::read_dir(Path::new(folder).join("kept/shop")).into_iter().flatten().flatten();
    kept.filter(|file| file.path().extension().is_some_and(|end| end == "json")).count()
}

/// Starts a run and kills it once a result is stored.
fn kill_half_way(url: &str, manifests: &str, out: &str, more: &[&str]) {
    let args =
        ["assess", "--prometheus", url, "--manifests", manifests, "--out", out, "--history", "9d", "--price"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(args)
        .args(["0.1", "--shards", "4"])
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let begun = Instant::now();
    while kept(out) == 0 {
        let ended = child.try_wait().expect("its state");
        assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(240), "nothing was kept: {ended:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("killed");
    child.wait().expect("waited for");
    let left = FLEET.len() + 1 - kept(out);
    assert!(left > 0 && !Path::new(out).join("fleet.json").exists(), "it was not killed half-way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_gets_its_verdicts_whether_interrupted_or_in_shards() {
    let prometheus = Prometheus::start(&history()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (manifests, url) = (manifests(folder.path()), prometheus.url());
    let place = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let asked = |out: &str, more: &[&str]| {
        let mut args = vec!["--prometheus", &url, "--manifests", &manifests, "--out", out];
        args.extend(["--history", "9d", "--max-per-second", "100", "--price", "0.1", "--shards", "4"]);
        args.extend(more);
        let told = assess(&args);
        assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
        told
    };
    let whole = place("whole");
    let told = asked(&whole, &["--assert", "predictive == 1", "--format", "json"]);
    let fleet = read(&Path::new(&whole).join("fleet.json"));
    assert_eq!(String::from_utf8_lossy(&told.stdout), fleet);
    let json: Value = serde_json::from_str(&fleet).expect("JSON");
    judged(&json, Path::new(&whole));

    // The same command completes what an interruption left undone, and the result is identical to the byte.
    for name in ["steep", "missing"] {
        std::fs::remove_file(Path::new(&whole).join(format!("kept/shop/{name}.json"))).expect("kept");
    }
    std::fs::remove_file(Path::new(&whole).join("fleet.json")).expect("written");
    asked(&whole, &[]);
    assert_eq!(read(&Path::new(&whole).join("fleet.json")), fleet);

    // It does not matter where a process was killed.
    let until = json["until"].as_str().expect("an instant").to_owned();
    let killed = place("killed");
    let more = ["--until", &until, "--jobs", "1"];
    kill_half_way(&url, &manifests, &killed, &more);
    asked(&killed, &more);
    assert_eq!(read(&Path::new(&killed).join("fleet.json")), fleet);

    // Independent shards, merged.
    let parts: Vec<String> = (1..=4).map(|i| place(&format!("part{i}"))).collect();
    for (i, part) in parts.iter().enumerate() {
        let mut args =
            vec!["--prometheus", url.as_str(), "--manifests", &manifests, "--out", part, "--history", "9d"];
        let shard = format!("{}/4", i + 1);
        args.extend(["--shard", &shard, "--until", &until, "--max-per-second", "100", "--price", "0.1"]);
        args.extend(["--shards", "4"]);
        // A part that holds nobody who can be judged is joined like the others.
        let told = assess(&args);
        assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
    }
    let joined = place("joined");
    let mut args = vec!["merge"];
    args.extend(parts.iter().map(String::as_str));
    args.extend(["--out", &joined]);
    let told = assess(&args);
    assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(read(&Path::new(&joined).join("fleet.json")), fleet);
    let report = "reports/shop/steep.html";
    assert_eq!(read(&Path::new(&joined).join(report)), read(&Path::new(&whole).join(report)));

    // The folder of another run is not mixed with this one.
    let told = assess(&["--prometheus", &url, "--manifests", &manifests, "--out", &whole, "--history", "5d"]);
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(2) && why.contains("--history 9d"), "{why}");
}

#[test]
fn what_cannot_be_asked_is_one_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifests = manifests(folder.path());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let url = format!("http://{closed}");
    for (args, word) in [
        (vec!["--prometheus", &url, "--manifests", &manifests], "Prometheus does not answer"),
        (vec!["--prometheus", "p:9090", "--manifests", &manifests], "write http://HOST:PORT"),
        (vec!["--prometheus", &url, "--manifests", &manifests, "--selector", "team=b"], "--selector"),
        (vec!["--prometheus", &url, "--manifests", "/nowhere.yaml"], "cannot read /nowhere.yaml"),
        (vec!["--prometheus", &url, "--manifests", &manifests, "--assert", "x < 1"], "FIGURE <= NUMBER"),
        (vec!["merge", "/nowhere", "--out", "/nowhere"], "run.json"),
    ] {
        let told = assess(&args);
        let why = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.code() == Some(2) && why.contains(word), "{args:?}: {why}");
    }
}
