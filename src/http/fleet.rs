//! All workloads in one table: filtered, sorted and summed up; the same for the page, JSON and CSV.
//!
//! Savings compare the forecast's answers with those of a reactive trigger, using two simulations that have run since
//! this server started (`simulate::Ledger`). They may be negative and are shown that way.

use std::cmp::Ordering;

use serde::Deserialize;

use super::overview::{KnownWorkload, Worth};
use crate::decide::{Condition, Contributor, Severity};
use crate::units::Time;

/// Query parameters of the fleet's page.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Choice {
    /// Part of a name.
    pub q: Option<String>,
    /// One namespace.
    pub namespace: Option<String>,
    /// The name of a state.
    pub state: Option<String>,
    /// `saved` or `spent`: in total fewer or more replica-hours than a reactive trigger.
    pub saving: Option<String>,
    /// The sort order.
    #[serde(default)]
    pub sort: Sort,
    /// The page, counted from 0.
    pub page: Option<usize>,
}

/// Sort orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// The worst state first.
    #[default]
    State,
    /// By namespace and name.
    Name,
    /// The most replicas first.
    Replicas,
    /// The largest load first, regardless of unit.
    Load,
    /// The most replica-hours saved first.
    Saved,
    /// The most replica-hours spent first.
    Spent,
    /// The most under-provisioned hours avoided first.
    Short,
}

/// A workload in the table.
pub(super) struct Row<'a> {
    pub known: &'a KnownWorkload,
    /// Its worst condition.
    pub state: Condition,
}

/// The totals of the selected rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Totals {
    pub workloads: usize,
    pub bad: usize,
    pub warnings: usize,
    /// Replicas asked for.
    pub replicas: u64,
    /// Replicas that the load now needs.
    pub needed: u64,
    /// Replicas that the forecast of the coming minutes needs; if there is none, those for the load now.
    pub expected: u64,
    pub worth: Worth,
}

/// The selected rows, in order.
pub(super) struct Fleet<'a> {
    /// How many of all workloads are bad and how many have a warning, regardless of the filter.
    pub all: (usize, usize),
    pub rows: Vec<Row<'a>>,
    pub totals: Totals,
}

/// Rows per page: more would be too many for a screen reader or a phone.
pub(super) const ROWS: usize = 100;

// === impl Sort ===

impl Sort {
    /// All sort orders, with their names in links.
    pub const ALL: [(Sort, &'static str); 7] = [
        (Sort::State, "state"),
        (Sort::Name, "name"),
        (Sort::Replicas, "replicas"),
        (Sort::Load, "load"),
        (Sort::Saved, "saved"),
        (Sort::Spent, "spent"),
        (Sort::Short, "short"),
    ];

    /// Its name in a link.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(sort, _)| *sort == self).map_or("state", |(_, name)| name)
    }
}

// === impl Choice ===

impl Choice {
    fn keeps(&self, row: &Row<'_>) -> bool {
        let id = &row.known.id;
        let is_asked = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted == found)
        };
        let saved = row.known.worth.map_or(0.0, |worth| worth.saved);
        let saves = match self.saving.as_deref() {
            Some("saved") => saved > 0.0,
            Some("spent") => saved < 0.0,
            _ => true,
        };
        let part = self.q.as_deref().unwrap_or_default().trim();
        saves
            && is_asked(&self.namespace, id.namespace())
            && is_asked(&self.state, row.state.as_str())
            && (part.is_empty() || format!("{}/{}", id.namespace(), id.name()).contains(part))
    }
}

// === impl Fleet ===

impl<'a> Fleet<'a> {
    /// The selected rows, in the selected order.
    pub fn of(known: &'a [KnownWorkload], choice: &Choice, now: Time) -> Self {
        let mut rows: Vec<Row<'a>> =
            known.iter().map(|known| Row { known, state: known.condition(now) }).collect();
        let count = |severity| rows.iter().filter(|row| row.state.severity() == severity).count();
        let all = (count(Severity::Bad), count(Severity::Warning));
        rows.retain(|row| choice.keeps(row));
        // Stable, so that equal rows stay sorted by name.
        match choice.sort {
            Sort::Name => {}
            Sort::State => rows.sort_by_cached_key(|row| (row.state.severity(), row.state.rank())),
            Sort::Replicas => rows.sort_by(|a, b| most_first(a.replicas(), b.replicas())),
            Sort::Load => rows.sort_by(|a, b| most_first(a.load(), b.load())),
            Sort::Saved => rows.sort_by(|a, b| most_first(a.worth().saved, b.worth().saved)),
            Sort::Spent => rows.sort_by(|a, b| most_first(-a.worth().saved, -b.worth().saved)),
            Sort::Short => rows.sort_by(|a, b| most_first(a.worth().avoided, b.worth().avoided)),
        }
        let totals = rows.iter().fold(Totals::default(), |totals, row| totals.with(row));
        Fleet { all, rows, totals }
    }

    /// The last page, counted from 0.
    pub fn last_page(&self) -> usize {
        self.rows.len().saturating_sub(1) / ROWS
    }

    /// The rows of a page and its number; beyond the last page, those of the last.
    pub fn page(&self, choice: &Choice) -> (usize, &[Row<'a>]) {
        let page = choice.page.unwrap_or(0).min(self.last_page());
        let rows = self.rows.get(page * ROWS..).unwrap_or_default();
        (page, rows.get(..ROWS).unwrap_or(rows))
    }
}

impl Fleet<'_> {
    /// All selected rows as CSV. Names and states contain no comma, quote or line break.
    pub fn csv(&self) -> String {
        let mut out = String::from(
            "namespace,name,metric,state,replicas,needed_now,load,replica_hours_saved,hours_short_avoided,\
             hours_counted\n",
        );
        for Row { known, state } in &self.rows {
            let id = &known.id;
            let decision = known.status.decision();
            let needed = decision.and_then(|decision| decision.need(Contributor::Reactive));
            let worth = known.worth;
            let cells = [
                id.namespace().to_owned(),
                id.name().to_owned(),
                id.metric().to_owned(),
                state.as_str().to_owned(),
                cell(decision.map(|decision| decision.replicas)),
                cell(needed),
                cell(decision.and_then(|decision| decision.load)),
                cell(worth.map(|worth| worth.saved)),
                cell(worth.map(|worth| worth.avoided)),
                cell(worth.map(|worth| worth.hours)),
            ];
            out.push_str(&cells.join(","));
            out.push('\n');
        }
        out
    }
}

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn most_first(a: f64, b: f64) -> Ordering {
    b.total_cmp(&a)
}

// === impl Row ===

impl Row<'_> {
    fn replicas(&self) -> f64 {
        self.known.status.decision().map_or(-1.0, |decision| f64::from(decision.replicas.get()))
    }

    fn load(&self) -> f64 {
        self.known.status.decision().and_then(|decision| decision.load).unwrap_or(-1.0)
    }

    fn worth(&self) -> Worth {
        self.known.worth.unwrap_or_default()
    }
}

// === impl Totals ===

impl Totals {
    fn with(mut self, row: &Row<'_>) -> Self {
        self.workloads += 1;
        self.bad += usize::from(row.state.severity() == Severity::Bad);
        self.warnings += usize::from(row.state.severity() == Severity::Warning);
        if let Some(decision) = row.known.status.decision() {
            let need = |of| decision.need(of).map(|replicas| u64::from(replicas.get()));
            let now = need(Contributor::Reactive).unwrap_or(0);
            self.replicas += u64::from(decision.replicas.get());
            self.needed += now;
            self.expected += need(Contributor::Forecast).unwrap_or(now);
        }
        let worth = row.worth();
        self.worth.saved += worth.saved;
        self.worth.avoided += worth.avoided;
        self.worth.hours = self.worth.hours.max(worth.hours);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Blind;
    use crate::http::WorkloadStatus;
    use crate::policy::{Faults, WorkloadId};
    use crate::units::Span;

    fn known(namespace: &str, name: &str, status: WorkloadStatus, saved: f64) -> KnownWorkload {
        KnownWorkload {
            id: WorkloadId::new(namespace, name, "forescale").expect("valid"),
            status,
            policy: None,
            last_asked: now(),
            most_age: Span::MINUTE,
            worth: Some(Worth { saved, avoided: saved / 2.0, hours: 3.0 }),
            failing: std::sync::Arc::default(),
        }
    }

    fn now() -> Time {
        Time::from_epoch(1_000_000)
    }

    fn fleet() -> Vec<KnownWorkload> {
        let blind = || WorkloadStatus::Blind(Blind::NoData { why: String::new() });
        let warming = || WorkloadStatus::Blind(Blind::Warming { missing: String::new() });
        vec![
            known("pay", "api", warming(), 2.0),
            known("shop", "cart", blind(), -5.0),
            known("shop", "web", WorkloadStatus::Faulty(Faults(Vec::new())), 4.0),
            known("shop", "worker", warming(), 0.0),
        ]
    }

    fn names(choice: &Choice) -> Vec<String> {
        let all = fleet();
        Fleet::of(&all, choice, now()).rows.iter().map(|row| row.known.id.name().to_owned()).collect()
    }

    #[test]
    fn rows_are_chosen_by_name_namespace_state_and_saving() {
        let some = |text: &str| Some(text.to_owned());
        for (choice, want) in [
            (Choice { q: some("p/w"), ..Choice::default() }, &["web", "worker"][..]),
            (Choice { namespace: some("pay"), ..Choice::default() }, &["api"]),
            (Choice { state: some("no_data"), ..Choice::default() }, &["cart"]),
            (Choice { saving: some("spent"), ..Choice::default() }, &["cart"]),
            (Choice { saving: some("saved"), namespace: some("shop"), ..Choice::default() }, &["web"]),
            (
                Choice { namespace: some(""), state: some(""), q: some(" "), ..Choice::default() },
                &["web", "cart", "api", "worker"],
            ),
        ] {
            assert_eq!(names(&choice), want, "{choice:?}");
        }
    }

    #[test]
    fn rows_are_sorted_and_summed_up() {
        for (sort, want) in [
            (Sort::State, ["web", "cart", "api", "worker"]),
            (Sort::Name, ["api", "cart", "web", "worker"]),
            (Sort::Saved, ["web", "api", "worker", "cart"]),
            (Sort::Spent, ["cart", "worker", "api", "web"]),
        ] {
            assert_eq!(names(&Choice { sort, ..Choice::default() }), want, "{sort:?}");
        }
        let all = fleet();
        let totals = Fleet::of(&all, &Choice::default(), now()).totals;
        assert_eq!((totals.workloads, totals.bad, totals.warnings), (4, 2, 2));
        // Savings are net: what one workload spends is subtracted from what another saves.
        assert_eq!(totals.worth, Worth { saved: 1.0, avoided: 0.5, hours: 3.0 });
    }

    #[test]
    fn pages_end_with_the_last() {
        let all: Vec<KnownWorkload> = (0..ROWS + 7)
            .map(|i| {
                let blind = WorkloadStatus::Blind(Blind::NoData { why: String::new() });
                known("shop", &format!("w{i:03}"), blind, 0.0)
            })
            .collect();
        let fleet = Fleet::of(&all, &Choice::default(), now());
        let page = |page| fleet.page(&Choice { page, ..Choice::default() });
        assert_eq!((page(None).0, page(None).1.len()), (0, ROWS));
        assert_eq!((page(Some(1)).0, page(Some(1)).1.len()), (1, 7));
        assert_eq!((page(Some(999)).0, page(Some(999)).1.len()), (1, 7));
        let none = Fleet::of(&[], &Choice::default(), now());
        assert_eq!((none.last_page(), none.page(&Choice::default()).1.len()), (0, 0));
    }
}
