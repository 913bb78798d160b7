//! The lint rules: name, severity and reason.
//!
//! The meaning of a name never changes, because people write it in allow comments and code scanners archive it.

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Likely to surprise somebody.
    Warning,
    /// It will be refused, or will not do what it says.
    Error,
}

/// One lint rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// Why it exists.
    pub why: &'static str,
}

macro_rules! rules {
    ($($id:ident $severity:ident $name:literal $why:literal)*) => {
        $(#[doc = $why] pub static $id: Rule = Rule { name: $name, severity: Severity::$severity, why: $why };)*
        /// All rules.
        pub static ALL: &[&Rule] = &[$(&$id),*];
    };
}

rules! {
    UNKNOWN_KEY Error "unknown-key" "An unknown key has no effect."
    TRIGGER_TYPE Error "trigger-type" "KEDA has no trigger of this type and rejects the whole object."
    UNKNOWN_KIND Error "unknown-kind" "The API server does not know this kind and rejects the whole object."
    MISSING_NAME Error "missing-name" "The API server rejects an object without a name."
    UNKNOWN_FIELD Error "unknown-field" "The API server drops or rejects fields that KEDA does not know."
    INVALID_VALUE Error "invalid-value" "The scaler rejects the value, and KEDA keeps the replicas."
    MISSING_KEY Error "missing-key" "Without the key, the scaler rejects the workload."
    CONTRADICTION Error "contradiction" "Two keys exclude each other."
    UNKNOWN_TIMEZONE Error "unknown-timezone" "Local times need an IANA zone."
    SCHEDULE_FAULT Error "schedule-fault" "A rule cannot be read."
    OVERRIDE_FAULT Error "override-fault" "An override cannot be read, or has no end."
    OVERRIDE_EXPIRED Warning "override-expired" "An override that has ended only misleads readers."
    OVERRIDE_LONG Info "override-long" "For weeks at a time, use a schedule, not an override."
    WINDOW_NEVER_OPENS Error "window-never-opens" "A rule that is never open has no effect."
    WINDOW_NEVER_CLOSES Warning "window-never-closes" "A window that stays open for weeks is rarely intended."
    RULE_IS_OVER Warning "rule-is-over" "All dates of the rule are in the past."
    DST_SURPRISE Warning "dst-surprise" "The local time is skipped or occurs twice when clocks change."
    SPARE_CANNOT_HOLD Warning "spare-cannot-hold" "Spare replicas beyond maxReplicas are not kept."
    SPARE_IN_ONE_ZONE Warning "spare-in-one-zone" "All replicas are lost with the zone, the spare ones too."
    CROSSING_RULES Warning "crossing-rules" "A floor above a ceiling: the floor wins."
    FLOOR_ABOVE_MAX Warning "floor-above-max" "A floor above maxReplicas is never reached."
    CRON_DESIRED_ZERO Error "cron-desired-zero" "A floor of zero has no effect; KEDA rejects it too."
    MIXED_TRIGGERS Warning "mixed-triggers" "If Forescale is away, a restart of KEDA drops its metric."
    CEILING_DEFEATED Warning "ceiling-defeated" "The HPA takes the largest of all triggers."
    TOLERANCE_SWALLOWS Warning "tolerance-swallows-change" "The HPA ignores changes within its tolerance."
    TOLERANCE_DISAGREES Warning "tolerance-disagrees" "The configured tolerance is not the HPA's."
    TOLERANCE_MISPLACED Error "tolerance-misplaced" "The tolerance belongs next to policies, not inside one."
    SCALE_UP_STABILIZATION Warning "scale-up-stabilization" "The window delays the forecast by its length."
    MISSING_FALLBACK Warning "missing-fallback" "Without a fallback, KEDA freezes when the scaler is gone."
    FALLBACK_LOWERS Warning "fallback-lowers" "A static fallback scales down in the middle of a peak."
    FALLBACK_ZERO Error "fallback-zero" "With a fallback of 0, an error of the scaler scales to zero."
    FALLBACK_BELOW_FLOOR Warning "fallback-below-floor" "The fallback is below the minimum."
    LIMITS_DISAGREE Warning "limits-disagree" "Forescale plans with other limits than KEDA's."
    ZERO_UNREACHABLE Warning "zero-unreachable" "One side allows zero and the other does not."
    COOLDOWN_ADDS_UP Info "cooldown-adds-up" "The two waits add up."
    METRIC_TYPE_VALUE Error "metric-type-value" "The answer is in replicas; any other type multiplies it."
    POLLING_TOO_SLOW Warning "polling-too-slow" "At zero, KEDA asks only once per pollingInterval."
    LEAD_TIME_TOO_SHORT Warning "lead-time-too-short" "No pod is ready before the HPA looks again."
    WAKE_TOO_LATE Warning "wake-too-late" "The wake-up is later than a pod's start requires."
    QUERY_UNCLOSED Error "query-unclosed" "Prometheus rejects the query, and KEDA keeps the replicas."
    QUERY_REJECTED Error "query-rejected" "Prometheus rejects the query, and KEDA keeps the replicas."
    QUERY_YIELDS_MANY Error "query-yields-many" "Without one series there is no load, and KEDA keeps the replicas."
    QUERY_NO_METRIC Error "query-no-metric" "A metric that does not exist measures nothing."
    QUERY_PLACEHOLDER Warning "query-placeholder" "A placeholder in place of a query finds nothing."
    RATE_WINDOW_SHORT Warning "rate-window-short" "A rate over fewer than four scrapes has gaps."
    QUERY_MANY_SERIES Warning "query-many-series" "A query must yield one series."
    QUERY_NO_SERIES Warning "query-no-series" "A selector that matches nothing measures nothing."
    COUNTER_WITHOUT_RATE Warning "counter-without-rate" "A counter only grows, and so do the replicas."
    RATE_OF_GAUGE Warning "rate-of-gauge" "A rate treats every decrease of a gauge as a restart."
    LEAD_TIME_UNSEEN Warning "lead-time-unseen" "There are no pods to learn a lead time from."
    CAPACITY_UNSEEN Warning "capacity-unseen" "There is no data to learn the load of a replica from."
    HISTORY_EXCEEDS_RETENTION Warning "history-exceeds-retention" "Deleted samples cannot be learned from."
    ACTIVATION_ABOVE_THRESHOLD Warning "activation-above-threshold" "Load that needs a replica does not wake one."
    PLAINTEXT Info "plaintext-across-namespaces" "Metadata and answers cross namespaces unencrypted."
    SECRET_IN_METADATA Error "secret-in-metadata" "Everyone who may read the object can read its metadata."
    SECRET_FROM_ENV Warning "secret-from-env" "KEDA sends the resolved secret with every call."
    TLS_IN_METADATA Error "tls-in-metadata" "KEDA reads certificates from a TriggerAuthentication only."
    MISSING_ADDRESS Error "missing-address" "KEDA does not know whom to ask."
    ADDRESS_MALFORMED Error "address-malformed" "KEDA needs host:port, without a scheme."
    WRONG_SHARD Error "wrong-shard" "A strict shard refuses the workloads of the others."
    METADATA_NOT_STRING Error "metadata-not-string" "The API server rejects metadata that is not a string."
    DUPLICATE_METRIC_NAME Error "duplicate-metric-name" "Two triggers with the same name are one workload."
    CACHED_METRICS Warning "cached-metrics" "The HPA sees an answer that is a pollingInterval old."
    MODIFIERS_IGNORE_ACTIVITY Warning "modifiers-ignore-activity" "A formula makes KEDA ignore IsActive."
    MODIFIERS_NEED_NAME Error "modifiers-need-name" "A formula refers to triggers by name."
    IDLE_REPLICA_COUNT Error "idle-replica-count" "KEDA supports no idle count other than 0."
    PUSH_WITHOUT_ZERO Info "push-without-zero" "A push trigger only wakes from zero."
    PAUSED Warning "paused" "While an object is paused, KEDA does not ask its scalers."
    SHARED_TARGET Error "shared-target" "Two autoscalers scale the same workload."
    VPA_CONFLICT Warning "vpa-conflict" "VPA and HPA act on the same resource."
    CONFIG_FAULT Error "config-fault" "The server does not start."
    CONFIG_PLAIN_SECRET Warning "config-plain-secret" "The configuration itself contains a secret."
    CONFIG_SECRET_OVER_HTTP Warning "config-secret-over-http" "Credentials travel unencrypted."
    CONFIG_SKIPS_VERIFY Warning "config-skips-verify" "Any certificate is accepted."
}
