//! Checks of one trigger that uses Forescale: its address, its metadata, and the rest of its ScaledObject.

use super::findings::Findings;
use super::policy::check;
use super::rules;
use super::secrets::check_secrets;
use super::settings::Settings;
use super::subject::Subject;
use crate::policy::Policy;
use crate::policy::schedule::Effect;
use crate::source::Catalogue;
use crate::source::manifest::{DEFAULT_MAX_COUNT, ScaledObject, Trigger};
use crate::source::yaml::{Content, Node, Place, key_of, locate};
use crate::units::{Replicas, Shards, Span};

/// KEDA's defaults for fields that a ScaledObject does not set.
const POLLING: i64 = 30;
const MIN_COUNT: i64 = 0;
const MAX_COUNT: i64 = DEFAULT_MAX_COUNT as i64;

/// Checks a trigger.
pub(super) fn check_trigger(
    object: &ScaledObject<'_>,
    trigger: &Trigger<'_>,
    settings: &Settings,
    findings: &mut Findings<'_>,
) {
    let at = key_of(trigger.node, "type");
    check_fields(trigger, findings);
    let empty = Node { line: at.0, column: at.1, content: Content::Map(Vec::new()) };
    let node = trigger.metadata_node().unwrap_or(&empty);
    check_types(node, findings);
    if let Some((address, place)) = check_address(object, trigger, at, findings) {
        check_shard(object, address, place, settings, findings);
    }
    let reported = check_secrets(node, "", findings);
    let mut metadata = trigger.metadata.clone();
    let is_trusting = settings.catalogue.is_none();
    let is_partial = is_trusting && metadata.remove("policy").is_some();
    let subject = Subject { node, at, metadata, is_partial, reported };
    let empty = Catalogue::new(settings.now);
    let catalogue = settings.catalogue.as_ref().unwrap_or(&empty);
    let (policy, _) = check(&subject, catalogue, settings, findings);
    if let Some(policy) = policy {
        let both = Both { object, trigger, policy: &policy, node, at, is_partial };
        both.check_limits(findings);
        both.check_ceilings(findings);
        both.check_polling(findings);
        both.check_tolerance(findings);
    }
}

fn check_fields(trigger: &Trigger<'_>, findings: &mut Findings<'_>) {
    if let Some(kind) = trigger.node.text_of("metricType").filter(|kind| kind != "AverageValue") {
        let message = format!("metricType: {kind} multiplies the answer by the number of ready pods");
        let mend = "write metricType: AverageValue, or leave it out";
        findings.add(&rules::METRIC_TYPE_VALUE, key_of(trigger.node, "metricType"), message, mend);
    }
    if trigger.node.text_of("useCachedMetrics").as_deref() == Some("true") {
        let message = "the HPA reads what KEDA polled last, up to a pollingInterval ago";
        let mend = "leave useCachedMetrics out: answers come from memory";
        findings.add(&rules::CACHED_METRICS, key_of(trigger.node, "useCachedMetrics"), message, mend);
    }
}

fn check_types(metadata: &Node, findings: &mut Findings<'_>) {
    for entry in metadata.entries() {
        let (found, mend) = match &entry.value.content {
            Content::Text(_) => continue,
            Content::Number(text) => (format!("the number {text}"), format!("quote it: '{text}'")),
            Content::Bool(truth) => (format!("the boolean {truth}"), format!("quote it: '{truth}'")),
            Content::Null => ("nothing".to_owned(), "write a value, or remove the key".to_owned()),
            Content::List(_) | Content::Map(_) => {
                ("a block of YAML".to_owned(), format!("make it a text: '{}: |'", entry.key))
            }
        };
        let message = format!("{}: found {found}, expected a string", entry.key);
        findings.add(&rules::METADATA_NOT_STRING, (entry.line, entry.column), message, mend);
    }
}

/// The address and where it stands, if it can be one.
fn check_address<'a>(
    object: &ScaledObject<'_>,
    trigger: &'a Trigger<'_>,
    at: Place,
    findings: &mut Findings<'_>,
) -> Option<(&'a str, Place)> {
    let node = trigger.metadata_node();
    let place = node.map_or(at, |node| node.entry("scalerAddress").map_or(at, |e| (e.line, e.column)));
    let Some(address) = trigger.metadata.get("scalerAddress").map(|a| a.trim()).filter(|a| !a.is_empty())
    else {
        let mend = "write scalerAddress: forescale.<namespace>:6000";
        findings.add(&rules::MISSING_ADDRESS, place, "scalerAddress: found nothing", mend);
        return None;
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let has_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    if address.contains("://") || !has_port || host.is_empty() || host.contains('/') {
        let message = format!("scalerAddress: found '{address}'");
        let mend = "expected host:port such as forescale.keda:6000, without a scheme";
        findings.add(&rules::ADDRESS_MALFORMED, place, message, mend);
        return None;
    }
    // The parts of an IP address are not DNS labels.
    let theirs = host.split('.').nth(1).filter(|_| host.parse::<std::net::IpAddr>().is_err());
    let is_encrypted = trigger.metadata.get("enableTLS").is_some_and(|t| t.trim() == "true")
        || trigger.node.get("authenticationRef").is_some();
    if let (Some(theirs), Some(ours)) = (theirs, object.namespace.as_deref())
        && theirs != ours
        && !is_encrypted
    {
        let message = format!("metadata and answers travel between KEDA and '{theirs}' unencrypted");
        let mend = "write enableTLS: 'true' and authenticationRef with the certificates, or keep the chart's \
                    NetworkPolicy, which lets only KEDA connect";
        findings.add(&rules::PLAINTEXT, place, message, mend);
    }
    Some((address, place))
}

/// Whether the address is the one of the workload's shard.
fn check_shard(
    object: &ScaledObject<'_>,
    address: &str,
    place: Place,
    settings: &Settings,
    findings: &mut Findings<'_>,
) {
    if settings.shards == Shards::ONE {
        return;
    }
    let Some(namespace) = object.namespace.as_deref() else {
        let message = "without metadata.namespace the workload's shard cannot be told";
        findings.add(&rules::WRONG_SHARD, place, message, "write metadata.namespace");
        return;
    };
    let shard = settings.shards.shard_of(namespace, &object.name);
    let (right, mend) = match shard.instead(address) {
        Ok(right) => (right == address, format!("write scalerAddress: {right}")),
        Err(error) => (false, error.to_string()),
    };
    if !right {
        let message =
            format!("scalerAddress: found '{address}', and {namespace}/{} is of {shard}", object.name);
        findings.add(&rules::WRONG_SHARD, place, message, mend);
    }
}

/// Whether a formula combines all triggers into one metric for the HPA.
pub(super) fn has_formula(object: &ScaledObject<'_>) -> bool {
    object.spec().is_some_and(|spec| spec.at(&["advanced", "scalingModifiers", "formula"]).is_some())
}

/// A trigger's policy together with its ScaledObject.
struct Both<'a> {
    object: &'a ScaledObject<'a>,
    trigger: &'a Trigger<'a>,
    policy: &'a Policy,
    node: &'a Node,
    at: Place,
    /// Whether keys may come from an unknown policy.
    is_partial: bool,
}

// === impl Both ===

impl Both<'_> {
    fn count(&self, key: &str) -> Option<i64> {
        self.object.spec().and_then(|spec| spec.count_of(key))
    }

    fn of_spec(&self, key: &str) -> Place {
        self.object.spec().map_or(self.at, |spec| key_of(spec, key))
    }

    fn of_key(&self, key: &str, findings: &Findings<'_>) -> Place {
        locate(self.node, key, &findings.lines, self.at)
    }

    fn has_formula(&self) -> bool {
        has_formula(self.object)
    }

    fn commands_zero(&self) -> bool {
        let effects = self.policy.schedule.rules().iter().flat_map(|rule| rule.effects());
        effects.into_iter().any(|e| matches!(e, Effect::Exactly(r) | Effect::Max(r) if *r == Replicas::ZERO))
    }

    fn check_limits(&self, findings: &mut Findings<'_>) {
        let limits = self.policy.limits;
        let (min, max) = (i64::from(limits.min.get()), i64::from(limits.max.get()));
        let (min_count, max_count) = (self.count("minReplicaCount"), self.count("maxReplicaCount"));
        let given = |key: &str| self.trigger.metadata.contains_key(key);
        let most = max_count.unwrap_or(MAX_COUNT);
        // A formula changes the answer into another number, so its limits are not the HPA's.
        let is_answer = !self.has_formula();
        if is_answer && max > most && (!self.is_partial || given("maxReplicas")) {
            let message =
                format!("Forescale plans up to {}, but the HPA allows only {most}", limits.max.in_words());
            let mend = format!("write maxReplicas: '{most}', or raise maxReplicaCount");
            let at = if given("maxReplicas") {
                self.of_key("maxReplicas", findings)
            } else {
                self.of_spec("maxReplicaCount")
            };
            findings.add(&rules::LIMITS_DISAGREE, at, message, mend);
        }
        let least = min_count.unwrap_or(MIN_COUNT);
        let at = |findings: &Findings<'_>| {
            if given("minReplicas") {
                self.of_key("minReplicas", findings)
            } else {
                self.of_spec("minReplicaCount")
            }
        };
        // A schedule on its own goes to zero outside its windows unless configured otherwise.
        let asks_zero = min == 0 && (given("minReplicas") || self.policy.is_schedule_only());
        if least > 0 && (asks_zero || self.commands_zero()) {
            let message = format!("the trigger asks for zero, but minReplicaCount is {least}");
            findings.add(&rules::ZERO_UNREACHABLE, at(findings), message, "write minReplicaCount: 0");
        } else if min_count == Some(0) && min > 0 && !self.is_partial {
            let message = format!("minReplicaCount is 0, and minReplicas is {min}: it never goes to zero");
            let mend = "write minReplicas: '0', or raise minReplicaCount";
            findings.add(&rules::ZERO_UNREACHABLE, at(findings), message, mend);
        } else if is_answer && given("minReplicas") && min != least && !(least == 0 && min == 1) {
            let message = format!("minReplicas is {min}, and minReplicaCount is {least}");
            findings.add(&rules::LIMITS_DISAGREE, at(findings), message, "write the same number in both");
        }
        let after = self.policy.zero.after;
        let cooldown = self.count("cooldownPeriod").unwrap_or(300);
        if after > Span::ZERO
            && least == 0
            && cooldown > 0
            && self.object.spec().is_some_and(|s| s.get("cooldownPeriod").is_some())
        {
            let message = format!("zero comes only {after} plus {cooldown} s after the last load");
            let mend = "keep only one of the two: write cooldownPeriod: 0, or leave scaleToZeroAfter out";
            findings.add(&rules::COOLDOWN_ADDS_UP, self.of_key("scaleToZeroAfter", findings), message, mend);
        }
        if self.trigger.kind == "external-push" && least > 0 {
            let message = format!("minReplicaCount is {least}: there is nothing to wake");
            findings.add(&rules::PUSH_WITHOUT_ZERO, self.at, message, "write type: external");
        }
    }

    fn check_ceilings(&self, findings: &mut Findings<'_>) {
        let others: Vec<&Trigger<'_>> =
            self.object.triggers.iter().filter(|t| t.index != self.trigger.index).collect();
        let Some(other) = others.first().filter(|_| !self.has_formula()) else { return };
        let mend = "move the ceiling to maxReplicaCount, or combine the triggers with scalingModifiers";
        for (i, rule) in self.policy.schedule.rules().iter().enumerate() {
            if rule.effects().iter().any(|e| matches!(e, Effect::Max(_) | Effect::Exactly(_))) {
                let at = self.of_key(&format!("schedule[{i}]"), findings);
                let message = format!(
                    "the ceiling of '{}' holds in this trigger only; the HPA follows '{}' too",
                    rule.label(),
                    other.kind
                );
                findings.add(&rules::CEILING_DEFEATED, at, message, mend);
            }
        }
    }

    fn check_polling(&self, findings: &mut Findings<'_>) {
        let polling = self.count("pollingInterval").unwrap_or(POLLING);
        let lead = self.policy.lead();
        let from_zero = self.count("minReplicaCount").unwrap_or(MIN_COUNT) == 0;
        if from_zero && Span::seconds(polling) > lead {
            let message =
                format!("at zero, KEDA asks every {}, but a pod takes {lead}", Span::seconds(polling));
            let mend = format!("write pollingInterval: {POLLING}, or type: external-push");
            findings.add(&rules::POLLING_TOO_SLOW, self.of_spec("pollingInterval"), message, mend);
        }
    }

    fn check_tolerance(&self, findings: &mut Findings<'_>) {
        /// Below ten replicas, a change by one is more than 10 %.
        const TELLS_FROM: i64 = 10;
        let behavior = ["advanced", "horizontalPodAutoscalerConfig", "behavior"];
        let behavior = self.object.spec().and_then(|spec| spec.at(&behavior));
        let of = |direction: &str| {
            let text = behavior.and_then(|b| b.get(direction)).and_then(|d| d.text_of("tolerance"));
            text.and_then(|t| t.trim().parse::<f64>().ok())
        };
        let (up, down) = (of("scaleUp"), of("scaleDown"));
        if self.trigger.metadata.contains_key("tolerance") {
            let reckoned = self.policy.tolerance;
            let actual = up.unwrap_or(0.1);
            if (actual - reckoned).abs() > 1e-9 {
                let message = format!("tolerance is {reckoned}, but the HPA's for scaling up is {actual}");
                let mend = "write the HPA's tolerance in both places";
                findings.add(&rules::TOLERANCE_DISAGREES, self.of_key("tolerance", findings), message, mend);
            }
            return;
        }
        let most = self.count("maxReplicaCount").unwrap_or(MAX_COUNT);
        let is_exact = up == Some(0.0) && down == Some(0.0);
        if most > TELLS_FROM
            && !is_exact
            && self.policy.queries.replicas.is_none()
            && self.object.triggers.len() == 1
        {
            let message = format!(
                "from {TELLS_FROM} replicas (up to {most}), the HPA ignores changes of up to a tenth"
            );
            let mend = "write advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.tolerance: 0 and scaleDown's too, \
                        or replicasQuery";
            findings.add(&rules::TOLERANCE_SWALLOWS, self.at, message, mend);
        }
    }
}
