//! The simple strategies that a forecast has to beat: what people run today, and perfect foresight as the bound.
//!
//! Each multiplies its want by an insurance factor, so that all can be compared at equal under-provisioning. They are
//! kept as simple as their users write them. The models among them are the usual ones, fitted in the usual way.

mod cron;
mod holt_winters;
mod means;
mod mstl;
mod oracle;
mod seasonal;

use super::{Load, Moment, Strategy, Target};
use crate::history::Calendar;
use crate::units::{Span, Threshold};
use cron::Cron;
use holt_winters::HoltWinters;
use means::{Expected, Means};
use mstl::Mstl;
use oracle::Oracle;
use seasonal::Seasonal;

/// The simple strategies by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Simple {
    /// KEDA's prometheus trigger: the newest load divided by the threshold.
    Reactive,
    /// The same with a quarter more, as cautious users configure it.
    Headroom,
    /// A cron schedule by weekday and hour, written from last month's load.
    Cron,
    /// Yesterday's load over the lead window, at least the newest.
    Naive,
    /// The mean of the last seven days at this time, at least the newest load.
    Mean,
    /// The largest load of half an hour one week ago, at least the newest load: the rule used in production for
    /// Mimir.
    Offset,
    /// Holt–Winters on 5-minute means with a daily season, at least the newest load.
    HoltWinters,
    /// MSTL with ETS on 5-minute means with daily and weekly seasons, at least the newest load.
    Mstl,
    /// Perfect foresight with the same delays.
    Oracle,
}

/// A strategy that has learned everything that does not depend on its insurance.
pub struct Studied<'a> {
    simple: Simple,
    load: &'a Load,
    target: &'a Target,
    calendar: &'a Calendar,
    expected: Option<Expected>,
}

struct Reactive {
    threshold: Threshold,
    insurance: f64,
}

impl Simple {
    /// All of them.
    pub const ALL: [Simple; 9] = [
        Simple::Reactive,
        Simple::Headroom,
        Simple::Cron,
        Simple::Naive,
        Simple::Mean,
        Simple::Offset,
        Simple::HoltWinters,
        Simple::Mstl,
        Simple::Oracle,
    ];

    /// The name in results and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Simple::Reactive => "reactive",
            Simple::Headroom => "headroom",
            Simple::Cron => "cron",
            Simple::Naive => "naive",
            Simple::Mean => "mean",
            Simple::Offset => "offset",
            Simple::HoltWinters => "holt-winters",
            Simple::Mstl => "mstl",
            Simple::Oracle => "oracle",
        }
    }

    /// The strategy of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Simple::ALL.into_iter().find(|simple| simple.name() == name)
    }

    /// Learns from the load; each forecast uses only the samples before it. The schedule of `cron` is written in
    /// local time.
    pub fn study<'a>(self, load: &'a Load, target: &'a Target, calendar: &'a Calendar) -> Studied<'a> {
        let expected = match self {
            Simple::HoltWinters => {
                Some(Expected::by(&mut HoltWinters::default(), load, target, window(target)))
            }
            Simple::Mstl => Some(Expected::by(&mut Mstl::default(), load, target, window(target))),
            _ => None,
        };
        Studied { simple: self, load, target, calendar, expected }
    }
}

/// A want must cover the time until the next one has become pods: the delay of the metric, the lead time, and as much
/// again until it can be corrected.
fn window(target: &Target) -> Span {
    target.metric_delay + target.lead() + target.lead()
}

impl<'a> Studied<'a> {
    /// The strategy, ready to be called. `insurance` multiplies its want; 1 is the unchanged strategy.
    pub fn insured(&self, insurance: f64) -> Box<dyn Strategy + 'a> {
        let Studied { load, target, calendar, .. } = *self;
        let (threshold, window) = (target.threshold, window(target));
        let seasonal = |days: &'static [i64], window| {
            Box::new(Seasonal::new(threshold, days, window, insurance)) as Box<dyn Strategy>
        };
        match (self.simple, &self.expected) {
            // A quarter more keeps pods at 80 %, as usually recommended.
            (Simple::Headroom, _) => Box::new(Reactive { threshold, insurance: 1.25 * insurance }),
            (Simple::Cron, _) => Box::new(Cron::written_from(load, target, calendar, insurance)),
            (Simple::Naive, _) => seasonal(&[1], window),
            (Simple::Mean, _) => seasonal(&[1, 2, 3, 4, 5, 6, 7], window),
            (Simple::Offset, _) => seasonal(&[7], Span::minutes(30)),
            (Simple::Oracle, _) => Box::new(Oracle::new(load, target, insurance)),
            (_, Some(expected)) => Box::new(Means { threshold, insurance, expected: expected.clone() }),
            (_, None) => Box::new(Reactive { threshold, insurance }),
        }
    }
}

impl Strategy for Reactive {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        now.seen.newest().map(|load| load / self.threshold.get() * self.insurance)
    }
}
