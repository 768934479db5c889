//! Bounds of what service managers and those who watch over a server wait for, and of a probe, which asks
//! whether something on the way to the server holds bytes back.

use std::time::Duration;

use super::KIB;

/// How long a server may take to tell that it is ready: less than the 10 to 30 s that those who run the
/// command give it.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer that is read for the reason in its first line.
pub const CHECK_ANSWER_BYTES_MAX: usize = 4 * 1024;

/// What the end of a server may take after its last connection: to write acknowledgements of letters
/// ([`DRAIN_GRACE`](super::DRAIN_GRACE)), to close the log, and to flush standard error.
pub const STOP_GRACE: Duration = Duration::from_secs(10);

/// Sentences within each other that are put into another language, such as the reason of an error: more than
/// there are, and a bound on what a text of a client that looks like them costs.
pub const NESTED_SENTENCES_MAX: usize = 4;

/// How long a browser remembers the language that was chosen on a page.
pub const LANGUAGE_COOKIE_AGE: Duration = Duration::from_hours(365 * 24);

/// Time between two lines of a probe: far more than networks differ by, and short enough to watch.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Lines of a probe unless it asks for another number: a probe is over in the patience of who watches.
pub const PROBE_LINES_DEFAULT: usize = 8;

/// Most lines of a probe.
pub const PROBE_LINES_MAX: usize = 60;

/// Silence before the last line of a probe, unless it asks for another.
pub const PROBE_QUIET_DEFAULT: Duration = Duration::from_secs(2);

/// Longest silence before the last line of a probe: proxies give up what is quiet for 30 to 100 s.
pub const PROBE_QUIET_MAX: Duration = Duration::from_mins(2);

/// Longest time that the lines may take which a client sends for a probe.
pub const PROBE_UP_TIMEOUT: Duration = Duration::from_secs(160);

/// Longest body of a probe: the lines that a client sends, or what it has seen, as JSON.
pub const PROBE_BODY_BYTES_MAX: usize = 16 * KIB;

/// Most pieces of a body whose times a probe tells.
pub const PROBE_PIECES_MAX: usize = 4 * PROBE_LINES_MAX;

/// What a probe costs while it goes on: the buffers of its connection.
pub const PROBE_BYTES: usize = 16 * KIB;

/// Lines that have to come after the next ones were sent before they count as held back: one alone may
/// have been lost and sent again.
pub const PROBE_HELD_MIN: usize = 2;

/// How late most lines have to be to count as late: more than the way of one line differs from that of
/// another, and less than the 200 ms for which a kernel waits for more to send.
pub const PROBE_LATE_MIN: Duration = Duration::from_millis(120);

/// Time for all of a probe besides its silence, as the command waits for it.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(40);

/// Longest answer, and longest head, that the command reads of a probe.
pub const PROBE_ANSWER_BYTES_MAX: usize = 64 * KIB;

/// Messages with which the page of a class begins: what a wall shows.
pub const CLASS_MESSAGES: usize = 20;
