//! The two pictures of a workload: the load with its forecast, and the replicas with theirs.

use chrono_tz::Tz;

use super::super::overview::Story;
use crate::decide::{Decision, Stretch, allowed};
use crate::draw::{Figure, Plane, number, stairs, thinned, time_marks};
use crate::policy::Policy;
use crate::units::{Replicas, Span, Time};

/// The load of a week ago is shown with today's.
const WEEK: Span = Span::days(7);
/// How far ahead the pictures look.
pub(super) const AHEAD: Span = Span::hours(12);
/// Spacing of the points ahead.
pub(super) const FINE: Span = Span::minutes(15);

/// An instant as an x coordinate.
pub(super) fn x(at: Time) -> f64 {
    at.epoch() as f64
}

/// The load until now and its range in the coming hours, with the newest load in words; `None` without a load.
pub(super) fn load(
    story: &Story,
    decision: Option<&Decision>,
    ahead: &[Stretch],
    back: Span,
    now: Time,
) -> Option<Figure> {
    let series = story.load.as_deref()?;
    let until = if ahead.is_empty() { now } else { now + AHEAD };
    let range = (x(now - back), x(until));
    let shown = |later: Span| {
        let points = (0..series.len()).filter_map(|i| Some((x(series.time(i) + later), series.get(i)?)));
        thinned(points.filter(|p| p.0 > range.0 && p.0 <= range.1).collect())
    };
    let (line, before) = (shown(Span::ZERO), shown(WEEK));
    let highest = line.iter().chain(&before).map(|p| p.1);
    let most = highest.chain(ahead.iter().map(|s| s.load[2])).fold(0.0, f64::max);
    let zone = story.policy.schedule.zone();
    let title = format!("Load, last {back} and next {AHEAD}");
    let mut plane = Plane::new(true, range, (0.0, most * 1.05));
    plane.scale_y("");
    plane.scale_x(&time_marks(zone, range));
    let mut keys = vec![("load", "load".to_owned())];
    if !before.is_empty() {
        plane.line("week", &before);
        keys.push(("week", "the same time last week".to_owned()));
    }
    let edge = |place: usize| -> Vec<(f64, f64)> {
        ahead.iter().map(|s| ((x(s.from) + 450.0).max(x(now)), s.load[place])).collect()
    };
    if let Some(first) = ahead.first() {
        plane.area("band", &edge(0), &edge(2));
        plane.line("predictive", &edge(1));
        keys.push(("predictive", "median forecast".to_owned()));
        keys.push(("band", format!("likely: quantiles 0.25 to {}", first.quantile)));
    }
    plane.line("load", &line);
    plane.upright(x(now), "now");
    let newest = decision.and_then(|decision| decision.load);
    let Some(present) = newest.or_else(|| line.last().map(|p| p.1)) else {
        let told = format!("No load was measured in the last {back}.");
        return Some(Figure {
            svg: plane.svg(&format!("{title}. {told}")),
            title,
            caption: told,
            keys,
            is_wide: true,
        });
    };
    let measured = measured(present, decision);
    let peak = ahead.iter().map(|s| s.load[2]).fold(0.0, f64::max);
    let told = match ahead.first() {
        // The forecast for the coming hours does not hold while the present load is above it.
        Some(first) if present > peak => format!(
            "{}: above {}, the largest load forecast for the next 12 hours (quantile {}). The forecast does not hold \
             for the load now.",
            measured,
            number(peak),
            first.quantile
        ),
        Some(first) => format!(
            "{}; at any moment of the next 12 hours it is below {} with probability {}. The table below has each \
             hour.",
            measured,
            number(peak),
            first.quantile
        ),
        None => format!("{measured}. There is no forecast."),
    };
    Some(Figure { svg: plane.svg(&format!("{title}. {told}")), title, caption: told, keys, is_wide: true })
}

/// The newest load in words; without fresh samples nobody knows the load now.
fn measured(load: f64, decision: Option<&Decision>) -> String {
    match decision.and_then(|decision| Some((decision, decision.history_age?))) {
        Some((decision, age)) if !decision.rung.is_current() => {
            format!("Last measured {}, {age} ago", number(load))
        }
        _ => format!("Now {}", number(load)),
    }
}

/// The replicas answered so far, and those expected.
pub(super) fn replicas(
    story: &Story,
    decision: &Decision,
    ahead: &[Stretch],
    back: Span,
    now: Time,
) -> Figure {
    let zone: Tz = story.policy.schedule.zone();
    let range = (x(now - back), x(now + AHEAD));
    let count = |replicas: Replicas| f64::from(replicas.get());
    // The last answer before the picture starts is drawn from its left edge.
    let from = story.changes.iter().rposition(|c| c.at <= now - back).unwrap_or(0);
    let changes = story.changes.iter().skip(from).map(|c| (x(c.at).max(range.0), count(c.replicas)));
    let answered: Vec<(f64, f64)> = changes.chain([(x(now), count(decision.replicas))]).collect();
    let expected = expected(&story.policy, ahead, now);
    let coming: Vec<(f64, f64)> = expected.iter().map(|e| (x(e.from), count(e.replicas))).collect();
    let floor: Vec<(f64, f64)> = expected.iter().map(|e| (x(e.from), count(e.allowed.0))).collect();
    let ceiling: Vec<(f64, f64)> = expected.iter().map(|e| (x(e.from), count(e.allowed.1))).collect();
    let most = answered.iter().chain(&coming).map(|p| p.1).fold(1.0, f64::max);
    // A ceiling far above everything else would flatten the rest.
    let is_near = ceiling.iter().any(|p| p.1 <= most * 2.0);
    let top = if is_near { ceiling.iter().map(|p| p.1.min(most * 2.0)).fold(most, f64::max) } else { most };
    // At least four, so that all tick marks are whole numbers. A line at zero keeps a distance from the edge.
    let top = (top * 1.1).max(4.0);
    let mut plane = Plane::new(true, range, (-0.03 * top, top));
    plane.scale_y("");
    plane.scale_x(&time_marks(zone, range));
    let mut keys = vec![("load", "answered".to_owned())];
    if !coming.is_empty() {
        let zero: Vec<(f64, f64)> = coming.iter().map(|p| (p.0, 0.0)).collect();
        plane.area("demand", &stairs(&zero), &stairs(&coming));
        keys.push(("demand", "expected".to_owned()));
        plane.line("floor", &stairs(&floor));
        keys.push(("floor", "minimum allowed".to_owned()));
    }
    if is_near && !ceiling.is_empty() {
        plane.line("ceiling", &stairs(&ceiling));
        keys.push(("ceiling", "maximum allowed".to_owned()));
    }
    plane.line("load", &stairs(&answered));
    plane.upright(x(now), "now");
    let peak = expected.iter().map(|e| e.replicas).max();
    let told = match peak {
        Some(peak) if peak < decision.replicas => {
            format!("Now {}; in the next 12 hours fewer are expected, up to {peak}.", decision.replicas)
        }
        Some(peak) => format!("Now {}; up to {peak} in the next 12 hours.", decision.replicas),
        None => format!("Now {}.", decision.replicas),
    };
    let title = "Replicas, answered and expected".to_owned();
    Figure { svg: plane.svg(&format!("{title}. {told}")), title, caption: told, keys, is_wide: true }
}

/// What a quarter of an hour is expected to bring.
struct Expected {
    from: Time,
    replicas: Replicas,
    allowed: (Replicas, Replicas),
}

/// From the forecast; a workload that follows its schedule alone needs none.
fn expected(policy: &Policy, ahead: &[Stretch], now: Time) -> Vec<Expected> {
    if !policy.is_schedule_only() {
        let of = |s: &Stretch| Expected { from: s.from, replicas: s.replicas, allowed: s.allowed };
        return ahead.iter().map(of).collect();
    }
    let first = now.floor_to(FINE, Span::ZERO);
    let starts =
        (0..).map(|i| first + Span::seconds(i * FINE.as_seconds())).take_while(|&at| at < now + AHEAD);
    starts
        .map(|from| {
            let middle = from + Span::seconds(FINE.as_seconds() / 2);
            let allowed = allowed(&policy.schedule.at(middle), &policy.limits, policy.override_at(middle));
            Expected { from, replicas: allowed.0, allowed }
        })
        .collect()
}
