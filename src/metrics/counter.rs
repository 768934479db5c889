//! A counter that many threads add to at the same time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The number of cells: more than there are lanes on most machines; with more lanes than this, some
/// share a cell.
const CELLS: usize = 16;

/// A number in cells, of which each thread adds to its own: a single cell would move from one
/// processor's cache to the next with every delivery.
#[derive(Debug, Default)]
pub(super) struct Counter([Cell; CELLS]);

/// One cell, aligned so that no two of them are in memory that processors fetch at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell(AtomicU64);

impl Counter {
    /// Adds to the cell of this thread.
    pub(super) fn add(&self, count: u64) {
        thread_local! {
            static CELL: usize = {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                NEXT.fetch_add(1, Relaxed) % CELLS
            };
        }
        CELL.with(|cell| self.0[*cell].0.fetch_add(count, Relaxed));
    }

    /// The sum of all cells.
    pub(super) fn get(&self) -> u64 {
        self.0.iter().map(|cell| cell.0.load(Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_sums_all_threads() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for n in 1..=20 {
                let counter = &counter;
                scope.spawn(move || counter.add(n));
            }
        });
        assert_eq!(counter.get(), 210);
    }
}
