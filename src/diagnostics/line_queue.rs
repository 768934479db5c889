//! Lines that wait to be written to standard error.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::limits;

/// Lines that wait for their writer, up to [`limits::DIAGNOSTICS_BYTES`]. A line that does not fit is
/// dropped and counted: the thread that logs it does not wait.
#[derive(Debug)]
pub(super) struct LineQueue {
    state: Mutex<State>,
    /// Notified when a line is put, and when the lines that were taken are written.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    lines: Vec<u8>,
    /// Whether the writer has lines that it has not written yet.
    is_writing: bool,
    dropped: u64,
    /// How many of `dropped` the writer does not know of.
    dropped_since_take: u64,
}

impl LineQueue {
    /// An empty queue.
    pub(super) const fn new() -> LineQueue {
        LineQueue {
            state: Mutex::new(State {
                lines: Vec::new(),
                is_writing: false,
                dropped: 0,
                dropped_since_take: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts a line that ends with a newline, or drops it.
    fn put(&self, line: &[u8]) {
        let mut state = self.state.lock();
        if state.lines.len() + line.len() > limits::DIAGNOSTICS_BYTES {
            state.dropped += 1;
            state.dropped_since_take += 1;
            return;
        }
        state.lines.extend_from_slice(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for lines, but not past `until`, and exchanges `lines` for them. Returns how many were
    /// dropped after them. The writer calls [`LineQueue::written`] when it has written them.
    pub(super) fn take(&self, lines: &mut Vec<u8>, until: Option<Instant>) -> u64 {
        lines.clear();
        let mut state = self.state.lock();
        while state.lines.is_empty() {
            match until {
                None => self.changed.wait(&mut state),
                Some(until) if self.changed.wait_until(&mut state, until).timed_out() => break,
                Some(_) => {}
            }
        }
        state.is_writing = !state.lines.is_empty();
        std::mem::swap(&mut state.lines, lines);
        std::mem::take(&mut state.dropped_since_take)
    }

    /// The writer has written the lines that it took, or has given them up.
    pub(super) fn written(&self) {
        self.state.lock().is_writing = false;
        self.changed.notify_all();
    }

    /// Waits until all lines have been written, but not for longer than `timeout`.
    pub(super) fn flush(&self, timeout: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, is_busy, timeout);
    }

    /// Returns how many lines were dropped up to now.
    pub(super) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

impl Write for &LineQueue {
    /// Puts a line. `env_logger` writes each line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that nobody empties takes a bounded number of lines, and counts the others.
    #[test]
    fn full_queue_drops_and_counts() {
        let queue = LineQueue::new();
        let line = [b'x'; 1000];
        for _ in 0..1000 {
            queue.put(&line);
        }
        let mut lines = Vec::new();
        let dropped = queue.take(&mut lines, None);
        assert_eq!(lines.len() as u64 + dropped * 1000, 1_000_000);
        assert!(lines.len() <= limits::DIAGNOSTICS_BYTES);
        assert_eq!(
            (
                queue.dropped(),
                queue.take(&mut lines, Some(Instant::now()))
            ),
            (dropped, 0)
        );
    }

    /// A flush waits for the writer, but not for ever.
    #[test]
    fn flush_waits_for_the_writer() {
        let queue = LineQueue::new();
        queue.flush(Duration::MAX);
        queue.put(b"line\n");
        queue.flush(Duration::from_millis(1));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                queue.take(&mut Vec::new(), None);
                queue.written();
            });
            queue.flush(Duration::from_mins(1));
        });
        assert!(!queue.state.lock().is_writing);
    }
}
