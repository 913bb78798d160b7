//! Tests `forescale ask` as its users call it, against a real server over a real socket, in plain text and with TLS.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::authority::Authority;
use crate::support::server;

fn ask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forescale")).arg("ask").args(args).output().expect("the binary runs")
}

/// A ScaledObject of a cron schedule that needs no data source; `spec` are further lines of its specification.
fn object(name: &str, replicas: &str, spec: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n{spec}  \
         triggers:\n  - type: external\n    metadata: {{scalerAddress: 'forescale.forescale:6000', start: '0 0 * * *', \
         end: '59 23 * * *', timezone: UTC, desiredReplicas: '{replicas}', passwordFromEnv: SECRET}}\n  \
         - type: cpu\n    metadata: {{value: '80'}}\n"
    )
}

struct Bench {
    dir: tempfile::TempDir,
    grpc: String,
    http: String,
    _server: tokio_util::sync::DropGuard,
}

async fn bench(config: impl FnOnce(&std::path::Path) -> String) -> Bench {
    let dir = tempfile::tempdir().expect("a folder");
    let grpc = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let http = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let [at, page] = [&grpc, &http].map(|listener| listener.local_addr().expect("bound").to_string());
    let server = server::start(&config(dir.path()), grpc, http);
    Bench { dir, grpc: at, http: page, _server: server }
}

impl Bench {
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_string_lossy().into_owned()
    }

    async fn ask(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let run = move || ask(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let done = tokio::task::spawn_blocking(run).await.expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keda_would_see_is_told() {
    let bench = bench(|_| String::new()).await;
    let file = bench.file("web.yaml", &object("web", "7", "  minReplicaCount: 2\n  maxReplicaCount: 60\n"));
    let (code, told, errors) = bench.ask(&["--server", &bench.grpc, "-f", &file, "--within", "60s"]).await;
    assert_eq!(code, Some(0), "{told}{errors}");
    for want in [
        &format!("shop/web at {}", bench.grpc),
        "trigger 0",
        "GetMetricSpec  forescale, target 1",
        "GetMetrics     forescale = ",
        "IsActive       true",
        "replicas",
        "1 other was not asked here",
    ] {
        assert!(told.contains(want), "{want} is not in {told}");
    }
    let (_, json, _) =
        bench.ask(&["--server", &bench.grpc, "--file", &file, "--within", "60s", "--format", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let trigger = &json["triggers"][0];
    assert_eq!((&trigger["index"], &trigger["active"]), (&0.into(), &true.into()), "{json}");
    // Within its hours, which are all but the last minute of a day, the schedule asks for seven.
    let value = trigger["values"][0]["value"].as_f64().expect("a value");
    assert_eq!(json["replicas"].as_f64(), Some(value.max(2.0)), "{json}");
    assert!(told.contains(&format!("KEDA sees {value}: the HPA asks for ")), "{told}");

    // The limits of the ScaledObject are the HPA's.
    let file = bench.file("few.yaml", &object("few", "7", "  minReplicaCount: 2\n  maxReplicaCount: 3\n"));
    let (code, told, _) = bench.ask(&["--server", &bench.grpc, "-f", &file, "--within", "60s"]).await;
    let is_clamped =
        told.contains("the HPA asks for 3 replicas, between minReplicaCount 2 and maxReplicaCount 3");
    assert!(code == Some(0) && (is_clamped || value < 3.0), "{told}");

    // What is not active goes to rest: here the hours are half a day away.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let hour = (now.as_secs() / 3_600 + 12) % 24;
    let rest = object("rest", "7", "").replace("'0 0 * * *'", &format!("'0 {hour} * * *'"));
    let file = bench.file("rest.yaml", &rest.replace("'59 23 * * *'", &format!("'30 {hour} * * *'")));
    let (code, told, _) = bench.ask(&["--server", &bench.grpc, "-f", &file, "--within", "60s"]).await;
    assert!(
        code == Some(0) && told.contains("nothing is active, and scales to 0 after cooldownPeriod"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_with_its_remedy() {
    let bench = bench(|_| String::new()).await;
    let faulty = object("bad", "many", "  fallback: {failureThreshold: 3, replicas: 6}\n");
    let faulty = bench.file("bad.yaml", &faulty);
    let (code, told, _) = bench.ask(&["--server", &bench.grpc, "-f", &faulty]).await;
    assert_eq!(code, Some(1), "{told}");
    for want in [
        "INVALID_ARGUMENT: ",
        "desiredReplicas",
        "correct the metadata; forescale lint",
        "KEDA has no number: the HPA keeps what runs; after 3 failed polls fallback asks for 6 replicas",
    ] {
        assert!(told.contains(want), "{want} is not in {told}");
    }
    assert!(!told.contains("SECRET"), "{told}");
    let one = bench.file("one.yaml", &object("one", "1", ""));
    let two = bench.file("two.yaml", &format!("{}---\n{}", object("one", "1", ""), object("two", "1", "")));
    let none = bench.file("none.yaml", "kind: Deployment\nmetadata: {name: web}\n");
    let tls = bench.file(
        "tls.yaml",
        &object("web", "1", "").replace("timezone: UTC", "timezone: UTC, enableTLS: 'true'"),
    );
    let unused = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let refused = unused.local_addr().expect("bound").to_string();
    drop(unused);
    for (server, file, says) in [
        (refused.as_str(), &one, "cannot be asked: Connection refused"),
        (bench.http.as_str(), &one, "expected the gRPC listener, not the page's port"),
        ("http://localhost:6000", &one, "expected HOST:PORT"),
        ("localhost", &one, "expected HOST:PORT"),
        (bench.grpc.as_str(), &two, "choose one with --name: one, two"),
        (bench.grpc.as_str(), &none, "expected a ScaledObject with a trigger that asks Forescale"),
        (bench.grpc.as_str(), &tls, "--ca: the trigger has enableTLS"),
    ] {
        let (code, told, errors) = bench.ask(&["--server", server, "-f", file]).await;
        assert!(
            code == Some(2) && errors.contains(says),
            "{server} {file}: '{says}' is not in {errors}{told}"
        );
    }
    let (code, told, errors) =
        bench.ask(&["--server", &bench.grpc, "-f", &two, "--name", "two", "--within", "60s"]).await;
    assert!(code == Some(0) && told.starts_with("shop/two at "), "{told}{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_is_asked_with_its_authority() {
    let ours = Authority::new("ours");
    let bench = bench(|dir| {
        ours.server().write(dir);
        fs::write(dir.join("ca.pem"), ours.pem()).expect("written");
        let [cert, key, ca] =
            ["tls.crt", "tls.key", "ca.pem"].map(|name| dir.join(name).display().to_string());
        format!("grpc: {{tls: {{cert: {cert}, key: {key}, clientCa: {ca}}}}}")
    })
    .await;
    let file = bench.file("web.yaml", &object("web", "4", ""));
    let me = ours.client();
    let (cert, key) = (bench.file("me.crt", &me.cert), bench.file("me.key", &me.key));
    let ca = bench.dir.path().join("ca.pem").to_string_lossy().into_owned();
    let other = bench.file("other.pem", Authority::new("other").pem());
    let plain = ["--server", &bench.grpc, "-f", &file, "--within", "60s"];
    let mine = [&plain[..], &["--ca", &ca, "--cert", &cert, "--key", &key]].concat();
    let (code, told, errors) = bench.ask(&mine).await;
    assert!(
        code == Some(0) && told.contains("(TLS)") && told.contains("GetMetrics     forescale = "),
        "{told}{errors}"
    );
    for (args, says) in [
        (vec![], "if it speaks TLS, give --ca"),
        (vec!["--ca", &ca], "--cert if it wants one of yours"),
        (
            vec!["--ca", &other, "--cert", &cert, "--key", &key],
            "expected the gRPC listener with a certificate of --ca",
        ),
        (vec!["--ca", "/nonexistent.pem"], "--ca: cannot read /nonexistent.pem"),
    ] {
        let (code, told, errors) = bench.ask(&[&plain[..], &args].concat()).await;
        assert!(code == Some(2) && errors.contains(says), "{args:?}: '{says}' is not in {errors}{told}");
    }
}
