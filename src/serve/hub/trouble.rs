//! Which queries fail or have lost their metric. This is recorded for the decisions and logged.
//!
//! A failing query is logged when it starts to fail, then once an hour, and once when it answers again. A query that
//! fails intermittently is logged every few minutes. If all queries of a source fail, only the first are logged.
//! Nothing here decides what to do about it.

use std::collections::HashMap;

use super::parking::Locked;
use crate::history::{Interruption, Reach};
use crate::policy::{WorkloadId, look_back};
use crate::source::{Backend, PublicFailure};
use crate::units::{Span, Step, Time};

/// The failures of all queries, and the workloads that use them.
#[derive(Default)]
pub(super) struct Troubles(Locked<Inner>);

#[derive(Default)]
struct Inner {
    known: HashMap<QueryId, Trouble>,
    /// The first few workloads that use a query; collected again at every sweep.
    askers: HashMap<QueryId, Vec<String>>,
    lines: HashMap<String, Lines>,
}

/// A query of a data source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct QueryId {
    source: String,
    label: String,
    query: String,
}

/// The form in which a query was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueryForm {
    /// As a range query, for its series.
    Series,
    /// As an instant query, for its newest value.
    Instant,
}

/// The result of a query.
pub(super) enum QueryOutcome {
    /// An answer.
    Answered,
    /// No value, although there was one before.
    Vanished,
    /// A failure.
    Failed(QueryFailure),
}

/// A failure: its whole message for the log, and words that everyone may read.
#[derive(Debug, Clone)]
pub(super) struct QueryFailure {
    pub why: String,
    pub public: PublicFailure,
}

#[derive(Debug, Default)]
struct Trouble {
    series: Option<QueryFailure>,
    instant: Option<QueryFailure>,
    has_vanished: bool,
    interrupted: Option<Interruption>,
    /// The source answers again, but has had no value yet.
    is_empty: bool,
    /// When its state was last logged, and which state.
    told: Option<(Time, QueryState)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QueryState {
    Answers,
    Vanished,
    Fails,
}

/// Log lines about one data source within a minute.
#[derive(Debug, Clone, Copy)]
struct Lines {
    minute: Time,
    told: usize,
    left_out: usize,
}

/// How often a permanent failure is logged.
const REPEAT: Span = Span::HOUR;
/// How often an intermittent failure is logged.
const QUIET: Span = Span::minutes(5);
/// Log lines per minute about one data source.
const MOST_LINES: usize = 20;
/// Workloads named in one line.
const MOST_NAMES: usize = 3;
/// How much of a query is enough to recognize it.
const SHORT: usize = 80;

// === impl QueryId ===

impl QueryId {
    pub(super) fn new(backend: &dyn Backend, query: &str) -> Self {
        let (source, label) = (backend.identity(), backend.label().to_owned());
        QueryId { source, label, query: query.to_owned() }
    }

    fn short(&self) -> String {
        let cut = self.query.char_indices().nth(SHORT);
        cut.map_or_else(|| self.query.clone(), |(at, _)| format!("{}…", &self.query[..at]))
    }
}

// === impl Troubles ===

impl Troubles {
    /// Records that a workload uses the query.
    pub(super) fn asked_by(&self, question: &QueryId, who: &WorkloadId) {
        let mut inner = self.0.lock();
        if inner.askers.get(question).is_some_and(|names| names.len() > MOST_NAMES) {
            return;
        }
        let (name, names) = (who.to_string(), inner.askers.entry(question.clone()).or_default());
        if !names.contains(&name) {
            names.push(name);
        }
    }

    /// Records the result of a query at `now`; `last` is the last instant that was answered.
    pub(super) fn noted(
        &self,
        question: &QueryId,
        part: QueryForm,
        outcome: QueryOutcome,
        last: Option<Time>,
        now: Time,
    ) {
        let mut inner = self.0.lock();
        if matches!(outcome, QueryOutcome::Answered) && !inner.known.contains_key(question) {
            return;
        }
        let trouble = inner.known.entry(question.clone()).or_default();
        trouble.follow(question, part, &outcome, last, now);
        trouble.note(part, outcome);
        inner.tell(question, now);
    }

    /// The source answers, but has lost the history it had at `last`.
    pub(super) fn lost(&self, question: &QueryId, last: Option<Time>, now: Time) {
        let mut inner = self.0.lock();
        let trouble = inner.known.entry(question.clone()).or_default();
        let refills =
            |gap: Interruption| gap.until.is_none_or(|until| now < until + reach(question).refill());
        if trouble.interrupted.is_some_and(refills) {
            // It lacks that history in every answer, until its own samples fill the range.
            return;
        }
        trouble.interrupted = Some(Interruption::begun(last, None, now, reach(question)).ended(now));
        let query = question.short();
        if inner.may_tell(&question.label, now) {
            let (datasource, workloads) = (&question.label, inner.names(question));
            tracing::warn!(%datasource, query, workloads, "the data source has lost the samples of a query");
        }
    }

    /// Whether no query has failed, nor lost its metric.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().known.is_empty()
    }

    /// Why the series could not be read the last time.
    pub(super) fn why(&self, question: &QueryId) -> Option<String> {
        Some(self.0.lock().known.get(question)?.series.as_ref()?.why.clone())
    }

    /// Why the query failed the last time, in either form, in words that everyone may read.
    pub(super) fn public(&self, question: &QueryId) -> Option<PublicFailure> {
        let inner = self.0.lock();
        let trouble = inner.known.get(question)?;
        trouble.failure().map(|failure| failure.public.clone())
    }

    /// When its newest value was last missing.
    pub(super) fn interrupted(&self, question: &QueryId) -> Option<Interruption> {
        self.0.lock().known.get(question)?.interrupted
    }

    /// Drops the queries that nobody uses any more.
    pub(super) fn retain(&self, is_used: impl Fn(&str) -> bool) {
        let mut inner = self.0.lock();
        inner.known.retain(|question, _| is_used(&question.query));
        inner.askers.clear();
    }
}

// === impl Trouble ===

impl Trouble {
    fn note(&mut self, part: QueryForm, outcome: QueryOutcome) {
        let is_vanished = matches!(outcome, QueryOutcome::Vanished);
        let failure = if let QueryOutcome::Failed(why) = outcome { Some(why) } else { None };
        match part {
            QueryForm::Series => self.series = failure,
            QueryForm::Instant => {
                self.has_vanished = is_vanished || self.has_vanished && failure.is_some();
                self.instant = failure;
            }
        }
    }

    /// Updates the interruption from a result, before that is recorded. A source is back with the first query that it
    /// answers, even without a value: a range that has just started to fill has none.
    fn follow(
        &mut self,
        question: &QueryId,
        part: QueryForm,
        outcome: &QueryOutcome,
        last: Option<Time>,
        now: Time,
    ) {
        let reach = reach(question);
        let is_failing = self.instant.is_some();
        let lasts = self.interrupted.filter(|gap| gap.until.is_none());
        match (part, outcome, lasts) {
            (QueryForm::Instant, QueryOutcome::Answered, lasts) => {
                self.is_empty = false;
                self.interrupted = lasts.map(|gap| gap.ended(now)).or(self.interrupted);
            }
            (QueryForm::Series, QueryOutcome::Answered, Some(gap))
            | (QueryForm::Instant, QueryOutcome::Vanished, Some(gap))
                if is_failing =>
            {
                self.is_empty = true;
                self.interrupted = Some(gap.ended(now));
            }
            (QueryForm::Instant, QueryOutcome::Vanished, None) if self.is_empty => {
                let is_refilling = |until: Time| now < until + reach.refill();
                if !self.interrupted.and_then(|gap| gap.until).is_some_and(is_refilling) {
                    // By now it should have a value.
                    self.is_empty = false;
                    self.interrupted = self.interrupted.map(|gap| Interruption { until: None, ..gap });
                }
            }
            (QueryForm::Instant, _, None) => {
                self.is_empty = false;
                self.interrupted = Some(Interruption::begun(last, self.interrupted, now, reach));
            }
            _ => {}
        }
    }

    fn failure(&self) -> Option<&QueryFailure> {
        self.instant.as_ref().or(self.series.as_ref())
    }

    fn state(&self) -> QueryState {
        match (self.failure().is_some(), self.has_vanished) {
            (true, _) => QueryState::Fails,
            (false, true) => QueryState::Vanished,
            (false, false) => QueryState::Answers,
        }
    }

    /// Whether its state should be logged now.
    fn is_news(&self, now: Time) -> bool {
        match (self.state(), self.told) {
            (QueryState::Answers, told) => told.is_some_and(|(_, before)| before != QueryState::Answers),
            (_, None) => true,
            (QueryState::Fails, Some((at, QueryState::Fails))) => now.since(at) >= REPEAT,
            (QueryState::Vanished, Some((_, QueryState::Vanished))) => false,
            (_, Some((at, _))) => now.since(at) >= QUIET,
        }
    }
}

// === impl Inner ===

impl Inner {
    fn tell(&mut self, question: &QueryId, now: Time) {
        let Some(trouble) = self.known.get_mut(question).filter(|trouble| trouble.is_news(now)) else {
            return;
        };
        let state = trouble.state();
        trouble.told = Some((now, state));
        let why = trouble.failure().map(|failure| failure.why.clone()).unwrap_or_default();
        if !self.may_tell(&question.label, now) {
            return;
        }
        let (datasource, query, workloads) = (&question.label, question.short(), self.names(question));
        match state {
            QueryState::Fails => tracing::warn!(%datasource, query, workloads, error = why, "a query fails"),
            QueryState::Vanished => {
                tracing::warn!(%datasource, query, workloads, "a query yields nothing any more");
            }
            QueryState::Answers => tracing::info!(%datasource, query, workloads, "a query answers again"),
        }
    }

    /// Counts a line; omitted lines are reported in the next minute with a line.
    fn may_tell(&mut self, label: &str, now: Time) -> bool {
        let minute = now.floor_to(Span::MINUTE, Span::ZERO);
        let lines = self.lines.entry(label.to_owned()).or_insert(Lines { minute, told: 0, left_out: 0 });
        if lines.minute != minute {
            if lines.left_out > 0 {
                let queries = lines.left_out;
                tracing::warn!(
                    datasource = label,
                    queries,
                    "further queries of the minute before are not listed"
                );
            }
            *lines = Lines { minute, told: 0, left_out: 0 };
        }
        let may = lines.told < MOST_LINES;
        if may {
            lines.told += 1
        } else {
            lines.left_out += 1
        }
        may
    }

    /// The names of the first few workloads that use it.
    fn names(&self, question: &QueryId) -> String {
        let Some(names) = self.askers.get(question) else { return String::new() };
        let told: Vec<&str> = names.iter().take(MOST_NAMES).map(String::as_str).collect();
        let more = if names.len() > MOST_NAMES { ", …" } else { "" };
        format!("{}{more}", told.join(", "))
    }
}

/// How long the query takes to refill at least. With a coarser history grid it takes longer; `decide` takes that into
/// account.
fn reach(question: &QueryId) -> Reach {
    Reach::new(look_back(&question.query), Step::MINUTE)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::history::Series;
    use crate::source::Recorded;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn lines(&self) -> Vec<String> {
            let bytes = std::mem::take(&mut *self.0.lock().expect("not poisoned"));
            String::from_utf8(bytes).expect("UTF-8").lines().map(str::to_owned).collect()
        }
    }

    fn captured(run: impl FnOnce(&Troubles, &Log)) {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .without_time()
            .finish();
        tracing::subscriber::with_default(subscriber, || run(&Troubles::default(), &log));
    }

    fn at(second: i64) -> Time {
        Time::from_epoch(1_790_985_600 + second)
    }

    fn question(query: &str) -> QueryId {
        let empty = Recorded::new("main", Series::new(at(0), Step::MINUTE));
        QueryId::new(empty.as_ref(), query)
    }

    fn failed() -> QueryOutcome {
        let public = PublicFailure { what: "refuses the connection".to_owned(), advice: "See." };
        QueryOutcome::Failed(QueryFailure { why: "connection refused".to_owned(), public })
    }

    #[test]
    fn a_query_that_fails_is_told_when_it_begins_each_hour_and_when_it_ends() {
        captured(|troubles, log| {
            let question = question("sum(rate(requests_total{shop='a'}[2m]))");
            for name in ["web", "api"] {
                troubles.asked_by(&question, &WorkloadId::new("shop", name, "forescale").expect("names"));
            }
            troubles.noted(&question, QueryForm::Instant, QueryOutcome::Answered, None, at(-15));
            assert!(log.lines().is_empty());
            for second in (0..7_205).step_by(15) {
                for part in [QueryForm::Series, QueryForm::Instant] {
                    troubles.noted(&question, part, failed(), Some(at(-15)), at(second));
                }
            }
            let lines = log.lines();
            assert_eq!(lines.len(), 3, "at once, after an hour and after two: {lines:#?}");
            for word in ["WARN", "main", "requests_total", "shop/api", "shop/web", "connection refused"] {
                assert!(lines[0].contains(word), "{word} in {}", lines[0]);
            }
            troubles.noted(&question, QueryForm::Instant, QueryOutcome::Answered, None, at(7_220));
            assert!(log.lines().is_empty(), "its series still fails");
            troubles.noted(&question, QueryForm::Series, QueryOutcome::Answered, None, at(7_220));
            troubles.noted(&question, QueryForm::Series, QueryOutcome::Answered, None, at(7_235));
            let lines = log.lines();
            assert!(lines.len() == 1 && lines[0].contains("answers again"), "{lines:#?}");
            let gap = troubles.interrupted(&question).expect("seen");
            assert_eq!((gap.from, gap.until), (Some(at(-15)), Some(at(7_220))));
        });
    }

    #[test]
    fn a_source_is_back_with_the_first_question_that_it_answers() {
        captured(|troubles, _| {
            let question = question("sum(rate(requests_total[2m]))");
            let note =
                |part, outcome, second| troubles.noted(&question, part, outcome, Some(at(-15)), at(second));
            let until = || troubles.interrupted(&question).and_then(|gap| gap.until);
            note(QueryForm::Instant, failed(), 0);
            note(QueryForm::Series, failed(), 0);
            assert_eq!(until(), None);
            note(QueryForm::Series, QueryOutcome::Answered, 60);
            assert_eq!(until(), Some(at(60)), "the instant value waits for its turn");
            note(QueryForm::Instant, QueryOutcome::Answered, 75);
            let gap = troubles.interrupted(&question).expect("seen");
            assert_eq!((gap.from, gap.returned, gap.until), (Some(at(-15)), Some(at(60)), Some(at(60))));
            // If the metric is gone, the query has no value, whatever the range query returns.
            note(QueryForm::Instant, QueryOutcome::Vanished, 1_200);
            note(QueryForm::Series, QueryOutcome::Answered, 1_200);
            assert_eq!(until(), None);
            note(QueryForm::Instant, QueryOutcome::Answered, 1_500);
            // A range that has just started to fill has no value yet. If it should be full, the metric is gone.
            note(QueryForm::Instant, failed(), 3_000);
            for second in [3_060, 3_075, 3_165] {
                note(QueryForm::Instant, QueryOutcome::Vanished, second);
                note(QueryForm::Series, QueryOutcome::Answered, second);
                assert_eq!(until(), Some(at(3_060)), "{second}");
            }
            note(QueryForm::Instant, QueryOutcome::Vanished, 3_180);
            let gap = troubles.interrupted(&question).expect("seen");
            assert_eq!((gap.from, gap.returned, gap.until), (Some(at(-15)), Some(at(3_060)), None));
        });
    }

    #[test]
    fn one_that_comes_and_goes_is_told_every_few_minutes() {
        captured(|troubles, log| {
            let question = question("q");
            for second in (0..3_600).step_by(15) {
                let outcome = if second % 30 == 0 { failed() } else { QueryOutcome::Answered };
                troubles.noted(&question, QueryForm::Instant, outcome, Some(at(0)), at(second));
            }
            let lines = log.lines();
            assert!((12..=26).contains(&lines.len()), "{} lines", lines.len());
        });
    }

    #[test]
    fn a_metric_that_vanishes_is_told() {
        captured(|troubles, log| {
            let question = question("q");
            for second in (0..7_200).step_by(15) {
                troubles.noted(
                    &question,
                    QueryForm::Instant,
                    QueryOutcome::Vanished,
                    Some(at(-15)),
                    at(second),
                );
            }
            let lines = log.lines();
            assert!(lines.len() == 1 && lines[0].contains("yields nothing any more"), "{lines:#?}");
            troubles.noted(&question, QueryForm::Instant, QueryOutcome::Answered, None, at(7_200));
            assert!(log.lines()[0].contains("answers again"));
        });
    }

    #[test]
    fn a_source_that_takes_thousands_along_is_told_in_a_few_lines() {
        captured(|troubles, log| {
            for minute in 0..2 {
                for i in 0..5_000 {
                    let question = question(&format!("q{}", minute * 5_000 + i));
                    troubles.noted(&question, QueryForm::Instant, failed(), None, at(minute * 60));
                }
            }
            let lines = log.lines();
            assert_eq!(lines.len(), 2 * MOST_LINES + 1);
            assert!(lines[MOST_LINES].contains("4980"), "{}", lines[MOST_LINES]);
        });
    }
}
