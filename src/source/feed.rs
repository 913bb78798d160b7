//! Keeps the series of one query current: one backfill, then only new samples.
//!
//! A sample counts once it is `settle` old. At each point of a six-hour grid, shifted by the series' identity, the
//! feed reads again everything since one hour before the previous point. So late samples divide two replicas of the
//! server only until the next fit. It also asks again for samples missing at the front. A failure never loses what
//! was read before. The present is an argument; nothing here waits or reads a clock.

use std::cell::LazyCell;
use std::sync::Arc;

use super::backend::PIECE;
use super::{Backend, RangeQuery, Reading, SourceError};
use crate::decide::{FIT_DELAY, FIT_GRID, grid_point, series_phase};
use crate::history::{Reach, Series};
use crate::policy::look_back;
use crate::units::{Span, Step, Time};

/// At each grid point, how much is read again from before the previous point: samples are rarely later than this.
const READ_AGAIN: Span = Span::HOUR;

/// Identifies a feed: callers with equal keys share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedKey {
    /// Name or address of the data source.
    pub datasource: String,
    /// The query.
    pub query: String,
    /// The grid of the samples.
    pub step: Step,
    /// How far back the history reaches.
    pub window: Span,
}

/// The result of a refresh.
#[derive(Debug, Clone)]
pub struct FeedUpdate {
    /// All samples held, from the first one on; empty if the query returned none.
    pub series: Arc<Series>,
    /// The last settled instant; everything up to it was read.
    pub read_until: Time,
    /// How many samples are new or changed.
    pub new_samples: usize,
    /// The first sample, if it is later than the start of the window.
    pub history_short: Option<HistoryShort>,
    /// Warnings from the server.
    pub warnings: Vec<String>,
    /// Whether the source has lost samples that it returned before: another server answers in its place, or its data
    /// is gone.
    pub has_lost: bool,
}

/// Less history than requested, because of retention or because the workload is young.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryShort {
    /// Where the window starts.
    pub asked: Time,
    /// The first sample; `None` if there is none.
    pub first: Option<Time>,
}

/// A series and the state that keeps it current.
pub struct Feed {
    backend: Arc<dyn Backend>,
    key: FeedKey,
    settle: Span,
    phase: Span,
    held: Option<HeldSeries>,
}

#[derive(Debug)]
struct HeldSeries {
    /// Starts with the window and keeps leading gaps, so that earlier samples still find their slot.
    series: Arc<Series>,
    /// The grid point at which possibly late samples were last read again.
    read_again: Time,
    /// From here on, samples read by another process are read again.
    taken_up: Option<Time>,
}

/// A timestamp this far in the future means that the clock was set back: no refresh and no workload update is that
/// late.
pub const SET_BACK: Span = Span::minutes(10);

// === impl FeedKey ===

impl FeedKey {
    /// How long its query takes to refill, read from the query text.
    fn refill(&self) -> Span {
        Reach::new(look_back(&self.query), self.step).refill()
    }

    /// A text that is the same on every replica for equal feeds.
    pub fn identity(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}",
            self.datasource,
            self.query,
            self.step.as_seconds(),
            self.window.as_seconds()
        )
    }

    /// The most points it holds.
    pub fn points(&self) -> usize {
        usize::try_from(self.window.as_seconds() / self.step.as_seconds()).unwrap_or(0)
    }
}

// === impl Feed ===

impl Feed {
    /// A feed that has read nothing yet.
    pub fn new(backend: Arc<dyn Backend>, key: FeedKey, settle: Span) -> Self {
        let phase = series_phase(&key.query, key.step, key.window);
        Feed { backend, key, settle, phase, held: None }
    }

    /// The key of this feed.
    pub fn key(&self) -> &FeedKey {
        &self.key
    }

    /// The phase of its six-hour grid.
    pub fn phase(&self) -> Span {
        self.phase
    }

    /// What was read so far, without leading gaps; `None` before the first answer.
    pub fn series(&self) -> Option<Arc<Series>> {
        self.held.as_ref().map(|held| trimmed(&held.series))
    }

    /// Everything held, leading gaps included: what [`Feed::take_up`] takes.
    pub fn held(&self) -> Option<Arc<Series>> {
        self.held.as_ref().map(|held| Arc::clone(&held.series))
    }

    /// Takes over what another process read, if it is on the same grid and reaches back far enough. Samples after
    /// `now` are dropped, and the last hour will be read again. Returns whether it was taken.
    pub fn take_up(&mut self, series: &Series, now: Time) -> bool {
        let (begin, settled) = (self.begin(now), self.settled(now));
        let on_grid = series.start().floor_to(self.key.step.span(), Span::ZERO) == series.start();
        if self.held.is_some() || series.step() != self.key.step || !on_grid || series.start() > begin {
            return false;
        }
        let series = series.window(begin - Span::seconds(1), settled).compact();
        let Some(end) = series.end() else { return false };
        let read_again = (now - self.settle).floor_to(FIT_GRID, self.phase);
        self.held =
            Some(HeldSeries { series: Arc::new(series), read_again, taken_up: Some(end - READ_AGAIN) });
        true
    }

    /// Reads what is missing up to the last instant that is settled at `now`. An error keeps everything read so far,
    /// and the next refresh continues from there.
    pub async fn refresh(&mut self, now: Time) -> Result<FeedUpdate, SourceError> {
        let settled = self.settled(now);
        let begin = self.begin(now);
        let due = (now - self.settle).floor_to(FIT_GRID, self.phase);
        // The held samples stay in place while answers are awaited, so that a cancelled refresh loses nothing.
        let usable = |held: &HeldSeries| {
            held.series.time(held.series.len()) >= begin && held.series.start() <= settled
        };
        self.held = self.held.take().filter(usable);
        if let Some(held) = &mut self.held {
            held.forget_after(settled, due);
        }
        let step = self.key.step;
        let held = self.held.get_or_insert_with(|| HeldSeries {
            series: Arc::new(Series::new(begin, step).compact()),
            read_again: due,
            taken_up: None,
        });
        let mut news = News::default();
        held.advance(self.backend.as_ref(), &self.key, due, settled, &mut news).await?;
        if begin > held.series.start() {
            Arc::make_mut(&mut held.series).forget_before(begin);
        }
        let update = FeedUpdate {
            series: trimmed(&held.series),
            read_until: settled,
            new_samples: news.samples,
            history_short: history_short(&held.series, begin),
            warnings: news.warnings,
            has_lost: news.has_lost,
        };
        if update.series.is_empty() {
            // A metric that does not exist yet, or is hidden from us: the whole range is queried until it appears.
            self.held = None;
        }
        Ok(update)
    }

    /// The last instant that counts.
    fn settled(&self, now: Time) -> Time {
        (now - self.settle).floor_to(self.key.step.span(), Span::ZERO)
    }

    /// The first instant to hold. A fit uses the window before its own grid point, which lies up to one grid width
    /// before the present. Otherwise a restarted server would fit on less than its neighbour did.
    fn begin(&self, now: Time) -> Time {
        let from = grid_point(now, self.phase) - self.key.window;
        from.floor_to(self.key.step.span(), Span::ZERO)
    }
}

// === impl HeldSeries ===

impl HeldSeries {
    /// Drops everything after `settled` if any of it was read by a clock that has been set back since: it may hold
    /// false gaps, or samples that are still to come.
    fn forget_after(&mut self, settled: Time, due: Time) {
        if self.series.end().is_some_and(|end| end > settled + SET_BACK) {
            let series = self.series.window(self.series.start() - Span::seconds(1), settled);
            self.series = Arc::new(series.compact());
            self.read_again = self.read_again.min(due);
        }
    }

    async fn advance(
        &mut self,
        backend: &dyn Backend,
        key: &FeedKey,
        due: Time,
        settled: Time,
        news: &mut News,
    ) -> Result<(), SourceError> {
        let query = |from, to| RangeQuery { query: key.query.clone(), from, to, step: key.step };
        let late = (self.read_again < due).then_some(self.read_again - READ_AGAIN);
        if let Some(from) = late.into_iter().chain(self.taken_up).min() {
            // Only what was read before; the rest is read below for the first time.
            let last = self.series.end().map_or(due, |end| end.min(settled));
            let from = from.max(self.series.start()).max(last - key.step.times(PIECE - 1));
            let reading = backend.range(&query(from, last)).await?;
            self.absorb(reading, key, news);
            let first = first_sample(&self.series).filter(|&first| self.read_again < due && first > 0);
            if let Some(first) = first {
                // A part of a store that was unreachable at first must not stay missing for ever.
                let before = query(self.series.start(), self.series.time(first - 1));
                let reading = backend.range(&before).await?;
                self.absorb(reading, key, news);
            }
            (self.read_again, self.taken_up) = (due.max(self.read_again), None);
        }
        // The first request looks back by the query's range: a server that has just started to collect samples does
        // not know what was known before.
        let mut known = self.known_lately(key);
        loop {
            let next = self.series.time(self.series.len());
            if next > settled {
                return Ok(());
            }
            let back = key.step.times(std::mem::take(&mut known));
            let last = settled.min(next + key.step.times(PIECE - 1) - back);
            let reading = backend.range(&query(next - back, last)).await?;
            news.has_lost |= self.has_lost(&reading, next);
            self.absorb(reading.from(next), key, news);
            // A source that returns fewer slots than requested must not be asked for them endlessly.
            let value = self.at(last).unwrap_or(f64::NAN);
            Arc::make_mut(&mut self.series).put(last, value);
        }
    }

    /// How many of the last slots held are requested again.
    fn known_lately(&self, key: &FeedKey) -> usize {
        key.step.cover(key.refill()).min(self.series.len())
    }

    /// Whether the answer lacks a sample before `next` that we hold.
    fn has_lost(&self, reading: &Reading, next: Time) -> bool {
        let series = &reading.series;
        let mut before = (0..series.len()).take_while(|&i| series.time(i) < next);
        before.any(|i| series.get(i).is_none() && self.at(series.time(i)).is_some())
    }

    fn absorb(&mut self, reading: Reading, key: &FeedKey, news: &mut News) {
        // Lazy, because a poll almost never finds a lost sample.
        let refill = LazyCell::new(|| key.refill());
        let mut lost: Option<Time> = None;
        for i in 0..reading.series.len() {
            let at = reading.series.time(i);
            let before = self.at(at);
            match reading.series.get(i) {
                // After a source has lost samples, its values within the refill time are lower than the ones it gave
                // before.
                Some(_) if before.is_some() && lost.is_some_and(|lost| at <= lost + *refill) => {}
                Some(value) => {
                    Arc::make_mut(&mut self.series).put(at, value);
                    news.samples += usize::from(before != self.at(at));
                }
                // A gap never erases a sample: a server that lost its data must not make us lose ours.
                None if before.is_none() => {
                    Arc::make_mut(&mut self.series).put(at, f64::NAN);
                }
                None => lost = Some(at),
            }
        }
        for warning in reading.warnings {
            if !news.warnings.contains(&warning) {
                news.warnings.push(warning);
            }
        }
    }

    fn at(&self, instant: Time) -> Option<f64> {
        let slot = self.series.slot_before(instant).filter(|&slot| self.series.time(slot) == instant)?;
        self.series.get(slot)
    }
}

fn history_short(series: &Series, begin: Time) -> Option<HistoryShort> {
    let first = first_sample(series).map(|i| series.time(i));
    // The held series starts up to this much before the requested window.
    let late = first.is_none_or(|at| at > begin + FIT_GRID + FIT_DELAY);
    late.then_some(HistoryShort { asked: begin, first })
}

#[derive(Default)]
struct News {
    samples: usize,
    warnings: Vec<String>,
    has_lost: bool,
}

fn first_sample(series: &Series) -> Option<usize> {
    (0..series.len()).find(|&i| series.get(i).is_some())
}

/// The series from its first sample on; shared if it already starts with one.
fn trimmed(series: &Arc<Series>) -> Arc<Series> {
    match first_sample(series) {
        Some(0) => Arc::clone(series),
        Some(first) => {
            let end = series.end().unwrap_or(series.start());
            Arc::new(series.window(series.time(first) - Span::seconds(1), end))
        }
        None => Arc::new(Series::new(series.start(), series.step())),
    }
}

#[cfg(test)]
mod tests;
