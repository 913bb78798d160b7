//! A data source that knows any query: a daily wave of its own for each, over all time, at next to no cost.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use axum::Router;
use axum::routing::post;

/// The parameters of a question.
struct Asked(reqwest::Url);

impl Asked {
    fn of(body: &str) -> Self {
        Asked(reqwest::Url::parse(&format!("http://fake/?{body}")).expect("a form"))
    }

    fn seed(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.query_pairs().find(|(key, _)| key == "query").hash(&mut hasher);
        hasher.finish()
    }

    /// Of questions about counters: that they are there, and never began anew.
    fn is_of_counters(&self) -> bool {
        self.0.query_pairs().any(|(key, query)| key == "query" && query.contains("resets("))
    }

    fn number(&self, key: &str) -> i64 {
        let value = self.0.query_pairs().find(|(k, _)| k == key).map(|(_, v)| v.into_owned());
        value.and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) as i64
    }
}

/// Serves the two questions of the Prometheus API on a free port.
pub async fn serve() -> SocketAddr {
    let router =
        Router::new().route("/api/v1/query_range", post(range)).route("/api/v1/query", post(instant));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

fn value(seed: u64, at: i64) -> f64 {
    let minute = at.div_euclid(60);
    let phase = (seed % 1_440) as f64;
    let day = (minute as f64 + phase) / 1_440.0 * std::f64::consts::TAU;
    let noise =
        ((minute as u64 ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / f64::from(1 << 24);
    let base = 50.0 + (seed % 400) as f64;
    (base * (1.0 - 0.6 * day.cos() + 0.15 * noise) * 16.0).round() / 16.0
}

async fn range(body: String) -> ([(&'static str, &'static str); 1], String) {
    use std::fmt::Write as _;
    let asked = Asked::of(&body);
    let (start, end, step) = (asked.number("start"), asked.number("end"), asked.number("step").max(1));
    let seed = asked.seed();
    let mut text = String::with_capacity(256 + 24 * usize::try_from((end - start) / step).unwrap_or(0));
    text.push_str(r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":["#);
    let mut at = start;
    while at <= end {
        let comma = if at == start { "" } else { "," };
        let value = if asked.is_of_counters() { 0.0 } else { value(seed, at) };
        write!(text, "{comma}[{at},\"{value}\"]").expect("written");
        at += step;
    }
    text.push_str("]}]}}");
    ([("content-type", "application/json")], text)
}

async fn instant(body: String) -> ([(&'static str, &'static str); 1], String) {
    let asked = Asked::of(&body);
    let at = asked.number("time");
    let value = value(asked.seed(), at);
    let vector = format!(r#"[{{"metric":{{}},"value":[{at},"{value}"]}}]"#);
    let text = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{vector}}}}}"#);
    ([("content-type", "application/json")], text)
}
