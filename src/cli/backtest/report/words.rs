//! The settings and caveats of the report in words.

use std::fmt::Write;

use super::super::workload::Workload;
use crate::draw::{escaped, number};
use crate::policy::Insurance;

/// What a reader must know before believing the numbers.
pub(super) const CAVEATS: &str = "<section class=\"plain\"><h2>What to keep in mind</h2><ul class=\"caveats\">\n\
<li>This is a simulation of KEDA, the HPA and the pods, checked against recordings of the real controllers; the \
load is what was recorded, and does not react to being served late.</li>\n\
<li>Demand is the load divided by the threshold, rounded up. A threshold that is off shifts every line alike.</li>\n\
<li>The load is held constant between samples: what happens within a step is not seen by anyone.</li>\n\
<li>&quot;At 1 % short&quot; compares strategies where they are equally safe: the insurance of each is swept, up to \
replica-hours of 6 times the demand for all alike, and the cost read off between settings. &quot;-&quot; means no \
setting is that safe.</li>\n\
<li>The past is no promise. The forecast learned only from what lay before each decision.</li>\n</ul></section>\n";

/// What was simulated.
pub(super) fn settings(out: &mut String, workload: &Workload) -> std::fmt::Result {
    let Workload { target, policy, load, .. } = workload;
    let twin = &target.twin;
    let (up, down) = twin.tolerances();
    let given = twin.behavior.as_ref().and_then(|behavior| behavior.scale_down.stabilization);
    let hold = given.unwrap_or(twin.hpa.downscale_stabilization);
    let insurance = match policy.insurance {
        Insurance::Quantile(q) => format!("the {q} quantile of the peak of the lead window"),
        Insurance::Target(share) => {
            format!("short at most {} % of the time, price found by replay", number(share * 100.0))
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
            "HPA tolerance up and down, hold before scaling in",
            format!("{} %, {} %, {} s", number(up * 100.0), number(down * 100.0), hold.as_secs()),
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
