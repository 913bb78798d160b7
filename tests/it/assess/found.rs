//! A fleet found without manifests: HPAs from kube-state-metrics, triggers from KEDA's operator, the requests of
//! pods, and the load that one of them carries.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use forescale::source::yaml;
use serde_json::Value;

use super::assess;
use crate::support::load::now;
use crate::support::prometheus::{Backfill, Prometheus};
use crate::support::root;

const DAYS: i64 = 5;

/// Requests per second by minute: between 40 and 200, with noise per minute.
fn load(k: i64) -> f64 {
    let day = (k % 1_440) as f64 / 1_440.0;
    let noise = ((k.wrapping_mul(2_654_435_761) >> 8) & 0xFF) as f64 / 25.6;
    115.0 - 75.0 * (day * std::f64::consts::TAU).cos() + noise
}

/// Always four replicas; 0.05 cores each at rest, 0.01 for each request per second.
fn cores(k: i64) -> f64 {
    0.2 + 0.01 * load(k)
}

fn history() -> Vec<Backfill> {
    let end = now().div_euclid(3_600) * 3_600;
    let total = DAYS * 1_440;
    let every = |value: &mut dyn FnMut(i64) -> f64| {
        (0..=total).map(|k| (end - (total - k) * 60, value(k))).collect::<Vec<_>>()
    };
    let constant = |metric: &str, value: f64| Backfill {
        metric: metric.to_owned(),
        points: (0..=120).map(|k| (end - (120 - k) * 60, value)).collect(),
    };
    let hpa = |metric: &str, hpa: &str, more: &str, value: f64| {
        let of = format!("namespace=\"shop\",horizontalpodautoscaler=\"{hpa}\"{more}");
        constant(&format!("kube_horizontalpodautoscaler_{metric}{{{of}}}"), value)
    };
    let target = |name: &str| format!(",scaletargetref_kind=\"Deployment\",scaletargetref_name=\"{name}\"");
    let metric = |name: &str, kind: &str| format!(",metric_name=\"{name}\",metric_target_type=\"{kind}\"");
    let (mut used, pod) = (0.0, "pod=\"web-5d4f8b9c7-x2k4q\",container=\"web\"");
    let mut all =
        vec![hpa("info", "keda-hpa-web", &target("web"), 1.0), hpa("info", "api", &target("api"), 1.0)];
    for (name, most) in [("keda-hpa-web", 40.0), ("api", 9.0)] {
        all.push(hpa("spec_min_replicas", name, "", 2.0));
        all.push(hpa("spec_max_replicas", name, "", most));
    }
    all.push(hpa("spec_target_metric", "keda-hpa-web", &metric("s0-prometheus", "average"), 10.0));
    all.push(hpa("spec_target_metric", "api", &metric("cpu", "utilization"), 60.0));
    all.push(Backfill {
        metric:
            "keda_scaler_metrics_value{namespace=\"keda\",exported_namespace=\"shop\",scaledObject=\"web\",\
                 scaler=\"prometheusScaler\",triggerIndex=\"0\",metric=\"s0-prometheus\"}"
                .to_owned(),
        points: every(&mut |k| load(k)),
    });
    all.push(Backfill {
        metric: "kube_deployment_status_replicas_ready{namespace=\"shop\",deployment=\"web\"}".to_owned(),
        points: every(&mut |_| 4.0),
    });
    all.push(Backfill {
        metric: format!("container_cpu_usage_seconds_total{{namespace=\"shop\",{pod}}}"),
        points: every(&mut |k| {
            used += 60.0 * cores(k);
            used
        }),
    });
    for (resource, value) in [("cpu", 0.5), ("memory", 1_073_741_824.0)] {
        all.push(constant(
            &format!(
                "kube_pod_container_resource_requests{{namespace=\"shop\",{pod},resource=\"{resource}\"}}"
            ),
            value,
        ));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_found_in_prometheus_with_its_capacity_and_its_price() {
    let prometheus = Prometheus::start(&history()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (url, out) = (prometheus.url(), folder.path().to_string_lossy().into_owned());
    let prices = ["--price-cpu", "0.04", "--price-memory", "0.01"];
    let mut args = vec!["--prometheus", &url, "--history", "5d", "--max-per-second", "100", "--out", &out];
    args.extend(["--format", "json"]);
    args.extend(prices);
    let told = assess(&args);
    assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
    let fleet: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    let row = |name: &str| {
        let rows = fleet["workloads"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}: {fleet:#}"))
    };
    let web = row("web");
    assert_ne!(web["verdict"], "cannot_tell", "{web:#}");
    assert_eq!(web["threshold"]["used"], 10.0, "{web:#}");
    assert_eq!(web["threshold"]["source"], "target of its prometheus trigger");
    // 0.05 + 0.01 x = 70 % of half a core.
    let carried = web["capacity"].as_f64().expect("told");
    assert!((carried - 30.0).abs() < 1.0, "{web:#}");
    assert!(
        web["reason"].as_str().is_some_and(|why| why.contains("3.0 times the threshold of 10")),
        "{web:#}"
    );
    // The pods of the HPA on CPU have no known requests.
    let api = row("api");
    assert_eq!(api["verdict"], "cannot_tell", "{api:#}");
    let mut reader = csv::Reader::from_path(Path::new(&out).join("fleet.csv")).expect("a table");
    let price =
        reader.headers().expect("a header").iter().position(|name| name == "price").expect("a column");
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    let of = |name: &str| rows.iter().find(|row| &row[1] == name).expect("a row");
    assert_eq!((&of("web")[price], &of("api")[price]), ("0.03", ""));

    for (args, word) in [
        (vec!["--namespace", "pay"], "none of which was chosen"),
        (vec!["--selector", "team=shop"], "--metric-labels-allowlist"),
        (vec!["--until", "2020-01-01T00:00:00Z"], "scrape kube-state-metrics"),
    ] {
        let told = assess(&[vec!["--prometheus", url.as_str()], args.clone()].concat());
        let why = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.code() == Some(2) && why.contains(word), "{args:?}: {why}");
    }
}

/// The arguments of the Job as the chart renders it; the chart's test pins them.
fn args_of_the_job() -> Vec<String> {
    let rendered = std::fs::read_to_string(root("tests/deploy/full.snapshot.yaml")).expect("the snapshot");
    let job = rendered.split("\n---\n").find(|document| document.contains("\nkind: Job\n")).expect("a Job");
    let job: Value = yaml::from_str(job).expect("YAML");
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().expect("its arguments");
    args.iter().map(|arg| arg.as_str().expect("a text").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_of_the_charts_job_write_one_report_together() {
    let prometheus = Prometheus::start(&history()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, format!("datasources: {{default: {{url: '{}'}}}}\n", prometheus.url()))
        .expect("written");
    let begin = |parts: &str, shard: &str, index: u32| {
        let args = args_of_the_job().into_iter().map(|arg| {
            let arg = arg.replace("/config/config.yaml", &config.to_string_lossy());
            let arg = arg.replace("/parts/", &format!("{}/{parts}/", folder.path().display()));
            arg.replace("job/4", shard)
        });
        Command::new(env!("CARGO_BIN_EXE_forescale"))
            .args(args)
            .args(["--history=5d", "--max-per-second=100"])
            .env("JOB_COMPLETION_INDEX", index.to_string())
            .env("HOSTNAME", format!("assess-{index}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs")
    };
    let ends = |pods: Vec<Child>| {
        for pod in pods {
            let told = pod.wait_with_output().expect("waited for");
            assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
        }
    };
    ends((0..4).map(|index| begin("together", "job/4", index)).collect());
    let fleet = |parts: &str, name: &str| {
        std::fs::read_to_string(folder.path().join(parts).join("forescale-1").join(name)).expect("written")
    };
    let run: Value = serde_json::from_str(&fleet("together", "run.json")).expect("JSON");
    // An hour may start in between: the single run ends its histories where the shards did.
    let alone = folder.path().join("alone/forescale-1");
    std::fs::create_dir_all(&alone).expect("a folder");
    std::fs::write(alone.join("run.json"), run.to_string()).expect("written");
    ends(vec![begin("alone", "1/1", 0)]);
    assert_eq!(fleet("together", "fleet.json"), fleet("alone", "fleet.json"));
    assert_eq!(fleet("together", "fleet.csv"), fleet("alone", "fleet.csv"));
}
