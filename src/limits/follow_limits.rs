//! Bounds of what a follower may ask for.

use std::ops::RangeInclusive;
use std::time::Duration;

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
