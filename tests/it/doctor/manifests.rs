//! What `kubectl get scaledobject,hpa -A -o yaml` prints, as KEDA 2.20.2 and Kubernetes 1.36 and 1.37 write it: what
//! is well is green, and of planted conditions each is found by its own check.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A workload at 12 replicas, one that sleeps, and one that is not ours and is broken in every way.
const PRINTED: &str = include_str!("kubectl.yaml");
/// When it was printed.
const AT: &str = "2026-11-27T10:00:00Z";

struct Said {
    code: i32,
    out: String,
    err: String,
}

/// What the command says of a text on its standard input.
fn said(text: &str, arguments: &[&str]) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_forescale"))
        .args(["doctor", "--manifests", "-", "--at", AT])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Said {
        code: output.status.code().expect("it ended by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

struct Row {
    workload: String,
    check: String,
    status: String,
    found: String,
    advice: String,
}

fn rows(text: &str, arguments: &[&str]) -> (Vec<Row>, i32) {
    let said = said(text, &[arguments, &["--format", "json"]].concat());
    let document: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.err));
    let rows = document["checks"].as_array().expect("checks").iter().map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        Row {
            workload: text("workload"),
            check: text("check"),
            status: text("status"),
            found: text("found"),
            advice: text("do"),
        }
    });
    (rows.collect(), said.code)
}

/// The printed text with changes; each must be found there, and is made once, after the first place of its anchor.
fn with(changes: &[(&str, &str, &str)]) -> String {
    let mut text = PRINTED.to_owned();
    for (anchor, old, new) in changes {
        let begin = text.find(anchor).unwrap_or_else(|| panic!("no '{anchor}'"));
        let at = begin + text[begin..].find(old).unwrap_or_else(|| panic!("no '{old}' after '{anchor}'"));
        text.replace_range(at..at + old.len(), new);
    }
    text
}

/// Where the ScaledObjects and the HPAs of the workloads begin.
const WEB: &str = "    name: web\n    namespace: shop\n";
const MAIL: &str = "    name: mail\n    namespace: night\n";
const WEB_HPA: &str = "    name: keda-hpa-web\n    namespace: shop\n";
const MAIL_HPA: &str = "    name: keda-hpa-mail\n    namespace: night\n";

#[test]
fn what_is_well_is_green_and_what_is_not_ours_is_not_judged() {
    let (rows, code) = rows(PRINTED, &[]);
    for row in &rows {
        assert_eq!(row.status, "ok", "{} {}: {}", row.workload, row.check, row.found);
        let (namespace, name) = row.workload.split_once('/').expect("NAMESPACE/NAME");
        assert!(row.found.contains(&format!("{namespace}/")) && row.found.contains(name), "{}", row.found);
    }
    assert_eq!(code, 0);
    assert!(rows.iter().any(|row| row.workload == "shop/web"));
    let asleep: Vec<_> = rows.iter().filter(|row| row.workload == "night/mail").collect();
    assert!(asleep.iter().any(|row| row.found.contains("sleeps")), "a sleeping workload is no fault");
    assert!(rows.iter().all(|row| row.workload != "other/billing"));

    let said = said(PRINTED, &[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let lines: Vec<&str> = said.out.lines().filter(|line| line.starts_with("ok ")).collect();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| line.contains("shop/") || line.contains("night/")), "{}", said.out);
    assert!(said.out.contains("0 broken"), "{}", said.out);
}

/// The printed text in which a condition, by its reason and status, has become another.
fn turned(at: &str, from: &str, to: &str) -> String {
    let written = |condition: &str| {
        let (reason, status) = condition.split_once(' ').expect("a reason and a status");
        format!("reason: {reason}\n      status: \"{status}\"")
    };
    with(&[(at, &written(from), &written(to))])
}

#[test]
fn a_scaled_object_that_is_not_ready_says_what_to_do() {
    let described = "kubectl describe scaledobject web -n shop";
    let walk_on = "forescale doctor shop/web --server";
    for (reason, status, advice) in [
        ("ScaledObjectCheckFailed False", "fail", described),
        ("TriggerError False", "fail", walk_on),
        ("ErrorGettingCurrentReplicas False", "fail", "scaleTargetRef"),
        ("PartialTriggerError Unknown", "warn", described),
        // KEDA 2.20.0 and 2.20.1 say of the ScaledObject what is of its HPA.
        ("HPAMetricsUnavailable False", "fail", "hpa_active"),
    ] {
        let text = turned(WEB, "ScaledObjectReady True", reason);
        let word = reason.split(' ').next().expect("a reason");
        alone(&text, "shop/web", "ready", status, word, advice);
    }
    // KEDA sees it active and it has no replicas: it should be awake.
    let active = turned(MAIL, "ScalerNotActive False", "ScalerActive True");
    let described = "kubectl describe scaledobject mail -n night";
    alone(&active, "night/mail", "active", "warn", "no replicas", described);
    let cooling = turned(MAIL, "ScalerNotActive False", "ScalerCooldown False");
    alone(&cooling, "night/mail", "active", "ok", "cools down", "");
}

#[test]
fn a_fallback_is_told_with_its_count_of_failures() {
    let walk_on = "forescale doctor shop/web --server";
    let failed = |text: &str, metric: &str, count: &str| {
        let happy = "s0-forescale:\n        numberOfFailures: 0\n        status: Happy";
        assert!(text.contains(happy));
        let failing = format!("{metric}:\n        numberOfFailures: {count}\n        status: Failing");
        text.replacen(happy, &failing, 1)
    };
    let told = "s0-forescale failed 7 times in a row";
    let stale = turned(WEB, "NoFallbackFound False", "FallbackExists True");
    alone(&failed(&stale, "s0-forescale", "7"), "shop/web", "fallback", "fail", told, walk_on);
    let described = "kubectl describe scaledobject web -n shop";
    alone(&failed(&stale, "s1-else", "7"), "shop/web", "fallback", "fail", "s1-else", "another trigger");
    alone(&stale, "shop/web", "fallback", "warn", "no metric fails now", described);
    let counting = failed(PRINTED, "s0-forescale", "2");
    alone(&counting, "shop/web", "fallback", "warn", "s0-forescale failed 2 times in a row", walk_on);
}

#[test]
fn a_pause_is_told_with_the_command_that_ends_it() {
    let annotated = |what: &str| {
        let annotations = format!("    annotations:\n      autoscaling.keda.sh/{what}\n");
        with(&[("  metadata:\n    annotations:\n", "    annotations:\n", &annotations)])
    };
    let ends = "kubectl annotate scaledobject web -n shop autoscaling.keda.sh/paused";
    for (annotation, status, words, advice) in [
        ("paused-replicas: \"3\"", "warn", "paused by autoscaling.keda.sh/paused-replicas: 3", "-replicas-"),
        ("paused: \"true\"", "warn", "paused by autoscaling.keda.sh/paused: true", "-"),
        ("paused-scale-in: \"true\"", "warn", "in one direction", "-scale-in-"),
        ("paused: \"false\"", "ok", "", ""),
    ] {
        let advice = if advice.is_empty() { String::new() } else { format!("{ends}{advice}") };
        alone(&annotated(annotation), "shop/web", "paused", status, words, &advice);
    }
    let old = "    - status: Unknown\n      type: Paused";
    let without = with(&[(WEB, old, "    - status: \"True\"\n      type: Paused")]);
    let described = "kubectl describe scaledobject web -n shop";
    alone(&without, "shop/web", "paused", "warn", "Paused is True", described);
}

#[test]
fn the_conditions_of_an_hpa_are_told_each_by_its_check() {
    let described = "kubectl describe hpa keda-hpa-web -n shop";
    let (able, computed, within) =
        ("ReadyForNewScale True", "ValidMetricFound True", "DesiredWithinRange False");
    for (from, to, check, status, words, advice) in [
        (able, "FailedGetScale False", "hpa_able", "fail", "FailedGetScale", "scaleTargetRef"),
        (able, "FailedUpdateScale False", "hpa_able", "fail", "FailedUpdateScale", described),
        (
            computed,
            "FailedGetExternalMetric False",
            "hpa_active",
            "fail",
            "is False for 9m: FailedGetExternalMetric",
            "v1beta1.external.metrics.k8s.io",
        ),
        (computed, "AmbiguousSelector False", "hpa_active", "fail", "", "kubectl get hpa -n shop"),
        (within, "TooManyReplicas True", "hpa_limited", "fail", "maxReplicas 40", "maxReplicaCount"),
        (within, "TooFewReplicas True", "hpa_limited", "ok", "minReplicas 2", ""),
        (within, "ScaleUpLimit True", "hpa_limited", "warn", "ScaleUpLimit", "behavior.scaleUp"),
        (within, "ScaleDownLimit True", "hpa_limited", "ok", "ScaleDownLimit", ""),
    ] {
        alone(&turned(WEB_HPA, from, to), "shop/web", check, status, words, advice);
    }
    let replicas = "currentReplicas: 12\n    desiredReplicas: 12";
    let wants = "currentReplicas: 12\n    desiredReplicas: 20";
    let behind = with(&[(WEB_HPA, replicas, wants)]);
    let told = "wants 20 and the target is set to 12 for 8m";
    alone(&behind, "shop/web", "hpa_follows", "fail", told, "spec.replicas");
    let just = behind.replacen("2026-11-27T09:52:00Z", "2026-11-27T09:59:50Z", 1);
    alone(&just, "shop/web", "hpa_follows", "ok", "it has just scaled", "");
}

#[test]
fn an_hpa_at_zero_sleeps_where_it_may() {
    let disabled = "reason: ScalingDisabled\n      status: \"False\"";
    let computed = "reason: ValidMetricFound\n      status: \"True\"";
    // By hand at zero where two are asked for.
    let by_hand = with(&[
        (WEB_HPA, computed, disabled),
        (
            WEB_HPA,
            "currentReplicas: 12\n    desiredReplicas: 12",
            "currentReplicas: 0\n    desiredReplicas: 0",
        ),
        (WEB, "status: \"True\"\n      type: Active", "status: \"False\"\n      type: Active"),
    ]);
    let described = "kubectl describe scaledobject web -n shop";
    alone(&by_hand, "shop/web", "hpa_active", "warn", "minReplicaCount is 2", described);
    // Kubernetes 1.37: the HPA itself scaled to zero, and goes on computing.
    let by_hpa = with(&[
        (MAIL_HPA, disabled, computed),
        (
            MAIL_HPA,
            "reason: NotScaledToZero\n      status: \"False\"",
            "reason: ScaledToZero\n      status: \"True\"",
        ),
    ]);
    alone(&by_hpa, "night/mail", "hpa_active", "ok", "ScaledToZero", "");
}

#[test]
fn a_metric_that_the_hpa_lost_comes_with_its_cure() {
    let spec = "    metrics:\n    - external:\n        metric:\n          name: s0-forescale\n";
    let cpu = "    metrics:\n    - resource:\n        name: cpu\n        target:\n          \
               averageUtilization: 70\n          type: Utilization\n      type: Resource\n    - external:\n        \
               metric:\n          name: s9-else\n";
    let cure =
        "kubectl patch scaledobject web -n shop --type merge -p '{\"spec\":{\"initialCooldownPeriod\":";
    // KEDA restarted while Forescale was away, and wrote the HPA without it.
    let lost = with(&[(WEB_HPA, spec, cpu)]);
    alone(&lost, "shop/web", "hpa_sees", "fail", "s0-forescale is not in spec.metrics", cure);
    // It is asked for and has no value, as the HPA writes a metric that it cannot get.
    let current = "    - external:\n        current:\n          averageValue: \"1\"\n        metric:\n          name: \
                   s0-forescale\n          selector:\n            matchLabels:\n              scaledobject.keda.sh/name: \
                   web\n      type: External\n";
    let empty = with(&[(WEB_HPA, current, "    - type: \"\"\n")]);
    alone(&empty, "shop/web", "hpa_sees", "fail", "s0-forescale has no value in status.currentMetrics", cure);
    // Another trigger beside ours is worth a look, as it is without the file.
    let beside = with(&[(WEB_HPA, "    metrics:\n", &cpu[..cpu.find("    - external").expect("there")])]);
    alone(&beside, "shop/web", "hpa_sees", "warn", "1 of other triggers", "mode: reactive");
}

#[test]
fn what_is_not_there_is_said() {
    let begin = PRINTED.find("- apiVersion: autoscaling/v2").expect("HPAs");
    let objects = format!("{}kind: List\n", &PRINTED[..begin]);
    let (seen, code) = rows(&objects, &["shop/web"]);
    assert_eq!(code, 0, "what is not seen is not broken");
    let hpa = seen.iter().find(|row| row.check == "hpa_found").expect("a check");
    assert!(hpa.status == "skipped" && hpa.found.contains("kubectl get scaledobject,hpa"), "{}", hpa.found);
    assert!(seen.iter().all(|row| row.workload == "shop/web"));
    // KEDA repeats what the HPA says.
    let repeated = objects.replacen(
        "reason: HPAActive\n      status: \"True\"",
        "reason: FailedGetExternalMetric\n      status: \"False\"",
        1,
    );
    let words = "shop/web: HPAActive is False: FailedGetExternalMetric";
    alone(&repeated, "shop/web", "hpa_active", "fail", words, "v1beta1.external.metrics.k8s.io");

    let next = begin + 2 + PRINTED[begin + 2..].find("- apiVersion: autoscaling/v2").expect("a second");
    let without = format!("{}{}", &PRINTED[..begin], &PRINTED[next..]);
    alone(
        &without,
        "shop/web",
        "hpa_found",
        "fail",
        "shop/keda-hpa-web",
        "kubectl describe scaledobject web -n shop",
    );

    // Made, and never looked at by KEDA.
    let status = PRINTED.find("  status:\n").expect("a status");
    let end = status + PRINTED[status..].find("- apiVersion").expect("another");
    let unseen = format!("{}{}", &PRINTED[..status], &PRINTED[end..]);
    alone(&unseen, "shop/web", "ready", "fail", "KEDA has not looked at it", "KEDA's operator");
}

#[test]
fn bad_input_is_told_with_its_place_and_what_to_write() {
    let line = |text: &str, word: &str| 1 + text.lines().position(|line| line.contains(word)).expect("there");
    let command = "kubectl get scaledobject,hpa -A -o yaml";
    let git = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: web, namespace: shop}\nspec:\n  \
               triggers:\n  - {type: external, metadata: {scalerAddress: 'forescale:6000', query: up}}\n";
    let status =
        with(&[(WEB, "status: \"True\"\n      type: Active", "status: \"Yes\"\n      type: Active")]);
    let time = with(&[(WEB_HPA, "lastScaleTime: \"2026-11-27T09:52:00Z\"", "lastScaleTime: yesterday")]);
    let count = with(&[(WEB_HPA, "currentReplicas: 12", "currentReplicas: twelve")]);
    let old = with(&[(WEB, "apiVersion: autoscaling/v2", "apiVersion: autoscaling/v1")]);
    let one = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";
    let foreign = PRINTED
        .replace("forescale.forescale:6000", "cosmos:4050")
        .replace("type: external-push", "type: kafka");
    for (text, arguments, words) in [
        ("", &[][..], vec!["standard input", "nothing", command]),
        ("NAMESPACE   NAME\nshop        web\n", &[], vec!["standard input", "-o yaml"]),
        ("a: [1\n", &[], vec!["standard input", "line"]),
        (one, &[], vec!["standard input", "Service", command]),
        (git, &[], vec!["standard input:3", "shop/web", "no status", command]),
        (&foreign, &[], vec!["standard input", "3 ScaledObjects", "none", "Forescale"]),
        (
            &status,
            &[],
            vec![&format!("standard input:{}", line(&status, "\"Yes\"")), "'Yes'", "True, False or Unknown"],
        ),
        (
            &time,
            &[],
            vec![
                &format!("standard input:{}", line(&time, "yesterday")),
                "'yesterday'",
                "2026-12-01T18:00:00Z",
            ],
        ),
        (
            &count,
            &[],
            vec![&format!("standard input:{}", line(&count, "twelve")), "'twelve'", "a whole number"],
        ),
        (&old, &[], vec!["autoscaling/v1", "kubectl get scaledobject,hpa.v2.autoscaling"]),
        (PRINTED, &["shop/nobody"], vec!["shop/nobody", "shop/web", "night/mail"]),
        (PRINTED, &["web"], vec!["NAMESPACE/NAME"]),
    ] {
        let said = said(text, arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{text:.60}: {}", said.err);
        for word in words {
            assert!(said.err.contains(word), "'{word}' is not in: {}", said.err);
        }
    }
    let all = with(&[
        (WEB_HPA, "lastScaleTime: \"2026-11-27T09:52:00Z\"", "lastScaleTime: yesterday"),
        (WEB_HPA, "currentReplicas: 12", "currentReplicas: twelve"),
    ]);
    let said = said(&all, &[]);
    assert!(
        said.err.contains("yesterday") && said.err.contains("twelve"),
        "all faults at once: {}",
        said.err
    );
}

#[test]
fn a_file_and_a_folder_are_read_as_standard_input_is_and_something_has_to_be_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cluster.yaml");
    std::fs::write(&path, PRINTED).expect("written");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_forescale")).arg("doctor").args(arguments).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let named = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    for place in [named(&path), named(folder.path())] {
        let (code, out) = run(&["--manifests", &place, "--at", AT]);
        assert_eq!(code, Some(0), "{out}");
        assert!(out.contains("shop/web") && out.contains("night/mail"), "{out}");
    }
    assert_eq!(run(&[]).0, Some(2));
    assert_eq!(run(&["shop/web"]).0, Some(2));
    assert_eq!(run(&["--server", "http://127.0.0.1:1"]).0, Some(2));
    // Beside a server, of one workload: the chain goes on.
    let (code, out) =
        run(&["shop/web", "--server", "http://127.0.0.1:1", "--manifests", &named(&path), "--at", AT]);
    assert_eq!(code, Some(1), "the server does not answer");
    assert!(out.contains("ok       ready") && out.contains("fail     server"), "{out}");
}

/// The check found what was planted, and no other check of any workload is worse than well.
fn alone(text: &str, workload: &str, check: &str, status: &str, words: &str, advice: &str) {
    let (rows, code) = rows(text, &[]);
    let row = rows.iter().find(|row| row.workload == workload && row.check == check).expect("the check");
    let is_right = row.status == status && row.found.contains(words) && row.advice.contains(advice);
    assert!(
        is_right,
        "{check}: {} '{}', do '{}'; expected {status} '{words}', do '{advice}'",
        row.status, row.found, row.advice
    );
    let others = rows.iter().filter(|row| row.status == "fail" || row.status == "warn");
    let others: Vec<_> = others.filter(|row| (&*row.workload, &*row.check) != (workload, check)).collect();
    let told: Vec<_> =
        others.iter().map(|row| format!("{} {}: {}", row.workload, row.check, row.found)).collect();
    assert!(told.is_empty(), "{check}: beside it {told:#?}");
    assert_eq!(code, i32::from(status == "fail"), "{check}");
}
