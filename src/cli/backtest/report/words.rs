//! Numbers, dates, settings and caveats in words.

use std::fmt::Write;

use super::super::workload::Workload;
use crate::policy::Insurance;
use crate::units::Time;

/// What a reader must know before believing the numbers.
pub(super) const CAVEATS: &str = "<section class=\"plain\"><h2>What to keep in mind</h2><ul class=\"caveats\">\n\
<li>This is a simulation of KEDA, the HPA and the pods, checked against recordings of the real controllers; the \
load is what was recorded, and does not react to being served late.</li>\n\
<li>Demand is the load divided by the threshold, rounded up. A threshold that is off shifts every line alike.</li>\n\
<li>The load is held constant between samples: what happens within a step is not seen by anyone.</li>\n\
<li>&quot;At 1 % short&quot; compares strategies where they are equally safe: the insurance of each is swept, and \
the cost read off between settings. &quot;-&quot; means no setting is that safe.</li>\n\
<li>The past is no promise. The forecast learned only from what lay before each decision.</li>\n</ul></section>\n";

/// Text that cannot be taken for markup.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number as people read it: three digits that matter.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        s if s >= 1e9 => return format!("{:.1}G", value / 1e9),
        s if s >= 1e6 => return format!("{:.1}M", value / 1e6),
        s if s >= 10_000.0 => return format!("{:.0}k", value / 1e3),
        s if s >= 100.0 => return format!("{value:.0}"),
        s if s >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// An instant to the minute.
pub(super) fn day(at: Time) -> String {
    at.to_utc().format("%a %-d %b %Y, %H:%M UTC").to_string()
}

/// An instant within a few days.
pub(super) fn moment(at: Time) -> String {
    at.to_utc().format("%a %-d %b, %H:%M").to_string()
}

/// What was simulated.
pub(super) fn settings(out: &mut String, workload: &Workload) -> std::fmt::Result {
    let Workload { target, policy, load, .. } = workload;
    let twin = &target.twin;
    let insurance = match policy.insurance {
        Insurance::Quantile(q) => format!("the {q} quantile of the peak of the lead window"),
        Insurance::Target(share) => {
            format!("at most {} % of the time short, price found by replay", number(share * 100.0))
        }
    };
    let rows = [
        ("load per replica", number(target.threshold.get())),
        ("replicas", format!("{} to {}", twin.min_replicas, twin.max_replicas)),
        ("pod start", format!("{} s after it was ordered", twin.pods.ready.as_secs())),
        ("metric delay", target.metric_delay.to_string()),
        ("step of the load", load.step().to_string()),
        (
            "KEDA polling, HPA sync",
            format!("{} s, {} s", twin.polling_interval.as_secs(), twin.hpa.sync_period.as_secs()),
        ),
        (
            "HPA tolerance, hold before scaling in",
            format!("{} %, {} s", twin.hpa.tolerance * 100.0, twin.hpa.downscale_stabilization.as_secs()),
        ),
        ("insured", insurance),
        (
            "history learned from",
            policy.signals.first().map_or_else(|| "-".to_owned(), |s| s.window.to_string()),
        ),
        (
            "price of a replica-hour",
            if target.price > 0.0 { target.price.to_string() } else { "not given".to_owned() },
        ),
    ];
    out.push_str("<section class=\"plain\"><h2>Settings</h2><dl>\n");
    for (name, value) in rows {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(&value))?;
    }
    out.push_str("</dl></section>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (1.25, "1.25"),
            (99.96, "100"),
            (123.4, "123"),
            (45_678.0, "46k"),
            (1.5e6, "1.5M"),
            (10.0, "10"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(escaped("<a b=\"&\">"), "&lt;a b=&quot;&amp;&quot;&gt;");
    }
}
