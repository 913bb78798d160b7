//! Joins rows into comparable cells of one to five minutes; misleading rows are left out and counted.
//!
//! A cell never spans different numbers of replicas, two templates, or both sides of a gap. What is left out is
//! reported; nothing is repaired.

use std::ops::Range;

use super::evidence::{COLUMNS, Column, Evidence};
use crate::units::{Span, Time};

/// Rows that were left out, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Load or replicas are unknown.
    pub gaps: usize,
    /// No load, or no replica.
    pub idle: usize,
    /// The first minutes after a pod became ready.
    pub starts: usize,
    /// The minutes after a change of the pod template.
    pub rollouts: usize,
    /// More than a fifth of the requests failed: failed requests cost neither the time nor the CPU of a served one.
    pub storms: usize,
    /// Rows of a different pod template than the one that was learned from.
    pub other_templates: usize,
}

/// Stretches with a constant number of replicas.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    pub at: Vec<Time>,
    /// Means of each column; empty if the column is unknown.
    columns: [Vec<f64>; COLUMNS],
    /// Load of one replica, and its logarithm.
    each: Vec<f64>,
    pub log_each: Vec<f64>,
    /// How long each one is, in minutes.
    pub minutes: Vec<f64>,
    pub left_out: LeftOut,
    /// Whether pods start so often that the time after a start could not be left out.
    pub keeps_starts: bool,
}

/// New code runs interpreted, connections are opened and caches filled; most of that is over after this time.
const START: Span = Span::minutes(3);
/// A rollout replaces pods one after another, and each of them starts.
const ROLLOUT: Span = Span::minutes(10);
/// Above this share of failures the row describes failing, not serving.
const STORM: f64 = 0.2;
/// If starts would take more rows than this, leaving them out would bias the load by its own history.
const MOST_STARTS: f64 = 1.0 / 3.0;
/// With fewer rows than this none are left out.
const FEW_ROWS: usize = 24;
/// A template needs this many rows to be used on its own.
const ENOUGH_ROWS: usize = 60;
/// If more time than this was observed, cells are longer, up to five minutes: a month of one-minute cells adds
/// nothing.
const MANY_MINUTES: f64 = 14_400.0;
/// Rows at least this far apart are separate cells.
const COARSE: i64 = 45;

// === impl Cells ===

impl Cells {
    /// The cells of a table: one minute each, or as long as its rows, up to five minutes for a long table. With
    /// `fails_matter`, failures are what is judged.
    pub(super) fn of(evidence: &Evidence, fails_matter: bool) -> Cells {
        let mut kept = Kept::of(evidence, fails_matter);
        let settled = kept.candidates - kept.left_out.starts;
        if kept.left_out.starts as f64 > MOST_STARTS * kept.candidates as f64 || settled < FEW_ROWS {
            kept.left_out.starts = 0;
            kept.keeps_starts = true;
        }
        let rows: Vec<usize> = (0..evidence.len()).filter(|&i| kept.takes(i)).collect();
        let spacing = spacing(evidence);
        let minutes = rows.len() as f64 * spacing as f64 / 60.0;
        let length = Span::minutes((minutes / MANY_MINUTES).ceil().clamp(1.0, 5.0) as i64);
        let replicas = evidence.column(Column::Replicas as usize);
        let since = |one: usize, other: usize| evidence.at[rows[other]].since(evidence.at[rows[one]]);
        let changes = |one: usize, other: usize| whole(replicas[rows[other]]) != whole(replicas[rows[one]]);
        if spacing < COARSE {
            let parts = parts(rows.len(), |first, before, next| {
                since(first, next) >= Span::MINUTE
                    || since(before, next).as_seconds() > 2 * spacing
                    || changes(first, next)
            });
            let minutes = Cells::of_rows(evidence, &kept, &rows, spacing, &parts);
            return if length > Span::MINUTE { minutes.joined(length) } else { minutes.finished() };
        }
        let parts = parts(rows.len(), |first, before, next| {
            length == Span::MINUTE
                || since(first, next) >= length
                || since(before, next) > length
                || changes(first, next)
        });
        Cells::of_rows(evidence, &kept, &rows, spacing, &parts).finished()
    }

    /// A cell for each part of the rows, still without the load of a replica.
    fn of_rows(
        evidence: &Evidence,
        kept: &Kept,
        rows: &[usize],
        spacing: i64,
        parts: &[Range<usize>],
    ) -> Cells {
        Cells {
            at: parts.iter().map(|part| evidence.at[rows[part.start]]).collect(),
            columns: std::array::from_fn(|k| {
                let column = evidence.column(k);
                if evidence.has_at(k) { means(parts, |i| column[rows[i]]) } else { Vec::new() }
            }),
            each: Vec::new(),
            log_each: Vec::new(),
            minutes: parts.iter().map(|part| part.len() as f64 * spacing as f64 / 60.0).collect(),
            left_out: kept.left_out,
            keeps_starts: kept.keeps_starts,
        }
    }

    /// Joins neighbours with the same replicas, up to this length.
    pub(super) fn joined(&self, length: Span) -> Cells {
        let minutes = length.as_seconds() as f64 / 60.0;
        let counts: Vec<i64> = (0..self.len()).map(|i| whole(self.replicas(i))).collect();
        let parts = parts(self.len(), |first, before, next| {
            self.at[next].since(self.at[first]) >= length
                || counts[next] != counts[first]
                || self.at[next].since(self.at[before]).as_seconds() as f64 > 60.0 * minutes
        });
        let cells = Cells {
            at: parts.iter().map(|part| self.at[part.start]).collect(),
            columns: std::array::from_fn(|k| {
                let column = &self.columns[k];
                if column.is_empty() { Vec::new() } else { means(&parts, |i| column[i]) }
            }),
            each: Vec::new(),
            log_each: Vec::new(),
            minutes: parts.iter().map(|part| self.minutes[part.clone()].iter().sum()).collect(),
            ..*self
        };
        cells.finished()
    }

    fn finished(mut self) -> Cells {
        let cells = &mut self;
        cells.each = (0..cells.len()).map(|i| cells.get(i, Column::Load) / cells.replicas(i)).collect();
        cells.log_each = cells.each.iter().map(|each| each.ln()).collect();
        self
    }

    /// The cells with this number of replicas.
    pub(super) fn with_replicas(&self, count: usize) -> Cells {
        let some: Vec<usize> = (0..self.len()).filter(|&i| whole(self.replicas(i)) == count as i64).collect();
        Cells {
            at: some.iter().map(|&i| self.at[i]).collect(),
            columns: std::array::from_fn(|k| {
                some.iter().filter_map(|&i| self.columns[k].get(i).copied()).collect()
            }),
            each: some.iter().map(|&i| self.each[i]).collect(),
            log_each: some.iter().map(|&i| self.log_each[i]).collect(),
            minutes: some.iter().map(|&i| self.minutes[i]).collect(),
            left_out: self.left_out,
            keeps_starts: self.keeps_starts,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    /// A quantity of a cell; NaN if it is unknown.
    pub(super) fn get(&self, cell: usize, column: Column) -> f64 {
        self.columns[column as usize].get(cell).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn replicas(&self, cell: usize) -> f64 {
        self.get(cell, Column::Replicas)
    }

    /// Load of one replica.
    pub(super) fn each(&self, cell: usize) -> f64 {
        self.each[cell]
    }

    /// The loads of a replica, in the order of time.
    pub(super) fn loads(&self) -> &[f64] {
        &self.each
    }

    /// Whether a quantity is known for any cell.
    pub(super) fn has(&self, column: Column) -> bool {
        !self.columns[column as usize].is_empty()
    }

    pub(super) fn total_minutes(&self) -> f64 {
        self.minutes.iter().sum()
    }
}

/// Which rows are taken.
struct Kept {
    why: Vec<Row>,
    candidates: usize,
    left_out: LeftOut,
    keeps_starts: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Row {
    Taken,
    Start,
    Left,
}

impl Kept {
    fn of(evidence: &Evidence, fails_matter: bool) -> Kept {
        let template = template(evidence);
        let mut kept = Kept {
            why: Vec::with_capacity(evidence.len()),
            candidates: 0,
            left_out: LeftOut::default(),
            keeps_starts: false,
        };
        let (mut started, mut rolled) = (Time::MIN, Time::MIN);
        let (mut before, mut ran) = (None, None);
        let known = |column: Column| {
            let column = evidence.column(column as usize);
            move |row: usize| Some(column[row]).filter(|value| !value.is_nan())
        };
        let (loads, counts) = (known(Column::Load), known(Column::Replicas));
        let (generations, errors) = (known(Column::Generation), known(Column::Errors));
        for (i, &at) in evidence.at.iter().enumerate() {
            let (load, count, generation) = (loads(i), counts(i), generations(i));
            if let (Some(now), Some(then)) = (count, before)
                && now - then >= 0.5
            {
                started = at;
            }
            if generation.is_some() && ran.is_some() && generation != ran {
                rolled = at;
            }
            before = count.or(before);
            ran = generation.or(ran);
            let failing = errors(i).unwrap_or(0.0) / load.unwrap_or(1.0);
            let out = &mut kept.left_out;
            let counter = match (load, count) {
                (None, _) | (_, None) => Some(&mut out.gaps),
                (Some(load), Some(count)) if load <= 0.0 || count < 0.5 => Some(&mut out.idle),
                _ if template.is_some() && generation != template => Some(&mut out.other_templates),
                _ if at.since(rolled) < ROLLOUT => Some(&mut out.rollouts),
                _ if !fails_matter && failing > STORM => Some(&mut out.storms),
                _ => None,
            };
            if let Some(counter) = counter {
                *counter += 1;
                kept.why.push(Row::Left);
                continue;
            }
            kept.candidates += 1;
            let starts = at.since(started) < START;
            out.starts += usize::from(starts);
            kept.why.push(if starts { Row::Start } else { Row::Taken });
        }
        kept
    }

    fn takes(&self, row: usize) -> bool {
        match self.why[row] {
            Row::Taken => true,
            Row::Start => self.keeps_starts,
            Row::Left => false,
        }
    }
}

/// The newest template with enough rows, otherwise the one with the most; `None` if templates cannot be told apart.
fn template(evidence: &Evidence) -> Option<f64> {
    let mut seen: Vec<(f64, usize)> = Vec::new();
    for &generation in evidence.column(Column::Generation as usize).iter().filter(|value| !value.is_nan()) {
        match seen.iter_mut().find(|s| s.0 == generation) {
            Some(known) => known.1 += 1,
            None => seen.push((generation, 1)),
        }
    }
    seen.sort_by(|a, b| a.0.total_cmp(&b.0));
    let newest = seen.iter().rev().find(|s| s.1 >= ENOUGH_ROWS);
    newest.or_else(|| seen.iter().max_by_key(|s| s.1)).map(|s| s.0)
}

/// The usual distance between rows, in seconds.
fn spacing(evidence: &Evidence) -> i64 {
    let mut gaps: Vec<i64> = evidence
        .at
        .windows(2)
        .map(|pair| pair[1].since(pair[0]).as_seconds())
        .filter(|gap| *gap > 0)
        .collect();
    if gaps.is_empty() {
        return Span::MINUTE.as_seconds();
    }
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}

fn whole(replicas: f64) -> i64 {
    replicas.round() as i64
}

/// Divides so many items into parts of neighbours: `ends` tells of the first item of a part, of its last one so far and
/// of the next one whether that begins another part.
fn parts(items: usize, ends: impl Fn(usize, usize, usize) -> bool) -> Vec<Range<usize>> {
    let mut parts = Vec::with_capacity(items);
    let mut first = 0;
    for next in 1..=items {
        if next == items || ends(first, next - 1, next) {
            parts.push(first..next);
            first = next;
        }
    }
    parts
}

/// The mean of the known values of each part; NaN where there is none.
fn means(parts: &[Range<usize>], value: impl Fn(usize) -> f64) -> Vec<f64> {
    let mean = |part: &Range<usize>| {
        if part.len() == 1 {
            return value(part.start);
        }
        let known = part.clone().map(&value).filter(|value| !value.is_nan());
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        if count > 0.0 { sum / count } else { f64::NAN }
    };
    parts.iter().map(mean).collect()
}
