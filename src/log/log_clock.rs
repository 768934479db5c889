//! The clock of the log: the one place where the wall clock is compared with the time that passes.
//!
//! A wall clock can be wrong, and jumps when it is set: a machine begins with a hardware clock in local
//! time, or in 1970, until its clock is set over the network; a virtual machine is resumed; an operator
//! mistypes. So nothing in the log expires by it. The log has a clock of its own, which counts the
//! time that passes ([`LogTime`](super::LogTime)): messages, idempotency keys and logins grow old by
//! that clock. What a message shows to people ([`Message::time`](crate::message::Message::time)) is
//! the wall clock's time, so after a large step back times fall; the order of messages is that of
//! their seqs.
//!
//! # Across restarts
//!
//! In one boot of the machine the system's uptime tells exactly how long no server ran. Across boots
//! only the wall clock can tell, and is believed when it had run without a step for
//! [`limits::CLOCK_TRUST_AFTER`] before the server ended, and has done so again since it started. Then
//! the pause counts for all that was before it. If it cannot be told, the pause counts as nothing:
//! messages are kept for longer rather than deleted too early.

use std::time::Duration;

use parking_lot::Mutex;

use super::Moment;
use super::clock_state::{ClockState, SavedClock};
use crate::limits;
use crate::machine_clock::MachineClock;

/// The clock of a log. Logs that are not stored may share that of one that is.
#[derive(Debug)]
pub struct LogClock {
    machine: MachineClock,
    state: Mutex<ClockState>,
}

impl LogClock {
    /// Returns the clock of a store's log, which goes on where it stood when the log was last open.
    pub(super) fn resume(machine: MachineClock, saved: Option<SavedClock>) -> LogClock {
        let (reading, boot) = (machine.read(), machine.boot());
        let state = match saved {
            None => ClockState::new(reading, boot),
            Some(saved) => ClockState::resume(saved, reading, boot),
        };
        announce(&state);
        LogClock {
            machine,
            state: Mutex::new(state),
        }
    }

    /// Returns the present moment, and logs a warning if the wall clock was set.
    #[must_use]
    pub fn now(&self) -> Moment {
        let mut state = self.state.lock();
        // Read under the lock, so that a later moment is not before an earlier one.
        let (moment, step) = state.read(self.machine.read());
        drop(state);
        if let Some(step) = step {
            warn(step.millis);
        }
        moment
    }

    /// Returns by how many seconds the wall clock is ahead of what it should say by the time that
    /// has passed (negative: it lags). It is 0 while the wall clock is trusted.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "it is for people to look at")]
    pub fn wall_ahead_seconds(&self) -> f64 {
        self.state.lock().ahead() as f64 / 1000.0
    }
}

/// Tells the operator what the wall clock says about the time in which no server ran.
fn announce(state: &ClockState) {
    let ahead = state.ahead();
    if ahead > MINUTE && state.is_pause_open() {
        log::info!(
            "by the wall clock no server ran for {}; if the clock is not set within {}, all messages \
             are that much older",
            describe(ahead),
            humantime::format_duration(limits::CLOCK_TRUST_AFTER)
        );
    } else if ahead > 0 && !state.is_pause_open() {
        // A clock that was set back is noticed when a message would have an earlier time.
        warn(ahead);
    }
}

/// A minute, in milliseconds.
const MINUTE: i64 = 60 * 1000;

/// Warns of a step of the wall clock.
fn warn(millis: i64) {
    let direction = if millis > 0 { "forward" } else { "back" };
    log::warn!(
        "the wall clock was set {direction} by {}: the times of messages follow it, and messages expire \
         by the time that has really passed",
        describe(millis)
    );
}

/// Returns a number of milliseconds in words, to the second.
fn describe(millis: i64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(millis.unsigned_abs() / 1000))
}
