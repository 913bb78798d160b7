//! The verdict in words: a sentence that a manager understands, then what it is based on.

use super::Seen;
use crate::capacity::{Bound, Column, Findings, Known, Limit, Question, Verdict};
use crate::draw::number;
use crate::units::{counted, measured};

/// An answer above the observations by more than this factor is described as beyond them.
pub(super) const BEYOND: f64 = 1.05;

/// The sentence for a manager.
pub(super) fn sentence(findings: &Findings) -> String {
    match &findings.verdict {
        Verdict::Known(known) => {
            let at = match findings.by_replicas.last() {
                Some(last) if findings.depends_on_replicas => {
                    format!(" where {} run", counted(last.replicas, "replica"))
                }
                _ => String::new(),
            };
            format!(
                "One replica carries {}{at}, with nine chances in ten between {} and {}.",
                short(known.carried.value),
                short(known.carried.low),
                short(known.carried.high)
            )
        }
        Verdict::CannotTell(_) => "These observations do not show what one replica carries.".to_owned(),
    }
}

/// The reason for the verdict.
pub(super) fn why(question: &Question, findings: &Findings) -> String {
    match &findings.verdict {
        Verdict::Known(known) => reasons(question, findings, known),
        Verdict::CannotTell(whys) => whys.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

fn reasons(question: &Question, findings: &Findings, known: &Known) -> String {
    let answers = &findings.answers;
    let mut told = match known.bound {
        Bound::Cpu => {
            let fit = answers.cpu.and_then(Result::ok);
            let (base, slope) = fit.map_or((0.0, 0.0), |fit| (fit.base, fit.slope));
            format!(
                "CPU binds: each unit of load takes {} beside {} at rest, and a replica may use {} % of its \
                 request of {}",
                measured(&short(slope), "core"),
                short(base),
                (100.0 * question.utilization).round(),
                measured(&short(question.request.unwrap_or(0.0)), "core")
            )
        }
        Bound::Latency => format!("the objective binds: {} is missed beyond it", objective(findings)),
        Bound::Throughput => {
            "throughput binds: replicas complete no more, however much work waits".to_owned()
        }
        Bound::Demonstrated => format!(
            "the load carried for a quarter of an hour with the objective met ({}) binds",
            short(answers.demonstrated.unwrap_or(known.carried.value))
        ),
    };
    if known.beyond > BEYOND {
        told += &format!(
            "; that is beyond what was seen, {:.1} times the largest load of a replica ({})",
            known.beyond,
            short(answers.seen)
        );
    }
    if findings.depends_on_replicas {
        let by: Vec<String> = findings
            .by_replicas
            .iter()
            .map(|at| format!("{} with {}", short(at.carried.value), at.replicas))
            .collect();
        told += &format!("; it is not linear in replicas: {}", by.join(", "));
    }
    if let Some(ceiling) = findings.ceiling {
        told += &format!("; more replicas hardly raise the total: a shared ceiling of {}", short(ceiling));
    }
    told
}

fn objective(findings: &Findings) -> String {
    match findings.objective {
        Some(Limit::Latency(seconds)) => format!("a latency of {} s", short(seconds)),
        Some(Limit::Failed(share)) => format!("failures of {} %", short(100.0 * share)),
        Some(Limit::Missed(share)) => format!("{} % of slow requests", short(100.0 * share)),
        _ => "latency".to_owned(),
    }
}

/// What data would give an answer, or a better one.
pub(super) fn would_tell(findings: &Findings) -> Option<String> {
    let told = experiment(findings)?;
    Some(if told.contains("squeeze") { format!("{told}; {SQUEEZE}") } else { told })
}

fn experiment(findings: &Findings) -> Option<String> {
    match &findings.verdict {
        Verdict::CannotTell(whys) => whys.first().map(|why| why.experiment().to_owned()),
        Verdict::Known(known) if known.beyond > BEYOND => Some(
            "a planned squeeze: hold fewer replicas for an hour at a busy time, and watch the objective"
                .to_owned(),
        ),
        Verdict::Known(_) => None,
    }
}

/// All lines printed on a terminal.
pub(super) fn told(seen: &Seen, question: &Question, findings: &Findings) -> Vec<String> {
    let mut told = vec![sentence(findings), format!("Why: {}.", why(question, findings))];
    if let Some(would) = would_tell(findings) {
        told.push(format!("What would tell: {would}."));
    }
    told.extend(rest(seen, question, findings));
    told
}

/// The command that lowers the replicas for a while, for a workload that Forescale serves.
const SQUEEZE: &str = "`forescale override NAMESPACE/NAME --replicas N --for 1h --reason squeeze` prints the patch, \
                       where N is half of what runs then";

/// What the verdict is based on.
pub(super) fn rest(seen: &Seen, question: &Question, findings: &Findings) -> Vec<String> {
    let answers = &findings.answers;
    let mut told = Vec::new();
    if let Some(Ok(fit)) = answers.cpu {
        told.push(format!(
            "CPU: {} at {} % of {} ({} at rest, {} for each unit of load, correlation {:.2}).",
            short(fit.carried.value),
            (100.0 * question.utilization).round(),
            measured(&short(question.request.unwrap_or(0.0)), "core"),
            short(fit.base),
            short(fit.slope),
            fit.correlation
        ));
    }
    if let Some(Ok(knee)) = answers.latency {
        told.push(format!("Objective: {} up to {}.", objective(findings), short(knee.value)));
    }
    if let Some(Ok(rate)) = answers.throughput {
        told.push(format!("Throughput while work waits: {}.", short(rate.value)));
    }
    let refusals = [
        ("CPU", answers.cpu.and_then(Result::err)),
        ("Objective", answers.latency.and_then(Result::err)),
        ("Throughput", answers.throughput.and_then(Result::err)),
    ];
    if findings.verdict.known().is_some() {
        told.extend(refusals.into_iter().filter_map(|(what, why)| Some(format!("{what}: {}.", why?))));
    }
    if let Some(least) = answers.demonstrated {
        told.push(format!("Carried for a quarter of an hour with the objective met: {}.", short(least)));
    }
    let out = findings.left_out;
    let left: Vec<String> = [
        (out.gaps, "gap"),
        (out.idle, "idle row"),
        (out.starts, "row after a start"),
        (out.rollouts, "row of a rollout"),
        (out.storms, "row of failures"),
        (out.other_templates, "row of another template"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| if count == 1 { format!("1 {what}") } else { format!("{count} {}", plural(what)) })
    .collect();
    let left = if left.is_empty() { "nothing".to_owned() } else { left.join(", ") };
    told.push(format!(
        "Learned from {} of {}; left out: {left}.",
        counted(findings.cells, "cell"),
        counted(seen.evidence.len(), "row")
    ));
    if findings.keeps_starts {
        told.push("Pods start so often that the minutes after a start were kept.".to_owned());
    }
    if question.request.is_none() && seen.evidence.has(Column::Cpu) {
        told.push("The CPU use is known, but the CPU request is not: set --request.".to_owned());
    }
    told.extend(seen.missing.iter().map(|missing| format!("Missing: {missing}.")));
    told
}

fn plural(what: &str) -> String {
    match what.strip_prefix("row") {
        Some(rest) => format!("rows{rest}"),
        None => format!("{what}s"),
    }
}

/// Three significant digits, also for small numbers.
pub(super) fn short(value: f64) -> String {
    if value.abs() >= 1.0 || value == 0.0 {
        return number(value);
    }
    let digits = usize::try_from(2 - value.abs().log10().floor() as i64).unwrap_or(2).min(12);
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_their_digits() {
        let read = [0.041_63, 12.345, 0.5, 0.0, 0.000_123_4].map(short);
        assert_eq!(read, ["0.0416", "12.3", "0.5", "0", "0.000123"]);
        assert_eq!(
            (plural("row after a start"), plural("gap")),
            ("rows after a start".into(), "gaps".into())
        );
    }
}
