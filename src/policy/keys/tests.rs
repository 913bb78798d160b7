//! Table tests of keys: which policy valid keys become, and which faults invalid keys cause.

use std::collections::HashMap;

use super::*;
use crate::policy::{CapacityMode, ServiceRate, SignalKind};
use crate::units::Step;

fn keys(pairs: &[(&str, &str)]) -> Keys {
    let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Keys { values, ..Keys::default() }
}

/// The keys of a measured workload plus these; a later key replaces an earlier one.
fn measured(pairs: &[(&str, &str)]) -> Keys {
    let all: Vec<_> = [("query", "sum(load)"), ("threshold", "10")].iter().chain(pairs).copied().collect();
    keys(&all)
}

fn good(keys: &Keys) -> Policy {
    Policy::from_keys(keys).unwrap_or_else(|faults| panic!("{keys:?}: {faults}"))
}

fn bad(keys: &Keys) -> Vec<Fault> {
    Policy::from_keys(keys).expect_err("faults").0
}

#[test]
fn nothing_but_a_query_and_a_threshold_has_the_documented_defaults() {
    let policy = good(&measured(&[]));
    let signal = &policy.signals[0];
    assert_eq!(policy.metric_name, "forescale");
    assert_eq!((policy.limits.min.get(), policy.limits.max.get()), (1, 100));
    assert_eq!(
        (signal.window, signal.step, signal.poll_step),
        (Span::days(28), Step::MINUTE, Step::QUARTER_MINUTE)
    );
    assert_eq!((signal.settle, policy.max_stale), (Span::seconds(30), Span::HOUR));
    assert_eq!(signal.source, SourceRef::Named("default".to_owned()));
    assert_eq!((signal.activation, &signal.kind), (0.0, &SignalKind::Rate));
    assert_eq!((policy.insurance, policy.mode), (Insurance::balanced(), Mode::Predictive));
    assert_eq!(policy.lead_time, LeadTime::Given(Span::minutes(2)));
    assert_eq!((policy.tolerance, &policy.sizes, policy.spare), (0.1, &Sizes::ANY, Spare::NONE));
    assert_eq!(policy.warm_up, Span::ZERO);
    assert_eq!(policy.zero.drain_grace, Span::minutes(30));
    assert!(policy.r#override.is_none() && !policy.is_schedule_only());
}

#[test]
fn limits_are_told_in_tiers() {
    let limits = |pairs: &[(&str, &str)]| {
        let Limits { min, max } = good(&measured(pairs)).limits;
        (min.get(), max.get())
    };
    assert_eq!(limits(&[("replicaTiers", "2,4,8,16")]), (2, 16));
    assert_eq!(limits(&[("replicaTiers", "2,4,8,16"), ("minReplicas", "5"), ("maxReplicas", "12")]), (8, 8));
    assert_eq!(limits(&[("replicaTiers", "2,4"), ("minReplicas", "0"), ("maxReplicas", "3")]), (0, 2));
    let faults = bad(&measured(&[("replicaTiers", "2,4,8"), ("minReplicas", "5"), ("maxReplicas", "7")]));
    assert!(faults[0].to_string().contains("a tier from minReplicas (5) to maxReplicas (7)"), "{faults:?}");
    let both = bad(&measured(&[("replicaTiers", "2,4"), ("replicaStep", "2")]));
    assert!(both[0].to_string().contains("either replicaTiers or replicaStep"), "{both:?}");
}

#[test]
fn numbers_are_read_as_kubernetes_and_people_write_them() {
    let threshold = |text| good(&measured(&[("threshold", text)])).signals[0].threshold.get();
    for (text, want) in
        [("50", 50.0), ("0.5", 0.5), ("2k", 2_000.0), ("1500m", 1.5), ("1M", 1e6), (" 7 ", 7.0), ("1e3", 1e3)]
    {
        assert!((threshold(text) - want).abs() < 1e-9, "{text}");
    }
    let target = |text| good(&measured(&[("underProvisionTarget", text)])).insurance;
    assert_eq!(target("1%"), Insurance::Target(0.01));
    assert_eq!(target("0.02"), Insurance::Target(0.02));
}

#[test]
fn insurance_is_named_in_four_ways() {
    let quantile = |key, text| good(&measured(&[(key, text)])).insurance.quantile().get();
    for (key, text, want) in [
        ("objective", "cost", 0.80),
        ("objective", "balanced", 0.95),
        ("objective", "availability", 0.99),
        ("quantile", "0.7", 0.7),
        ("underProvisionCost", "9", 0.9),
    ] {
        assert!((quantile(key, text) - want).abs() < 1e-9, "{key} {text}");
    }
}

#[test]
fn queues_are_sized_by_depth_or_by_a_deadline() {
    let depth = good(&measured(&[("signal", "queue")]));
    assert_eq!(depth.signals[0].kind, SignalKind::Queue(None));
    let deadline = [("signal", "queue"), ("arrivalQuery", "a"), ("drainWithin", "2m")];
    let given = good(&measured(&[&deadline[..], &[("serviceRate", "0.5")]].concat()));
    let SignalKind::Queue(Some(drain)) = &given.signals[0].kind else { panic!("{given:?}") };
    assert_eq!((&drain.service, drain.within), (&ServiceRate::Given(0.5), Span::minutes(2)));
    let completions = [("completionsQuery", "c"), ("replicasQuery", "r")];
    let policy = good(&measured(&[&deadline[..], &completions].concat()));
    let SignalKind::Queue(Some(drain)) = &policy.signals[0].kind else { panic!("{policy:?}") };
    assert_eq!(drain.service, ServiceRate::Measured("c".to_owned()));
}

#[test]
fn the_guides_cron_trigger_is_a_schedule_and_nothing_else() {
    let policy = good(&keys(&[
        ("scalerAddress", "forescale.keda:6000"),
        ("timezone", "America/Los_Angeles"),
        ("start", "0 9 * * 1-5"),
        ("end", "0 18 * * 1-5"),
        ("desiredReplicas", "2"),
    ]));
    assert!(policy.is_schedule_only());
    assert_eq!(policy.limits.min, Replicas::ZERO, "nothing outside its hours, as KEDA's cron trigger");
    let floor = |text: &str| {
        let at = crate::units::Time::parse(text).expect("valid");
        policy.schedule.at(at).floor.map_or(0, |bound| bound.replicas.get())
    };
    for (at, want) in [
        ("2026-11-24T08:59:59-08:00", 0),
        ("2026-11-24T09:00:00-08:00", 2),
        ("2026-11-24T17:59:59-08:00", 2),
        ("2026-11-24T18:00:00-08:00", 0),
        ("2026-11-28T12:00:00-08:00", 0),
        ("2026-07-03T09:00:00-07:00", 2),
    ] {
        assert_eq!(floor(at), want, "{at}");
    }
}

#[test]
fn several_signals_come_from_a_policy_file() {
    let signal = |query: &str, threshold: &str| {
        BTreeMap::from(
            [("query", query), ("threshold", threshold)].map(|(k, v)| (k.to_owned(), v.to_owned())),
        )
    };
    let mut two = Keys { signals: vec![signal("a", "1"), signal("b", "2")], ..Keys::default() };
    let policy = good(&two);
    assert_eq!(policy.signals.iter().map(|s| s.query.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    two.values = measured(&[]).values;
    assert_eq!(good(&two).signals.len(), 3, "the trigger's own query comes first");
    two.signals[1].insert("threshold".to_owned(), "none".to_owned());
    two.signals[0].insert("qeury".to_owned(), "x".to_owned());
    let found: Vec<_> = bad(&two).into_iter().map(|f| f.key).collect();
    assert_eq!(found, ["signals[0].qeury", "signals[1].threshold"]);
}

#[test]
fn a_further_signal_may_count_as_it_is_now() {
    let signal = |mode: Option<&str>| {
        let keys =
            [("query", "cpu"), ("threshold", "0.7")].into_iter().chain(mode.map(|mode| ("mode", mode)));
        keys.map(|(k, v)| (k.to_owned(), v.to_owned())).collect::<BTreeMap<_, _>>()
    };
    let with = |mode| Keys { signals: vec![signal(mode)], ..measured(&[]) };
    let forecast = |keys: &Keys| good(keys).signals.iter().map(|s| s.is_forecast).collect::<Vec<_>>();
    assert_eq!(forecast(&with(None)), [true, true]);
    assert_eq!(forecast(&with(Some("predictive"))), [true, true]);
    assert_eq!(forecast(&with(Some("reactive"))), [true, false]);
    let found: Vec<_> = bad(&with(Some("shadow"))).into_iter().map(|f| f.key).collect();
    assert_eq!(found, ["signals[0].mode"], "a shadow is cast by the whole policy");
}

#[test]
fn a_trigger_may_ask_for_no_more_than_its_policy_allows() {
    let with = |max: &str| Keys { max_replicas_allowed: Some(20), ..measured(&[("maxReplicas", max)]) };
    assert_eq!(good(&with("20")).limits.max.get(), 20);
    assert_eq!(good(&with("5")).limits.max.get(), 5);
    let faults = bad(&with("21"));
    assert_eq!(
        faults[0].to_string(),
        "maxReplicas: found '21', expected at most 20, the named policy's maxReplicas"
    );
    let unsaid = Keys { max_replicas_allowed: Some(20), ..measured(&[]) };
    assert_eq!(good(&unsaid).limits.max.get(), 20);
}

/// An invalid text for a key, and the start of what is expected instead.
const BAD: [(&str, &str, &str); 51] = [
    ("activationThreshold", "-1", "a number of at least 0"),
    ("arrivalQuery", "a", "signal: queue beside it"),
    ("calendar", "holidays", "a calendar of the server configuration"),
    ("capacity", "on", "off, advise or auto"),
    ("completionsQuery", "c", "signal: queue beside it"),
    ("desiredReplicas", "2", ""),
    ("drainGrace", "soon", "a duration"),
    ("drainWithin", "1s", "a duration from 10s"),
    ("end", "0 18 * * *", ""),
    ("historyTimeWindow", "1m", "a duration from 1h"),
    ("latencyObjective", "fast", "a latency such as 500ms"),
    ("leadTime", "2h", "auto, or a duration from 0s to 1h"),
    ("maskedSpans", "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "comma-separated spans"),
    ("maxReplicas", "0", "a whole number from 1"),
    ("maxStale", "1s", "a duration from 1m"),
    ("metricName", "Web_Load", "1 to 63 characters"),
    ("minReplicas", "1.5", "a whole number from 0"),
    ("mode", "auto", "predictive, shadow or reactive"),
    ("objective", "speed", "cost, balanced or availability"),
    ("override", "replicas=3", ""),
    ("pollStep", "1s", "a duration from 5s"),
    ("quantile", "NaN", "a number from 0.5"),
    ("queryStep", "1s", "a duration from 10s"),
    ("events", "all", "none, to opt out"),
    ("replicaStep", "0", "a whole number from 1"),
    ("replicaTiers", "4,2", "ascending whole numbers above 0"),
    ("replicaTiers", "200,400", "a tier from minReplicas (1) to maxReplicas (100)"),
    ("spareReplicas", "95%", "a whole number such as 1, or a share from 0% to 90%"),
    ("spareReplicas", "-1", "a whole number such as 1"),
    ("targetKind", "deployment", "Deployment, StatefulSet or Rollout"),
    ("targetName", "Web", "1 to 253 characters"),
    ("warmUp", "2h", "a duration from 0s to 1h"),
    ("scaleToZeroAfter", "1", "a duration"),
    ("serverAddress", "prometheus:9090", "a URL such as http://"),
    ("serviceRate", "0", "a number above 0"),
    ("settle", "1h", "a duration from 0s to 10m"),
    ("signal", "depth", "rate or queue"),
    ("start", "0 9 * * *", ""),
    ("targetUtilization", "5%", "a share of the CPU request"),
    ("threshold", "0", "a number above 0"),
    ("threshold", "inf", "a number above 0"),
    ("threshold", "-3", "a number above 0"),
    ("threshold", "", "a number above 0"),
    ("timezone", "Mars/Olympus", "an IANA time zone"),
    ("tolerance", "2", "a share from 0 to 1"),
    ("underProvisionCost", "0.5", "a number from 1 to 999"),
    ("underProvisionTarget", "50%", "a share of time"),
    ("wakeAhead", "2d", "a duration"),
    ("wakeAheda", "1m", "a known key, the nearest is 'wakeAhead'"),
    ("cooldown", "1m", "one of activationThreshold"),
    ("query", "", "PromQL that yields one series"),
];

#[test]
fn every_key_is_held_to_its_bounds() {
    for (key, text, expected) in BAD {
        let faults = bad(&measured(&[(key, text)]));
        let meant = |fault: &&Fault| fault.expected.starts_with(expected);
        // The keys of a schedule belong together: the fault is that of the missing ones.
        let own = |fault: &&Fault| expected.is_empty() || fault.key == key;
        assert!(faults.iter().any(|f| meant(&f) && own(&f)), "{key}={text}: {faults:?}");
    }
    // These accept any text, or are checked where the text is used: by the catalogue and the data sources.
    let elsewhere = [
        "cpuQuery",
        "datasource",
        "errorQuery",
        "inFlightQuery",
        "latencyQuery",
        "policy",
        "rejectedQuery",
        "replicasQuery",
        "schedule",
    ];
    for key in KNOWN_KEYS {
        assert!(BAD.iter().any(|(k, ..)| k == key) || elsewhere.contains(key), "{key} is never bad");
    }
    assert!(KNOWN_KEYS.is_sorted(), "people search the list");
}

#[test]
fn contradictions_name_both_sides() {
    for (pairs, key, expected) in [
        (
            &[("objective", "cost"), ("quantile", "0.9")][..],
            "objective",
            "at most one of objective, quantile",
        ),
        (&[("minReplicas", "5"), ("maxReplicas", "4")], "minReplicas", "at most maxReplicas, which is 4"),
        (&[("datasource", "a"), ("serverAddress", "http://b")], "serverAddress", "one of the two"),
        (&[("historyTimeWindow", "1h"), ("queryStep", "30m")], "historyTimeWindow", "at least three steps"),
        (&[("signal", "queue"), ("drainWithin", "1m")], "serviceRate", "exactly one of serviceRate"),
        (
            &[("signal", "queue"), ("drainWithin", "1m"), ("arrivalQuery", "a"), ("completionsQuery", "c")],
            "replicasQuery",
            "PromQL for the replicas that run",
        ),
    ] {
        let faults = bad(&measured(pairs));
        assert!(
            faults.iter().any(|f| f.key == key && f.expected.starts_with(expected)),
            "{pairs:?}: {faults:?}"
        );
    }
}

#[test]
fn all_faults_come_at_once_each_key_once_and_sorted() {
    let faults = bad(&keys(&[
        ("qeury", "sum(load)"),
        ("threshold", "none"),
        ("timezone", "Mars/Olympus"),
        ("leadTime", "soon"),
        ("mode", "auto"),
        ("minReplicas", "-1"),
    ]));
    let found: Vec<_> = faults.iter().map(|f| f.key.as_str()).collect();
    assert_eq!(found, ["leadTime", "minReplicas", "mode", "qeury", "query", "timezone"]);
}

#[test]
fn faults_from_where_the_keys_come_stand_beside_the_others() {
    let mut keys = keys(&[("policy", "octollm/executer"), ("leadTime", "soon")]);
    keys.faults.push(Fault::new("policy", "octollm/executer", "a policy of the catalogue"));
    let found: Vec<_> = bad(&keys).into_iter().map(|f| f.key).collect();
    assert_eq!(found, ["leadTime", "policy"], "the query may stand in the policy that was not found");
}

#[test]
fn what_is_kedas_own_is_admitted_and_never_shown() {
    let own = [
        ("scalerAddress", "forescale:6000"),
        ("enableTLS", "true"),
        ("unsafeSsl", "false"),
        ("caCert", "hunter2"),
        ("tlsClientCert", "hunter2"),
        ("tlsClientKey", "hunter2"),
        ("passwordFromEnv", "hunter2"),
    ];
    let policy = good(&measured(&own));
    assert!(!format!("{policy:?}").contains("hunter2"));
    let faults = bad(&measured(&[&own[..], &[("mode", "x"), ("password", "hunter2")]].concat()));
    let text = Faults(faults).to_string();
    assert!(text.contains("password: found a secret") && !text.contains("hunter2"), "{text}");
    assert!(text.contains("datasources.NAME.basic.passwordFile") && !text.contains("arrivalQuery"), "{text}");
}

#[test]
fn sources_are_known_even_where_other_keys_are_faulty() {
    assert_eq!(measured(&[("mode", "x")]).sources(), [SourceRef::Named("default".to_owned())]);
    assert_eq!(
        measured(&[("serverAddress", "http://a")]).sources(),
        [SourceRef::Address("http://a".to_owned())]
    );
    assert_eq!(measured(&[("serverAddress", "a:9090")]).sources(), [], "a fault of its own");
    assert_eq!(keys(&[("start", "0 9 * * *")]).sources(), [], "a schedule is measured nowhere");
    assert_eq!(measured(&[("datasource", "a"), ("serverAddress", "b")]).sources(), [], "a fault of its own");
}

#[test]
fn the_metrics_name_is_known_for_any_metadata() {
    for (text, want) in [
        ("web-load", "web-load"),
        (" web ", "web"),
        ("Web", "forescale"),
        ("", "forescale"),
        ("a/b", "forescale"),
    ] {
        let metadata = HashMap::from([("metricName".to_owned(), text.to_owned())]);
        assert_eq!(metric_name_or_default(&metadata), want, "'{text}'");
    }
    assert_eq!(metric_name_or_default(&HashMap::new()), "forescale");
}

#[test]
fn capacity_is_advised_unless_said_otherwise() {
    let learning = |pairs: &[(&str, &str)]| good(&measured(pairs)).capacity;
    let usual = learning(&[]).expect("a rate");
    assert_eq!((usual.mode, usual.utilization, usual.objective), (CapacityMode::Advise, 0.7, None));
    assert_eq!(learning(&[("capacity", "off")]), None);
    let auto = learning(&[
        ("capacity", "auto"),
        ("targetUtilization", "60%"),
        ("cpuQuery", "cpu"),
        ("latencyQuery", "p95"),
        ("latencyObjective", "500ms"),
    ]);
    let auto = auto.expect("a rate");
    assert_eq!((auto.mode, auto.utilization, auto.objective), (CapacityMode::Auto, 0.6, Some(0.5)));
    assert_eq!((auto.cpu.as_deref(), auto.latency.as_deref()), (Some("cpu"), Some("p95")));
    for text in ["60", "0.6", "60 %"] {
        assert_eq!(learning(&[("targetUtilization", text)]).expect("a rate").utilization, 0.6, "{text}");
    }
    // The load waiting in a queue is not the load that a replica carries.
    assert_eq!(learning(&[("signal", "queue")]), None);
}

#[test]
fn capacity_keys_that_do_not_go_together_are_faults() {
    for (pairs, key, found) in [
        (&[("capacity", "on")][..], "capacity", "on"),
        (&[("targetUtilization", "5%")], "targetUtilization", "5%"),
        (&[("targetUtilization", "150")], "targetUtilization", "150"),
        (&[("latencyQuery", "p95"), ("latencyObjective", "fast")], "latencyObjective", "fast"),
        (&[("latencyObjective", "500ms")], "latencyQuery", ""),
        (&[("capacity", "off"), ("cpuQuery", "cpu")], "capacity", "off"),
        (&[("capacity", "auto"), ("signal", "queue")], "capacity", "auto"),
        (&[("capacity", "auto"), ("historyTimeWindow", "7d")], "historyTimeWindow", "7d"),
    ] {
        let faults = bad(&measured(pairs));
        assert!(
            faults.iter().any(|f| f.key == key && f.found.trim_matches('\'') == found),
            "{pairs:?}: {faults:?}"
        );
    }
}
