//! The bounds of the log's clock, which counts the time that passes.

use std::time::Duration;

/// The least difference between the wall clock and the time that has passed that is a step: the wall
/// clock was set. After a smaller step back the times of messages stand still for as long.
pub const CLOCK_STEP_MIN: Duration = Duration::from_secs(10);

/// How long the wall clock must run without a step before it is trusted to tell for how long no
/// server ran while the machine was off: longer than it takes a machine that has just started to
/// have its clock set over the network.
pub const CLOCK_TRUST_AFTER: Duration = Duration::from_mins(30);

/// The earliest time at which a wall clock is trusted, in milliseconds since 1970: 2026-01-01, since
/// this program is younger.
pub const WALL_CLOCK_MILLIS_MIN: u64 = 1_767_225_600_000;

/// Pauses of the log's clock that are remembered: times at which the machine was off. Of more, the
/// oldest is forgotten, and what was before it is kept for longer.
pub const CLOCK_PAUSES_MAX: usize = 256;

/// How often a stored log notes what its clock says while nothing is appended: so much age may be
/// lost when the machine goes off without a warning.
pub const CLOCK_SAVE_INTERVAL: Duration = Duration::from_mins(10);

/// Messages that are remembered to show an earlier time than the message before them, since the wall
/// clock was set back. `since=` searches between them; what is before the oldest of them counts as one
/// run.
pub const CLOCK_FALLS_MAX: usize = 1024;
