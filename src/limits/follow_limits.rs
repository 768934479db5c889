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
