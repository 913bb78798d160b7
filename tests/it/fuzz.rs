//! Fuzzes every parser of external input, from corpora and mutations: nothing panics, hangs or gives a wrong result.
//!
//! The corpora (`tests/fuzz/<target>/`) are replayed and mutated for a second each. `FUZZ_SECONDS` runs longer, and
//! `FUZZ_SEED` chooses another seed. A failing input is written to the temporary folder: add it to the corpus once
//! the bug is fixed. `tests/full/fuzz` continues from here, guided by coverage.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use forescale::units::Dice;

/// More than any single input may take, even on a busy machine.
const SLOW: Duration = Duration::from_secs(5);

/// Seeded random numbers, so that a run can be repeated.
struct Random(Dice);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.0.bits() % most.max(1) as u64).expect("small")
    }
}

/// Tokens that break parsers: limits of numbers and dates, quotes, nesting, multi-byte characters.
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

/// Applies one to five mutations to an input, some with pieces of other inputs.
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

/// The inputs of a corpus file. A file with several inputs, as `tests/full/fuzz` writes, separates them by lines of
/// `%%%`.
fn inputs(text: &[u8]) -> Vec<Vec<u8>> {
    const BETWEEN: &[u8] = b"\n%%%\n";
    let ends = (0..text.len()).filter(|&i| text[i..].starts_with(BETWEEN)).chain([text.len()]);
    let begins = (0..text.len()).filter(|&i| text[i..].starts_with(BETWEEN)).map(|i| i + BETWEEN.len());
    [0].into_iter().chain(begins).zip(ends).map(|(begin, end)| text[begin..end].to_vec()).collect()
}

/// Replays a corpus, then mutates it until the time is up.
fn fuzz(target: &str) {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|t| t.parse().ok()).unwrap_or(1.0);
    let seed = std::env::var("FUZZ_SEED").ok().and_then(|t| t.parse().ok()).unwrap_or(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|f| f.expect("a file").path()).collect();
    files.sort();
    let texts = files.iter().map(|file| std::fs::read(file).expect("readable"));
    let mut corpus: Vec<Vec<u8>> = texts.flat_map(|text| inputs(&text)).collect();
    assert!(!corpus.is_empty(), "no corpus for {target}");
    let begun = Instant::now();
    let mut executions = 0_usize;
    let mut try_one = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let before = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| targets::try_on(target, &text)));
        if done.is_err() || before.elapsed() > SLOW {
            let name = std::env::temp_dir().join(format!("fuzz-{target}-{executions}"));
            std::fs::write(&name, bytes).expect("written");
            panic!("{target}: {} took {:?}: {text:?}", name.display(), before.elapsed());
        }
        executions += 1;
    };
    corpus.iter().for_each(|bytes| try_one(bytes));
    let mut random = Random(Dice::new(seed));
    while begun.elapsed().as_secs_f64() < seconds {
        let base = random.below(corpus.len());
        let bytes = mutated(&corpus[base], &corpus, &mut random);
        try_one(&bytes);
        // Keep some mutants, to walk away from the corpus and not only around it.
        if random.below(8) == 0 && corpus.len() < 2_000 {
            corpus.push(bytes);
        }
    }
    println!("{target}: {executions} executions in {:.0?}, seed {seed}", begun.elapsed());
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            fuzz(stringify!($name));
        })*

        #[test]
        fn every_target_is_tried_in_both_ways() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(targets::TARGETS.map(|(name, _)| name), tested);
            let manifest = include_str!("../fuzz/Cargo.toml");
            assert!(tested.iter().all(|name| manifest.contains(&format!("name = \"{name}\""))), "{manifest}");
        }
    };
}

targets! {
    of_metadata of_policies of_schedules of_calendars of_responses of_traces of_configurations of_decisions
}
