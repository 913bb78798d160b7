//! What a live Prometheus has about a workload: its load, and from cAdvisor and kube-state-metrics its CPU, requests,
//! replicas and pod template.
//!
//! Every query can be replaced. A query without a result is reported with the exporter that has it; nothing is
//! guessed in its place.

use anyhow::{Context, bail, ensure};
use clap::Args;

use super::asked::{Kind, Quantity};
use super::{CapacityArgs, Seen};
use crate::capacity::{Column, Evidence};
use crate::cli::{live, runtime};
use crate::history::Series;
use crate::serve::{Clock, SystemClock};
use crate::source::exporters::{ExportedMetric, Service};
use crate::source::{Backend, RangeQuery};
use crate::units::{Span, Step};

/// Queries in place of the usual ones.
#[derive(Debug, Default, Args)]
pub(super) struct Queries {
    /// PromQL of the ready replicas.
    #[arg(long, value_name = "PROMQL")]
    replicas_query: Option<String>,
    /// PromQL of the CPU cores that all replicas together use.
    #[arg(long, value_name = "PROMQL")]
    cpu_query: Option<String>,
    /// PromQL of the CPU cores that one replica requests.
    #[arg(long, value_name = "PROMQL")]
    request_query: Option<String>,
    /// PromQL of a number that increases with each new pod template.
    #[arg(long, value_name = "PROMQL")]
    generation_query: Option<String>,
    /// PromQL of the latency in the objective, in seconds.
    #[arg(long, value_name = "PROMQL")]
    latency_query: Option<String>,
    /// PromQL of the failed requests per second.
    #[arg(long, value_name = "PROMQL")]
    errors_query: Option<String>,
    /// PromQL of the waiting work; the load is then the completed work.
    #[arg(long, value_name = "PROMQL")]
    backlog_query: Option<String>,
    /// PromQL of the offered load, if the load is only what was served.
    #[arg(long, value_name = "PROMQL")]
    demand_query: Option<String>,
}

/// A query, its purpose, and the exporter that answers it.
struct Wanted {
    column: Column,
    query: Option<String>,
    what: &'static str,
    exporter: &'static str,
}

/// Reads everything that is available.
pub(super) fn read(args: &CapacityArgs, quantity: Option<Quantity>) -> anyhow::Result<Seen> {
    let (Some(url), Some(query)) = (&args.prometheus, &args.query) else {
        bail!("expected --csv, or --prometheus with --query");
    };
    for name in [&args.namespace, &args.workload] {
        // The names become part of PromQL.
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        ensure!(
            name.bytes().all(allowed),
            "found '{}', expected a name of Kubernetes (a-z, 0-9, '-', '.')",
            name.escape_debug()
        );
    }
    let source = live::open(url)?;
    let runtime = runtime::here()?;
    let ask = |query: &str| runtime.block_on(range(source.as_ref(), query, args.history));
    let load = ask(query).with_context(|| format!("--query {query}"))?;
    ensure!(load.observed() > 0, "--query {query}: found no samples in the last {}", args.history);
    let (mut others, mut missing) = (Vec::new(), Vec::new());
    for wanted in wanted(args, quantity) {
        let Some(query) = &wanted.query else {
            missing.extend((!wanted.what.is_empty()).then(|| wanted.missed()));
            continue;
        };
        let series = ask(query).with_context(|| format!("{}: {query}", wanted.what))?;
        if series.observed() > 0 {
            others.push((wanted.column, series));
        } else {
            missing.push(wanted.missed());
        }
    }
    ensure!(
        others.iter().any(|(column, _)| *column == Column::Replicas),
        "{}; name --workload with --namespace, or --replicas-query",
        missing.join("; ")
    );
    let request = match (
        args.request,
        args.queries.request_query.clone().or_else(|| told(args, ExportedMetric::Request)),
    ) {
        (None, Some(query)) => {
            let found = runtime.block_on(source.instant(&query, SystemClock.now())).ok().flatten();
            let found = found.filter(|cores| *cores > 0.0);
            if found.is_none() {
                missing.push(
                    "the CPU request of a replica: kube-state-metrics has it, or name --request".to_owned(),
                );
            }
            found
        }
        _ => None,
    };
    let others: Vec<(Column, &Series)> = others.iter().map(|(column, series)| (*column, series)).collect();
    let latency = others.iter().any(|(column, _)| *column == Column::Latency).then_some(quantity).flatten();
    Ok(Seen { evidence: Evidence::of_series(&load, &others), request, latency, missing })
}

async fn range(
    source: &dyn Backend,
    query: &str,
    history: Span,
) -> Result<Series, crate::source::SourceError> {
    let now = SystemClock.now();
    let question = RangeQuery { query: query.to_owned(), from: now - history, to: now, step: Step::MINUTE };
    Ok(source.range(&question).await?.series)
}

/// The queries, with the usual ones if the workload is named. A query without a description is not reported as
/// missing.
fn wanted(args: &CapacityArgs, quantity: Option<Quantity>) -> Vec<Wanted> {
    let Queries { replicas_query, cpu_query, generation_query, latency_query, errors_query, .. } =
        &args.queries;
    let usual = |given: &Option<String>, query: Option<String>| given.clone().or(query);
    let latency_wanted = quantity.is_some_and(|quantity| quantity != Quantity::Errors);
    let is_named =
        |given: &Option<String>, wanted: bool, what| if given.is_some() || wanted { what } else { "" };
    let errors_wanted = quantity == Some(Quantity::Errors);
    vec![
        Wanted {
            column: Column::Replicas,
            query: usual(replicas_query, told(args, ExportedMetric::Ready)),
            what: "ready replicas",
            exporter: if args.kind == Kind::Rollout {
                "the controller of Argo Rollouts"
            } else {
                "kube-state-metrics"
            },
        },
        Wanted {
            column: Column::Cpu,
            query: usual(cpu_query, told(args, ExportedMetric::Cpu)),
            what: "CPU",
            exporter: "cAdvisor, scraped from the kubelets,",
        },
        Wanted {
            column: Column::Throttled,
            query: told(args, ExportedMetric::Throttled),
            what: "",
            exporter: "",
        },
        Wanted {
            column: Column::Generation,
            query: usual(generation_query, told(args, ExportedMetric::Template)),
            what: is_named(generation_query, args.kind != Kind::Statefulset, "the pod template"),
            exporter: "kube-state-metrics",
        },
        Wanted {
            column: Column::Latency,
            query: latency_query.clone(),
            what: is_named(latency_query, latency_wanted, "latency"),
            exporter: "the service or its mesh (--latency-query)",
        },
        Wanted {
            column: Column::Errors,
            query: errors_query.clone(),
            what: is_named(errors_query, errors_wanted, "failed requests"),
            exporter: "the service or its mesh (--errors-query)",
        },
        Wanted { column: Column::Backlog, query: args.queries.backlog_query.clone(), what: "", exporter: "" },
        Wanted { column: Column::Demand, query: args.queries.demand_query.clone(), what: "", exporter: "" },
    ]
}

impl Wanted {
    fn missed(&self) -> String {
        let what = if self.what.is_empty() { "a query that was given" } else { self.what };
        let exporter = if self.exporter.is_empty() { "the service" } else { self.exporter };
        format!("{what}: {exporter} has it, but nothing was found")
    }
}

/// The usual query for a metric of the workload, if the workload is named.
fn told(args: &CapacityArgs, what: ExportedMetric) -> Option<String> {
    let kind = Some(args.kind.target());
    let service = Service { namespace: &args.namespace, name: &args.workload, kind };
    (!args.workload.is_empty()).then(|| service.asks(what))?
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: CapacityArgs,
    }

    fn queries(more: &[&str]) -> Vec<(Column, String)> {
        let base = [
            "test",
            "--prometheus",
            "http://p",
            "--query",
            "q",
            "--namespace",
            "shop",
            "--workload",
            "web.eu",
        ];
        let line = Line::parse_from(base.iter().chain(more));
        wanted(&line.args, None).into_iter().filter_map(|w| Some((w.column, w.query?))).collect()
    }

    #[test]
    fn each_kind_of_workload_has_its_queries() {
        let of = |queries: &[(Column, String)], column| {
            queries.iter().find(|q| q.0 == column).map_or("", |q| q.1.as_str()).to_owned()
        };
        let deployment = queries(&[]);
        assert!(of(&deployment, Column::Replicas).contains("kube_deployment_status_replicas_ready"));
        assert!(of(&deployment, Column::Cpu).contains("pod=~\"web[.]eu-[a-z0-9]+-[a-z0-9]+\""));
        assert!(of(&deployment, Column::Generation).contains("kube_replicaset_created"));
        let set = queries(&["--kind", "statefulset"]);
        assert!(
            of(&set, Column::Cpu).contains("web[.]eu-[0-9]+\"") && of(&set, Column::Generation).is_empty()
        );
        let rollout = queries(&["--kind", "rollout", "--cpu-query", "mine"]);
        assert!(of(&rollout, Column::Replicas).contains("rollout_info_replicas_available"));
        assert_eq!(of(&rollout, Column::Cpu), "mine");
    }
}
