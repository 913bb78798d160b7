//! Reasons to be careful with a backtest, reported with its figures: a short history, a limit that binds, gaps in the
//! trace, a forecast that was not trusted.
//!
//! Nothing here changes a figure.

use super::entry::{Distrust, Entry};
use super::workload::Workload;
use crate::draw::number;
use crate::units::{Span, Time, counted};

/// With less than a week of history, the forecast knows at most daily patterns.
const WEEK: Span = Span::days(7);

/// What a reader should know about this workload before looking at the figures.
pub(super) fn of<'a>(workload: &Workload, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<String> {
    let known = [little_history(workload), binding_limit(workload)].into_iter().flatten();
    let distrusted = entries.into_iter().filter_map(|entry| distrusted(workload, entry));
    known.chain(workload.flaws.iter().cloned()).chain(distrusted).collect()
}

fn distrusted(workload: &Workload, entry: &Entry) -> Option<String> {
    let Distrust { share, first } = entry.distrust?;
    let measure = workload.target.measure(&workload.load);
    let seconds = share / 100.0 * measure.until.since(measure.from).as_seconds() as f64;
    let first = first?;
    Some(format!(
        "{}: the forecast was distrusted for {} ({} % of the time), first at {first}; meanwhile a plain rule \
         predicted, or nothing did.",
        entry.name,
        Span::minutes((seconds / 60.0).round() as i64),
        number(share.max(0.01)),
    ))
}

fn little_history(workload: &Workload) -> Option<String> {
    let Workload { load, target, .. } = workload;
    let before = target.measure(load).from.since(load.start());
    (before < WEEK).then(|| {
        format!(
            "Only {before} of the load are before the scored period: until it has seen a week, the forecast \
             knows only the daily pattern. A longer trace or a later --from gives it more."
        )
    })
}

fn binding_limit(workload: &Workload) -> Option<String> {
    let Workload { load, target, .. } = workload;
    let (measure, most, curve) = (target.measure(load), target.twin.max_replicas, target.curve());
    let step = load.step().as_seconds().max(1);
    let slots = (measure.from.epoch()..measure.until.epoch()).step_by(step as usize).map(Time::from_epoch);
    let (mut all, mut above, mut peak) = (0_u64, 0_u64, 0);
    for at in slots.filter(|&at| load.is_observed(at)) {
        let needed = curve.at(at).replicas_for(load.at(at)).get();
        all += 1;
        above += u64::from(needed > most);
        peak = peak.max(needed);
    }
    (above > 0).then(|| {
        let share = 100.0 * above as f64 / all as f64;
        format!(
            "maxReplicas {most} binds: for {} % of the time the load needs more, up to {}; every strategy is short then. \
             --set maxReplicas=N raises it, --threshold says what a replica carries.",
            number(share.max(0.01)),
            counted(peak as usize, "replica")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Series;
    use crate::policy::{Keys, Policy};
    use crate::simulate::{Load, Target};
    use crate::units::{self, Threshold};

    fn doubts(days: i64, most: u32) -> Vec<String> {
        let values = (0..days * 24).map(|hour| if hour % 24 == 12 { 50.0 } else { 10.0 });
        let step = units::Step::new(Span::HOUR).expect("a step");
        let load = Load::of(&Series::from_values(Time::from_epoch(0), step, values));
        let mut target = Target::new(Threshold::new(10.0).expect("a threshold"));
        target.from = Some(load.start() + Span::days(days - 1));
        target.twin.max_replicas = most;
        let mut keys = Keys::default();
        keys.values.extend([("query", "q"), ("threshold", "10")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        let policy = Policy::from_keys(&keys).expect("valid");
        let flaws = Vec::new();
        of(&Workload { name: "x".to_owned(), load, target, policy, actual: None, flaws, busy: None }, [])
    }

    #[test]
    fn little_history_and_a_limit_that_binds_are_told() {
        assert_eq!(doubts(20, 5), Vec::<String>::new());
        let told = doubts(5, 4);
        assert!(told[0].starts_with("Only 4d of the load are before"), "{told:?}");
        assert!(
            told[1].starts_with(
                "maxReplicas 4 binds: for 4.17 % of the time the load needs more, up to 5 replicas"
            ),
            "{told:?}"
        );
    }
}
