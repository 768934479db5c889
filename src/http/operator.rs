//! `/healthz…` and `/metrics`, for operators.

use hyper::{Response, StatusCode};

use super::Call;
use super::reply::{self, Body};
use crate::diagnostics;
use crate::metrics::Readings;

/// Answers 200 `ok` while the process works: that it answers is all that is asked.
pub(super) fn live() -> Response<Body> {
    reply::text(StatusCode::OK, "ok".to_owned())
}

/// Answers 200 `ok` while the log takes messages and can be read and the server is not stopping,
/// else 503 with the reason.
pub(super) fn ready(call: &Call<'_>) -> Response<Body> {
    if call.app.drain.has_begun() {
        return reply::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the server is stopping\n".to_owned(),
        );
    }
    match call.app.log.health() {
        Ok(()) => reply::text(StatusCode::OK, "ok".to_owned()),
        Err(error) => reply::text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

/// Answers with all metrics, in the exposition format of Prometheus.
pub(super) fn metrics(call: &Call<'_>) -> Response<Body> {
    let readings = Readings {
        bounds: call.app.log.bounds(),
        log_available: call.app.log.check_appends().is_ok(),
        log_readable: call.app.log.is_sound(),
        body_bytes: call.app.bodies.held(),
        lost_lines: diagnostics::lost_lines(),
        open_files: open_files(),
        max_files: call.app.max_files,
    };
    let text = call.app.metrics.render(&readings);
    reply::full(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

/// Returns the number of files that the process has open, where the system tells.
#[cfg(target_os = "linux")]
fn open_files() -> Option<u64> {
    // The directory that is being read is one of its own entries.
    std::fs::read_dir("/proc/self/fd")
        .ok()
        .map(|files| files.count().saturating_sub(1) as u64)
}

#[cfg(not(target_os = "linux"))]
fn open_files() -> Option<u64> {
    None
}
