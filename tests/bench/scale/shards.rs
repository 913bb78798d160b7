//! Three shards side by side, with some 4,000 workloads each: memory and processor of each, which workloads it has, and
//! that it refuses those of the others. `SHARDS`, `SHARD_WORKLOADS`, `SHARD_QUERIES` and `SHARD_SECONDS` change it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use forescale::keda::wire::ScaledObjectRef;
use forescale::units::{Shard, Shards};
use tonic::Code;

use super::child::{Process, Usage, machine_load};
use super::{ages, count, fake, rpc};

/// The most that a shard of 4,000 workloads may take, in MiB.
const MOST_MIB: f64 = 1_024.0;

/// A server, and what belongs to it.
struct Part {
    shard: Shard,
    server: Process,
    own: Vec<ScaledObjectRef>,
}

pub async fn run() {
    let shards = Shards::new(count("SHARDS", 3) as u32).expect("a number of shards");
    let each = count("SHARD_WORKLOADS", 4_000);
    let length = Duration::from_secs(count("SHARD_SECONDS", 60) as u64);
    let parts = divided(shards, each).await;
    let rate = each.div_ceil(4);
    // As KEDA and the HPA ask together: three calls for each workload in 12 s.
    let round = Duration::from_secs((3 * each).div_ceil(rate) as u64 + 1);
    let begun = Instant::now();
    while !is_warm(&parts).await {
        assert!(begun.elapsed() < Duration::from_secs(900), "they do not get warm");
        let runs = parts.iter().map(|part| rpc::run_of(part.server.grpc, rate, round, part.own.clone()));
        all(runs).await;
    }
    println!("shards: all with a forecast after {:.1?}", begun.elapsed());
    steady(&parts, rate, length).await;
    each_in_one(&parts).await;
    refused(&parts, rate, round).await;
    each_in_one(&parts).await;
}

/// The servers, and the fleet divided among them as its names tell.
async fn divided(shards: Shards, each: usize) -> Vec<Part> {
    let queries = count("SHARD_QUERIES", 800);
    let source = fake::serve().await;
    let number = shards.to_string().parse::<usize>().expect("a number");
    let mut parts: Vec<Part> = (0..number)
        .map(|index| {
            let shard = shards.part(index as u32).expect("one of them");
            let told = format!("--shard={index}/{shards}");
            let server = Process::serve_as(&format!("http://{source}"), None, "", &[&told]);
            Part { shard, server, own: Vec::new() }
        })
        .collect();
    for workload in (0..number * each).map(|w| rpc::reference(w, queries)) {
        let shard = shards.shard_of(&workload.namespace, &workload.name);
        parts[shard.index() as usize].own.push(workload);
    }
    for part in &parts {
        part.server.open().await;
    }
    parts
}

async fn is_warm(parts: &[Part]) -> bool {
    let mut cold = 0;
    for part in parts {
        cold += part.own.len() - ages(&part.server).await.0;
    }
    if cold > 0 {
        println!("  {cold} without a forecast");
    }
    cold == 0
}

/// All of them at the same time.
async fn all<T: Send + 'static>(
    runs: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = runs.map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await.expect("it ends"));
    }
    done
}

/// KEDA's calls to all of them for so long.
async fn steady(parts: &[Part], rate: usize, length: Duration) {
    let (before, begun): (Vec<Usage>, _) =
        (parts.iter().map(|part| part.server.usage()).collect(), Instant::now());
    let runs =
        all(parts.iter().map(|part| rpc::run_of(part.server.grpc, rate, length, part.own.clone()))).await;
    let took = begun.elapsed().as_secs_f64();
    let mut judged = Vec::new();
    for ((part, before), run) in parts.iter().zip(before).zip(runs) {
        let (after, (fresh, oldest)) = (part.server.usage(), ages(&part.server).await);
        println!(
            "{}: {} workloads, {:.0} MiB resident, {:.2} cores with {rate} calls a second ({:.0} s of processor so far), \
             p50 {:.2} ms, p99 {:.2} ms, oldest decision {oldest} s, {} files, {} threads",
            part.shard,
            part.own.len(),
            after.resident_mib,
            (after.cpu_seconds - before.cpu_seconds) / took,
            after.cpu_seconds,
            run.at(0.5),
            run.at(0.99),
            after.files,
            after.threads
        );
        judged.push((part, run, after, fresh, oldest));
    }
    println!("load average {}", machine_load());
    for (part, run, after, fresh, oldest) in judged {
        assert!(run.errors.is_empty(), "{}: {:?}", part.shard, run.errors.first());
        assert_eq!(fresh, part.own.len(), "{}", part.shard);
        assert!(oldest < 60, "{}: a decision {oldest} s old", part.shard);
        assert!(after.resident_mib <= MOST_MIB, "{}: {} MiB", part.shard, after.resident_mib);
    }
}

/// What each server says it serves is what belongs to it, so each workload is in one of them.
async fn each_in_one(parts: &[Part]) {
    let mut seen = BTreeSet::new();
    for part in parts {
        let page: serde_json::Value =
            serde_json::from_str(&part.server.get("/api/v1/workloads").await).expect("JSON");
        let text = |value: &serde_json::Value| value.as_str().expect("a name").to_owned();
        let listed = page["workloads"].as_array().expect("a list").iter();
        let served: BTreeSet<_> = listed.map(|w| (text(&w["namespace"]), text(&w["name"]))).collect();
        let own: BTreeSet<_> = part.own.iter().map(|of| (of.namespace.clone(), of.name.clone())).collect();
        assert_eq!(served, own, "{}", part.shard);
        for workload in served {
            assert!(seen.insert(workload.clone()), "{workload:?} is in two");
        }
    }
    println!("shards: {} workloads, each in one of them", seen.len());
}

/// Every workload is asked for at the next shard too, which refuses it and says whose it is.
async fn refused(parts: &[Part], rate: usize, round: Duration) {
    let next = |i: usize| &parts[(i + 1) % parts.len()];
    let ask = |(i, part): (usize, &Part)| rpc::run_of(next(i).server.grpc, rate, round, part.own.clone());
    for ((i, part), run) in parts.iter().enumerate().zip(all(parts.iter().enumerate().map(ask)).await) {
        // The specification, the first of three calls, is from the metadata alone.
        assert!(run.micros.len() >= 3 * part.own.len() && run.errors.len() == run.micros.len() / 3 * 2);
        let told = format!("is of {}, and this is {}", part.shard, next(i).shard);
        for refusal in &run.errors {
            assert!(
                refusal.code() == Code::FailedPrecondition && refusal.message().contains(&told),
                "{refusal}"
            );
        }
        println!("{}: refused {} calls for workloads of {}", next(i).shard, run.errors.len(), part.shard);
    }
}
