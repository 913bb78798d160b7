//! What `kubectl get scaledobject,hpa -A -o yaml` prints, as KEDA 2.20.2 and Kubernetes 1.36 and 1.37 write it: what is
//! well is green, and of planted conditions each is found by its own check.

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

#[test]
fn the_conditions_of_a_scaled_object_are_told_each_by_its_check() {
    let one = |at, old, new| with(&[(at, old, new)]);
    let ready = "reason: ScaledObjectReady\n      status: \"True\"";
    let refused = "reason: ScaledObjectCheckFailed\n      status: \"False\"";
    let failing = with(&[
        (
            WEB,
            "reason: NoFallbackFound\n      status: \"False\"",
            "reason: FallbackExists\n      status: \"True\"",
        ),
        (WEB, "numberOfFailures: 0\n        status: Happy", "numberOfFailures: 7\n        status: Failing"),
    ]);
    let stale = one(
        WEB,
        "reason: NoFallbackFound\n      status: \"False\"",
        "reason: FallbackExists\n      status: \"True\"",
    );
    let counting = one(
        WEB,
        "numberOfFailures: 0\n        status: Happy",
        "numberOfFailures: 2\n        status: Failing",
    );
    let annotated = |what: &str| with(&[("  metadata:\n    annotations:\n", "    annotations:\n", what)]);
    let paused = annotated("    annotations:\n      autoscaling.keda.sh/paused-replicas: \"3\"\n");
    let halved = annotated("    annotations:\n      autoscaling.keda.sh/paused-scale-in: \"true\"\n");
    let unpaused = annotated("    annotations:\n      autoscaling.keda.sh/paused: \"false\"\n");
    let described = "kubectl describe scaledobject web -n shop";
    for (text, check, status, words, advice) in [
        (one(WEB, ready, refused), "ready", "fail", "ScaledObjectCheckFailed", described),
        (
            one(WEB, ready, "reason: TriggerError\n      status: \"False\""),
            "ready",
            "fail",
            "TriggerError",
            "forescale doctor shop/web --server",
        ),
        (
            one(WEB, ready, "reason: PartialTriggerError\n      status: Unknown"),
            "ready",
            "warn",
            "PartialTriggerError",
            described,
        ),
        (
            one(WEB, ready, "reason: HPAMetricsUnavailable\n      status: \"False\""),
            "ready",
            "fail",
            "HPAMetricsUnavailable",
            "hpa_active",
        ),
        (
            failing,
            "fallback",
            "fail",
            "s0-forescale failed 7 times in a row",
            "forescale doctor shop/web --server",
        ),
        (stale, "fallback", "warn", "no metric fails now", "kubectl describe scaledobject web -n shop"),
        (
            counting,
            "fallback",
            "warn",
            "s0-forescale failed 2 times in a row",
            "forescale doctor shop/web --server",
        ),
        (
            paused,
            "paused",
            "warn",
            "autoscaling.keda.sh/paused-replicas: 3",
            "kubectl annotate scaledobject web -n shop autoscaling.keda.sh/paused-replicas-",
        ),
        (
            halved,
            "paused",
            "warn",
            "paused-scale-in",
            "kubectl annotate scaledobject web -n shop autoscaling.keda.sh/paused-scale-in-",
        ),
        (unpaused, "paused", "ok", "", ""),
        (
            one(
                WEB,
                "    - status: Unknown\n      type: Paused",
                "    - status: \"True\"\n      type: Paused",
            ),
            "paused",
            "warn",
            "",
            described,
        ),
    ] {
        alone(&text, "shop/web", check, status, words, advice);
    }
    // KEDA sees it active and it has no replicas: it should be awake.
    let active = one(MAIL, "status: \"False\"\n      type: Active", "status: \"True\"\n      type: Active");
    alone(
        &active,
        "night/mail",
        "active",
        "warn",
        "no replicas",
        "kubectl describe scaledobject mail -n night",
    );
}

#[test]
fn the_conditions_of_an_hpa_are_told_each_by_its_check() {
    let one = |old, new| with(&[(WEB_HPA, old, new)]);
    let able = "reason: ReadyForNewScale\n      status: \"True\"";
    let computed = "reason: ValidMetricFound\n      status: \"True\"";
    let within = "reason: DesiredWithinRange\n      status: \"False\"";
    let described = "kubectl describe hpa keda-hpa-web -n shop";
    for (text, check, status, words, advice) in [
        (
            one(able, "reason: FailedGetScale\n      status: \"False\""),
            "hpa_able",
            "fail",
            "FailedGetScale",
            "scaleTargetRef",
        ),
        (
            one(able, "reason: FailedUpdateScale\n      status: \"False\""),
            "hpa_able",
            "fail",
            "FailedUpdateScale",
            described,
        ),
        (
            one(computed, "reason: FailedGetExternalMetric\n      status: \"False\""),
            "hpa_active",
            "fail",
            "is False for 9m: FailedGetExternalMetric",
            "v1beta1.external.metrics.k8s.io",
        ),
        (
            one(computed, "reason: AmbiguousSelector\n      status: \"False\""),
            "hpa_active",
            "fail",
            "",
            "kubectl get hpa -n shop",
        ),
        (
            one(within, "reason: TooManyReplicas\n      status: \"True\""),
            "hpa_limited",
            "fail",
            "maxReplicas 40",
            "maxReplicaCount",
        ),
        (
            one(within, "reason: TooFewReplicas\n      status: \"True\""),
            "hpa_limited",
            "ok",
            "minReplicas 2",
            "",
        ),
        (
            one(within, "reason: ScaleUpLimit\n      status: \"True\""),
            "hpa_limited",
            "warn",
            "ScaleUpLimit",
            "behavior.scaleUp",
        ),
        (
            one(
                "currentReplicas: 12\n    desiredReplicas: 12",
                "currentReplicas: 12\n    desiredReplicas: 20",
            ),
            "hpa_follows",
            "fail",
            "wants 20 and the target is set to 12 for 8m",
            "spec.replicas",
        ),
    ] {
        alone(&text, "shop/web", check, status, words, advice);
    }
    // By hand at zero where two are asked for: nobody sleeps here.
    let by_hand = with(&[
        (WEB_HPA, computed, "reason: ScalingDisabled\n      status: \"False\""),
        (
            WEB_HPA,
            "currentReplicas: 12\n    desiredReplicas: 12",
            "currentReplicas: 0\n    desiredReplicas: 0",
        ),
        (WEB, "status: \"True\"\n      type: Active", "status: \"False\"\n      type: Active"),
    ]);
    alone(
        &by_hand,
        "shop/web",
        "hpa_active",
        "warn",
        "minReplicaCount is 2",
        "kubectl describe scaledobject",
    );
    // Kubernetes 1.37: the HPA itself scaled to zero, and goes on computing.
    let by_hpa = with(&[
        (
            MAIL_HPA,
            "reason: ScalingDisabled\n      status: \"False\"",
            "reason: ValidMetricFound\n      status: \"True\"",
        ),
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
    let cpu = "    metrics:\n    - resource:\n        name: cpu\n        target:\n          averageUtilization: 70\n          \
               type: Utilization\n      type: Resource\n    - external:\n        metric:\n          name: s9-else\n";
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

    let other = PRINTED.find("- apiVersion: autoscaling/v2").expect("HPAs");
    let next = other + 2 + PRINTED[other + 2..].find("- apiVersion: autoscaling/v2").expect("a second");
    let without = format!("{}{}", &PRINTED[..other], &PRINTED[next..]);
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
