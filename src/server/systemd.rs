//! What a service manager is told about this process, if it asks (`sd_notify(3)`): that it is ready,
//! that it reads its files again, that it stops, and that it works.

use std::time::Duration;

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

use super::lanes::Lanes;

/// Tells that the server accepts connections, and where.
pub(super) fn tell_ready(status: &str) {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    #[cfg(not(target_os = "linux"))]
    let _ = status;
}

/// Tells that files are read again from now on, until [`tell_reloaded`].
pub(super) fn tell_reloading() {
    #[cfg(target_os = "linux")]
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("cannot read the clock for the service manager: {error}"),
    }
}

/// Tells that the files have been read again.
pub(super) fn tell_reloaded() {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Ready]);
}

/// Tells that the server stops, which takes up to `at_most`.
pub(super) fn tell_stopping(at_most: Duration) {
    #[cfg(target_os = "linux")]
    {
        let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
        tell(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(micros),
            NotifyState::Status("stopping: streams are ended"),
        ]);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = at_most;
}

/// Tells again and again that the server works, if the service manager wants to know (`WatchdogSec=`). It
/// is told only after every lane has run a task: a lane that hangs serves its clients no more.
pub(super) async fn feed_watchdog(lanes: &Lanes) {
    #[cfg(target_os = "linux")]
    if let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) {
        // As sd_watchdog_enabled(3) advises.
        let mut ticks = tokio::time::interval(period / 2);
        loop {
            ticks.tick().await;
            lanes.answer().await;
            tell(&[NotifyState::Watchdog]);
        }
    }
    let _ = lanes;
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        log::warn!("cannot notify the service manager: {error}");
    }
}
