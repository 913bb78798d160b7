//! Shards from end to end: what `init` writes and `lint` asks for is a Service of the chart, whose pods serve the
//! workload and refuse those of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use forescale::source::yaml;
use forescale::units::{Shard, Shards};
use serde_json::Value;
use tonic::Code;

use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::{root, until};

fn forescale(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forescale")).args(args).output().expect("the binary runs")
}

/// Of a workload that follows the clock alone, whose trigger points to this address.
fn keys(address: &str) -> [(&'static str, &str); 5] {
    [
        ("scalerAddress", address),
        ("start", "0 0 * * *"),
        ("end", "0 12 * * *"),
        ("timezone", "UTC"),
        ("desiredReplicas", "2"),
    ]
}

/// A name in the namespace `shop` of each of two shards.
fn one_of_each() -> [String; 2] {
    let two = Shards::new(2).expect("valid");
    let named = |index| {
        let mut names = (0..).map(|i| format!("web-{i}"));
        names.find(|name| two.shard_of("shop", name).index() == index).expect("one")
    };
    [named(0), named(1)]
}

#[tokio::test]
async fn a_strict_shard_refuses_the_others_workloads_and_says_where_they_belong() {
    let [own, other] = one_of_each();
    let server = Forescale::start_as("", &["--shard", "0/2"]).await;
    let named = keys("forescale-0.forescale:6000");
    let mut own = Keda::connect(server.grpc, "shop", &own, &named).await;
    own.replicas().await.expect("served");
    let mut strange = own.like(&other, &named);
    let stream = strange.stream().await.map(drop);
    for refused in [strange.replicas().await.map(drop), strange.active().await.map(drop), stream] {
        let refused = refused.expect_err("of the other shard");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let told = format!(
            "shop/{other} is of shard 1 of 2, and this is shard 0 of 2: ask that one at forescale-1.forescale:6000"
        );
        assert_eq!(refused.message(), told);
    }
    // Its error would disarm KEDA's fallback.
    strange.spec().await.expect("from the metadata alone");
    // Without an address, or with one that is none, the number is what can be said.
    for address in ["10.0.0.1:6000", &"x".repeat(3_000)] {
        let refused = own.like(&other, &keys(address)).replicas().await.expect_err("of the other shard");
        assert!(refused.message().ends_with("this is shard 0 of 2: ask that one"), "{refused}");
    }
    assert!(server.decision("shop", &other).await.is_none(), "it is not known");
}

#[tokio::test]
async fn any_shard_answers_any_workload_unless_it_is_strict_and_then_forgets_the_others() {
    const PATIENCE: Duration = Duration::from_secs(60);
    let dir = tempfile::tempdir().expect("a directory");
    let config = format!("state: {{path: '{}'}}", dir.path().join("state").display());
    let names = one_of_each();
    let server = Forescale::start(&config).await;
    for name in &names {
        let mut keda = Keda::connect(server.grpc, "shop", name, &keys("forescale-0.forescale:6000")).await;
        keda.replicas().await.expect("served");
    }
    server.terminate(PATIENCE).await;
    let server = Forescale::start_as(&config, &["--shard=1/2"]).await;
    until(PATIENCE, "its own is known", async || server.decision("shop", &names[1]).await).await;
    assert!(server.decision("shop", &names[0]).await.is_none(), "the other's is not");
}

#[test]
fn a_shard_that_is_none_is_refused_at_the_start() {
    for shard in ["2/2", "1", "0/65"] {
        let told = forescale(&["serve", "--config", "none.yaml", "--shard", shard]);
        let why = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.code() == Some(2) && why.contains("expected I/N such as 0/4"), "{shard}: {why}");
    }
}

/// Eight days of an hour's points that repeat each day.
fn trace() -> String {
    let point = |hour: i64| {
        let at = forescale::units::Time::from_epoch(1_772_409_600 + 3_600 * hour);
        format!("{at},{}\n", 50 + hour % 24)
    };
    "timestamp,value\n".to_owned() + &(0..8 * 24).map(point).collect::<String>()
}

#[test]
fn init_writes_the_address_that_lint_asks_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (load, manifest) = (place("load.csv"), place("web.yaml"));
    fs::write(&load, trace()).expect("written");
    let init = |more: &[&str]| {
        let mut args = vec!["init", "--trace", &load, "--query", "sum(load)", "--namespace", "shop"];
        args.extend(more);
        forescale(&args)
    };
    let told = init(&["--shards", "4", "--out", &manifest]);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("# scalerAddress forescale-1.forescale:6000: shard 1 of 4.\n"), "{told}");
    let document: Value = yaml::from_str(&fs::read_to_string(&manifest).expect("written")).expect("YAML");
    let address = &document["spec"]["triggers"][0]["metadata"]["scalerAddress"];
    assert_eq!(address, "forescale-1.forescale:6000");
    assert!(forescale(&["lint", &manifest, "--shards", "4"]).status.success());
    let json = init(&["--shards", "4", "--scaler", "scale.ops.svc:7000", "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!((&json["scaler"], &json["shard"]), (&"scale-1.ops.svc:7000".into(), &1.into()));

    // Another number of shards is another address.
    let told = forescale(&["lint", &manifest, "--shards", "3"]);
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.status.code(), Some(1), "{said}");
    for words in
        ["and shop/web is of shard 2 of 3 [wrong-shard]", "write scalerAddress: forescale-2.forescale:6000"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(forescale(&["lint", &manifest]).status.success(), "without --shards nobody asks");

    let told = init(&["--shards", "4", "--scaler", "10.0.0.1:6000"]);
    let why = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(2) && why.contains("--scaler: found '10.0.0.1:6000'"), "{why}");
}

/// The objects of a kind that the chart renders for three shards, by name.
fn rendered(kind: &str) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(root("tests/deploy/shards.snapshot.yaml")).expect("the snapshot");
    let documents = text.split("\n---\n").map(|document| yaml::from_str(document).expect("YAML"));
    let of_kind = documents.filter(|document: &Value| document["kind"] == kind);
    of_kind.map(|d| (d["metadata"]["name"].as_str().expect("a name").to_owned(), d)).collect()
}

#[test]
fn every_address_is_a_service_of_the_chart_with_pods_of_its_own() {
    let (services, deployments) = (rendered("Service"), rendered("Deployment"));
    let (budgets, certificates) = (rendered("PodDisruptionBudget"), rendered("Certificate"));
    let three = Shards::new(3).expect("valid");
    let mut seen = BTreeSet::new();
    for index in 0..3 {
        let shard = three.part(index).expect("valid");
        let address = shard.address("forescale.forescale:6000").expect("a name");
        let (host, port) = address.split_once(':').expect("a port");
        let name = host.strip_suffix(".forescale").expect("the namespace");
        let (service, deployment) = (&services[name], &deployments[name]);
        assert_eq!(service["spec"]["clusterIP"], "None");
        assert_eq!(service["spec"]["ports"][0]["port"].to_string(), port);
        let chosen = &service["spec"]["selector"];
        assert_eq!(chosen["forescale.io/shard"], index.to_string());
        assert_eq!(&deployment["spec"]["selector"]["matchLabels"], chosen);
        assert_eq!(&budgets[name]["spec"]["selector"]["matchLabels"], chosen);
        let pod = &deployment["spec"]["template"];
        for (label, value) in chosen.as_object().expect("labels") {
            assert_eq!(&pod["metadata"]["labels"][label], value, "{label}");
        }
        let args = pod["spec"]["containers"][0]["args"].as_array().expect("arguments");
        let told = args.iter().find_map(|arg| arg.as_str()?.strip_prefix("--shard=")).expect("strict");
        assert_eq!(Shard::parse(told), Ok(shard));
        let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
        let state = volumes.iter().find(|volume| volume["name"] == "state").expect("a state");
        seen.insert(state["persistentVolumeClaim"]["claimName"].to_string());
        let hosts = certificates["forescale"]["spec"]["dnsNames"].as_array().expect("names");
        assert!(hosts.contains(&host.into()), "{hosts:?}");
    }
    assert_eq!((services.len(), deployments.len(), budgets.len(), seen.len()), (3, 3, 3, 3));
    // One policy and one monitor for all of them: what they select by is on each.
    for (kind, at) in [("NetworkPolicy", "podSelector"), ("ServiceMonitor", "selector")] {
        let selector = &rendered(kind)["forescale"]["spec"][at]["matchLabels"];
        for (label, value) in selector.as_object().expect("labels") {
            for service in services.values() {
                assert_eq!(&service["spec"]["selector"][label], value, "{kind}: {label}");
                assert_eq!(&service["metadata"]["labels"][label], value, "{kind}: {label}");
            }
        }
    }
}
