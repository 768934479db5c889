//! The clocks of the machine: the wall clock, which can be set, and the uptime, which cannot. Whoever
//! needs the time of the log asks the log ([`Log::now`](crate::log::Log::now)), which compares both.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use crate::message::Timestamp;

/// What both clocks of a machine said at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock: what people call the time. It may be wrong, and jumps when it is set.
    pub wall: Timestamp,
    /// How long the machine has run, sleep included where the system counts it. It only rises.
    pub uptime: Duration,
}

/// The clocks of the machine, or clocks that a test sets.
#[derive(Clone, Debug, Default)]
pub enum MachineClock {
    /// The clocks of the machine that this program runs on.
    #[default]
    System,
    /// Clocks that stand still until a test moves them.
    Manual(Arc<ManualClock>),
}

/// The clocks of a machine that a test sets.
#[derive(Debug)]
pub struct ManualClock {
    boot: Option<String>,
    reading: Mutex<ClockReading>,
}

impl MachineClock {
    /// Reads both clocks.
    #[must_use]
    pub fn read(&self) -> ClockReading {
        match self {
            MachineClock::System => ClockReading {
                wall: wall(),
                uptime: uptime(),
            },
            MachineClock::Manual(manual) => *manual.reading.lock(),
        }
    }

    /// Returns the name of the machine's boot, another one after each start of the machine: two
    /// readings of [`ClockReading::uptime`] in one boot tell how much time has passed between them,
    /// also for two processes. `None` where the system does not tell.
    #[must_use]
    pub fn boot(&self) -> Option<String> {
        match self {
            MachineClock::System => boot(),
            MachineClock::Manual(manual) => manual.boot.clone(),
        }
    }
}

impl ManualClock {
    /// Returns the clocks of a machine that has just started, whose wall clock says `wall`.
    #[must_use]
    pub fn new(boot: Option<&str>, wall: Timestamp) -> Arc<ManualClock> {
        Arc::new(ManualClock {
            boot: boot.map(str::to_owned),
            reading: Mutex::new(ClockReading {
                wall,
                uptime: Duration::ZERO,
            }),
        })
    }

    /// Lets time pass: both clocks advance.
    pub fn pass(&self, time: Duration) {
        let mut reading = self.reading.lock();
        reading.uptime += time;
        reading.wall = reading.wall.later(time);
    }

    /// Sets the wall clock forward, while no time passes.
    pub fn set_forward(&self, by: Duration) {
        let mut reading = self.reading.lock();
        reading.wall = reading.wall.later(by);
    }

    /// Sets the wall clock back, while no time passes.
    pub fn set_back(&self, by: Duration) {
        let mut reading = self.reading.lock();
        reading.wall = reading.wall.earlier(by);
    }
}

/// Returns what the system's wall clock says.
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
}

/// Returns how long the machine has run, with the time for which it was suspended.
#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    // The clock of `Instant` stands still while the machine is suspended.
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Returns how long this process has used the clock.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    static BEGAN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(std::time::Instant::now).elapsed()
}

/// Returns the kernel's name for this boot of the machine.
#[cfg(target_os = "linux")]
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Returns nothing: on this system the uptime does not outlive the process.
#[cfg(not(target_os = "linux"))]
fn boot() -> Option<String> {
    None
}
