//! Tests of feeds against an in-memory source that records its queries.

use std::sync::Mutex;

use super::*;

const STEP: Step = Step::MINUTE;

/// The sample at minute n has the value n; `missing` lists the gaps.
#[derive(Default)]
struct Canned {
    asked: Mutex<Vec<(i64, i64)>>,
    /// Answers before the next failure; `None` for no failure.
    fails_after: Mutex<Option<usize>>,
    missing: Mutex<Vec<std::ops::Range<i64>>>,
    /// Ranges for which it returns only part of the value.
    partial: Mutex<Vec<std::ops::Range<i64>>>,
    /// Whether the next answer never arrives.
    hangs: Mutex<bool>,
}

#[tonic::async_trait]
impl Backend for Canned {
    async fn range(&self, q: &RangeQuery) -> Result<Reading, SourceError> {
        if let Some(left) = self.fails_after.lock().expect("not poisoned").as_mut() {
            *left = left.checked_sub(1).ok_or(SourceError::ManySeries)?;
        }
        if *self.hangs.lock().expect("not poisoned") {
            std::future::pending::<()>().await;
        }
        let (from, to) = (q.from.epoch() / 60, q.to.epoch() / 60);
        self.asked.lock().expect("not poisoned").push((from, to));
        let missing = self.missing.lock().expect("not poisoned").clone();
        let partial = self.partial.lock().expect("not poisoned").clone();
        let value = |m: i64| match m {
            m if missing.iter().any(|r| r.contains(&m)) => f64::NAN,
            m if partial.iter().any(|r| r.contains(&m)) => m as f64 / 2.0,
            m => m as f64,
        };
        Ok(Reading { series: Series::from_values(q.from, q.step, (from..=to).map(value)), warnings: vec![] })
    }

    async fn instant(&self, _query: &str, _at: Time) -> Result<Option<f64>, SourceError> {
        Ok(None)
    }

    fn clock_skew(&self, _now: Time) -> Option<Span> {
        None
    }

    fn label(&self) -> &str {
        "default"
    }
}

fn at(minute: i64, second: i64) -> Time {
    Time::from_epoch(minute * 60 + second)
}

fn key(window: Span) -> FeedKey {
    FeedKey { datasource: "default".to_owned(), query: "q".to_owned(), step: STEP, window }
}

fn feed(window: Span) -> (Arc<Canned>, Feed) {
    let source = Arc::new(Canned::default());
    (Arc::clone(&source), Feed::new(source, key(window), Span::seconds(30)))
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// A minute right after a grid point of the feed, far from the epoch.
fn after_grid_point(feed: &Feed) -> i64 {
    at(1_000_000, 0).floor_to(FIT_GRID, feed.phase()).epoch() / 60
}

#[test]
fn a_backfill_is_read_once_and_then_only_what_is_new() {
    let (source, mut feed) = feed(Span::DAY);
    let g = after_grid_point(&feed);
    let now = g + 30;
    let update = run(feed.refresh(at(now, 29))).expect("answered");
    // The minute that began 29 s ago is not settled yet.
    assert_eq!(update.read_until, at(now - 1, 0));
    assert_eq!(update.series.start(), at(g - 1_440, 0));
    assert_eq!(update.series.last(), Some((at(now - 1, 0), (now - 1) as f64)));
    assert_eq!((update.history_short, update.new_samples), (None, update.series.len()));
    assert_eq!(run(feed.refresh(at(now, 29))).expect("answered").new_samples, 0);
    let update = run(feed.refresh(at(now + 2, 30))).expect("answered");
    assert_eq!((update.read_until, update.new_samples), (at(now + 2, 0), 3));
    assert_eq!(*source.asked.lock().expect("not poisoned"), [(g - 1_440, now - 1), (now - 1, now + 2)]);
}

#[test]
fn all_since_the_hour_before_the_last_grid_point_is_read_again_at_the_next() {
    let (source, mut feed) = feed(Span::DAY);
    let g = after_grid_point(&feed);
    source.missing.lock().expect("not poisoned").push(g - 340..g - 330);
    run(feed.refresh(at(g, 0))).expect("answered");
    source.missing.lock().expect("not poisoned").clear();
    let update = run(feed.refresh(at(g, 31))).expect("answered");
    assert_eq!(source.asked.lock().expect("not poisoned")[1..], [(g - 6 * 60 - 60, g - 1), (g - 1, g)]);
    assert_eq!((update.new_samples, update.series.observed()), (11, update.series.len()));
    run(feed.refresh(at(g + 1, 31))).expect("answered");
    assert_eq!(source.asked.lock().expect("not poisoned")[3..], [(g, g + 1)]);
}

#[test]
fn a_source_that_lost_samples_replaces_none_by_a_part() {
    let source = Arc::new(Canned::default());
    let key = FeedKey { query: "sum(rate(q[2m]))".to_owned(), ..key(Span::DAY) };
    let mut feed = Feed::new(Arc::clone(&source) as Arc<dyn Backend>, key, Span::seconds(30));
    let g = after_grid_point(&feed);
    run(feed.refresh(at(g, 0))).expect("answered");
    // Only the last two hours are kept, and the ranges of the first two minutes reach back beyond them.
    source.missing.lock().expect("not poisoned").push(g - 2_000..g - 120);
    source.partial.lock().expect("not poisoned").push(g - 120..g - 118);
    let update = run(feed.refresh(at(g, 31))).expect("answered");
    let seen = |minute: i64| update.series.get(update.series.slot_before(at(minute, 0)).expect("within"));
    for minute in [g - 121, g - 120, g - 119, g - 118, g] {
        assert_eq!(seen(minute), Some(minute as f64), "{} minutes before", g - minute);
    }
}

#[test]
fn two_feeds_agree_whenever_they_began() {
    let (_, mut old) = feed(Span::DAY);
    let (_, mut young) = feed(Span::DAY);
    let g = after_grid_point(&old);
    for minute in g - 700..g + 350 {
        run(old.refresh(at(minute, 45))).expect("answered");
    }
    let old = run(old.refresh(at(g + 359, 0))).expect("answered");
    let young = run(young.refresh(at(g + 359, 0))).expect("answered");
    assert_eq!(old.series, young.series);
    assert_eq!(young.series.start(), at(g - 1_440, 0), "the window before the point of the fit in use");
}

#[test]
fn a_failure_keeps_what_was_read_and_the_next_refresh_goes_on() {
    let (source, mut feed) = feed(Span::days(20));
    let g = after_grid_point(&feed);
    *source.fails_after.lock().expect("not poisoned") = Some(2);
    assert!(run(feed.refresh(at(g, 0))).is_err());
    assert_eq!(feed.series().map(|s| s.len()), Some(2 * PIECE));
    *source.fails_after.lock().expect("not poisoned") = None;
    let update = run(feed.refresh(at(g, 0))).expect("answered");
    assert_eq!(update.series.observed(), update.series.len());
    assert_eq!(source.asked.lock().expect("not poisoned").len(), 3, "no piece twice");
    *source.fails_after.lock().expect("not poisoned") = Some(0);
    for minute in 2..500 {
        assert!(run(feed.refresh(at(g + minute, 0))).is_err());
    }
    *source.fails_after.lock().expect("not poisoned") = None;
    let update = run(feed.refresh(at(g + 500, 0))).expect("answered");
    assert_eq!(update.series.observed(), update.series.len(), "nothing lost, nothing left out");
}

#[test]
fn a_refresh_given_up_half_way_loses_nothing() {
    let (source, mut feed) = feed(Span::DAY);
    let g = after_grid_point(&feed);
    let before = run(feed.refresh(at(g, 0))).expect("answered").series;
    *source.hangs.lock().expect("not poisoned") = true;
    run(async {
        tokio::select! {
            biased;
            _ = feed.refresh(at(g + 10, 0)) => panic!("it never answers"),
            () = std::future::ready(()) => {}
        }
    });
    assert_eq!(feed.series(), Some(before));
}

#[test]
fn a_gap_never_erases_a_sample() {
    let (source, mut feed) = feed(Span::DAY);
    let g = after_grid_point(&feed);
    run(feed.refresh(at(g, 0))).expect("answered");
    source.missing.lock().expect("not poisoned").push(0..i64::MAX);
    let update = run(feed.refresh(at(g + 10, 0))).expect("answered");
    assert_eq!(update.series.last(), Some((at(g - 1, 0), (g - 1) as f64)));
    assert_eq!(update.series.end(), Some(at(g + 9, 0)), "what is missing is a gap at the end");
}

#[test]
fn short_history_is_reported_with_its_begin() {
    let (source, mut feed) = feed(Span::days(7));
    let g = after_grid_point(&feed);
    source.missing.lock().expect("not poisoned").push(0..g - 2_000);
    let update = run(feed.refresh(at(g, 30))).expect("answered");
    assert_eq!(update.series.start(), at(g - 2_000, 0));
    let short = update.history_short.expect("short");
    assert_eq!(short.first, Some(at(g - 2_000, 0)));
    source.missing.lock().expect("not poisoned").push(0..i64::MAX);
    let (empty, mut feed) = feed_of(&source);
    let update = run(feed.refresh(at(g, 30))).expect("answered");
    assert!(update.series.is_empty() && update.history_short.is_some_and(|s| s.first.is_none()));
    // A workload that starts later still gets the samples of its first hours.
    empty.missing.lock().expect("not poisoned").clear();
    let update = run(feed.refresh(at(g + 361, 0))).expect("answered");
    assert!(update.series.start() <= at(g + 1, 0) && update.history_short.is_none());
}

fn feed_of(source: &Arc<Canned>) -> (Arc<Canned>, Feed) {
    (Arc::clone(source), Feed::new(source.clone(), key(Span::DAY), Span::seconds(30)))
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let (_, mut feed) = feed(Span::DAY);
    let g = after_grid_point(&feed);
    for hour in 0..72 {
        let update = run(feed.refresh(at(g + hour * 60, 0))).expect("answered");
        assert!(update.series.len() <= 1_440 + 365 + 1, "{} slots", update.series.len());
    }
    // After an outage longer than the window the feed starts afresh instead of querying years.
    let update = run(feed.refresh(at(g + 1_000_000, 0))).expect("answered");
    assert!(update.series.len() <= 1_440 + 366 && update.series.observed() == update.series.len());
}

#[test]
fn what_another_process_read_is_taken_up_and_only_its_last_hour_and_the_rest_are_read() {
    let (source, mut before) = feed(Span::DAY);
    let g = after_grid_point(&before);
    run(before.refresh(at(g + 100, 30))).expect("answered");
    let kept = before.held().expect("read");
    // The server has less than it had: what was read stays.
    source.missing.lock().expect("not poisoned").push(0..g - 600);

    let fresh = || Feed::new(source.clone(), key(Span::DAY), Span::seconds(30));
    let mut after = fresh();
    assert!(after.take_up(&kept, at(g + 200, 30)));
    source.asked.lock().expect("not poisoned").clear();
    let update = run(after.refresh(at(g + 200, 30))).expect("answered");
    assert_eq!(*source.asked.lock().expect("not poisoned"), [(g + 40, g + 100), (g + 100, g + 200)]);
    run(before.refresh(at(g + 200, 30))).expect("answered");
    assert_eq!(update.series, before.series().expect("read"), "the same as without the restart");

    // A failure in between loses nothing, and the hour is still read again.
    let mut failing = fresh();
    assert!(failing.take_up(&kept, at(g + 200, 30)));
    *source.fails_after.lock().expect("not poisoned") = Some(0);
    run(failing.refresh(at(g + 200, 30))).expect_err("as told");
    *source.fails_after.lock().expect("not poisoned") = None;
    assert_eq!(run(failing.refresh(at(g + 200, 30))).expect("answered").series, update.series);

    // A series that reaches back too little, is off the grid, or is out of date is read afresh; the future is cut
    // off.
    let now = at(g + 200, 30);
    let late = kept.window(at(g, 0), at(g + 100, 0));
    let off = Series::from_values(kept.start() - Span::seconds(7), STEP, kept.values());
    for useless in [&late, &off, &Series::new(at(0, 0), STEP)] {
        assert!(!fresh().take_up(useless, now));
    }
    assert!(!fresh().take_up(&kept, now + Span::days(9)), "longer ago than the window");
    let mut set_back = fresh();
    assert!(set_back.take_up(&kept, at(g + 50, 30)));
    assert_eq!(set_back.held().expect("taken").end(), Some(at(g + 50, 0)));
}

#[test]
fn a_history_that_was_hidden_is_read_once_it_is_there() {
    let (source, mut feed) = feed(Span::DAY);
    let g = after_grid_point(&feed);
    let hide = |what: std::ops::Range<i64>| *source.missing.lock().expect("not poisoned") = vec![what];
    hide(0..i64::MAX);
    assert!(run(feed.refresh(at(g + 10, 30))).expect("answered").series.is_empty());
    // A replica that reads half of it now reads the other half at the next grid point.
    hide(0..g - 60);
    let update = run(feed.refresh(at(g + 11, 30))).expect("answered");
    assert_eq!(update.series.start(), at(g - 60, 0));
    hide(0..0);
    assert_eq!(run(feed.refresh(at(g + 12, 30))).expect("answered").series.start(), at(g - 60, 0));
    let update = run(feed.refresh(at(g + 361, 30))).expect("answered");
    assert_eq!((update.series.start(), update.history_short), (at(g - 1_440, 0), None));
    assert_eq!(update.series.observed(), update.series.len());
}

#[tokio::test]
async fn a_source_that_forgot_what_it_gave_is_noticed() {
    let source = Arc::new(Canned::default());
    let key = FeedKey { query: "sum(rate(q[5m]))".to_owned(), ..key(Span::HOUR) };
    let mut feed = Feed::new(Arc::clone(&source) as Arc<dyn Backend>, key, Span::seconds(30));
    let first = feed.refresh(at(1_000, 30)).await.expect("read");
    assert!(!first.has_lost);
    // A metric that is gone from now on is not forgotten.
    source.missing.lock().expect("not poisoned").clear();
    source.missing.lock().expect("not poisoned").push(1_001..1_002);
    assert!(!feed.refresh(at(1_001, 30)).await.expect("read").has_lost);
    // A server that has collected samples for three minutes: the range of the query held more before.
    source.missing.lock().expect("not poisoned").clear();
    source.missing.lock().expect("not poisoned").push(0..999);
    let other = feed.refresh(at(1_002, 30)).await.expect("read");
    assert!(other.has_lost);
    assert_eq!(other.series.get(other.series.len() - 5), Some(998.0), "what was seen is kept");
    assert!(feed.refresh(at(1_003, 30)).await.expect("read").has_lost, "its range has not filled yet");
    assert!(!feed.refresh(at(1_004, 30)).await.expect("read").has_lost, "all of its range is known to both");
}
