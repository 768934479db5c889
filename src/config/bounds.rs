//! Bounds that are no options of the command line, but that tests change.

use std::time::Duration;

use crate::limits;

/// The memory that all clients share, of which each address has its part.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBudgets {
    /// The bytes of request bodies; [`limits::BODIES_BYTES`] by default.
    pub bodies: usize,
    /// The bytes that clients have not read; [`limits::UNSENT_BYTES`] by default.
    pub answers: usize,
}

impl Default for MemoryBudgets {
    fn default() -> MemoryBudgets {
        MemoryBudgets {
            bodies: limits::BODIES_BYTES,
            answers: limits::UNSENT_BYTES,
        }
    }
}

/// How long the server waits for a slow client before it closes the connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// The time that a connection may be idle between two requests; the option `--keep-alive`.
    pub keep_alive: Duration,
    /// The time that a client may take for the handshake of TLS; [`limits::HANDSHAKE_TIMEOUT`] by
    /// default.
    pub handshake: Duration,
    /// The time that a client may take for the head of a request; [`limits::HEAD_TIMEOUT`] by
    /// default.
    pub head: Duration,
    /// The time that a client may take for the body of a request, except for an upload of lines;
    /// [`limits::BODY_TIMEOUT`] by default.
    pub body: Duration,
    /// The time that an upload may leave a long line unfinished while others need its memory;
    /// [`limits::LINE_TIMEOUT`] by default.
    pub line: Duration,
    /// The time that a client may leave its bytes unread; [`limits::STALL_TIMEOUT`] by default. The
    /// kernel waits for acknowledgements this long only while a connection closes whose last answer
    /// must be known to have arrived, and otherwise for [`limits::ACK_TIMEOUT`].
    pub stall: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            keep_alive: limits::KEEP_ALIVE_DEFAULT,
            handshake: limits::HANDSHAKE_TIMEOUT,
            head: limits::HEAD_TIMEOUT,
            body: limits::BODY_TIMEOUT,
            line: limits::LINE_TIMEOUT,
            stall: limits::STALL_TIMEOUT,
        }
    }
}
