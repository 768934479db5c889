//! The phase of a connection, which only goes forward.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use crate::metrics::Closed;

/// What is known of a connection's two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// Both sides may send.
    Open,
    /// The client has closed its sending side. It may still read.
    HalfClosed,
    /// The client has left its bytes unread for too long, and is given up.
    Stalled,
    /// A read or a write failed: what was sent last may not have arrived.
    Broken,
}

impl Phase {
    const ALL: [Phase; 4] = [
        Phase::Open,
        Phase::HalfClosed,
        Phase::Stalled,
        Phase::Broken,
    ];

    /// Whether what is sent from here on can still arrive.
    #[must_use]
    pub fn can_deliver(self) -> bool {
        self < Phase::Stalled
    }
}

/// The current [`Phase`] of a connection, shared by the connection and its streams.
#[derive(Debug)]
pub struct PhaseCell {
    number: AtomicU8,
    /// The connection's, for a stream that shares it with others: the later of both counts.
    connection: Option<Arc<PhaseCell>>,
}

impl Default for PhaseCell {
    fn default() -> PhaseCell {
        PhaseCell {
            number: AtomicU8::new(Phase::Open as u8),
            connection: None,
        }
    }
}

impl PhaseCell {
    /// The phase of a stream that shares its connection with others.
    pub(super) fn of_stream(connection: &Arc<PhaseCell>) -> PhaseCell {
        PhaseCell {
            connection: Some(Arc::clone(connection)),
            ..PhaseCell::default()
        }
    }

    /// The phase at this moment.
    #[must_use]
    pub fn get(&self) -> Phase {
        let own = self.own();
        self.connection
            .as_ref()
            .map_or(own, |connection| connection.own().max(own))
    }

    fn own(&self) -> Phase {
        let number = self.number.load(Relaxed);
        let phase = Phase::ALL.into_iter().find(|phase| *phase as u8 == number);
        // Only numbers of phases are ever stored.
        phase.unwrap_or(Phase::Broken)
    }

    /// Goes forward to `next`. A later phase stays, and so does the first cause of the end: a
    /// connection that was given up as stalled is not called broken afterwards.
    pub(super) fn advance(&self, next: Phase) {
        let step = |now: u8| (now < (next as u8).min(Phase::Stalled as u8)).then_some(next as u8);
        // Where the phase is later already there is nothing to do.
        let _ = self.number.fetch_update(Relaxed, Relaxed, step);
    }

    /// Why a stream on this connection was closed, if it is dropped now before its end.
    #[must_use]
    pub fn closed(&self) -> Closed {
        match self.get() {
            Phase::Stalled => Closed::Stalled,
            Phase::Open | Phase::HalfClosed | Phase::Broken => Closed::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream ends with its connection, and its connection not with it.
    #[test]
    fn phase_of_stream_follows_the_connection() {
        let connection = Arc::new(PhaseCell::default());
        let streams = [(); 2].map(|()| PhaseCell::of_stream(&connection));
        streams[0].advance(Phase::Stalled);
        assert_eq!(streams[0].closed(), Closed::Stalled);
        assert_eq!(connection.get(), Phase::Open);
        assert_eq!(streams[1].get(), Phase::Open);
        connection.advance(Phase::Broken);
        assert_eq!(streams[1].get(), Phase::Broken);
    }

    /// Of each two phases in a row the later one stays, except that the first of two ends stays.
    #[test]
    fn phase_only_goes_forward() {
        for first in Phase::ALL {
            for second in Phase::ALL {
                let cell = PhaseCell::default();
                cell.advance(first);
                cell.advance(second);
                let expected = if first.can_deliver() {
                    first.max(second)
                } else {
                    first
                };
                assert_eq!(cell.get(), expected, "{first:?}, then {second:?}");
            }
        }
    }
}
