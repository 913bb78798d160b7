//! A fixed rule for busy hours next to a reactive trigger: what people who know the pattern write from a dashboard.

use crate::history::Calendar;
use crate::simulate::{Load, Moment, Strategy, Target};
use crate::units::{Span, Threshold, Time, percentile};

/// The hours of the day in which the load is nearly always at least `load`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BusyHours {
    /// The first hour, local time.
    pub start: u32,
    /// The hour at which they end, exclusive; beyond 24 it is on the next day.
    pub end: u32,
    /// Whether weekends are like weekdays.
    pub weekends_too: bool,
    /// The load to provide for.
    pub load: f64,
}

/// The rule together with the trigger.
struct Rule<'a> {
    busy: BusyHours,
    beside: Box<dyn Strategy + 'a>,
    threshold: Threshold,
    lead: Span,
    calendar: Calendar,
    factor: f64,
    /// Whether the floor applies, and until when that is known.
    known: Option<(Time, bool)>,
}

// === impl BusyHours ===

impl BusyHours {
    /// The same hours with a load that 95 % of their samples before the scored span do not exceed: people read such a
    /// line off a dashboard. `None` without a sample.
    pub fn sized(self, load: &Load, target: &Target, calendar: &Calendar) -> Option<BusyHours> {
        let before = load.observed(load.start(), target.measure(load).from);
        let busy = before.filter(|&(at, _)| self.holds(calendar, at)).map(|(_, load)| load);
        Some(BusyHours { load: percentile(busy.collect(), 0.95)?, ..self })
    }

    /// The rule, with `beside` as the trigger on the present load; `factor` multiplies the load to provide for.
    pub fn beside<'a>(
        self,
        beside: Box<dyn Strategy + 'a>,
        target: &Target,
        calendar: Calendar,
        factor: f64,
    ) -> Box<dyn Strategy + 'a> {
        Box::new(Rule {
            busy: self,
            beside,
            threshold: target.threshold,
            lead: target.lead(),
            calendar,
            factor,
            known: None,
        })
    }

    fn holds(&self, calendar: &Calendar, at: Time) -> bool {
        let second = calendar.local(at).second_of_week();
        let (day, hour) = (second / 86_400, second % 86_400 / 3_600);
        let within = |day: i64, hour: i64| {
            (i64::from(self.start)..i64::from(self.end)).contains(&hour) && (self.weekends_too || day < 5)
        };
        // Hours beyond midnight belong to the previous day.
        within(day, hour) || within((day + 6) % 7, hour + 24)
    }
}

impl Strategy for Rule<'_> {
    fn wants(&mut self, now: &Moment<'_>) -> Option<f64> {
        let is_busy = match self.known.filter(|known| now.at < known.0) {
            Some((_, is_busy)) => is_busy,
            None => {
                let is_busy = self.busy.holds(&self.calendar, now.at)
                    || self.busy.holds(&self.calendar, now.at + self.lead);
                self.known = Some((now.at.floor_to(Span::MINUTE, Span::ZERO) + Span::MINUTE, is_busy));
                is_busy
            }
        };
        let floor = if is_busy {
            f64::from(self.threshold.replicas_for(self.busy.load * self.factor).get())
        } else {
            0.0
        };
        let wanted = self.beside.wants(now);
        Some(wanted.map_or(floor, |wanted| wanted.max(floor)))
    }
}
