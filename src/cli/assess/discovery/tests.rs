//! Tests of the workloads found from what Prometheus reports about HPAs and triggers, as series with labels.

use super::*;

fn one(labels: &[(&str, &str)], value: f64) -> Labelled {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Labelled { labels, value }
}

fn info(hpa: &str, kind: &str, name: &str) -> Labelled {
    let of = [("namespace", "shop"), ("horizontalpodautoscaler", hpa)];
    one(&[of[0], of[1], ("scaletargetref_kind", kind), ("scaletargetref_name", name)], 1.0)
}

fn target(hpa: &str, metric: &str, kind: &str, value: f64) -> Labelled {
    let of = [("namespace", "shop"), ("horizontalpodautoscaler", hpa)];
    one(&[of[0], of[1], ("metric_name", metric), ("metric_target_type", kind)], value)
}

fn trigger(namespace: (&str, &str), object: &str, scaler: &str, index: &str, metric: &str) -> Labelled {
    let of = [("scaledObject", object), ("scaler", scaler), ("triggerIndex", index), ("metric", metric)];
    one(&[namespace, of[0], of[1], of[2], of[3]], 7.0)
}

#[test]
fn hpas_and_triggers_become_workloads() {
    let limit = |hpa: &str, value| one(&[("namespace", "shop"), ("horizontalpodautoscaler", hpa)], value);
    let found = Found {
        info: vec![
            info("web-hpa", "Deployment", "web"),
            info("keda-hpa-orders", "StatefulSet", "orders-store"),
            info("keda-hpa-dark", "Deployment", "dark"),
            info("odd", "Deployment", "odd"),
        ],
        min: vec![limit("web-hpa", 2.0), limit("keda-hpa-orders", 1.0)],
        max: vec![limit("web-hpa", 30.0), limit("keda-hpa-orders", 50.0)],
        targets: vec![
            target("web-hpa", "cpu", "utilization", 60.0),
            target("keda-hpa-orders", "s0-kafka-orders", "average", 25.0),
            target("odd", "packets", "average", 5.0),
        ],
        triggers: vec![
            trigger(("exported_namespace", "shop"), "orders", "cronScaler", "1", "s1-cron"),
            trigger(("exported_namespace", "shop"), "orders", "kafkaScaler", "0", "s0-kafka-orders"),
        ],
        labelled: None,
    };
    let all = found.candidates(&Chosen::default());
    let named: Vec<&str> = all.iter().map(|candidate| candidate.place.name.as_str()).collect();
    assert_eq!(named, ["dark", "odd", "orders", "web-hpa"]);
    let [dark, odd, orders, web] = all.as_slice() else { panic!("four workloads") };
    let load = orders.load.as_ref().expect("known");
    assert_eq!(load.per_replica(), Some(25.0));
    assert!(load.query.contains("scaledObject=\"orders\",triggerIndex=\"0\""), "{load:?}");
    assert_eq!((orders.target.kind.as_str(), orders.target.name.as_str()), ("StatefulSet", "orders-store"));
    assert_eq!((orders.min, orders.max, web.min, web.max), (1, 50, 2, 30));
    assert_eq!(web.load.as_ref().map(|load| load.threshold), Ok(Level::OfRequest(60.0)));
    assert!(dark.load.as_ref().is_err_and(|why| why.contains("scrape KEDA's operator")), "{dark:?}");
    assert!(odd.load.as_ref().is_err_and(|why| why.contains("scales by packets")), "{odd:?}");
    let elsewhere = Chosen { namespace: Some("pay".to_owned()), ..Chosen::default() };
    assert!(found.candidates(&elsewhere).is_empty());
}

#[test]
fn a_trigger_without_a_known_target_says_what_is_missing() {
    let seen = |targets: Vec<Labelled>, with_hpa: bool| {
        let info = if with_hpa { vec![info("keda-hpa-a", "Deployment", "a")] } else { Vec::new() };
        let triggers = vec![trigger(("namespace", "shop"), "a", "prometheusScaler", "0", "s0-prometheus")];
        let found = Found { info, targets, triggers, ..Found::default() };
        found.candidates(&Chosen::default())[0].load.clone().expect_err("missing")
    };
    assert!(seen(Vec::new(), false).contains("its HPA keda-hpa-a is not in kube-state-metrics"));
    assert!(seen(Vec::new(), true).contains("s0-prometheus is not in kube-state-metrics"));
    let value = vec![target("keda-hpa-a", "s0-prometheus", "value", 5.0)];
    assert!(seen(value, true).contains("is a value, expected an average"));
}
