//! Tests of the log's clock: machines that run, stop, start again, and whose wall clocks are set.

use std::time::Duration;

use super::clock_state::{ClockRecord, ClockState, ClockStep, SavedClock};
use super::{LogTime, Moment};
use crate::limits;
use crate::machine_clock::ClockReading;
use crate::message::Timestamp;

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);
const WALL: Timestamp = Timestamp(1_800_000_000_000);

/// A machine with a log, which can be stopped and started.
struct Machine {
    wall: Timestamp,
    uptime: Duration,
    boot: u32,
    clock: ClockState,
    last: Moment,
}

impl Machine {
    fn new(wall: Timestamp) -> Machine {
        let (uptime, boot) = (HOUR, 1);
        let mut clock = ClockState::new(ClockReading { wall, uptime }, Some(boot.to_string()));
        let (last, _) = clock.read(ClockReading { wall, uptime });
        Machine {
            wall,
            uptime,
            boot,
            clock,
            last,
        }
    }

    fn reading(&self) -> ClockReading {
        ClockReading {
            wall: self.wall,
            uptime: self.uptime,
        }
    }

    fn read(&mut self) -> Option<ClockStep> {
        let (moment, step) = self.clock.read(self.reading());
        assert!(moment.log_time >= self.last.log_time);
        self.last = moment;
        step
    }

    /// The server runs, and looks at the clocks each minute.
    fn run(&mut self, time: Duration) {
        for _ in 0..time.as_secs() / 60 {
            let minute = Duration::from_mins(1);
            self.wall = self.wall.later(minute);
            self.uptime += minute;
            self.read();
        }
    }

    /// The wall clock is set.
    fn set(&mut self, wall: Timestamp) -> Option<i64> {
        self.wall = wall;
        self.read().map(|step| step.millis)
    }

    /// No server runs for a time; then one runs in the same boot of the machine.
    fn restart(&mut self, pause: Duration) {
        self.uptime += pause;
        self.start(self.wall.later(pause));
    }

    /// The machine is off for a time, and its wall clock says `wall` then.
    fn reboot(&mut self, wall: Timestamp) {
        self.boot += 1;
        self.uptime = Duration::from_mins(1);
        self.start(wall);
    }

    fn start(&mut self, wall: Timestamp) {
        self.wall = wall;
        let saved = SavedClock {
            time: self.last.time,
            log_time: self.last.log_time,
            record: Some(ClockRecord::clone(&self.last.record)),
        };
        let boot = Some(self.boot.to_string());
        self.clock = ClockState::resume(saved, self.reading(), boot);
        self.read();
    }

    /// Checks how old something is, in minutes: a boot adds a millisecond.
    fn check_age(&self, then: LogTime, age: Duration, what: impl std::fmt::Display) {
        let mut ages = (0..100 * 24 * 60).map(Duration::from_mins);
        let found = ages.find(|age| self.last.earlier(*age) <= then).unwrap();
        let surplus = found.checked_sub(age);
        let is_right = surplus.is_some_and(|surplus| surplus <= Duration::from_mins(1));
        assert!(is_right, "{what}: {found:?} is not {age:?}");
    }
}

/// Nothing grows old when the wall clock is set, however far; times follow it, forward and back.
#[test]
fn steps_make_nothing_older() {
    let mut machine = Machine::new(WALL);
    machine.run(2 * HOUR);
    let then = machine.last.log_time;
    let ten_years = 520 * WEEK;
    let ahead = machine.wall.later(ten_years);
    assert_eq!(machine.set(ahead), Some(millis(ten_years)));
    assert_eq!((machine.last.time, machine.last.log_time), (ahead, then));
    assert_eq!(machine.clock.ahead(), millis(ten_years));
    machine.run(Duration::from_mins(29));
    let right = machine.wall.earlier(ten_years);
    assert_eq!(machine.set(right), Some(-millis(ten_years)));
    assert_eq!(machine.last.time, right);
    machine.run(2 * HOUR);
    machine.check_age(then, Duration::from_mins(149), "then");
    assert_eq!(machine.clock.ahead(), 0);
    // Set for good, the wall clock is trusted again after a while.
    machine.set(machine.wall.earlier(DAY));
    assert_eq!(machine.clock.ahead(), -millis(DAY));
    machine.run(HOUR);
    assert_eq!(machine.clock.ahead(), 0);
    // After a small step back the times stand still.
    let before = machine.last.time;
    let small = limits::CLOCK_STEP_MIN;
    assert_eq!(machine.set(machine.wall.earlier(small)), None);
    assert_eq!(machine.last.time, before);
    assert!(machine.last.record.is_trusted && machine.last.record.pauses.is_empty());
}

/// In one boot a pause counts exactly and at once, whatever the wall clock says.
#[test]
fn restart_counts_uptime() {
    for wall in [WALL, Timestamp(0), WALL.later(520 * WEEK)] {
        let mut machine = Machine::new(WALL);
        machine.run(HOUR);
        let then = machine.last.log_time;
        machine.uptime += 3 * DAY;
        machine.start(wall);
        machine.check_age(then, 3 * DAY, "then");
        machine.restart(DAY);
        machine.check_age(then, 4 * DAY, "then");
    }
}

/// The time for which the machine was off counts when the wall clock has proved itself, and then
/// for what was before it alone.
#[test]
fn reboot_counts_pause_later() {
    let mut machine = Machine::new(WALL);
    machine.run(HOUR);
    let before = machine.last.log_time;
    machine.reboot(machine.wall.later(WEEK));
    let after = machine.last.log_time;
    assert!(after > before);
    machine.check_age(before, Duration::ZERO, "before");
    machine.run(HOUR / 4);
    // A restart and a second boot before that lose nothing.
    machine.restart(Duration::ZERO);
    machine.reboot(machine.wall.later(DAY));
    machine.run(HOUR / 4);
    machine.check_age(before, HOUR / 2, "before");
    machine.run(HOUR / 2);
    machine.check_age(before, HOUR + WEEK + DAY, "before");
    // How much of that was the second pause is not known.
    machine.check_age(after, HOUR, "after");
    let now = machine.last.log_time;
    machine.run(HOUR);
    machine.check_age(now, HOUR, "now");
}

/// A machine whose clock is wrong until it is set over the network loses nothing, and the pause
/// counts by the right time.
#[test]
fn reboot_with_wrong_clock_counts_right_pause() {
    for wrong in [0, WALL.earlier(WEEK).0, WALL.later(60 * DAY).0] {
        let mut machine = Machine::new(WALL);
        machine.run(HOUR);
        let (before, right) = (machine.last.log_time, machine.wall.later(2 * DAY));
        machine.reboot(Timestamp(wrong));
        machine.run(HOUR / 4);
        machine.set(right.later(HOUR / 4));
        machine.run(HOUR / 4);
        machine.check_age(before, HOUR / 2, wrong);
        machine.run(HOUR);
        machine.check_age(before, 3 * HOUR / 2 + 2 * DAY, wrong);
    }
}

/// A pause that cannot be told, because the wall clock was wrong before it, counts as nothing.
#[test]
fn pause_after_wrong_clock_counts_nothing() {
    // A log that began in 1970.
    let mut machine = Machine::new(Timestamp(0));
    machine.run(2 * HOUR);
    let before = machine.last.log_time;
    machine.reboot(WALL);
    machine.run(2 * HOUR);
    machine.check_age(before, 2 * HOUR, "before");
    // A clock that was set just before.
    let before = machine.last.log_time;
    machine.set(WALL.earlier(WEEK));
    machine.run(HOUR / 4);
    machine.reboot(WALL.later(WEEK));
    machine.run(2 * HOUR);
    machine.check_age(before, 9 * HOUR / 4, "before");
    // And the clock goes back while the machine is off.
    let before = machine.last.log_time;
    machine.reboot(WALL.earlier(WEEK));
    machine.run(2 * HOUR);
    machine.check_age(before, 2 * HOUR, "before");
    assert_eq!(machine.clock.ahead(), 0);
}

/// The number of pauses is bounded.
#[test]
fn pauses_are_bounded() {
    let mut machine = Machine::new(WALL);
    for _ in 0..limits::CLOCK_PAUSES_MAX + 3 {
        machine.run(HOUR);
        machine.reboot(machine.wall.later(DAY));
    }
    let pauses = &machine.last.record.pauses;
    assert_eq!(pauses.len(), limits::CLOCK_PAUSES_MAX);
    assert!(pauses.is_sorted_by(|a, b| a.at < b.at));
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}
