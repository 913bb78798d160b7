//! Everything published is consistent: one version, one toolchain, pinned actions with the fewest permissions, and
//! `health`, which the chart's test runs.

use std::fs;
use std::process::Command;
use std::time::Duration;

use forescale::source::yaml;
use serde_json::Value;

use crate::support::forescale::Forescale;
use crate::support::{files, root, until};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn text(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn document(path: &str) -> Value {
    yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The value of a key in a TOML file, if the key has a line of its own.
fn toml(path: &str, key: &str) -> String {
    let head = format!("{key} = \"");
    let text = text(path);
    let value = text.lines().find_map(|line| line.strip_prefix(&head)?.strip_suffix('"'));
    value.unwrap_or_else(|| panic!("{path}: no {key}")).to_owned()
}

/// Versions after `forescale:` or `forescale-` anywhere in a text.
fn named(text: &str) -> impl Iterator<Item = String> {
    let after = text.split("forescale").skip(1).filter_map(|rest| rest.strip_prefix([':', '-']));
    after.filter_map(|rest| {
        let rest = rest.strip_prefix('v').unwrap_or(rest);
        let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let version = version.trim_end_matches('.').to_owned();
        (version.matches('.').count() == 2).then_some(version)
    })
}

#[test]
fn the_version_is_the_same_everywhere() {
    let chart = document("deploy/helm/forescale/Chart.yaml");
    assert_eq!((chart["version"].as_str(), chart["appVersion"].as_str()), (Some(VERSION), Some(VERSION)));
    let base = document("deploy/kustomize/base/kustomization.yaml");
    assert_eq!(base["images"][0]["newTag"].as_str(), Some(VERSION));
    let pages = [files(&root("deploy"), "md"), files(&root("tests/deploy"), "yaml"), vec![root("README.md")]];
    let mut count = 0;
    for path in pages.iter().flatten() {
        for version in named(&fs::read_to_string(path).expect("UTF-8")) {
            assert_eq!(version, VERSION, "{}", path.display());
            count += 1;
        }
    }
    // The two snapshots contain chart and image many times.
    assert!(count > 20, "only {count} places");
}

#[test]
fn the_changelog_has_the_version_and_links_every_heading() {
    let changelog = text("CHANGELOG.md");
    let headings: Vec<&str> = changelog.lines().filter_map(|line| line.strip_prefix("## [")).collect();
    assert_eq!(headings.first(), Some(&"Unreleased]"));
    let (newest, date) = headings.get(1).and_then(|h| h.split_once("] - ")).expect("a version with its date");
    assert_eq!(newest, VERSION);
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    assert!(date.len() == 10 && date.split('-').all(digits), "{date}");
    for heading in headings {
        let name = heading.split(']').next().unwrap_or_default();
        assert!(changelog.contains(&format!("\n[{name}]: ")), "{name} has no link");
    }
    let kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];
    let unknown = changelog.lines().filter_map(|l| l.strip_prefix("### ")).find(|kind| !kinds.contains(kind));
    assert_eq!(unknown, None, "Keep a Changelog knows {kinds:?}");
}

#[test]
fn one_toolchain_builds_checks_and_releases() {
    let oldest = toml("Cargo.toml", "rust-version");
    assert_eq!(toml("rust-toolchain.toml", "channel"), format!("{oldest}.0"));
    assert!(text("deploy/Dockerfile").contains(&format!("library/rust:{oldest}-alpine AS build")));
}

#[test]
fn workflows_pin_their_actions_and_hold_the_least_rights() {
    let calls =
        [("ci", "tests/run"), ("nightly", "tests/run --full"), ("release", "deploy/release --out release")];
    for (name, command) in calls {
        let path = format!(".github/workflows/{name}.yml");
        let workflow = document(&path);
        assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }), "{path}");
        let jobs = workflow["jobs"].as_object().expect("jobs");
        let steps: Vec<&Value> =
            jobs.values().flat_map(|job| job["steps"].as_array().expect("steps")).collect();
        assert!(steps.iter().any(|step| step["run"] == command), "{path} does not run {command}");
        for job in jobs.values() {
            assert!(job["timeout-minutes"].is_u64(), "{path}: a job without an end");
        }
        for action in
            text(&path).lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: "))
        {
            let (_, pin) = action.split_once('@').expect("a pin");
            let (sha, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{path}: {action}"));
            let is_sha = sha.len() == 40 && sha.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_sha && version.matches('.').count() == 2, "{path}: {action}");
        }
    }
    let publish = &document(".github/workflows/release.yml")["jobs"]["publish"]["permissions"];
    let rights: Vec<&String> = publish.as_object().expect("rights").keys().collect();
    assert_eq!(rights, ["attestations", "contents", "id-token"]);
}

/// Runs `forescale health` on an address; returns its exit code and its output.
fn health(address: &str, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forescale"));
    let output = command.args(["health", "--server", address]).args(more).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_a_ready_server_from_none() {
    let server = Forescale::start("").await;
    let address = format!("http://{}", server.http);
    let (ready, _) = until(Duration::from_secs(30), "the server is ready", async || {
        let (code, said) = health(&address, &[]);
        (code == Some(0)).then_some(said)
    })
    .await;
    assert_eq!(ready, format!("{address}: ready\n"));
    assert_eq!(health(&format!("{address}/"), &["--within", "5s"]).0, Some(0));
    server.kill();
    let (code, said) = health(&address, &["--within", "1s"]);
    assert_eq!((code, said.contains("cannot be reached")), (Some(1), true), "{said}");
    let (code, said) = health("forescale:8080", &[]);
    assert_eq!((code, said.contains("write http://HOST:PORT")), (Some(2), true), "{said}");
}
