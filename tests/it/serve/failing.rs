//! A query that fails: the page, the API and the command say why and what to do, and show nothing that is secret.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;
use crate::support::prometheus::Prometheus;
use crate::support::proxy::{Fault, Proxy};
use crate::support::until;

const PATIENCE: Duration = Duration::from_secs(60);
const KEYS: [(&str, &str); 4] =
    [("query", "sum(load)"), ("threshold", "10"), ("pollStep", "5s"), ("maxReplicas", "40")];

/// What everyone may read, from each place where it stands.
async fn told(server: &Forescale, name: &str) -> Vec<(&'static str, String)> {
    let (_, fleet) = server.get("/").await;
    let (_, story) = server.get(&format!("/workloads/shop/{name}")).await;
    let (_, api) = server.get("/api/v1/workloads").await;
    let (_, rows) = server.get("/api/v1/fleet").await;
    let (_, decision) = server.get(&format!("/api/v1/workloads/shop/{name}/decision")).await;
    let explained = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["explain", &format!("shop/{name}"), "--server", &format!("http://{}", server.http)])
        .output()
        .expect("the binary runs");
    let words = String::from_utf8(explained.stdout).expect("UTF-8");
    vec![
        ("the fleet", fleet.replace("&#39;", "'")),
        ("the page", story.replace("&#39;", "'")),
        ("workloads", api),
        ("fleet", rows),
        ("decision", decision),
        ("explain", words),
    ]
}

/// Waits until the server has met the failure, and asserts what is told of it.
async fn tells(server: &Forescale, name: &str, want: &str) {
    let seen = async || {
        let (_, rows) = server.get("/api/v1/fleet").await;
        let rows: Value = serde_json::from_str(&rows).expect("JSON");
        let row = rows["rows"].as_array().into_iter().flatten().find(|row| row["name"] == name);
        row.is_some_and(|row| row["failing"].to_string().contains(want)).then_some(())
    };
    until(PATIENCE, want, seen).await;
    for (place, text) in told(server, name).await {
        assert!(text.contains(want), "'{want}' is not in {place}: {text}");
        for hidden in ["sum(", "secret", "127.0.0.1", "absent_metric", "no.such.host", "Zm9yZ", "parse error"]
        {
            assert!(!text.contains(hidden), "{place} shows {hidden}: {text}");
        }
    }
}

#[tokio::test]
async fn a_query_that_fails_is_explained_without_what_is_secret() {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let mut proxy = Proxy::start(&prometheus.url()).await;
    let dir = tempfile::tempdir().expect("a directory");
    let token = dir.path().join("secret-token");
    let config = format!(
        "datasources:\n  default: {{url: 'http://{}', timeout: 2s}}\n  \
         lost: {{url: 'http://no.such.host.invalid:9090'}}\n  \
         locked: {{url: '{}', bearerTokenFile: '{}'}}\n",
        proxy.address,
        prometheus.url(),
        token.display()
    );
    let server = Forescale::start(&config).await;
    let mut keda = Keda::connect(server.grpc, "shop", "web", &KEYS).await;
    keda.first_number(PATIENCE).await;

    // From the first moment on: a query that is wrong, a host that nobody knows, a token that is not there.
    let wrong = [("query", "sum(load"), ("threshold", "10")];
    let lost = [&KEYS[..], &[("datasource", "lost")]].concat();
    let locked = [&KEYS[..], &[("datasource", "locked")]].concat();
    for (name, keys) in [("wrong", &wrong[..]), ("lost", &lost), ("locked", &locked)] {
        keda.like(name, keys).replicas().await.expect_err("no number");
    }
    tells(
        &server,
        "wrong",
        "the data source 'default' answered 400 (bad_data): it does not accept the query",
    )
    .await;
    tells(&server, "lost", "the data source 'lost' has a host name that cannot be resolved").await;
    tells(&server, "locked", "the data source 'locked' cannot be asked: its credentials could not be read")
        .await;

    // A workload that was fine before.
    const REFUSED: &str = r#"{"status":"error","errorType":"execution","error":"sum(secret) many-to-many"}"#;
    for (fault, want) in [
        (
            Fault::Instead(422, "content-type: application/json\r\n", REFUSED),
            "answered 422 (execution): it cannot",
        ),
        (Fault::Instead(502, "", "<h1>secret proxy</h1>"), "answered 502, and not as Prometheus does"),
        (Fault::Hanging, "gave no complete answer within 2s"),
        (Fault::Refused, "refuses the connection"),
    ] {
        proxy.set(fault).await;
        tells(&server, "web", want).await;
    }
    // What to do stands with it.
    let (_, story) = server.get("/workloads/shop/web").await;
    assert!(story.contains("See whether Prometheus runs, and whether host and port"), "{story}");
    proxy.set(Fault::None).await;
    let mended = async || {
        let (_, story) = server.get("/workloads/shop/web").await;
        (!story.contains("A query fails")).then_some(())
    };
    until(Duration::from_secs(120), "nothing is told of a query that answers again", mended).await;
}
