//! The file format of a series: its key, its samples at half width, and a checksum over everything.
//!
//! ```text
//! "forescale series" | version u32 | key length u32 | key | start i64 | step i64 | slots u32 | f32 … | CRC-32
//! ```
//! All numbers are little-endian; NaN is a gap. If a later version cannot read a file, it reads the series from its
//! source again.

use crate::history::Series;
use crate::units::{Span, Step, Time};

const MAGIC: &[u8] = b"forescale series";
const VERSION: u32 = 1;

/// Reads a frame from its start.
struct FrameReader<'a>(&'a [u8]);

/// Encodes a series.
pub(super) fn encode(key: &str, series: &Series) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + 32 + key.len() + 4 * series.len());
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&count(key.len()));
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(&series.start().epoch().to_le_bytes());
    bytes.extend_from_slice(&series.step().as_seconds().to_le_bytes());
    bytes.extend_from_slice(&count(series.len()));
    for slot in 0..series.len() {
        let value = series.get(slot).map_or(f32::NAN, |value| value as f32);
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// Decodes the series of a frame if it belongs to `key`; otherwise says why not.
pub(super) fn decode(bytes: &[u8], key: &str) -> Result<Series, String> {
    let torn = || "it is torn".to_owned();
    let mut reader = FrameReader(bytes);
    if reader.take(MAGIC.len()) != Some(MAGIC) {
        return Err("it is no series of Forescale".to_owned());
    }
    let version = reader.count().ok_or_else(torn)?;
    if version != VERSION {
        return Err(format!("found version {version}, expected {VERSION}"));
    }
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or_else(torn)?;
    if checksum(content) != u32::from_le_bytes(*sum) {
        return Err("its checksum is wrong".to_owned());
    }
    let length = reader.count().ok_or_else(torn)?;
    let about = reader.take(usize::try_from(length).unwrap_or(usize::MAX)).ok_or_else(torn)?;
    if about != key.as_bytes() {
        return Err("it is about another series".to_owned());
    }
    let start = reader.number().ok_or_else(torn)?;
    let step = reader.number().and_then(|n| Step::new(Span::seconds(n)).ok()).ok_or_else(torn)?;
    let slots = usize::try_from(reader.count().ok_or_else(torn)?).unwrap_or(usize::MAX);
    let samples = reader.take(slots.saturating_mul(4)).ok_or_else(torn)?;
    if slots > Series::MAX_SLOTS || reader.0.len() != sum.len() {
        return Err(torn());
    }
    let values = samples.as_chunks::<4>().0.iter().map(|value| f64::from(f32::from_le_bytes(*value)));
    let mut series = Series::new(Time::from_epoch(start), step).compact();
    values.for_each(|value| series.push(value));
    Ok(series)
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

// === impl FrameReader ===

impl<'a> FrameReader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn count(&mut self) -> Option<u32> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(u32::from_le_bytes(*head))
    }

    fn number(&mut self) -> Option<i64> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(i64::from_le_bytes(*head))
    }
}
