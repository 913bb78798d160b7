//! Capacity by the number of replicas: whether twice as many carry twice as much, and where that stops.

use super::spread::Estimate;

/// What a replica carries at a given number of replicas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtCount {
    /// The number of replicas.
    pub replicas: usize,
    /// What each of them carries.
    pub carried: Estimate,
}

/// At most this many numbers of replicas are examined, those with the most cells.
const MOST_COUNTS: usize = 8;
/// A number of replicas needs at least this many cells, and this share of all.
const FEWEST: usize = 30;
const LEAST_SHARE: f64 = 0.02;
/// Capacities that differ by less than this are the same.
const DIFFERS: f64 = 1.1;
/// If added replicas carry less than this share of what they should, they meet a shared ceiling.
const CEILING: f64 = 0.25;

/// The numbers of replicas with enough cells, ascending.
pub(super) fn counts(replicas: impl Iterator<Item = f64>) -> Vec<usize> {
    let mut seen: Vec<(usize, usize)> = Vec::new();
    let mut all = 0;
    for count in replicas.map(|count| count.round() as usize) {
        all += 1;
        match seen.iter_mut().find(|s| s.0 == count) {
            Some(known) => known.1 += 1,
            None => seen.push((count, 1)),
        }
    }
    seen.retain(|s| s.1 >= FEWEST && s.1 as f64 >= LEAST_SHARE * f64::from(all));
    seen.sort_by_key(|s| std::cmp::Reverse(s.1));
    let mut counts: Vec<usize> = seen.into_iter().take(MOST_COUNTS).map(|s| s.0).collect();
    counts.sort_unstable();
    counts
}

/// Whether capacity depends on the number of replicas: from the fewest to the most, beyond their ranges.
pub(super) fn differ(by: &[AtCount]) -> bool {
    let (Some(first), Some(last)) = (by.first(), by.last()) else { return false };
    let (less, more) = if first.carried.value < last.carried.value { (first, last) } else { (last, first) };
    more.carried.value > DIFFERS * less.carried.value && more.carried.low > less.carried.high
}

/// The total load that more replicas hardly raise, if there is one.
pub(super) fn ceiling(by: &[AtCount]) -> Option<f64> {
    let [.., before, last] = by else { return None };
    let whole = |at: &AtCount| at.replicas as f64 * at.carried.value;
    let more = last.replicas as f64 / before.replicas as f64 - 1.0;
    (whole(last) / whole(before) - 1.0 < CEILING * more).then(|| whole(last))
}
