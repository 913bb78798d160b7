//! Half-width samples in chunks that copies of a series share.
//!
//! A server holds thousands of windows of weeks. Each changes once a minute while readers still hold the version
//! before, and a fit holds that of hours ago. A copy shares every chunk that is the same in both, so a further version
//! costs a few KiB in place of the whole window.

use std::ops::Range;
use std::sync::Arc;

/// Slots of a chunk: 4 KiB, which is what a write to a shared series copies at most. A window of 28 days of minutes
/// has 40 of them.
const CHUNK: usize = 1_024;

/// Slots that are reserved at a time. Doubling would leave up to half of the last chunk of every series unused.
const GROWTH: usize = 64;

/// Samples in order; NaN is a gap.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunks {
    /// All but the last hold [`CHUNK`] slots, and the last holds at least one.
    chunks: Vec<Arc<Vec<f32>>>,
    /// How many slots at the front of the first chunk no longer count; fewer than [`CHUNK`].
    dropped: usize,
}

// === impl Chunks ===

impl Chunks {
    pub(super) fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, |chunk| chunk.len());
        self.chunks.len().saturating_sub(1) * CHUNK + last - self.dropped
    }

    pub(super) fn get(&self, slot: usize) -> Option<f32> {
        let place = slot + self.dropped;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK).copied()
    }

    pub(super) fn push(&mut self, value: f32) {
        match self.chunks.last_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => {
                let chunk = Arc::make_mut(chunk);
                if chunk.len() == chunk.capacity() {
                    chunk.reserve_exact(GROWTH.min(CHUNK - chunk.len()));
                }
                chunk.push(value);
            }
            None => {
                let mut chunk = Vec::with_capacity(GROWTH);
                chunk.push(value);
                self.chunks.push(Arc::new(chunk));
            }
        }
    }

    /// Overwrites a slot that exists. Writing the value that is there copies nothing.
    pub(super) fn set(&mut self, slot: usize, value: f32) {
        let place = slot + self.dropped;
        let Some(chunk) = self.chunks.get_mut(place / CHUNK) else { return };
        if chunk.get(place % CHUNK).is_some_and(|held| held.to_bits() != value.to_bits()) {
            Arc::make_mut(chunk)[place % CHUNK] = value;
        }
    }

    /// The slots of `range`, which lies within the series.
    pub(super) fn iter(&self, range: Range<usize>) -> impl Iterator<Item = f32> {
        let places = range.start + self.dropped..range.end + self.dropped;
        let chunks = self.chunks.iter().enumerate().skip(places.start / CHUNK);
        let slices = chunks.map_while(move |(i, chunk)| {
            let from = places.start.saturating_sub(i * CHUNK);
            let to = places.end.saturating_sub(i * CHUNK).min(chunk.len());
            chunk.get(from..to)
        });
        slices.flatten().copied()
    }

    /// The slots of `range`, which lies within the series; only a last chunk that is cut is copied.
    pub(super) fn window(&self, range: Range<usize>) -> Self {
        if range.is_empty() {
            return Chunks::default();
        }
        let places = range.start + self.dropped..range.end + self.dropped;
        let first = places.start / CHUNK;
        let mut chunks = self.chunks[first..places.end.div_ceil(CHUNK)].to_vec();
        let end = places.end - (first + chunks.len() - 1) * CHUNK;
        if let Some(last) = chunks.last_mut().filter(|chunk| chunk.len() > end) {
            *last = Arc::new(last[..end].to_vec());
        }
        Chunks { chunks, dropped: places.start % CHUNK }
    }

    /// Drops the first `count` slots.
    pub(super) fn drop_front(&mut self, count: usize) {
        *self = self.window(count.min(self.len())..self.len());
    }

    /// Bytes on the heap, chunks that other series share included.
    pub(super) fn heap_bytes(&self) -> usize {
        let slots: usize = self.chunks.iter().map(|chunk| chunk.capacity()).sum();
        let each = size_of::<Arc<Vec<f32>>>() + size_of::<Vec<f32>>() + 2 * size_of::<usize>();
        slots * size_of::<f32>() + self.chunks.len() * each
    }
}

impl PartialEq for Chunks {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter(0..self.len()).eq(other.iter(0..other.len()))
    }
}

impl FromIterator<f32> for Chunks {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        let mut chunks = Chunks::default();
        values.into_iter().for_each(|value| chunks.push(value));
        chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(len: usize) -> Chunks {
        (0..len).map(|i| i as f32).collect()
    }

    fn all(chunks: &Chunks) -> Vec<f32> {
        chunks.iter(0..chunks.len()).collect()
    }

    #[test]
    fn every_window_is_that_of_a_vector() {
        let length = 2 * CHUNK + 7;
        let mut chunks = counted(length + 5);
        chunks.drop_front(5);
        let plain: Vec<f32> = (5..length + 5).map(|i| i as f32).collect();
        assert_eq!((chunks.len(), &chunks), (length, &plain.iter().copied().collect()));
        let marks = [0, 1, 6, CHUNK - 6, CHUNK - 5, CHUNK, CHUNK + 1, 2 * CHUNK, length - 1, length];
        for &from in &marks {
            assert_eq!(chunks.get(from), plain.get(from).copied());
            for &to in marks.iter().filter(|&&to| to >= from) {
                let window = chunks.window(from..to);
                assert_eq!((window.len(), all(&window)), (to - from, plain[from..to].to_vec()));
                assert_eq!(chunks.iter(from..to).collect::<Vec<_>>(), plain[from..to].to_vec());
                let mut longer = window.clone();
                longer.push(-1.0);
                assert_eq!((longer.len(), longer.get(to - from)), (to - from + 1, Some(-1.0)));
                assert_eq!(all(&window), plain[from..to].to_vec(), "a copy changes nothing of the other");
            }
        }
    }

    #[test]
    fn a_further_version_shares_all_chunks_but_the_one_that_changed() {
        let before = counted(3 * CHUNK + 10);
        let mut after = before.clone();
        after.push(1.0);
        after.set(5, 5.0);
        after.drop_front(20);
        let shared = |of: &Chunks| of.chunks.iter().filter(|chunk| Arc::strong_count(chunk) > 1).count();
        assert_eq!((shared(&after), before.chunks.len()), (3, 4));
        after.set(CHUNK, -1.0);
        assert_eq!(
            (shared(&after), before.get(CHUNK + 20), after.get(CHUNK)),
            (2, Some(1_044.0), Some(-1.0))
        );
    }

    #[test]
    fn what_is_dropped_leaves_memory() {
        let mut chunks = counted(4 * CHUNK);
        let before = chunks.heap_bytes();
        chunks.drop_front(3 * CHUNK + 1);
        assert_eq!((chunks.len(), chunks.get(0)), (CHUNK - 1, Some(3_073.0)));
        assert!(chunks.heap_bytes() < before / 3);
        chunks.drop_front(CHUNK);
        assert_eq!((chunks.len(), chunks.heap_bytes(), chunks.get(0)), (0, 0, None));
    }
}
