//! Clients that have closed their sending side, and may have left.

use tokio::time::Instant;

/// What was done about a client that has closed its sending side.
#[derive(Clone, Copy, Debug)]
pub(super) enum HalfClosed {
    /// It is to be told so many heartbeats before anything else.
    Noticed { heartbeats: u32 },
    /// It was told a heartbeat, and is told nothing until this moment; so many heartbeats follow.
    Held { until: Instant, heartbeats: u32 },
}
