//! The outcome in one sentence, and a description of each strategy; the table and the report use the same words.

use super::entry::{ACTUAL, Entry, PREDICTIVE, SCHEDULE};
use crate::draw::number;
use crate::simulate::Scorecard;
use crate::units::measured;

/// The result of the forecast compared with the reactive trigger, or with what ran; `None` if one of the two is
/// missing.
pub(super) fn verdict<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Option<String> {
    let (mut mine, mut reactive, mut ran) = (None, None, None);
    for entry in entries {
        match entry.name {
            PREDICTIVE => mine = Some(&entry.run.scorecard),
            "reactive" => reactive = Some(&entry.run.scorecard),
            ACTUAL => ran = Some(&entry.run.scorecard),
            _ => {}
        }
    }
    let other = reactive.map(|card| ("the reactive trigger", card)).or(ran.map(|card| ("what ran", card)));
    other.zip(mine).map(|((name, other), mine)| sentence(mine, name, other))
}

fn sentence(mine: &Scorecard, name: &str, other: &Scorecard) -> String {
    let change = 100.0 * (mine.replica_hours / other.replica_hours.max(1e-9) - 1.0);
    let cost = match change {
        c if c.abs() < 0.5 => "as many replica-hours".to_owned(),
        c if c > 0.0 => format!("{} % more replica-hours", number(c)),
        c => format!("{} % fewer replica-hours", number(-c)),
    };
    let flaps = |card: &Scorecard| measured(&card.reversals.to_string(), "flap");
    format!(
        "With the forecast the workload is short {} % of the time, with {name} {} %; it takes {cost}, and {} against {}.",
        number(mine.tau_u),
        number(other.tau_u),
        flaps(mine),
        flaps(other)
    )
}

/// What a strategy is, in a few words.
pub(super) fn meaning(name: &str) -> &'static str {
    match name {
        PREDICTIVE => "Forescale as configured, with its forecast",
        "shadow" => "Forescale whose forecast only watches: it answers the reactive need",
        "forescale-reactive" => "Forescale without a forecast: its schedule, limits and hold remain",
        "reactive" => "a Prometheus trigger on the load now",
        "headroom" => "the same with a quarter more at all times",
        "cron" => "a cron schedule by weekday and hour, written from last month's load",
        "naive" => "yesterday's load over the lead window, at least the load now",
        "mean" => "the mean of the last seven days at this time, at least the load now",
        "offset" => "the largest load of half an hour one week ago, at least the load now",
        "holt-winters" => "Holt-Winters with a daily season, at least the load now",
        "mstl" => "MSTL with daily and weekly seasons, at least the load now",
        "oracle" => "the load known in advance, with the same delays: the bound for all others",
        SCHEDULE => "the schedule that the history suggests, without a forecast",
        ACTUAL => "the replicas that really ran",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::backtest::entry::names;

    fn card(tau_u: f64, replica_hours: f64, reversals: u64) -> Scorecard {
        Scorecard { tau_u, replica_hours, reversals, ..Scorecard::default() }
    }

    #[test]
    fn the_outcome_is_one_sentence_with_safety_cost_and_flaps() {
        let other = card(11.6, 100.0, 30);
        for (mine, told) in [
            (card(0.07, 108.0, 12), "it takes 8 % more replica-hours, and 12 flaps against 30 flaps."),
            (card(0.07, 80.0, 12), "it takes 20 % fewer replica-hours, and 12 flaps against 30 flaps."),
            (card(0.07, 80.0, 1), "it takes 20 % fewer replica-hours, and 1 flap against 30 flaps."),
            (card(0.07, 100.2, 0), "it takes as many replica-hours, and 0 flaps against 30 flaps."),
        ] {
            let sentence = sentence(&mine, "the reactive trigger", &other);
            let begins = "With the forecast the workload is short 0.07 % of the time, with the reactive trigger 11.6 %; ";
            assert_eq!(sentence, format!("{begins}{told}"));
        }
        assert_eq!(verdict(&[]), None);
    }

    #[test]
    fn every_strategy_is_told() {
        for name in names().chain([ACTUAL]) {
            assert!(!meaning(name).is_empty(), "{name}");
        }
    }
}
