//! The explanation of a forecast: what each expert forecasts, its weight, and the reason in words.

use std::fmt;

use crate::units::{Quantile, Span, Time};

use super::experts::{EXPERTS, Expert, outlook};
use super::levels::{MEDIAN, UPPER};
use super::pool::DIRECT;
use super::tracker::{Tracker, past};
use super::transform::unstabilise;
use super::trust::Trust;

/// How a forecast was made. Loads are in the unit of the series.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The origin.
    pub at: Time,
    /// The horizon.
    pub horizon: Span,
    /// The level: a slow running mean, around which the load moves.
    pub level: f64,
    /// Level plus weekly profile at the target.
    pub profile: f64,
    /// The last value.
    pub last: f64,
    /// Slots since the last observed sample; 0 at an observed one.
    pub missing: usize,
    /// Each expert's forecast with its weights, in descending order of the weight in the median.
    pub experts: Vec<ExpertView>,
    /// Typical size of the error, upwards from `profile`.
    pub scale: f64,
    /// Conformal correction of the 0.95 quantile, in the unit of the load.
    pub correction: f64,
    /// The published quantiles.
    pub quantiles: Vec<(Quantile, f64)>,
    /// Trust, with the losses it rests on.
    pub trust: Trust,
    /// The reason in one sentence.
    pub why: String,
}

/// One expert's share in a forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpertView {
    /// The name of the expert.
    pub name: &'static str,
    /// Its forecast.
    pub expects: f64,
    /// Its weight in the median, 0 to 1.
    pub in_median: f64,
    /// Its weight in the 0.95 quantile, 0 to 1.
    pub in_upper: f64,
}

impl Tracker {
    /// How the forecast at a horizon is made. `trust` is the trust in the forecast for the decision at hand.
    pub fn explain(&self, horizon: Span, trust: Trust) -> Explanation {
        let fit = &self.fit;
        let ahead = horizon.as_seconds().max(fit.plan.step);
        let view = outlook(&self.state.now, &past(fit, &self.state.bins), ahead);
        let load = |z: f64| fit.transform.load(unstabilise(z));
        let task = self.task_for(false, ahead);
        let known = task.and_then(|i| fit.tasks.get(i).zip(self.state.standings.get(i)));
        let said = task.and_then(|i| self.state.forecast(fit, i, ahead));
        let experts = said.as_ref().map_or(view.experts.map(|e| e as f32), |said| said.experts);
        let has_analogues = said.as_ref().is_some_and(|said| !said.asleep.is(Expert::Analogues.place()));
        let weights = known.map(|(_, s)| s.weights());
        let weight = |level: usize, e: usize| {
            weights.as_ref().map_or(0.0, |w| {
                let share = if has_analogues { w.share[level] } else { 0.0 };
                let own =
                    if e == Expert::Analogues.place() { (w.mixed[level][DIRECT], share) } else { (0.0, 0.0) };
                let pooled = w.mixed[level][e] + w.mixed[level][e + EXPERTS] + own.0;
                f64::from((1.0 - share) * pooled + own.1)
            })
        };
        let mut views: Vec<ExpertView> = (0..EXPERTS)
            .map(|e| ExpertView {
                name: Expert::ALL[e].name(),
                expects: load(f64::from(experts[e])),
                in_median: weight(MEDIAN, e),
                in_upper: weight(UPPER, e),
            })
            .collect();
        views.sort_by(|a, b| b.in_median.total_cmp(&a.in_median));
        let scale = known.map_or(0.0, |(t, _)| f64::from(t.model.scale(&view.noise.map(|n| n as f32))));
        let values = self.quantiles(horizon, &Quantile::PUBLISHED);
        let median = values.first().copied().unwrap_or(0.0);
        let quantiles: Vec<_> = Quantile::PUBLISHED.into_iter().zip(values).collect();
        let correction = known.map_or(0.0, |(_, s)| f64::from(s.correction.blend()[UPPER]));
        let width = quantiles.get(3).map_or(0.0, |q| q.1) - median;
        let why = self.why(&views, &trust);
        Explanation {
            at: self.at(),
            horizon,
            level: load(self.state.now.level()),
            profile: load(view.base),
            last: load(self.state.now.signal[super::now::LOAD]),
            missing: self.state.now.age,
            experts: views,
            scale: load(view.base + scale) - load(view.base),
            correction: correction * width.max(0.0),
            quantiles,
            trust,
            why,
        }
    }

    fn why(&self, views: &[ExpertView], trust: &Trust) -> String {
        let first = views.first().map_or("no expert", |v| v.name);
        let share = views.first().map_or(0.0, |v| 100.0 * v.in_median);
        let history = if self.fit.quality.short { "short history; " } else { "" };
        format!(
            "{history}'{first}' has {share:.0} % of the median, as it lost least of late; {}: {trust}",
            trust.state()
        )
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "forecast of {} for {} ahead", self.at, self.horizon)?;
        writeln!(
            f,
            "  level {:.4}, with profile {:.4}, last value {:.4}",
            self.level, self.profile, self.last
        )?;
        match self.missing {
            0 => {}
            1 => writeln!(f, "  the last slot holds no sample")?,
            missing => writeln!(f, "  the last {missing} slots hold no sample")?,
        }
        for (q, value) in &self.quantiles {
            writeln!(f, "  quantile {:<5} {value:.4}", q.get())?;
        }
        writeln!(f, "  error scale {:.4}, correction of 0.95 {:+.4}", self.scale, self.correction)?;
        writeln!(f, "  {:40} {:>12} {:>8} {:>8}", "expert", "expects", "median", "0.95")?;
        for e in self.experts.iter().filter(|e| e.in_median.max(e.in_upper) >= 0.005) {
            writeln!(f, "  {:40} {:>12.4} {:>8.3} {:>8.3}", e.name, e.expects, e.in_median, e.in_upper)?;
        }
        write!(f, "  {}", self.why)
    }
}
