//! Which of several servers carries a workload: told by its name alone, the same on every machine in every release.

use std::fmt;

use super::{UnitError, stable_hash};

/// Into how many parts a fleet is divided: 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards(u32);

/// One part of a divided fleet, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: Shards,
}

const COUNT: &str = "a whole number from 1 to 64";
const PART: &str = "I/N such as 0/4, with I from 0 to N - 1";
const NAMED: &str =
    "a host by its name, such as forescale.forescale:6000, which a shard's number can be added to";

// === impl Shards ===

impl Shards {
    /// Not divided.
    pub const ONE: Shards = Shards(1);

    /// So many parts; more than 64 are a mistake.
    pub fn new(count: u32) -> Result<Self, UnitError> {
        if (1..=64).contains(&count) { Ok(Shards(count)) } else { Err(fault(&count.to_string(), COUNT)) }
    }

    /// Reads a number of parts.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        text.trim().parse().map_err(|_| fault(text, COUNT)).and_then(Shards::new)
    }

    /// The part with this number, from 0.
    pub fn part(self, index: u32) -> Result<Shard, UnitError> {
        if index < self.0 {
            return Ok(Shard { index, of: self });
        }
        Err(fault(&format!("{index}/{self}"), PART))
    }

    /// The part that a workload belongs to.
    pub fn shard_of(self, namespace: &str, name: &str) -> Shard {
        let hash = stirred(stable_hash(&format!("{namespace}/{name}")));
        Shard { index: u32::try_from(hash % u64::from(self.0)).unwrap_or(0), of: self }
    }
}

impl fmt::Display for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Shard ===

impl Shard {
    /// All of a fleet that is not divided.
    pub const WHOLE: Shard = Shard { index: 0, of: Shards::ONE };

    /// Reads `I/N`, with I from 0 to N - 1.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        let (index, of): (u32, u32) = parts.ok_or_else(|| fault(text, PART))?;
        Shards::new(of).and_then(|of| of.part(index)).map_err(|_| fault(text, PART))
    }

    /// Its number, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts there are.
    pub fn of(self) -> Shards {
        self.of
    }

    /// Whether the workload belongs to it.
    pub fn takes(self, namespace: &str, name: &str) -> bool {
        self.of.shard_of(namespace, name) == self
    }

    /// Where it is served, from the address of the whole: `forescale.keda:6000` becomes `forescale-2.keda:6000`. What
    /// is not divided keeps its address.
    ///
    /// # Errors
    /// [`UnitError`] where the host is no name.
    pub fn address(self, whole: &str) -> Result<String, UnitError> {
        if self.of == Shards::ONE {
            return Ok(whole.to_owned());
        }
        let (label, rest) = first_label(whole);
        if !label.bytes().any(|b| b.is_ascii_alphabetic()) || whole.contains("://") {
            return Err(fault(whole, NAMED));
        }
        Ok(format!("{label}-{}{rest}", self.index))
    }

    /// Where it is served, from an address that may be another part's: `forescale-1.keda:6000` and
    /// `forescale.keda:6000` both become `forescale-2.keda:6000`.
    ///
    /// # Errors
    /// [`UnitError`] where the host is no name.
    pub fn instead(self, address: &str) -> Result<String, UnitError> {
        let (label, rest) = first_label(address);
        let part = |index: &str| index.parse().is_ok_and(|index: u32| index < self.of.0);
        let whole = label.rsplit_once('-').filter(|(_, index)| part(index)).map_or(label, |(whole, _)| whole);
        self.address(&format!("{whole}{rest}"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.index, self.of)
    }
}

fn fault(found: &str, expected: &'static str) -> UnitError {
    UnitError::Range { found: format!("'{found}'"), expected }
}

/// The first label of a host, and the rest of the address.
fn first_label(address: &str) -> (&str, &str) {
    address.split_at(address.find(['.', ':']).unwrap_or(address.len()))
}

/// Every bit depends on all others (the finalizer of MurmurHash3). In the hash itself what stands twice in a text
/// falls out of the lowest bits, and by those `web/web` and `api/api` would share one half.
fn stirred(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u32) -> Shards {
        Shards::new(count).expect("valid")
    }

    #[test]
    fn the_shard_of_a_name_is_fixed_for_good() {
        // Manifests hold the addresses: another number would send every workload elsewhere.
        let indices = |name: &str| [2, 3, 4, 64].map(|n| of(n).shard_of("shop", name).index());
        assert_eq!(indices("web"), [1, 2, 1, 45]);
        assert_eq!(indices("checkout"), [1, 1, 1, 5]);
        assert_eq!(Shards::ONE.shard_of("shop", "web"), Shard::WHOLE);
    }

    #[test]
    fn every_way_of_naming_is_spread_evenly() {
        let ways: [fn(u32) -> (String, String); 3] = [
            |i| ("shop".to_owned(), format!("web-{i}")),
            |i| (format!("service{i}"), format!("service{i}")),
            |i| (format!("team-{i}"), format!("team-{i}-api")),
        ];
        for (way, names) in ways.iter().enumerate() {
            for count in [2, 3, 4, 8, 64] {
                let mut carried = vec![0_u32; count as usize];
                for (namespace, name) in (0..6_400).map(names) {
                    carried[of(count).shard_of(&namespace, &name).index() as usize] += 1;
                }
                let fair = 6_400 / count;
                let most = carried.iter().map(|n| n.abs_diff(fair)).max().unwrap_or_default();
                assert!(most * most < 16 * fair, "way {way}, {count} shards: {carried:?}");
            }
        }
    }

    #[test]
    fn each_workload_is_taken_by_one_of_them() {
        let four = of(4);
        for name in (0..100).map(|i| format!("web-{i}")) {
            let takers = (0..4).filter(|i| four.part(*i).expect("valid").takes("shop", &name));
            assert_eq!(takers.count(), 1, "{name}");
        }
    }

    #[test]
    fn a_shard_has_its_number_behind_the_first_label() {
        let shard = Shard::parse("2/4").expect("valid");
        for (whole, address) in [
            ("forescale.keda:6000", "forescale-2.keda:6000"),
            ("scaler:6000", "scaler-2:6000"),
            ("a-1.b.svc.cluster.local:6000", "a-1-2.b.svc.cluster.local:6000"),
        ] {
            assert_eq!(shard.address(whole).as_deref(), Ok(address));
            assert_eq!(shard.instead(address).as_deref(), Ok(address));
        }
        for other in ["forescale.keda:6000", "forescale-0.keda:6000", "forescale-3.keda:6000"] {
            assert_eq!(shard.instead(other).as_deref(), Ok("forescale-2.keda:6000"));
        }
        assert_eq!(shard.instead("forescale-4.keda:6000").as_deref(), Ok("forescale-4-2.keda:6000"));
        assert_eq!(Shard::WHOLE.address("10.0.0.1:6000").as_deref(), Ok("10.0.0.1:6000"));
        for address in ["10.0.0.1:6000", "[::1]:6000", "", "http://forescale:6000"] {
            assert!(shard.address(address).is_err(), "{address}");
        }
    }

    #[test]
    fn counts_and_parts_have_bounds() {
        assert_eq!(Shard::parse("0/1"), Ok(Shard::WHOLE));
        for text in ["0", "65", "-1", "two", ""] {
            assert!(Shards::parse(text).is_err(), "{text}");
        }
        for text in ["4/4", "1", "0/0", "0/65", "-1/4", "a/b", "job/4"] {
            let why = Shard::parse(text).expect_err(text).to_string();
            assert!(why.contains(&format!("found '{text}', expected I/N")), "{why}");
        }
    }
}
