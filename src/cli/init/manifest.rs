//! The proposal as the keys of a trigger and as a manifest.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::survey::Survey;
use crate::lint::PLACEHOLDER;
use crate::source::promql::string_literal;
use crate::units::{Span, Threshold};

/// The input of a proposal.
pub(in crate::cli) struct Given<'a> {
    pub name: &'a str,
    /// Kind and name of the scaled object.
    pub target: (&'a str, &'a str),
    pub namespace: &'a str,
    /// Where the scaler listens.
    pub scaler: &'a str,
    /// `None` if the load came from a trace.
    pub query: Option<&'a str>,
    pub lead: Span,
    pub timezone: chrono_tz::Tz,
    pub min_replicas: u32,
    /// By default 1.5 times the most that was ever needed.
    pub max_replicas: Option<u32>,
}

/// The proposal; the quantile and the largest need come from the backtest.
pub(in crate::cli) struct Proposal {
    name: String,
    target: (String, String),
    namespace: String,
    scaler: String,
    pub query: String,
    pub threshold: Threshold,
    lead: Span,
    timezone: chrono_tz::Tz,
    pub min: u32,
    pub max: u32,
    /// The replicas needed while the scaler is not available.
    fallback: u32,
    pub quantile: f64,
    /// The share of time that may be short, instead of a quantile.
    pub target_share: Option<String>,
    /// A schedule rule, and the reason for it.
    schedule: Option<(String, String)>,
    /// The most replicas that the load ever needed.
    needed: u32,
    /// Whether the query is a placeholder for an unknown one.
    is_placeholder: bool,
}

// === impl Proposal ===

impl Proposal {
    pub(in crate::cli) fn new(given: &Given<'_>, survey: &Survey, threshold: Threshold) -> Self {
        let replicas = |load: f64| threshold.replicas_for(load).get();
        let min = given.min_replicas;
        let most = replicas(survey.highest());
        let max = given.max_replicas.unwrap_or(most + most.div_ceil(2)).max(min).max(1);
        let schedule = survey.busy().and_then(|busy| {
            let floor = replicas(busy.load).min(max);
            let (days, every) = if busy.weekends_too { ("daily", "day") } else { ("mon-fri", "weekday") };
            let hours = (busy.start, busy.end % 24);
            let rule = format!(
                "- {{name: busy hours, days: {days}, start: '{:02}:00', end: '{:02}:00', min: {floor}}}",
                hours.0, hours.1
            );
            let why = format!(
                "schedule: from {:02}:00 to {:02}:00 every {every} the load needs {floor} replicas three \
                 quarters of the time; a floor costs little and works without any history.",
                hours.0, hours.1
            );
            (floor > min).then_some((rule, why))
        });
        Proposal {
            name: given.name.to_owned(),
            target: (given.target.0.to_owned(), given.target.1.to_owned()),
            namespace: given.namespace.to_owned(),
            scaler: given.scaler.to_owned(),
            query: given.query.unwrap_or(PLACEHOLDER).to_owned(),
            threshold,
            lead: given.lead,
            timezone: given.timezone,
            min,
            max,
            fallback: replicas(survey.typical()).clamp(min.max(1), max),
            quantile: 0.95,
            target_share: None,
            schedule,
            needed: most,
            is_placeholder: given.query.is_none(),
        }
    }

    /// The keys of the trigger, in the order of the manifest.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("query", self.query.clone()),
            ("threshold", number(self.threshold.get())),
            match &self.target_share {
                Some(share) => ("underProvisionTarget", share.clone()),
                None => ("quantile", number(self.quantile)),
            },
            ("leadTime", self.lead.to_string()),
            ("minReplicas", self.min.to_string()),
            ("maxReplicas", self.max.to_string()),
        ];
        if self.timezone != chrono_tz::UTC {
            rows.push(("timezone", self.timezone.name().to_owned()));
        }
        rows
    }

    /// The keys as the policy reads them.
    pub(super) fn keys(&self) -> HashMap<String, String> {
        let schedule = self.schedule.iter().map(|(rule, _)| ("schedule", rule.clone()));
        self.rows().into_iter().chain(schedule).map(|(key, value)| (key.to_owned(), value)).collect()
    }

    pub(super) fn json(&self) -> Value {
        json!(self.keys())
    }

    pub(super) fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.schedule.iter().map(|schedule| schedule.1.clone()).collect();
        if self.schedule.is_none() {
            told.push("schedule: none; there are no busy hours that stand out.".to_owned());
        }
        if self.needed > self.max {
            told.push(format!("maxReplicas {} binds: the load needed up to {}.", self.max, self.needed));
        }
        if self.is_placeholder {
            told.push(format!("query: a trace does not contain it; replace {PLACEHOLDER} with yours."));
        }
        told
    }

    fn target_reference(&self) -> String {
        let (kind, name) = (&self.target.0, string_literal(&self.target.1));
        // KEDA's default target is a Deployment.
        let version = match kind.as_str() {
            "Deployment" => return format!("    name: {name}\n"),
            "Rollout" => "argoproj.io/v1alpha1",
            _ => "apps/v1",
        };
        format!("    apiVersion: {version}\n    kind: {kind}\n    name: {name}\n")
    }

    /// The whole ScaledObject.
    pub(in crate::cli) fn manifest(&self) -> String {
        let Proposal { min, max, fallback, .. } = self;
        let (name, namespace, scaler) =
            (string_literal(&self.name), string_literal(&self.namespace), string_literal(&self.scaler));
        let target = self.target_reference();
        let mut text = format!(
            "# One trigger, one metric: CPU and memory belong in a policy, as further signals. If there is
# another trigger and KEDA restarts while Forescale cannot be reached, KEDA scales down by the other alone.
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {name}
  namespace: {namespace}
spec:
  scaleTargetRef:
{target}  # The floor that holds whatever else fails: what your business needs at any time.
  minReplicaCount: {min}
  maxReplicaCount: {max}
  fallback:
    failureThreshold: 3
    replicas: {fallback}
    behavior: currentReplicasIfHigher
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp:
          tolerance: \"0\"
        scaleDown:
          tolerance: \"0\"
  triggers:
    - type: external
      metadata:
        scalerAddress: {scaler}
"
        );
        for (key, value) in self.rows() {
            text += &format!("        {key}: {}\n", string_literal(&value));
        }
        if let Some((rule, _)) = &self.schedule {
            text += &format!("        schedule: |\n          {rule}\n");
        }
        text
    }
}

/// Rounded to four significant digits: more would be false precision.
fn number(value: f64) -> String {
    let digits = usize::try_from(3 - value.abs().log10().floor() as i64).unwrap_or(0);
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let read = [0.95, 12.0, 12.345_678, 0.001_234_56, 98_765.4, 0.5].map(number);
        assert_eq!(read, ["0.95", "12", "12.35", "0.001235", "98765", "0.5"]);
    }
}
