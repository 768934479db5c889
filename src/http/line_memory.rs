//! The memory of an upload's unfinished line, and how long the line may hold it.

use std::future::pending;
use std::sync::Arc;

use tokio::time::Instant;

use super::{App, Call};
use crate::budget::Reservation;
use crate::limits;
use crate::network::Network;

/// The memory for one long line of an upload, and for what is read at once with it. A line of up to
/// [`limits::SMALL_BODY_BYTES`] needs none.
///
/// An upload waits for it without a limit, and is not read meanwhile: its sender is slowed down, and
/// not refused. It gives the memory back with each newline, so that others have their turn.
#[derive(Debug)]
pub(super) struct LineMemory {
    app: Arc<App>,
    network: Network,
    held: Option<HeldMemory>,
}

#[derive(Debug)]
struct HeldMemory {
    _reservation: Reservation,
    /// When the client had last sent [`limits::SMALL_BODY_BYTES`] more, or began.
    progress: Instant,
    /// What it has sent since.
    bytes: usize,
}

impl LineMemory {
    pub(super) fn new(call: &Call<'_>) -> LineMemory {
        LineMemory {
            app: Arc::clone(call.app),
            network: call.network(),
            held: None,
        }
    }

    /// What a line may need: all of it, so that no line waits in its middle for others that do the
    /// same.
    fn amount(&self) -> usize {
        self.app.max_message + limits::HTTP_BUFFER_BYTES
    }

    /// Makes sure that there is memory for an unfinished line of so many bytes.
    pub(super) async fn reserve(&mut self, line: usize) {
        if line <= limits::SMALL_BODY_BYTES || self.held.is_some() {
            return;
        }
        let reserved = self.app.bodies.reserve(self.network, self.amount());
        self.held = Some(HeldMemory {
            _reservation: reserved.await,
            progress: Instant::now(),
            bytes: 0,
        });
    }

    /// The line is finished.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// The client has sent more of the line.
    pub(super) fn grow(&mut self, bytes: usize) {
        if let Some(held) = &mut self.held {
            held.bytes += bytes;
            if held.bytes >= limits::SMALL_BODY_BYTES {
                held.progress = Instant::now();
                held.bytes = 0;
            }
        }
    }

    /// Ready when the client has made no progress for too long, and others need the memory.
    pub(super) async fn overdue(&self) {
        let Some(held) = &self.held else {
            return pending().await;
        };
        tokio::time::sleep_until(held.progress + self.app.line_timeout).await;
        while !self.app.bodies.is_short(self.network, self.amount()) {
            tokio::time::sleep(limits::LINE_CHECK_INTERVAL).await;
        }
    }
}
