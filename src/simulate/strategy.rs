//! The simple strategies a forecast has to beat: what people run today, and perfect foresight as the bound.
//!
//! Each multiplies its want by an insurance factor, so that all can be compared at equal under-provisioning. They
//! are kept as plain as their users write them; none learns, none has a memory.

mod cron;
mod oracle;
mod seasonal;

use super::{Load, Moment, Strategy, Target};
use crate::history::Calendar;
use crate::units::{Span, Threshold};
use cron::Cron;
use oracle::Oracle;
use seasonal::Seasonal;

/// The simple strategies by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Simple {
    /// KEDA's prometheus trigger: the newest load by the threshold.
    Reactive,
    /// The same with a quarter more, as cautious users set it.
    Headroom,
    /// A cron schedule by weekday and hour, written from last month's load.
    Cron,
    /// Yesterday's load over the lead window, at least the newest.
    Naive,
    /// The mean of the last seven days at this time, at least the newest load.
    Mean,
    /// The largest load of half an hour one week ago, at least the newest: the rule run in production for Mimir.
    Offset,
    /// Perfect foresight with the same delays.
    Oracle,
}

struct Reactive {
    threshold: Threshold,
    insurance: f64,
}

impl Simple {
    /// All of them.
    pub const ALL: [Simple; 7] = [
        Simple::Reactive,
        Simple::Headroom,
        Simple::Cron,
        Simple::Naive,
        Simple::Mean,
        Simple::Offset,
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
            Simple::Oracle => "oracle",
        }
    }

    /// The strategy of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Simple::ALL.into_iter().find(|simple| simple.name() == name)
    }

    /// The strategy ready to be asked. `insurance` multiplies its want; 1 is the strategy as it is. The schedule
    /// of `cron` is written in local time, from what lies before the scored span.
    pub fn build<'a>(
        self,
        load: &'a Load,
        target: &Target,
        calendar: &Calendar,
        insurance: f64,
    ) -> Box<dyn Strategy + 'a> {
        let threshold = target.threshold;
        // A want must stand until the next one has become pods: the delay of the metric, the lead, and as much
        // again until it can be corrected.
        let window = target.metric_delay + target.lead() + target.lead();
        let seasonal = |days: &'static [i64], window| {
            Box::new(Seasonal::new(threshold, days, window, insurance)) as Box<dyn Strategy>
        };
        match self {
            Simple::Reactive => Box::new(Reactive { threshold, insurance }),
            // A quarter more keeps pods at 80 %, the usual advice.
            Simple::Headroom => Box::new(Reactive { threshold, insurance: 1.25 * insurance }),
            Simple::Cron => Box::new(Cron::written_from(load, target, calendar, insurance)),
            Simple::Naive => seasonal(&[1], window),
            Simple::Mean => seasonal(&[1, 2, 3, 4, 5, 6, 7], window),
            Simple::Offset => seasonal(&[7], Span::minutes(30)),
            Simple::Oracle => Box::new(Oracle::new(load, target, insurance)),
        }
    }
}

impl Strategy for Reactive {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        now.seen.newest().map(|load| load / self.threshold.get() * self.insurance)
    }
}
