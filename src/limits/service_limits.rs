//! Bounds of what service managers and those who watch over a server wait for.

use std::time::Duration;

/// How long a server may take to tell that it is ready: less than the 10 to 30 s that those who run the
/// command give it.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer that is read for the reason in its first line.
pub const CHECK_ANSWER_BYTES_MAX: usize = 4 * 1024;

/// What the end of a server may take after its last connection: to write acknowledgements of letters
/// ([`DRAIN_GRACE`](super::DRAIN_GRACE)), to close the log, and to flush standard error.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
