//! One workload's result: its row in `fleet.json`, and what the report needs in addition.
//!
//! Figures are rounded once, here, so that a stored result prints the same when it is read again.

use serde::{Deserialize, Serialize};

use super::inventory::{Candidate, LoadQuery};
use crate::simulate::{Assessment, Compared, Finding, Verdict};

/// Shares of time short, in percent, for which `fleet.csv` has the replica-hours of each way of scaling: they show
/// what safety costs.
pub(super) const LEVELS: [f64; 4] = [0.1, 0.5, 1.0, 5.0];

/// The stored result of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub row: Row,
    /// Days that were scored.
    pub days: f64,
    /// Replica-hours saved over the days scored.
    pub saved_hours: Option<f64>,
    /// The price of one replica for an hour; `None` if its requests are not known.
    pub price: Option<f64>,
    /// Replica-hours at some shares of time short: reactive, schedule, predictive, for each of [`LEVELS`].
    pub hours_at: Vec<[Option<f64>; 3]>,
    /// The load of the last week, thinned for a small picture.
    pub sparkline: Vec<f32>,
    /// The query that reads the load.
    pub query: Option<String>,
    /// The proposed ScaledObject, if there is one.
    pub manifest_text: Option<String>,
    /// The file of the workload's own report.
    pub report: Option<String>,
    /// Whether the source did not answer: the next run tries again.
    pub failed: bool,
}

/// One row of `fleet.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub namespace: String,
    pub name: String,
    pub verdict: String,
    pub reason: String,
    /// Relative to the replica-hours that ran; `None` if those are not known, or nothing else is as safe.
    pub saving_percent: Option<f64>,
    pub short_percent: Figures,
    pub replica_hours: Figures,
    pub threshold: Threshold,
    /// The load that one replica was seen to carry.
    pub capacity: Option<f64>,
    /// The largest share of time short, in percent, for each way of scaling in these figures, if it can be that safe.
    pub level_percent: Option<f64>,
    /// The share of the hourly variation that the time of day or week explains, in percent.
    pub clock_percent: Option<f64>,
    /// The file of the proposed ScaledObject.
    pub manifest: Option<String>,
}

/// One figure for each way of scaling.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Figures {
    pub ran: Option<f64>,
    pub reactive: Option<f64>,
    pub schedule: Option<f64>,
    pub predictive: Option<f64>,
}

/// The load per replica used in the comparison.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Threshold {
    pub used: Option<f64>,
    pub source: String,
}

// === impl Kept ===

impl Kept {
    /// A workload that was compared.
    pub(super) fn of(candidate: &Candidate, assessment: &Assessment, clock: f64, price: Option<f64>) -> Self {
        let figures = |figure: fn(&Compared) -> f64| Figures {
            ran: assessment.ran.as_ref().map(figure).map(rounded),
            reactive: Some(rounded(figure(&assessment.reactive))),
            schedule: Some(rounded(figure(&assessment.schedule))),
            predictive: Some(rounded(figure(&assessment.predictive))),
        };
        let saving = assessment.saving_percent.map(rounded);
        let saved_hours =
            assessment.ran.zip(saving).map(|(ran, saving)| rounded(ran.replica_hours * saving / 100.0));
        let row = Row {
            verdict: assessment.verdict.as_str().to_owned(),
            reason: reason(&assessment.finding),
            saving_percent: saving,
            short_percent: figures(|c| c.short_percent),
            replica_hours: figures(|c| c.replica_hours),
            level_percent: Some(rounded(assessment.level)),
            clock_percent: Some(rounded(100.0 * clock)),
            ..Row::blank(candidate)
        };
        Kept { days: rounded(assessment.days), saved_hours, price, ..Kept::blank(row) }
    }

    /// A workload that cannot be judged.
    pub(super) fn missing(candidate: &Candidate, why: String) -> Self {
        Kept::blank(Row { reason: why, ..Row::blank(candidate) })
    }

    fn blank(row: Row) -> Self {
        Kept {
            row,
            days: 0.0,
            saved_hours: None,
            price: None,
            hours_at: Vec::new(),
            sparkline: Vec::new(),
            query: None,
            manifest_text: None,
            report: None,
            failed: false,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        Verdict::ALL.into_iter().find(|v| v.as_str() == self.row.verdict).unwrap_or(Verdict::CannotTell)
    }

    /// Percent of time short of replicas if the verdict is followed; as it ran if there is nothing to follow.
    pub(super) fn short_then(&self) -> Option<f64> {
        let short = &self.row.short_percent;
        match self.verdict() {
            Verdict::Predictive => short.predictive,
            Verdict::Schedule => short.schedule,
            Verdict::Reactive | Verdict::OverProvisioned => short.reactive,
            Verdict::AtRisk | Verdict::CannotTell => short.ran,
        }
    }

    /// Replica-hours saved per month of 30 days.
    pub(super) fn saved_a_month(&self) -> Option<f64> {
        self.saved_hours.filter(|_| self.days > 0.0).map(|hours| hours / self.days * 30.0)
    }
}

impl Row {
    fn blank(candidate: &Candidate) -> Self {
        Row {
            namespace: candidate.place.namespace.clone(),
            name: candidate.place.name.clone(),
            verdict: Verdict::CannotTell.as_str().to_owned(),
            reason: String::new(),
            saving_percent: None,
            short_percent: Figures::default(),
            replica_hours: Figures::default(),
            threshold: Threshold::of(candidate),
            capacity: None,
            level_percent: None,
            clock_percent: None,
            manifest: None,
        }
    }
}

impl Threshold {
    fn of(candidate: &Candidate) -> Self {
        let load = candidate.load.as_ref().ok();
        Threshold {
            used: load.and_then(LoadQuery::per_replica),
            source: load.map_or_else(String::new, |load| load.threshold_source.clone()),
        }
    }
}

/// Rounded to four decimal places: more would be false precision, and a figure must print as it was stored.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn reason(finding: &Finding) -> String {
    match *finding {
        Finding::Cheaper { share, level } => format!(
            "a forecast needs {:.0} % fewer replica-hours than the best of the others, each short at most {level} % \
             of the time",
            100.0 * share
        ),
        Finding::OnlySafe { level } => {
            format!(
                "only a forecast is short of replicas for at most {level} % of the time; neither a trigger \
                 on the load now nor a rule for busy hours is"
            )
        }
        Finding::BusyHours(busy) => format!(
            "the load has fixed busy hours, {:02}:00 to {:02}:00 {}; a schedule next to the trigger is \
             enough",
            busy.start,
            busy.end % 24,
            if busy.weekends_too { "every day" } else { "on weekdays" }
        ),
        Finding::LittleToGain { share } if share > 0.0 => {
            format!(
                "a forecast would save at most {:.0} %; a trigger on the load now is enough",
                100.0 * share
            )
        }
        Finding::LittleToGain { .. } => {
            "a forecast saves nothing; a trigger on the load now is enough".to_owned()
        }
        Finding::Floor { min_replicas, usual, ratio } => format!(
            "minReplicas {min_replicas} holds {ratio:.1} times the replicas that the load needs; {usual} are enough for \
             95 % of the time"
        ),
        Finding::RanMore { ratio } => format!(
            "{ratio:.1} times as many replicas ran as the threshold asks for, at every load; another \
             trigger or a fixed count keeps them"
        ),
        Finding::NeverSafe { least } => {
            format!("short of replicas for at least {least:.2} % of the time, whatever scales it")
        }
    }
}
