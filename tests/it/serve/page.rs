//! The page and the JSON API of a running server: what they show, what they hide, and the format they promise.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::configuration;
use crate::support::forescale::Forescale;
use crate::support::keda::Keda;
use crate::support::load;
use crate::support::prometheus::Prometheus;

const PATIENCE: Duration = Duration::from_secs(60);
const SCHEDULE: &str = "- {days: mon-sun, start: '09:00', end: '18:00', min: 3, name: 'business <hours>'}";

/// A server with a healthy workload, one with invalid keys, one that follows the clock, and one whose query finds
/// nothing.
struct Fleet {
    _prometheus: Prometheus,
    server: Forescale,
}

async fn fleet(arguments: &[&str]) -> Fleet {
    let prometheus = Prometheus::start(&[load::going_on("load")]).await;
    let server = Forescale::start_as(&configuration(&prometheus.url()), arguments).await;
    let until = forescale::units::Time::from_epoch(load::now() + 7_200);
    let word = format!("replicas=5 until={until} reason='launch & <party>'");
    let web = [
        ("query", "sum(load)"),
        ("threshold", "10"),
        ("pollStep", "5s"),
        ("maxReplicas", "40"),
        ("timezone", "Europe/Berlin"),
        ("schedule", SCHEDULE),
    ];
    let mut keda = Keda::connect(server.grpc, "shop", "web", &web).await;
    keda.first_number(PATIENCE).await;
    let launched = [&web[..], &[("override", word.as_str())]].concat();
    keda.like("launched", &launched).first_number(PATIENCE).await;
    let cron =
        [("start", "0 9 * * 1-5"), ("end", "0 18 * * 1-5"), ("desiredReplicas", "1"), ("timezone", "UTC")];
    keda.like("dev", &cron).replicas().await.expect("never warms up");
    keda.like("broken", &[("query", "sum(secret_metric)"), ("treshold", "10")])
        .replicas()
        .await
        .expect_err("faulty");
    keda.like("blind", &[("query", "absent_metric"), ("threshold", "10")])
        .replicas()
        .await
        .expect_err("warming");
    Fleet { _prometheus: prometheus, server }
}

#[tokio::test]
async fn the_page_tells_every_workload_and_its_story_and_no_query() {
    let Fleet { server, .. } = &fleet(&[]).await;
    let (status, page) = server.get("/").await;
    assert_eq!(status, 200);
    for text in [
        "5 workloads",
        "shop/web",
        "faulty keys",
        "warming up",
        "threshold: expected",
        "in trouble",
        ">override</span>",
        "the override ends (launch &amp; &lt;party&gt;), then ",
        "</html>",
    ] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    // At any hour, the answer says until when the schedule applies.
    let dev = page.split("<tr>").find(|row| row.contains("shop/dev")).expect("a row");
    assert!(dev.contains(" UTC: 1 replica<") != dev.contains(" UTC: 0 replicas<"), "{dev}");
    let explained = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["explain", "shop/launched", "--server", &format!("http://{}", server.http)])
        .output()
        .expect("the binary runs");
    let words = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(words.contains("5 replicas at ") && words.contains("next change: "), "{words}");
    assert!(words.contains("overridden: an override holds until "), "{words}");
    states_are_published(server).await;
    let (status, story) = server.get("/workloads/shop/launched?metric=forescale").await;
    assert_eq!(status, 200);
    for text in [
        "<h2>Why 5</h2>",
        "Override: <strong>5 replicas</strong>",
        "launch &amp; &lt;party&gt;",
        "business &lt;hours&gt;",
        "Times in Europe/Berlin",
        "median forecast",
        "samples at or below quantile 0.95",
        "Last changes",
        "Who asked for how many replicas, last 1d",
        "The number that a person set; nothing else counts until it ends.",
        "aria-current=\"true\">1 day</a>",
        "&amp;hours=336#pictures\">14 days</a>",
        "kubectl --namespace shop patch scaledobject launched --type json --patch",
        "forescale override shop/launched --replicas 5 --until 23:00 --timezone Europe/Berlin",
        "Lift the override that is in force",
        "forescale backtest --prometheus",
    ] {
        assert!(story.contains(text), "{text} is not in {story}");
    }
    assert_eq!(story.matches("<svg").count(), 3, "{story}");
    its_command_prints_a_patch(&story);
    the_fleet_is_chosen_and_summed_up(server).await;
    let (status, filtered) = server.get("/?q=launch").await;
    assert!(status == 200 && filtered.contains("shop/launched") && !filtered.contains(">shop/web<"));
    nothing_is_hidden_badly_or_changed(server).await;
    in_a_browser(
        server,
        &[
            "/",
            "/workloads/shop/launched",
            "/workloads/shop/web",
            "/workloads/shop/broken",
            "/workloads/shop/dev",
        ],
    );
}

async fn the_fleet_is_chosen_and_summed_up(server: &Forescale) {
    let (_, csv) = server.get("/api/v1/fleet.csv?sort=name").await;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines.len() == 6 && lines[0].starts_with("namespace,name,metric,state,replicas,"), "{csv}");
    assert!(lines[2].starts_with("shop,broken,forescale,faulty,,,"), "{csv}");
    let (_, faulty) = server.get("/?state=faulty&namespace=shop").await;
    assert!(faulty.contains("workloads/shop/broken") && !faulty.contains("workloads/shop/web"), "{faulty}");
    let (_, by_name) = server.get("/?sort=name").await;
    let places = ["blind", "broken", "dev", "launched", "web"]
        .map(|name| by_name.find(&format!("workloads/shop/{name}?")).expect("a row"));
    assert!(places.is_sorted(), "{places:?}");
    assert!(by_name.contains("class=\"spark\"") && by_name.contains("replicas now"), "{by_name}");
    let headers = server.headers("/workloads/shop/web?refresh=3").await;
    assert_eq!(headers["refresh"], "10", "no more often than that");
}

/// The command accepts what the page tells the user to type.
fn its_command_prints_a_patch(story: &str) {
    let line = story.lines().find_map(|line| line.split("forescale override ").nth(1)).expect("a line");
    let line = line.split('<').next().expect("words");
    let printed =
        Command::new(env!("CARGO_BIN_EXE_forescale")).arg("override").args(line.split(' ')).output();
    let printed = printed.expect("the binary runs");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
}

async fn nothing_is_hidden_badly_or_changed(server: &Forescale) {
    for (path, status) in [("/workloads/shop/none", 404), ("/workloads/%3Cb%3E/x", 404), ("/?page=999", 200)]
    {
        let (found, text) = server.get(path).await;
        assert!(found == status && !text.contains("<b>"), "{path}: {found} {text}");
    }
    for path in ["/", "/workloads/shop/web", "/workloads/shop/broken", "/api/v1/workloads"] {
        let (_, text) = server.get(path).await;
        for hidden in ["sum(load)", "secret_metric", "<script", "http://", "https://", " style="] {
            assert!(!text.contains(hidden), "{path} shows {hidden}");
        }
        assert_eq!(server.post(path).await, 405, "{path}");
    }
    let headers = server.headers("/").await;
    assert!(headers["content-security-policy"].to_str().expect("text").starts_with("default-src 'none'"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
}

async fn states_are_published(server: &Forescale) {
    let (_, metrics) = server.get("/metrics").await;
    for (name, state) in [("launched", "overridden"), ("broken", "faulty")] {
        let row = format!("name=\"{name}\",metric=\"forescale\",state=\"{state}\"}} 1");
        assert!(metrics.contains(&row), "{row} is not in {metrics}");
    }
}

#[tokio::test]
async fn queries_and_metadata_are_shown_where_the_server_is_told_to() {
    let Fleet { server, .. } = &fleet(&["--expose-queries"]).await;
    let (_, story) = server.get("/workloads/shop/web").await;
    assert!(story.contains("query: sum(load)\n") && story.contains("maxReplicas: 40"), "{story}");
    let (_, broken) = server.get("/workloads/shop/broken").await;
    assert!(broken.contains("the nearest is"), "{broken}");
}

#[tokio::test]
async fn every_answer_of_the_api_has_the_form_of_its_schema() {
    let Fleet { server, .. } = &fleet(&[]).await;
    let get = async |path: &str| -> (u16, Value) {
        let (status, text) = server.get(path).await;
        (status, serde_json::from_str(&text).expect("JSON"))
    };
    let (_, schema) = get("/api/v1/schema.json").await;
    let own = forescale::http::api_schema();
    assert_eq!(schema, own, "the schema served is the library's");
    for (path, form, status) in [
        ("workloads", "Workloads", 200),
        ("workloads/shop/web/decision", "Decision", 200),
        ("workloads/shop/dev/decision", "Decision", 200),
        ("workloads/shop/web/history?hours=48", "History", 200),
        ("workloads/shop/web/forecast?hours=6", "Forecast", 200),
        ("workloads/shop/dev/forecast", "Forecast", 200),
        ("workloads/shop/web/why?hours=6", "Why", 200),
        ("workloads/shop/dev/why?hours=6", "Why", 200),
        ("workloads/shop/web/decision?at=2020-01-01T00:00:00Z", "Problem", 503),
        ("workloads/shop/web/decision?at=yesterday", "Problem", 400),
        ("fleet", "Fleet", 200),
        ("fleet?sort=saved&saving=spent&page=7", "Fleet", 200),
        ("workloads/shop/broken/decision", "Problem", 503),
        ("workloads/shop/broken/history", "Problem", 503),
        ("workloads/shop/none/forecast", "Problem", 404),
        ("workloads/shop/web", "Problem", 404),
    ] {
        let (found, answer) = get(&format!("/api/v1/{path}")).await;
        assert_eq!(found, status, "{path}: {answer}");
        let mut faults = Vec::new();
        conforms(&answer, &schema["$defs"][form], &schema, path, &mut faults);
        assert!(faults.is_empty(), "{path} is no {form}: {faults:?}\n{answer}");
        // The check itself can fail: an answer with an unknown key does not conform.
        let mut strange = answer.clone();
        strange["strange"] = Value::Null;
        conforms(&strange, &schema["$defs"][form], &schema, path, &mut faults);
        assert_eq!(faults.len(), 1, "{path}: {faults:?}");
    }
    let (_, decision) = get("/api/v1/workloads/shop/launched/decision").await;
    let to = decision["next_change"]["to"].as_str().expect("told");
    assert!(to.starts_with("the override ends (launch & <party>), then "), "{decision}");
    let (_, forecast) = get("/api/v1/workloads/shop/web/forecast?hours=6").await;
    assert_eq!(forecast["hours"].as_array().map(Vec::len), Some(6), "{forecast}");
    let (_, history) = get("/api/v1/workloads/shop/web/history?hours=48").await;
    let points = history["points"].as_array().expect("points").len();
    assert!((2_850..=2_880).contains(&points), "{points} points of two days of minutes");
    assert_eq!(history["changes"][0]["rung"], "fresh", "{}", history["changes"]);
}

/// Whether a value conforms to a schema: supports only the JSON Schema keywords that ours uses.
fn conforms(value: &Value, schema: &Value, root: &Value, at: &str, faults: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/$defs/").expect("a reference into this document");
        return conforms(value, &root["$defs"][name], root, at, faults);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let fits = choices.iter().any(|choice| {
            let mut others = Vec::new();
            conforms(value, choice, root, at, &mut others);
            others.is_empty()
        });
        if !fits {
            faults.push(format!("{at}: {value} fits no choice"));
        }
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds: BTreeSet<&str> = match &schema["type"] {
        Value::String(kind) => BTreeSet::from([kind.as_str()]),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        other => panic!("{at}: no type but {other} in {schema}"),
    };
    let is_number = kind == "integer" && kinds.contains("number");
    if !is_number && !kinds.contains(kind) {
        faults.push(format!("{at}: {kind}, expected {kinds:?}"));
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        conforms(item, &schema["items"], root, &format!("{at}[{i}]"), faults);
    }
    let Some(object) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(key) {
            faults.push(format!("{at}: no {key}"));
        }
    }
    for (key, value) in object {
        let of = schema["properties"].get(key).or(schema.get("additionalProperties"));
        match of {
            Some(schema) if schema.is_object() => {
                conforms(value, schema, root, &format!("{at}.{key}"), faults)
            }
            _ => faults.push(format!("{at}: {key} is not foreseen")),
        }
    }
}

/// The same pages in a real browser, if its driver is available: `tests/full/page`.
fn in_a_browser(server: &Forescale, paths: &[&str]) {
    if std::env::var_os("FORESCALE_NODE_MODULES").is_none() {
        println!("not looked at in a browser: tests/full/page does");
        return;
    }
    let status = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/page.mjs"))
        .arg(format!("http://{}", server.http))
        .args(paths)
        .status()
        .expect("node runs");
    assert!(status.success(), "the browser found faults");
}
