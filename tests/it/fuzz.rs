//! Everything that reads what others wrote, against corpora and what becomes of them: nothing panics, hangs or lies.
//!
//! The corpora (`tests/fuzz/<target>/`) are replayed and mutated for a second each; `FUZZ_SECONDS` runs longer and
//! `FUZZ_SEED` elsewhere. An input that fails is written to the temporary folder: put it into the corpus once mended.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forescale::decide::{decide, prepare};
use forescale::history::{Observations, Sample, Series, SignalHistory};
use forescale::policy::{Keys, Policy};
use forescale::source::{Catalogue, ServerConfig, prometheus, trace};
use forescale::units::{Replicas, Span, Step, Time};

/// A Monday.
const NOW: Time = Time::from_epoch(1_790_985_600);
/// More than any single input may take, on a machine that is busy.
const SLOW: Duration = Duration::from_secs(5);
const CATALOGUE: &str =
    "query: load\nthreshold: 10\nmaxReplicas: 20\nschedule: [{start: '09:00', end: '18:00', min: 2}]";

fn catalogue() -> Catalogue {
    let mut catalogue = Catalogue::new(NOW);
    catalogue.add("p", CATALOGUE).expect("valid");
    catalogue
}

/// Whatever a policy says, a decision keeps its limits, and every fault has a key and words.
fn policy_holds(policy: Result<Policy, forescale::policy::Faults>) {
    let policy = match policy {
        Ok(policy) => policy,
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused without a fault");
            assert!(faults.0.iter().all(|f| !f.expected.is_empty()), "{faults}");
            return;
        }
    };
    let newest = Some(Sample { at: NOW, value: 55.0 });
    let signal = SignalHistory { newest, ..SignalHistory::default() };
    let observations =
        Observations { signals: vec![signal; policy.signals.len()], ..Observations::none(0, Time::MIN) };
    let prepared = prepare(&observations, &policy, NOW - Span::HOUR);
    for minutes in [0, 7, 60, 1_439, 100_000] {
        let now = NOW + Span::minutes(minutes);
        if let Ok(decision) = decide(&prepared, &observations, &policy, now) {
            assert!(decision.replicas <= policy.limits.max.max(Replicas::ONE), "{decision:?}");
        }
        let next = policy.schedule.next_change(now);
        assert!(next.is_none_or(|next| next > now), "the next change of {now} is {next:?}");
    }
}

/// `key=value` lines, as KEDA's map.
fn metadata(text: &str) {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let metadata: HashMap<_, _> = pairs.map(|(k, v)| (k.to_owned(), v.replace('\u{b6}', "\n"))).collect();
    policy_holds(Policy::from_keys(&catalogue().keys(&metadata)));
}

fn policy(text: &str) {
    let mut catalogue = catalogue();
    if catalogue.add("fuzzed", text).is_ok() {
        let named = HashMap::from([("policy".to_owned(), "fuzzed".to_owned())]);
        policy_holds(Policy::from_keys(&catalogue.keys(&named)));
    }
}

fn schedule(text: &str) {
    let rules = forescale::source::schedule_from(text);
    if let Ok(rules) = rules {
        let keys = Keys { schedule: rules, ..catalogue().keys(&HashMap::new()) };
        policy_holds(Policy::from_keys(&keys));
    }
}

fn calendar(text: &str) {
    let mut catalogue = Catalogue::new(NOW);
    if catalogue.add_calendar("c", text).is_ok() {
        let pairs = [("query", "load"), ("threshold", "1"), ("calendar", "c")];
        let metadata = pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        policy_holds(Policy::from_keys(&catalogue.keys(&metadata)));
    }
}

/// In pieces or whole, an answer is the same; and what a general JSON reader makes of it is no other.
fn response(text: &str) {
    let whole = prometheus::decoded(text.as_bytes(), usize::MAX, 10_000);
    for piece in [1, 7] {
        let pieces = prometheus::decoded(text.as_bytes(), piece, 10_000);
        assert_eq!(format!("{whole:?}"), format!("{pieces:?}"), "in pieces of {piece}");
    }
    if let (Ok(samples), Ok(trace)) = (&whole, trace::answer(Path::new("fuzzed"), text)) {
        assert!(trace.observed() <= samples.len(), "{} of {}", trace.observed(), samples.len());
    }
}

fn traces(text: &str) {
    let path = Path::new("fuzzed");
    for series in [trace::rows(path, text), trace::answer(path, text)] {
        match series {
            Ok(series) => assert!(series.values().iter().all(|v| v.is_nan() || (0.0..=1e30).contains(v))),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn config(text: &str) {
    let env = [("TOKEN".to_owned(), "hunter2".to_owned())].into();
    if let Err(error) = ServerConfig::parse(text, &env) {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// A policy in the first line, samples after it: a decision is total, and no fault of the data makes it a zero.
fn decision(text: &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let pairs = first.split(',').filter_map(|pair| pair.split_once('='));
    let given = [("query", "load"), ("threshold", "10")].into_iter().chain(pairs);
    let metadata = given.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let Ok(policy) = Policy::from_keys(&Catalogue::new(NOW).keys(&metadata)) else { return };
    let values: Vec<f64> = rest.split_whitespace().take(600).map(|v| v.parse().unwrap_or(f64::NAN)).collect();
    let end = NOW - Span::MINUTE;
    let count = i64::try_from(values.len()).unwrap_or(0);
    let load = Series::from_values(end - Span::minutes((count - 1).max(0)), Step::MINUTE, values);
    let last = load.last();
    let signal = SignalHistory { load: Some(Arc::new(load)), ..SignalHistory::default() };
    let observations =
        Observations { signals: vec![signal; policy.signals.len()], ..Observations::none(0, Time::MIN) };
    let prepared = prepare(&observations, &policy, end).follow(&observations, &policy);
    let decided = decide(&prepared, &observations, &policy, NOW);
    let again = decide(&prepared, &observations, &policy, NOW);
    assert_eq!(format!("{decided:?}"), format!("{again:?}"));
    if let (Ok(decision), Some((at, value))) = (decided, last) {
        let is_plain = policy.schedule.rules().is_empty() && policy.r#override.is_none();
        let is_lively = at >= NOW - Span::minutes(30) && value > policy.signals[0].activation.max(0.0);
        assert!(!(is_plain && is_lively && decision.replicas == Replicas::ZERO), "{value}: {decision:?}");
    }
}

/// Numbers by splitmix64, so that a run can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most.max(1) as u64).expect("small")
    }
}

/// What breaks readers: bounds of numbers and dates, quoting, nesting, letters of several bytes.
const WORDS: [&str; 32] = [
    "0",
    "-1",
    "1e999",
    "NaN",
    "+Inf",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0.1",
    "1e-400",
    "\"",
    "'",
    "\\",
    "\\u0000",
    "\\ud800",
    "\n",
    "\r\n",
    "\t",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "=",
    "&a *a",
    "é",
    "\u{1F600}",
    "24:00",
    "9999-12-31T23:59:60Z",
    "2026-02-30",
    "RRULE:FREQ=DAILY;COUNT=999999999",
];

/// One to five changes of an input, with pieces of the others.
fn mutated(seed: &[u8], others: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(5) {
        let at = random.below(bytes.len() + 1);
        let length = random.below(16).min(bytes.len() - at);
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..at + length)),
            2 => drop(bytes.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
            3 => drop(bytes.splice(at..at + length, WORDS[random.below(WORDS.len())].bytes())),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let times = 1 + random.below(40);
                drop(bytes.splice(at..at, piece.repeat(times)));
            }
            5 => {
                let other = &others[random.below(others.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(64)).min(other.len());
                drop(bytes.splice(at..at, other[from..to].iter().copied()));
            }
            _ => bytes.truncate(bytes.len().saturating_sub(random.below(32))),
        }
        bytes.truncate(16_384);
    }
    bytes
}

/// Replays a corpus, then mutates it until the time is over.
fn fuzz(target: &str, run: fn(&str)) {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|t| t.parse().ok()).unwrap_or(1.0);
    let seed = std::env::var("FUZZ_SEED").ok().and_then(|t| t.parse().ok()).unwrap_or(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|f| f.expect("a file").path()).collect();
    files.sort();
    let mut corpus: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("readable")).collect();
    assert!(!corpus.is_empty(), "no corpus for {target}");
    let begun = Instant::now();
    let mut executions = 0_usize;
    let mut try_one = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let before = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| run(&text)));
        if done.is_err() || before.elapsed() > SLOW {
            let name = std::env::temp_dir().join(format!("fuzz-{target}-{executions}"));
            std::fs::write(&name, bytes).expect("written");
            panic!("{target}: {} took {:?}: {text:?}", name.display(), before.elapsed());
        }
        executions += 1;
    };
    corpus.iter().for_each(|bytes| try_one(bytes));
    let mut random = Random(seed);
    while begun.elapsed().as_secs_f64() < seconds {
        let base = random.below(corpus.len());
        let bytes = mutated(&corpus[base], &corpus, &mut random);
        try_one(&bytes);
        // A walk away from the corpus, not only around it.
        if random.below(8) == 0 && corpus.len() < 2_000 {
            corpus.push(bytes);
        }
    }
    println!("{target}: {executions} executions in {:.0?}, seed {seed}", begun.elapsed());
}

macro_rules! targets {
    ($($name:ident: $run:path;)*) => {$(
        #[test]
        fn $name() {
            fuzz(stringify!($name), $run);
        }
    )*};
}

targets! {
    of_metadata: metadata;
    of_policies: policy;
    of_schedules: schedule;
    of_calendars: calendar;
    of_responses: response;
    of_traces: traces;
    of_configurations: config;
    of_decisions: decision;
}
