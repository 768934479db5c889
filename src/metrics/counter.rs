//! A counter that many threads add to at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// More than there are lanes on most machines; where there are more, some share a cell.
const CELLS: usize = 16;

/// A number in cells, of which each thread has its own: one number for all would go from processor
/// to processor with every delivery.
#[derive(Debug, Default)]
pub(super) struct Counter([Cell; CELLS]);

/// As far from the next as processors fetch at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        thread_local! {
            static CELL: usize = {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                NEXT.fetch_add(1, Relaxed) % CELLS
            };
        }
        CELL.with(|cell| self.0[*cell].0.fetch_add(count, Relaxed));
    }

    pub(super) fn get(&self) -> u64 {
        self.0.iter().map(|cell| cell.0.load(Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_thread_adds_is_in_the_sum() {
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
