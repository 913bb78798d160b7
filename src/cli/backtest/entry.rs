//! Who takes part in a backtest, and what each achieved.

use crate::decide::ForecastView;
use crate::forecast::{Rule, Trust};
use crate::policy::Mode;
use crate::simulate::{Foreseen, Frontier, Run, Simple};
use crate::units::Time;

/// One strategy that takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Entrant {
    /// A rule that learns nothing.
    Simple(Simple),
    /// A rule for busy hours next to a reactive trigger; the same as reactive if there are no busy hours.
    Schedule,
    /// Forescale, with its name and mode.
    Forescale(&'static str, Mode),
    /// The replicas that really ran.
    Actual,
}

/// The result of one strategy on one workload.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Entry {
    pub name: &'static str,
    /// At its own setting.
    pub run: Run,
    /// Its forecasts, if it made any.
    pub views: Vec<(Time, ForecastView)>,
    /// The rule that predicted at the end, if there was a forecast.
    pub trust: Option<Trust>,
    /// For how long its forecast was distrusted, if there was one.
    pub distrust: Option<Distrust>,
    /// The results of the sweep; without points if nothing was swept.
    pub frontier: Frontier,
}

/// For how long a forecast was distrusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) struct Distrust {
    /// Percent of the scored time.
    pub share: f64,
    /// When it was first distrusted.
    pub first: Option<Time>,
}

/// The names in results of strategies that are not a [`Simple`] rule.
pub(in crate::cli) const SCHEDULE: &str = "schedule";
pub(in crate::cli) const PREDICTIVE: &str = "predictive";
pub(in crate::cli) const ACTUAL: &str = "actual";
const FORESCALE: [(&str, Mode); 3] =
    [(PREDICTIVE, Mode::Predictive), ("shadow", Mode::Shadow), ("forescale-reactive", Mode::Reactive)];

/// The name of every strategy.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    Simple::ALL.iter().map(|s| s.name()).chain([SCHEDULE]).chain(FORESCALE.iter().map(|f| f.0))
}

/// Parses the name of a strategy.
pub(super) fn parse_entrant(text: &str) -> Result<Entrant, String> {
    let simple = Simple::parse(text).map(Entrant::Simple);
    let own = FORESCALE.iter().find(|f| f.0 == text).map(|f| Entrant::Forescale(f.0, f.1));
    let schedule = (text == SCHEDULE).then_some(Entrant::Schedule);
    let expected = || format!("found '{text}', expected {}", names().collect::<Vec<_>>().join(", "));
    simple.or(schedule).or(own).ok_or_else(expected)
}

// === impl Entry ===

impl Entry {
    /// Without a forecast, and not swept.
    pub(in crate::cli) fn new(name: &'static str, run: Run) -> Self {
        Entry { name, run, views: Vec::new(), trust: None, distrust: None, frontier: Frontier::default() }
    }

    /// With a forecast.
    pub(in crate::cli) fn foreseen(name: &'static str, seen: Foreseen, frontier: Frontier) -> Self {
        let Foreseen { run, views, trust, .. } = seen;
        let distrust = Distrust::of(&run, &views);
        Entry { name, run, views, trust, distrust, frontier }
    }
}

// === impl Distrust ===

impl Distrust {
    /// From the forecasts' own statements during the scored time; `None` if there was no forecast.
    pub(super) fn of(run: &Run, views: &[(Time, ForecastView)]) -> Option<Self> {
        let scored = run.steps.first()?.timestamp..=run.steps.last()?.timestamp;
        let scored: Vec<_> = views.iter().filter(|view| scored.contains(&view.0)).collect();
        let is_doubted = |view: &&&(Time, ForecastView)| view.1.trust.rule != Rule::Forecast;
        let doubted = scored.iter().filter(is_doubted).count();
        let first = scored.iter().find(is_doubted).map(|view| view.0);
        (!scored.is_empty()).then(|| Distrust { share: 100.0 * doubted as f64 / scored.len() as f64, first })
    }
}

// === impl Entrant ===

impl Entrant {
    /// The name in results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Entrant::Simple(simple) => simple.name(),
            Entrant::Schedule => SCHEDULE,
            Entrant::Forescale(name, _) => name,
            Entrant::Actual => ACTUAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Step;
    use crate::units::{Quantile, Span};

    #[test]
    fn the_time_of_distrust_is_that_of_the_scored_forecasts() {
        let at = |hour: i64| Time::from_epoch(hour * 3_600);
        let view = |hour: i64, rule| {
            let trust = Trust {
                rule,
                baseline: Rule::NaiveDay,
                ratio: 1.0,
                is_judged: true,
                window: Span::minutes(5),
                quantile: 0.95,
                forecast_loss: 1.0,
                plain_loss: Rule::PLAIN.map(|plain| (plain, None)),
            };
            let view = ForecastView {
                window: Span::minutes(5),
                quantile: Quantile::BALANCED,
                load: 1.0,
                published: [1.0; Quantile::PUBLISHED.len()],
                fitted_at: at(0),
                trust,
            };
            (at(hour), view)
        };
        let step = |hour: i64| Step { timestamp: at(hour), load: 1.0, demand: 1, desired: 1, ready: 1 };
        let run = Run { steps: (2..6).map(step).collect(), ..Run::default() };
        let views: Vec<_> =
            (0..6).map(|h| view(h, if h < 2 || h == 3 { Rule::NaiveDay } else { Rule::Forecast })).collect();
        assert_eq!(Distrust::of(&run, &views), Some(Distrust { share: 25.0, first: Some(at(3)) }));
        assert_eq!(Distrust::of(&run, &[]), None);
    }
}
