//! Prints forecasts as rows, as one document, or as explanations.

use std::io::Write;

use super::ForecastArgs;
use super::origins::Origin;
use crate::forecast::Explanation;
use crate::http::verdict_json;

pub(super) fn write_csv(
    out: &mut dyn Write,
    args: &ForecastArgs,
    forecasts: &[Origin],
) -> anyhow::Result<()> {
    writeln!(out, "origin,horizon_seconds,quantile,value")?;
    for origin in forecasts {
        for (horizon, values) in args.horizons.iter().zip(&origin.values) {
            for (q, value) in args.quantiles.iter().zip(values) {
                writeln!(out, "{},{},{q},{value}", origin.at, horizon.as_seconds())?;
            }
        }
    }
    Ok(())
}

pub(super) fn write_explanations(out: &mut dyn Write, forecasts: &[Origin]) -> anyhow::Result<()> {
    for explanation in forecasts.iter().flat_map(|origin| &origin.explanations) {
        writeln!(out, "{explanation}\n")?;
    }
    Ok(())
}

pub(super) fn write_json(
    out: &mut dyn Write,
    args: &ForecastArgs,
    forecasts: &[Origin],
) -> anyhow::Result<()> {
    let rows: Vec<_> = forecasts
        .iter()
        .flat_map(|origin| {
            args.horizons.iter().zip(&origin.values).flat_map(move |(horizon, values)| {
                args.quantiles.iter().zip(values).map(move |(q, value)| {
                    serde_json::json!({
                        "origin": origin.at.to_string(), "horizon_seconds": horizon.as_seconds(),
                        "quantile": q.get(), "value": value,
                    })
                })
            })
        })
        .collect();
    let explanations: Vec<_> = forecasts.iter().flat_map(|o| &o.explanations).map(explanation_json).collect();
    let document = serde_json::json!({
        "schema": 1, "peak": args.peak, "forecasts": rows, "explanations": explanations,
    });
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

pub(in crate::cli) fn explanation_json(e: &Explanation) -> serde_json::Value {
    let experts = e.experts.iter().map(|x| {
        serde_json::json!({
            "name": x.name, "expects": x.expects, "weight_median": x.in_median, "weight_upper": x.in_upper,
        })
    });
    let mut trust = verdict_json(&e.trust);
    trust["state"] = e.trust.state().as_str().into();
    trust["forecast_loss"] = e.trust.forecast_loss.into();
    let [(_, persistence), (_, day), (_, week)] = e.trust.plain_loss;
    trust["persistence_loss"] = persistence.into();
    trust["naive_day_loss"] = day.into();
    trust["naive_week_loss"] = week.into();
    // The field from before there were two rules, kept for compatibility.
    trust["naive_loss"] = week.or(day).into();
    serde_json::json!({
        "origin": e.at.to_string(), "horizon_seconds": e.horizon.as_seconds(), "level": e.level,
        "profile": e.profile, "last": e.last, "missing_slots": e.missing, "scale": e.scale,
        "correction": e.correction, "why": e.why, "experts": experts.collect::<Vec<_>>(),
        "trust": trust,
    })
}
