//! Signals: SIGTERM and SIGINT stop the server, SIGHUP has files read again, and nothing else ends it in
//! disorder.
//!
//! They are waited for on a thread of its own: the others may be waiting for the store, or for each
//! other, just when somebody wants the server to end.

use std::future::Future;
use std::{io, thread};

use tokio::runtime;
use tokio::sync::oneshot;

use crate::diagnostics;

/// Begins to watch the signals. The future is ready when the process is asked to stop; when it is asked
/// a second time, it exits at once. SIGHUP calls `reload`, which returns whether there is anything to be
/// read again.
///
/// # Errors
/// When the thread cannot be started, or the signals cannot be watched.
pub fn asked_to_stop(
    reload: impl Fn() -> bool + Send + 'static,
) -> io::Result<impl Future<Output = ()>> {
    let (asked, stop) = oneshot::channel();
    let (ready_tx, ready_rx) = std::sync::mpsc::channel();
    let watch = move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let begun = runtime.and_then(|runtime| {
            let signals = runtime.block_on(async { Watched::watch() })?;
            Ok((runtime, signals))
        });
        let (runtime, mut signals) = match begun {
            Ok(begun) => begun,
            Err(error) => return drop(ready_tx.send(Err(error))),
        };
        let _ = ready_tx.send(Ok(()));
        runtime.block_on(async {
            signals.asked(true, &reload).await;
            let _ = asked.send(());
            signals.asked(false, &reload).await;
            log::warn!("asked again to stop; streams are cut");
            diagnostics::exit(0);
        });
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watch)?;
    ready_rx.recv().map_err(io::Error::other)??;
    Ok(async { drop(stop.await) })
}

#[cfg(not(unix))]
use CtrlC as Watched;
#[cfg(unix)]
use unix::Signals as Watched;

#[cfg(unix)]
mod unix {
    use std::fs::{self, File};
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::super::systemd;

    /// The signals that have a meaning here, or would end the process without one.
    pub(super) struct Signals {
        terminate: Signal,
        interrupt: Signal,
        hangup: Signal,
        user1: Signal,
        user2: Signal,
        /// Whether the process ends with its terminal.
        has_terminal: bool,
    }

    impl Signals {
        pub(super) fn watch() -> io::Result<Signals> {
            Ok(Signals {
                // Before the signal is watched, which ends that it is ignored.
                has_terminal: terminal_is_there() && !hangup_is_ignored(),
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
                user1: signal(SignalKind::user_defined1())?,
                user2: signal(SignalKind::user_defined2())?,
            })
        }

        /// Waits until a signal asks the process to stop. SIGHUP does if `hangup_stops` and it says
        /// that the terminal of the process has been closed; otherwise it asks for a reload.
        pub(super) async fn asked(&mut self, hangup_stops: bool, reload: &impl Fn() -> bool) {
            loop {
                let ignored = tokio::select! {
                    _ = self.terminate.recv() => return,
                    _ = self.interrupt.recv() => return,
                    _ = self.hangup.recv() => {
                        if self.has_terminal && !terminal_is_there() {
                            if hangup_stops {
                                log::info!("the terminal has been closed");
                                return;
                            }
                            continue;
                        }
                        systemd::tell_reloading();
                        let is_read = reload();
                        systemd::tell_reloaded();
                        if is_read {
                            "SIGHUP: files are read again"
                        } else {
                            "SIGHUP: there is nothing to be read again"
                        }
                    }
                    _ = self.user1.recv() => "SIGUSR1 has no meaning here",
                    _ = self.user2.recv() => "SIGUSR2 has no meaning here",
                };
                log::info!("{ignored}");
            }
        }
    }

    /// Whether the process has a controlling terminal that is not closed.
    fn terminal_is_there() -> bool {
        File::open("/dev/tty").is_ok()
    }

    /// Whether the process was started so that it outlives its terminal (`nohup`), where the system
    /// tells.
    fn hangup_is_ignored() -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & 1 == 1)
    }
}

/// The one request to stop that other systems have.
#[cfg(not(unix))]
struct CtrlC;

#[cfg(not(unix))]
impl CtrlC {
    fn watch() -> io::Result<CtrlC> {
        Ok(CtrlC)
    }

    async fn asked(&mut self, _: bool, _: &impl Fn() -> bool) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            log::warn!("cannot listen for Ctrl-C: {error}");
            std::future::pending::<()>().await;
        }
    }
}
