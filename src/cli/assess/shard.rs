//! Every Nth workload by a stable hash of its name: divides a fleet among jobs that do not know each other.

use super::inventory::Candidate;
use crate::decide::hashed;

/// One shard of a fleet, `I/N`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    number: u32,
    of: u32,
}

/// The most shards accepted; more are a mistake.
const MOST: u32 = 64;
/// The variable in which Kubernetes gives a pod of an Indexed Job its index.
const INDEX: &str = "JOB_COMPLETION_INDEX";

// === impl Shard ===

impl Shard {
    /// The whole fleet.
    pub(super) const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Parses `I/N`, or `job/N` in a pod of an Indexed Job.
    #[expect(
        clippy::disallowed_methods,
        reason = "Kubernetes tells a pod its number by the environment alone"
    )]
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Shard::read(text, std::env::var(INDEX).ok().as_deref())
    }

    fn read(text: &str, index: Option<&str>) -> Result<Self, String> {
        // Kubernetes counts from 0.
        let of_job =
            || index.and_then(|index| index.parse::<u32>().ok()).map(|index| index.saturating_add(1));
        if text.starts_with("job/") && of_job().is_none() {
            return Err(format!(
                "found '{text}', and no {INDEX} in the environment: expected a pod of an Indexed Job"
            ));
        }
        let number = |i: &str| if i == "job" { of_job() } else { i.parse().ok() };
        let parts = text.split_once('/').and_then(|(i, n)| Some((number(i)?, n.parse().ok()?)));
        parts
            .filter(|&(number, of): &(u32, u32)| (1..=MOST).contains(&of) && (1..=of).contains(&number))
            .map(|(number, of)| Shard { number, of })
            .ok_or_else(|| format!("found '{text}', expected I/N such as 1/4, with I from 1 to N"))
    }

    /// Whether the workload belongs to this shard.
    pub(super) fn takes(self, candidate: &Candidate) -> bool {
        // The same hash that spreads fits: it never changes and is equal on every machine.
        let hash = hashed(&format!("{}/{}", candidate.namespace, candidate.name)).as_seconds() / 60;
        hash.rem_euclid(i64::from(self.of)) == i64::from(self.number - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!(Shard::read("job/4", Some("3")), Ok(Shard { number: 4, of: 4 }));
        assert!(Shard::read("job/4", Some("4")).is_err(), "beyond the last");
        assert!(Shard::read("job/4", None).is_err_and(|why| why.contains("JOB_COMPLETION_INDEX")));
        assert_eq!(Shard::parse("2/4"), Ok(Shard { number: 2, of: 4 }));
        for text in ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/65"] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
    }
}
