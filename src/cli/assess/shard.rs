//! `--shard`: which part of a fleet one of several jobs assesses, that do not know each other.

use crate::units::{Shard, Shards};

/// Where Kubernetes tells a pod of an Indexed Job its number.
const INDEX: &str = "JOB_COMPLETION_INDEX";

/// Reads `I/N`, counted from 1, or `job/N` in a pod of an Indexed Job.
#[expect(clippy::disallowed_methods, reason = "Kubernetes tells a pod its number by the environment alone")]
pub(super) fn parse(text: &str) -> Result<Shard, String> {
    read(text, std::env::var(INDEX).ok().as_deref())
}

fn read(text: &str, index: Option<&str>) -> Result<Shard, String> {
    let of_job = || index.and_then(|index| index.parse::<u32>().ok());
    if text.starts_with("job/") && of_job().is_none() {
        return Err(format!(
            "found '{text}', and no {INDEX} in the environment: expected a pod of an Indexed Job"
        ));
    }
    // Kubernetes counts from 0.
    let index = |i: &str| if i == "job" { of_job() } else { i.parse::<u32>().ok()?.checked_sub(1) };
    let part = text.split_once('/').and_then(|(i, n)| Shards::parse(n).ok()?.part(index(i)?).ok());
    part.ok_or_else(|| format!("found '{text}', expected I/N such as 1/4, with I from 1 to N"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        let of_four = |index| Shards::new(4).and_then(|four| four.part(index)).expect("valid");
        assert_eq!(read("job/4", Some("3")), Ok(of_four(3)));
        assert!(read("job/4", Some("4")).is_err(), "beyond the last");
        assert!(read("job/4", None).is_err_and(|why| why.contains("JOB_COMPLETION_INDEX")));
        assert_eq!(parse("2/4"), Ok(of_four(1)));
        assert_eq!(parse("1/1"), Ok(Shard::WHOLE));
        for text in ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/65"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
