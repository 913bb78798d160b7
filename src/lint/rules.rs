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
    UNKNOWN_KEY Error "unknown-key" "A key that nobody reads does nothing."
    TRIGGER_TYPE Error "trigger-type" "KEDA knows no trigger of that type, and refuses the whole object."
    UNKNOWN_KIND Error "unknown-kind" "The API server knows no such kind, and refuses the whole object."
    UNKNOWN_FIELD Error "unknown-field" "The API server drops or refuses fields that KEDA does not know."
    INVALID_VALUE Error "invalid-value" "The scaler refuses the value, and KEDA holds."
    MISSING_KEY Error "missing-key" "Without the key the scaler refuses the workload."
    CONTRADICTION Error "contradiction" "Two keys that exclude each other."
    UNKNOWN_TIMEZONE Error "unknown-timezone" "Local times need an IANA zone."
    SCHEDULE_FAULT Error "schedule-fault" "A rule that cannot be read."
    OVERRIDE_FAULT Error "override-fault" "An override that cannot be read, or has no end."
    OVERRIDE_EXPIRED Warning "override-expired" "An override that has ended only misleads its readers."
    OVERRIDE_LONG Info "override-long" "What holds for weeks is a schedule, not an override."
    WINDOW_NEVER_OPENS Error "window-never-opens" "A rule without any open time does nothing."
    WINDOW_NEVER_CLOSES Warning "window-never-closes" "A window that stays open for weeks is rarely meant."
    RULE_IS_OVER Warning "rule-is-over" "All its dates lie in the past."
    DST_SURPRISE Warning "dst-surprise" "The local time is leapt over or shown twice when clocks change."
    SPARE_CANNOT_HOLD Warning "spare-cannot-hold" "Spare replicas beyond maxReplicas are not kept."
    SPARE_IN_ONE_ZONE Warning "spare-in-one-zone" "A zone that is lost takes all replicas with it, the spare ones too."
    CROSSING_RULES Warning "crossing-rules" "A floor above a ceiling: the floor wins."
    FLOOR_ABOVE_MAX Warning "floor-above-max" "A floor above maxReplicas is never reached."
    CRON_DESIRED_ZERO Error "cron-desired-zero" "A floor of zero does nothing; KEDA refuses it too."
    MIXED_TRIGGERS Warning "mixed-triggers" "A KEDA that restarts without us leaves the HPA to the other triggers."
    CEILING_DEFEATED Warning "ceiling-defeated" "The HPA takes the largest of all triggers."
    TOLERANCE_SWALLOWS Warning "tolerance-swallows-change" "The HPA ignores changes within its tolerance."
    TOLERANCE_DISAGREES Warning "tolerance-disagrees" "The tolerance reckoned with is not the HPA's."
    TOLERANCE_MISPLACED Error "tolerance-misplaced" "The tolerance stands beside policies, not inside one."
    SCALE_UP_STABILIZATION Warning "scale-up-stabilization" "It delays what was forecast by its whole length."
    MISSING_FALLBACK Warning "missing-fallback" "Without a fallback, KEDA freezes when the scaler is gone."
    FALLBACK_LOWERS Warning "fallback-lowers" "A static fallback scales down in the middle of a peak."
    FALLBACK_ZERO Error "fallback-zero" "With a fallback of 0, an error of the scaler takes KEDA's way to zero."
    FALLBACK_BELOW_FLOOR Warning "fallback-below-floor" "The fallback is less than the least that is allowed."
    LIMITS_DISAGREE Warning "limits-disagree" "Planning with other limits than KEDA's."
    ZERO_UNREACHABLE Warning "zero-unreachable" "One side permits zero and the other does not."
    COOLDOWN_ADDS_UP Info "cooldown-adds-up" "Both waits pass, one after the other."
    METRIC_TYPE_VALUE Error "metric-type-value" "Replicas are answered; any other type multiplies them."
    POLLING_TOO_SLOW Warning "polling-too-slow" "From zero, KEDA looks only once a pollingInterval."
    LEAD_TIME_TOO_SHORT Warning "lead-time-too-short" "No pod is ready sooner than the HPA looks again."
    WAKE_TOO_LATE Warning "wake-too-late" "Woken later than a pod takes to start."
    QUERY_UNCLOSED Error "query-unclosed" "Prometheus refuses the query, and KEDA holds."
    QUERY_PLACEHOLDER Warning "query-placeholder" "Nothing is found by a name that stands for a query."
    RATE_WINDOW_SHORT Warning "rate-window-short" "A rate over fewer than four scrapes has gaps."
    QUERY_MANY_SERIES Warning "query-many-series" "A query must yield one series."
    QUERY_NO_SERIES Warning "query-no-series" "A selector that matches nothing measures nothing."
    COUNTER_WITHOUT_RATE Warning "counter-without-rate" "A counter only grows, and the replicas with it."
    RATE_OF_GAUGE Warning "rate-of-gauge" "A rate takes every fall of a gauge for a restart."
    LEAD_TIME_UNSEEN Warning "lead-time-unseen" "No pods are seen that a lead time could be learned from."
    CAPACITY_UNSEEN Warning "capacity-unseen" "Nothing is seen that the load of a replica could be learned from."
    HISTORY_EXCEEDS_RETENTION Warning "history-exceeds-retention" "What Prometheus forgot cannot be learned."
    ACTIVATION_ABOVE_THRESHOLD Warning "activation-above-threshold" "Load that needs a replica does not wake one."
    PLAINTEXT Info "plaintext-across-namespaces" "Metadata and answers cross namespaces unencrypted."
    SECRET_IN_METADATA Error "secret-in-metadata" "Metadata is readable by everyone who may read the object."
    SECRET_FROM_ENV Warning "secret-from-env" "KEDA sends the resolved secret with every call."
    TLS_IN_METADATA Error "tls-in-metadata" "KEDA reads certificates from a TriggerAuthentication only."
    MISSING_ADDRESS Error "missing-address" "KEDA does not know whom to ask."
    ADDRESS_MALFORMED Error "address-malformed" "KEDA needs host:port, without a scheme."
    METADATA_NOT_STRING Error "metadata-not-string" "The API server refuses metadata that is no string."
    DUPLICATE_METRIC_NAME Error "duplicate-metric-name" "Two triggers under one name are one workload."
    CACHED_METRICS Warning "cached-metrics" "The HPA sees an answer that is a pollingInterval old."
    MODIFIERS_IGNORE_ACTIVITY Warning "modifiers-ignore-activity" "A formula makes KEDA ignore IsActive."
    MODIFIERS_NEED_NAME Error "modifiers-need-name" "A formula refers to triggers by name."
    IDLE_REPLICA_COUNT Error "idle-replica-count" "KEDA supports no other idle count than 0."
    PUSH_WITHOUT_ZERO Info "push-without-zero" "A push only wakes from zero."
    PAUSED Warning "paused" "A paused object asks nobody."
    SHARED_TARGET Error "shared-target" "Two autoscalers pull at one workload."
    VPA_CONFLICT Warning "vpa-conflict" "VPA and HPA steer by the same resource."
    CONFIG_FAULT Error "config-fault" "The server does not start."
    CONFIG_PLAIN_SECRET Warning "config-plain-secret" "A secret stands in the configuration itself."
    CONFIG_SECRET_OVER_HTTP Warning "config-secret-over-http" "Credentials travel unencrypted."
    CONFIG_SKIPS_VERIFY Warning "config-skips-verify" "Any certificate is accepted."
}
