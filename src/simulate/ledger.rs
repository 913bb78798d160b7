//! The value of a forecast in shadow mode: two twins of one workload, side by side from now on.
//!
//! One twin gets the forecast's answers, the other those of a reactive trigger. Both have the same controllers and
//! the same pods, so only the answers differ. The replicas that really run are not used: they follow one of the
//! answers, with delays of their own.

use super::{ConfigError, Millis, Scaler, ScalerResponse, Twin, TwinConfig, View};
use crate::units::Time;

/// The two twins, advanced from decision to decision.
#[derive(Debug)]
pub struct Ledger {
    origin: Time,
    at: Time,
    predictive: Side,
    reactive: Side,
    demand: u32,
}

/// The result of the time since the previous decision.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Balance {
    /// With the forecast.
    pub predictive: Account,
    /// Without it.
    pub reactive: Account,
}

/// The result of one kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Account {
    /// Ready pods times seconds.
    pub replica_seconds: f64,
    /// Seconds with fewer pods ready than the load needed.
    pub short: f64,
}

#[derive(Debug)]
struct Side {
    twin: Twin,
    holds: HeldAnswer,
}

/// An answer that holds until the next decision.
#[derive(Debug, Clone, Copy)]
struct HeldAnswer(u32);

// === impl Ledger ===

impl Ledger {
    /// Starts both twins with `running` pods, and with the same answer until the first decision.
    pub fn new(config: &TwinConfig, running: u32, at: Time) -> Result<Self, ConfigError> {
        let side = || {
            let created_at = Millis(at.epoch() * 1_000).max(Millis::ZERO);
            let config = TwinConfig { initial_replicas: running, created_at, ..config.clone() };
            Ok(Side { twin: Twin::new(config)?, holds: HeldAnswer(running) })
        };
        Ok(Ledger { origin: at, at, predictive: side()?, reactive: side()?, demand: 0 })
    }

    /// Advances both to `at` with the previous answers, then applies the new ones. `demand` is what the load needs
    /// from now on. An instant that is not after the last has no effect.
    pub fn decided(&mut self, at: Time, predictive: u32, reactive: u32, demand: u32) -> Balance {
        let (from, until) = (self.at.since(self.origin), at.since(self.origin));
        let (seconds, until) = (until.as_seconds() - from.as_seconds(), Millis::from(until));
        if seconds <= 0 {
            return Balance::default();
        }
        let mut balance = Balance::default();
        // Pods change between decisions too; one second is finer than any of their times.
        for step in 1..=seconds {
            let now = Millis(until.0 - (seconds - step) * 1_000);
            balance.predictive.add(self.predictive.ready_at(now), self.demand);
            balance.reactive.add(self.reactive.ready_at(now), self.demand);
        }
        self.predictive.holds = HeldAnswer(predictive);
        self.reactive.holds = HeldAnswer(reactive);
        (self.at, self.demand) = (at, demand);
        balance
    }

    /// The last instant that was entered.
    pub fn at(&self) -> Time {
        self.at
    }
}

impl Balance {
    /// Replica-seconds saved by the forecast; negative if it ran more.
    pub fn saved(&self) -> f64 {
        self.reactive.replica_seconds - self.predictive.replica_seconds
    }
}

impl Account {
    /// One more second.
    fn add(&mut self, ready: u32, demand: u32) {
        self.replica_seconds += f64::from(ready);
        self.short += f64::from(u8::from(ready < demand));
    }
}

impl Side {
    fn ready_at(&mut self, at: Millis) -> u32 {
        let Side { twin, holds } = self;
        twin.advance(holds, at);
        // Months of changes are not needed here.
        twin.forget_changes();
        twin.view().ready
    }
}

impl Scaler for HeldAnswer {
    fn answer(&mut self, _view: View, _trigger: usize) -> ScalerResponse {
        ScalerResponse { value: Some(f64::from(self.0)), active: Some(self.0 > 0), target: Some(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::PodTiming;
    use crate::units::Span;

    fn ledger() -> Ledger {
        let pods = PodTiming { ready: Millis(120_000), spread: 0.0, ..PodTiming::default() };
        Ledger::new(&TwinConfig { pods, ..TwinConfig::default() }, 2, Time::from_epoch(0)).expect("valid")
    }

    /// Every quarter of a minute over an hour; the load needs 2, from the half hour on 6.
    fn hour(mut ledger: Ledger, predictive: impl Fn(i64) -> u32) -> Balance {
        let needed = |at: i64| if at >= 1_800 { 6 } else { 2 };
        let mut sum = Balance::default();
        for at in (0..=3_600).step_by(15) {
            let one = ledger.decided(Time::from_epoch(at), predictive(at), needed(at), needed(at));
            for (sum, one) in [(&mut sum.predictive, one.predictive), (&mut sum.reactive, one.reactive)] {
                sum.replica_seconds += one.replica_seconds;
                sum.short += one.short;
            }
        }
        sum
    }

    #[test]
    fn whoever_is_early_is_not_short_and_pays_for_it() {
        let early = hour(ledger(), |at| if at >= 1_560 { 6 } else { 2 });
        assert_eq!(early.predictive.short, 0.0, "{early:?}");
        // A sync and two minutes of pods, at least.
        assert!((120.0..=165.0).contains(&early.reactive.short), "{early:?}");
        // Four pods for as much longer as they were wanted earlier, within a sync.
        assert!((early.saved() + 4.0 * 240.0).abs() <= 4.0 * 16.0, "{early:?}");
    }

    #[test]
    fn equal_answers_are_worth_nothing() {
        let same = hour(ledger(), |at| if at >= 1_800 { 6 } else { 2 });
        assert_eq!(same.predictive, same.reactive);
        assert_eq!(same.saved(), 0.0);
    }

    #[test]
    fn an_instant_before_the_last_is_not_entered() {
        let mut ledger = ledger();
        ledger.decided(Time::from_epoch(60), 6, 2, 2);
        assert_eq!(ledger.decided(Time::from_epoch(60) - Span::MINUTE, 2, 2, 2), Balance::default());
        assert_eq!(ledger.at(), Time::from_epoch(60));
    }
}
