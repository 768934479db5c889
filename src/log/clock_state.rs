//! What the log makes of the machine's clocks. Pure: readings go in.

use std::sync::Arc;
use std::time::Duration;

use super::moment::{LogTime, Moment, Pause};
use crate::limits;
use crate::machine_clock::ClockReading;
use crate::message::Timestamp;

/// What a stored log keeps of its clock, so that ages survive a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClockRecord {
    /// The boot of the machine in which the server ran, where the system names it.
    pub(super) boot: Option<String>,
    /// What the log's clock says less the machine's uptime, in milliseconds. In one boot it is
    /// always the same.
    pub(super) start: i64,
    /// What the wall clock said, when it was last trusted, less what the log's clock said, in
    /// milliseconds.
    pub(super) reference: i64,
    /// Whether the wall clock has not been set since.
    pub(super) is_trusted: bool,
    /// Where the log's clock stood before a pause whose length is not known yet.
    pub(super) open_pause: Option<LogTime>,
    /// The pauses of the log's clock, the oldest first.
    pub(super) pauses: Vec<Pause>,
}

/// What a store has of the log's clock when it is opened.
#[derive(Clone, Debug)]
pub(super) struct SavedClock {
    /// The time of the newest message.
    pub(super) time: Timestamp,
    /// What the log's clock said at the last commit.
    pub(super) log_time: LogTime,
    /// `None` if the log is new.
    pub(super) record: Option<ClockRecord>,
}

/// The state of a log's clock.
#[derive(Debug)]
pub(super) struct ClockState {
    record: Arc<ClockRecord>,
    log_time: LogTime,
    /// The time of the last moment.
    time: Timestamp,
    /// What the wall clock said at the last reading less what the log's clock said.
    offset: i64,
    /// The uptime since which the wall clock has not been set.
    steady_since: Duration,
}

/// A step of the wall clock that is to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockStep {
    /// By how many milliseconds the wall clock was set forward; negative if it was set back.
    pub(super) millis: i64,
}

/// Steps of the wall clock that are not larger than this are none.
const STEP: i64 = millis(limits::CLOCK_STEP_MIN);

impl ClockState {
    /// Returns the clock of a log that was not there before: it begins with what the wall clock
    /// says.
    pub(super) fn new(reading: ClockReading, boot: Option<String>) -> ClockState {
        let log_time = LogTime(reading.wall.0);
        let record = ClockRecord {
            boot,
            start: start(log_time, reading),
            reference: 0,
            is_trusted: is_plausible(reading.wall),
            open_pause: None,
            pauses: Vec::new(),
        };
        ClockState {
            record: Arc::new(record),
            log_time,
            time: reading.wall,
            offset: 0,
            steady_since: reading.uptime,
        }
    }

    /// Returns the clock of a log that is opened again.
    ///
    /// In the boot of the machine in which the log was open before, the uptime tells how much time
    /// has passed. In another boot only the wall clock does, which may not be set right yet: the
    /// difference counts when the wall clock has run on for [`limits::CLOCK_TRUST_AFTER`].
    pub(super) fn resume(
        saved: SavedClock,
        reading: ClockReading,
        boot: Option<String>,
    ) -> ClockState {
        let Some(mut record) = saved.record else {
            return ClockState::new(reading, boot);
        };
        let by_uptime = log_time(record.start, reading.uptime);
        let is_same_boot = boot.is_some() && boot == record.boot && by_uptime >= saved.log_time;
        let log_time = if is_same_boot {
            by_uptime
        } else {
            // Later than all that was before the pause.
            LogTime(saved.log_time.0 + 1)
        };
        let offset = difference(reading.wall.0, log_time.0);
        if !is_same_boot && record.is_trusted {
            // Of several pauses only the sum is known: what was between them is not made older.
            record.open_pause = record.open_pause.or(Some(saved.log_time));
        }
        if record.open_pause.is_none() && (offset - record.reference).abs() > STEP {
            record.is_trusted = false;
        }
        record.boot = boot;
        record.start = start(log_time, reading);
        ClockState {
            record: Arc::new(record),
            log_time,
            time: saved.time,
            offset,
            steady_since: reading.uptime,
        }
    }

    /// Takes a reading of the machine's clocks. Returns the moment, and a step of the wall clock if
    /// one is to be logged.
    pub(super) fn read(&mut self, reading: ClockReading) -> (Moment, Option<ClockStep>) {
        let ClockReading { wall, uptime } = reading;
        self.log_time = self.log_time.max(log_time(self.record.start, uptime));
        let offset = difference(wall.0, self.log_time.0);
        let mut step = offset - self.offset;
        if step.abs() > STEP {
            self.steady_since = uptime;
            // What is trusted while a pause is open is what the wall clock said before it.
            if self.record.open_pause.is_none() {
                Arc::make_mut(&mut self.record).is_trusted = false;
            }
        }
        self.offset = offset;
        let steady_for = uptime.saturating_sub(self.steady_since);
        if steady_for >= limits::CLOCK_TRUST_AFTER && is_plausible(wall) {
            self.trust();
        }
        // After a small step back the times only stand still for as long; several make a large one.
        let lag = difference(self.time.0, wall.0);
        if lag > STEP {
            self.time = wall;
            step = step.min(-lag);
        }
        self.time = self.time.max(wall);
        let moment = Moment {
            time: self.time,
            log_time: self.log_time,
            record: Arc::clone(&self.record),
        };
        let step = (step.abs() > STEP).then_some(ClockStep { millis: step });
        (moment, step)
    }

    /// Returns by how many milliseconds the wall clock is ahead of what it should say by the time
    /// that has passed; negative if it lags, and 0 while it is trusted.
    pub(super) fn ahead(&self) -> i64 {
        if self.record.is_trusted && self.record.open_pause.is_none() {
            return 0;
        }
        self.offset - self.record.reference
    }

    /// Whether it is not known yet how long no server had run before this one.
    pub(super) fn is_pause_open(&self) -> bool {
        self.record.open_pause.is_some()
    }

    /// Takes what the wall clock says for right.
    fn trust(&mut self) {
        let drift = self.offset - self.record.reference;
        let is_known = self.record.is_trusted && self.record.open_pause.is_none();
        if is_known && drift.abs() <= STEP {
            // A clock that only drifts need not be saved anew each time.
            return;
        }
        let record = Arc::make_mut(&mut self.record);
        (record.reference, record.is_trusted) = (self.offset, true);
        let millis = u64::try_from(drift).unwrap_or_default();
        let pause = record.open_pause.take().map(|at| Pause { at, millis });
        record.pauses.extend(pause.filter(|pause| pause.millis > 0));
        let surplus = record.pauses.len().saturating_sub(limits::CLOCK_PAUSES_MAX);
        record.pauses.drain(..surplus);
    }
}

/// Whether a wall clock may be right: it is wrong before there was this program.
fn is_plausible(wall: Timestamp) -> bool {
    wall.0 >= limits::WALL_CLOCK_MILLIS_MIN
}

/// Returns what the log's clock says at an uptime.
fn log_time(start: i64, uptime: Duration) -> LogTime {
    LogTime(u64::try_from(start.saturating_add(millis(uptime))).unwrap_or_default())
}

/// Returns what the log's clock says less the uptime.
fn start(log_time: LogTime, reading: ClockReading) -> i64 {
    let log_time = i64::try_from(log_time.0).unwrap_or(i64::MAX);
    log_time.saturating_sub(millis(reading.uptime))
}

/// Returns `a - b`.
fn difference(a: u64, b: u64) -> i64 {
    let number = |n| i64::try_from(n).unwrap_or(i64::MAX);
    number(a).saturating_sub(number(b))
}

/// Returns a duration in milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there are fewer in the life of any machine"
)]
const fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}
