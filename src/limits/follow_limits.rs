//! Bounds of what a follower may ask for.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::KIB;

/// The shortest and the longest interval that `?heartbeat=` takes. Below a second heartbeats would
/// be a load; above a minute proxies (nginx, most load balancers: 60 s) close the connection.
pub const HEARTBEAT_INTERVAL_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_mins(1);

/// The shortest and the longest interval that `?pace=` takes: more than ten bursts a second nobody can
/// read, and more than a minute of silence proxies take for the end ([`HEARTBEAT_INTERVAL_RANGE`]).
pub const PACE_RANGE: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_mins(1);

/// The messages that the log page of a browser begins with, unless it is asked for others: as many lines
/// as a browser takes in a second or two, in about 100 MB.
pub const LOG_PAGE_MESSAGES: u64 = 20_000;

/// The last messages that `/sender` shows: it is loaded again for each new one, by a whole class.
pub const SENDER_MESSAGES: u64 = 50;

/// The messages that `/receiver` shows again when it is reloaded: about a screen.
pub const RECEIVER_MESSAGES_AGAIN: usize = 20;

// --- taps -----------------------------------------------------------------------------------

/// Most taps at once. Each is a page `/wire` that shows what its sockets are written, and may hold
/// [`TAP_BYTES`] and [`TAP_RECORDS_MAX`]: 15 MiB in all.
pub const TAPS_MAX: usize = 64;

/// Most taps of one address at once: a class may share one, and leaves room for another.
pub const TAPS_PER_CLIENT_MAX: usize = 32;

/// Most streams of one tap at the same time: a panel for each transport, and one that is being replaced
/// for each of two. A stream of a tap keeps a task for itself, about 1 KiB.
pub const TAP_STREAMS_MAX: usize = 8;

/// The bytes of writes that a tap keeps until its page has fetched them. What comes when it is full is
/// counted, and told as lost.
pub const TAP_BYTES: usize = 128 * KIB;

/// Most records that a tap keeps: each takes about 0.1 KiB besides the bytes of its write.
pub const TAP_RECORDS_MAX: usize = 1024;

/// How long a tap waits for its page to fetch: the page does so several times a second, and a hidden one
/// does not at all.
pub const TAP_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest life of a tap, however often its page fetches: a page that is forgotten in a window taps no
/// more. The page opens another when somebody looks at it.
pub const TAP_LIFE: Duration = Duration::from_mins(20);
