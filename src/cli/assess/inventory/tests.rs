//! Tests of typical manifests, and what is read from each.

use super::*;

fn found(text: &str) -> Vec<Candidate> {
    candidates(&documents(text).expect("YAML"), &Chosen::default())
}

const DEPLOYMENT: &str = "kind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {containers: \
                          [{resources: {requests: {cpu: 250m}}}, {resources: {requests: {cpu: '0.25'}}}]}}}\n---\n";

fn hpa(metrics: &str) -> String {
    format!(
        "kind: HorizontalPodAutoscaler\nmetadata: {{name: web-hpa, namespace: shop}}\nspec:\n  scaleTargetRef: {{kind: \
         Deployment, name: web}}\n  minReplicas: 2\n  maxReplicas: 30\n  metrics: {metrics}\n---\n"
    )
}

fn object(triggers: &str) -> String {
    format!(
        "kind: ScaledObject\nmetadata: {{name: web, namespace: shop}}\nspec:\n  scaleTargetRef: {{name: web}}\n  \
         minReplicaCount: 1\n  triggers: {triggers}\n---\n"
    )
}

#[test]
fn an_hpa_on_cpu_is_sized_by_what_its_pods_request() {
    let metrics =
        "[{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]";
    let all = found(&(DEPLOYMENT.to_owned() + &hpa(metrics)));
    let [web] = all.as_slice() else { panic!("one workload: {all:?}") };
    assert_eq!((web.place.name.as_str(), web.min, web.max), ("web-hpa", 2, 30));
    let load = web.load.as_ref().expect("known");
    assert!(load.per_replica().is_some_and(|cores| (cores - 0.3).abs() < 1e-9), "{load:?}");
    assert!(load.query.contains("pod=~\"web-[a-z0-9]{1,10}-[a-z0-9]{5}\""), "{load:?}");
    let without = found(&hpa(metrics));
    let asked = without[0].load.as_ref().expect("what is requested can still be asked for");
    assert_eq!((asked.threshold, asked.sized(None)), (Level::OfRequest(60.0), None));
    let other = found(&hpa("[{type: Pods}]"));
    assert!(other[0].load.as_ref().is_err_and(|why| why.contains("scales by Pods")));
}

#[test]
fn the_best_trigger_of_a_scaled_object_is_taken() {
    let kafka = "{type: kafka, metadata: {lagThreshold: '50'}}";
    let prometheus = "{type: prometheus, metadata: {query: 'sum(rate(x[2m]))', threshold: '12.5'}}";
    let all = found(&object(&format!("[{kafka}, {prometheus}]")));
    let load = all[0].load.as_ref().expect("known");
    assert_eq!((load.query.as_str(), load.per_replica()), ("sum(rate(x[2m]))", Some(12.5)));
    assert_eq!(all[0].max, 100, "KEDA's default");
    let all = found(&object(&format!("[{kafka}]")));
    let load = all[0].load.as_ref().expect("known");
    assert!(
        load.query.contains("keda_scaler_metrics_value{exported_namespace=\"shop\",scaledObject=\"web\"")
    );
    assert_eq!(
        (load.per_replica(), load.threshold_source.as_str()),
        (Some(50.0), "lagThreshold of its kafka trigger")
    );
}

#[test]
fn what_cannot_be_read_says_what_is_missing() {
    for (triggers, expected) in [
        ("[]", "its ScaledObject has no trigger"),
        ("[{type: cron, metadata: {}}]", "a cron trigger has no load that can be forecast"),
        ("[{type: prometheus, metadata: {threshold: '1'}}]", "its prometheus trigger has no query"),
        ("[{type: prometheus, metadata: {query: up}}]", "its prometheus trigger has no threshold above 0"),
        ("[{type: kafka, metadata: {}}]", "its kafka trigger has no lagThreshold"),
    ] {
        assert_eq!(found(&object(triggers))[0].load, Err(expected.to_owned()), "{triggers}");
    }
}

#[test]
fn kedas_own_hpas_and_what_was_not_chosen_are_left_out() {
    let kedas = "kind: HorizontalPodAutoscaler\nmetadata: {name: keda-hpa-web, namespace: shop, ownerReferences: [{kind: \
                 ScaledObject, name: web}]}\nspec: {scaleTargetRef: {kind: Deployment, name: web}}\n---\n";
    let text = format!("kind: List\nitems: []\n---\n{kedas}{}", object("[]"));
    assert_eq!(found(&text).len(), 1);
    let documents = documents(&text).expect("YAML");
    let elsewhere = Chosen { namespace: Some("pay".to_owned()), ..Chosen::default() };
    assert!(candidates(&documents, &elsewhere).is_empty());
    let labels = Chosen::parse_labels("team=shop").expect("valid");
    assert!(candidates(&documents, &Chosen { labels, ..Chosen::default() }).is_empty());
    assert!(Chosen::parse_labels("team").is_err());
}

#[test]
fn requests_are_read_as_kubernetes_writes_them() {
    for (text, value) in [
        ("250m", 0.25),
        ("2", 2.0),
        ("512Mi", 536_870_912.0),
        ("1Gi", GIB),
        ("1G", 1e9),
        ("1e9", 1e9),
        ("100k", 1e5),
    ] {
        assert!(quantity(text).is_some_and(|found| (found - value).abs() < 1e-6), "{text}");
    }
    for text in ["", "m", "-1", "lots", "1Qi"] {
        assert_eq!(quantity(text), None, "{text}");
    }
}
