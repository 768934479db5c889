//! The signals that stop the server: SIGTERM and SIGINT.

use crate::diagnostics;

/// Returns when the process is asked to stop. When it is asked a second time, it exits at once.
pub async fn stop() {
    asked().await;
    tokio::spawn(async {
        asked().await;
        log::warn!("asked again to stop; streams are cut");
        diagnostics::exit(0);
    });
}

#[cfg(unix)]
async fn asked() {
    use tokio::signal::unix::{SignalKind, signal};
    match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            // The signals then end the process as the system does by default.
            log::warn!("cannot listen for signals: {error}");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn asked() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        log::warn!("cannot listen for Ctrl-C: {error}");
        std::future::pending::<()>().await;
    }
}
