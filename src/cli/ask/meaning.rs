//! What KEDA and the HPA make of the answers: the replicas they ask for, or why nothing changes.

use tonic::Code;

use super::call::{Answers, target, value};
use super::object::{Asker, Asking, Limits};
use crate::units::counted;

/// The consequence.
pub(super) struct Meaning {
    /// The replicas that would be asked for; absent if that is not known from here.
    pub replicas: Option<u32>,
    /// In words.
    pub lines: Vec<String>,
}

// === impl Meaning ===

impl Meaning {
    pub(super) fn of(asking: &Asking, answers: &[Answers]) -> Self {
        let Limits { min, max, idle, .. } = asking.limits;
        let mut lines = Vec::new();
        for (trigger, answers) in asking.triggers.iter().zip(answers) {
            lines.extend(answers.failures().next().map(|(method, status)| {
                let place = format!("trigger {}: {method}", trigger.index);
                format!("{place} fails: {}", remedy(status.code()))
            }));
        }
        let is_whole = answers.iter().all(Answers::is_whole);
        let is_active = answers.iter().any(|a| matches!(a.active, Some(Ok(true))));
        let wanted = asking.triggers.iter().zip(answers).filter_map(|(trigger, a)| wanted(trigger, a)).max();
        if asking.triggers.iter().any(|trigger| !trigger.is_average) {
            lines.push(
                "metricType: the HPA multiplies the value by the replicas that run; use AverageValue, KEDA's default"
                    .to_owned(),
            );
        }
        let rest = idle.unwrap_or(min);
        let mut replicas = None;
        if !is_whole {
            lines.push(held(asking, wanted));
        } else if !is_active && (min == 0 || idle.is_some()) {
            replicas = Some(rest);
            lines
                .push(format!("KEDA sees that nothing is active, and scales to {rest} after cooldownPeriod"));
        } else if let Some(wanted) = wanted {
            let asked = wanted.clamp(min.max(1), max.max(1));
            replicas = Some(asked);
            lines.push(format!(
                "KEDA sees {wanted}: the HPA asks for {}{}",
                counted(asked as usize, "replica"),
                if asked == wanted {
                    String::new()
                } else {
                    format!(", between minReplicaCount {min} and maxReplicaCount {max}")
                }
            ));
        }
        if asking.others > 0 {
            lines.push(format!(
                "the most of all triggers counts, and {} not asked here",
                besides(asking.others)
            ));
        }
        Meaning { replicas, lines }
    }
}

fn besides(others: usize) -> String {
    if others == 1 { "1 other was".to_owned() } else { format!("{others} others were") }
}

/// The replicas that the HPA makes of a trigger's values, without its tolerance.
fn wanted(trigger: &Asker, answers: &Answers) -> Option<u32> {
    let specs = answers.specs.iter().flatten().filter(|_| trigger.is_average);
    let each = specs.zip(&answers.values).filter_map(|(spec, values)| {
        let sum: f64 = values.as_ref().ok()?.iter().map(value).sum();
        let share = sum / target(spec);
        // Saturating, so that an absurd value stays absurd.
        (target(spec) > 0.0 && share.is_finite()).then_some(share.ceil().max(0.0) as u32)
    });
    each.max()
}

/// What happens while calls fail.
fn held(asking: &Asking, wanted: Option<u32>) -> String {
    let held = match wanted {
        Some(wanted) => format!("KEDA sees only a part: the HPA may scale out to {wanted}, and not in"),
        None => "KEDA has no number: the HPA keeps what runs".to_owned(),
    };
    match asking.limits.fallback {
        Some((failures, replicas)) => {
            format!(
                "{held}; after {failures} failed polls fallback asks for {}",
                counted(replicas as usize, "replica")
            )
        }
        None => held,
    }
}

fn remedy(code: Code) -> &'static str {
    match code {
        Code::Unavailable => "the server has no number yet, or none any more; --within 60s asks again",
        Code::InvalidArgument => {
            "correct the metadata; forescale lint finds such faults before they are applied"
        }
        Code::FailedPrecondition => "another server or one set of metadata is meant, as the message says",
        Code::ResourceExhausted => "the server has reached a limit of its configuration",
        Code::Unimplemented => "this is no external scaler of KEDA",
        Code::DeadlineExceeded | Code::Cancelled => "the server is too slow for KEDA",
        _ => "the server's log says more",
    }
}
