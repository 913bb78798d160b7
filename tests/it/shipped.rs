//! Everything we ship passes our own `lint` without a warning: manifests, policies, configurations, what the chart
//! renders from them, and every block of the documentation that people copy. Findings of severity info are allowed.

use std::fs;
use std::path::Path;

use forescale::lint::{Input, Settings, Severity, lint};
use forescale::source::{Catalogue, yaml};
use forescale::units::{Shards, Span, Time};
use serde_json::Value;

use crate::support::{files, root};

/// Lints texts together, with the catalogue that the image contains; returns how many documents were checked.
fn judged(inputs: &[Input]) -> usize {
    let now = Time::parse("2026-11-24T12:00:00Z").expect("an instant");
    let mut catalogue = Catalogue::new(now);
    for folder in ["octollm", "presets"] {
        for path in files(&root("models").join(folder), "yaml") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            catalogue.add(&format!("{folder}/{name}"), &text(&path)).expect("a policy");
        }
    }
    let settings = Settings {
        now,
        scrape_interval: Span::seconds(15),
        retention: Some(Span::days(30)),
        catalogue: Some(catalogue),
        shards: Shards::ONE,
        env: Default::default(),
        told: Default::default(),
    };
    let report = lint(inputs, &settings);
    assert_eq!(report.unreadable, [], "not YAML");
    let found = report.findings.iter().filter(|finding| finding.rule.severity != Severity::Info);
    let found: Vec<_> =
        found.map(|f| format!("{}:{} [{}] {}", f.file, f.line, f.rule.name, f.message)).collect();
    assert!(found.is_empty(), "{found:#?}");
    report.judged
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("readable")
}

fn input(path: &Path) -> Input {
    Input { name: path.strip_prefix(root("")).unwrap_or(path).display().to_string(), text: text(path) }
}

/// A trigger as the documentation shows it, wrapped in a ScaledObject.
fn in_an_object(trigger: &str) -> String {
    let indented: String = trigger.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {{name: web, namespace: shop}}
spec:
  scaleTargetRef: {{name: web}}
  minReplicaCount: 1
  fallback: {{failureThreshold: 3, replicas: 1, behavior: currentReplicasIfHigher}}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {{scaleUp: {{tolerance: \"0\"}}, scaleDown: {{tolerance: \"0\"}}}}
  triggers:
{indented}"
    )
}

fn dedented(lines: &[&str]) -> String {
    let margin = |line: &&str| line.len() - line.trim_start().len();
    let margin = lines.iter().filter(|line| !line.trim().is_empty()).map(margin).min().unwrap_or(0);
    lines.iter().map(|line| format!("{}\n", line.get(margin..).unwrap_or_default())).collect()
}

/// The YAML blocks of a page: fenced, or indented by four spaces.
fn blocks(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    let mut fence: Option<bool> = None;
    for line in page.lines().chain([""]) {
        let is_fence = line.trim_start().starts_with("```");
        let continues = match fence {
            Some(_) => !is_fence,
            None => line.starts_with("    ") || line.trim().is_empty() && !block.is_empty(),
        };
        if continues {
            block.push(line);
            continue;
        }
        if fence.unwrap_or(true) && block.iter().any(|line| !line.trim().is_empty()) {
            found.push(dedented(&block));
        }
        block.clear();
        fence = match fence {
            None if is_fence => Some(line.trim() == "```yaml"),
            _ => None,
        };
    }
    if !block.is_empty() {
        found.push(dedented(&block));
    }
    found
}

#[test]
fn every_manifest_and_policy_has_no_warning() {
    let shipped = ["deploy", "models"].into_iter().flat_map(|folder| files(&root(folder), "yaml"));
    // The chart is checked by what it renders: its values are not a server configuration.
    let is_chart = |path: &Path| path.starts_with(root("deploy/helm"));
    let mut count = 0;
    for path in shipped.filter(|path| !is_chart(path)) {
        count += judged(&[input(&path)]);
    }
    // Eight ScaledObjects and eight policies of OctoLLM, and the others.
    assert!(count >= 30, "only {count} documents");
    let together: Vec<_> = files(&root("deploy/octollm"), "yaml").iter().map(|path| input(path)).collect();
    assert_eq!(judged(&together), 9);
}

#[test]
fn what_the_chart_renders_has_no_warning() {
    let mut count = 0;
    for shape in ["default", "full", "shards"] {
        let rendered = text(&root(format!("tests/deploy/{shape}.snapshot.yaml")));
        for document in rendered.split("\n---\n") {
            let document: Value = yaml::from_str(document).expect("YAML");
            for (name, held) in document["data"].as_object().into_iter().flatten() {
                let held = held.as_str().unwrap_or_default().to_owned();
                count += judged(&[Input { name: format!("{shape}: {name}"), text: held }]);
            }
        }
    }
    assert!(count >= 4, "only {count} documents");
    let notes = text(&root("deploy/helm/forescale/templates/NOTES.txt"));
    let begin = notes.find("  - type:").expect("a trigger");
    let end = begin + notes[begin..].find("\n{{-").expect("its end");
    let filled = notes[begin..end]
        .replace("{{ $name }}", "forescale")
        .replace("{{ .Release.Namespace }}", "forescale")
        .replace("{{ .Values.service.port }}", "6000");
    assert!(!filled.contains("{{"), "{filled}");
    let trigger = dedented(&filled.lines().collect::<Vec<_>>());
    assert_eq!(judged(&[Input { name: "NOTES.txt".to_owned(), text: in_an_object(&trigger) }]), 1);
}

#[test]
fn what_people_copy_from_the_documentation_has_no_warning() {
    let pages = ["deploy", "models"].into_iter().flat_map(|folder| files(&root(folder), "md"));
    let mut count = 0;
    for path in pages.chain([root("README.md")]) {
        for block in blocks(&text(&path)) {
            let is_trigger = block.starts_with("- type:");
            let text = if is_trigger { in_an_object(&block) } else { block };
            let name = input(&path).name;
            // Commands and their output are not YAML.
            let is_yaml = yaml::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
            count += if is_yaml { judged(&[Input { name, text }]) } else { 0 };
        }
    }
    // The two in the README, and the ScaledObjects and policies of the book.
    assert!(count >= 10, "only {count} blocks");
}
