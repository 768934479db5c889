//! `/healthz…` and `/metrics`, for operators, and `/openapi.json`, for their programs.

use hyper::{Response, StatusCode};

use super::error::Error;
use super::reply::{self, Body};
use super::{Call, refusal};
use crate::diagnostics;
use crate::metrics::Readings;
use crate::openapi;

/// Answers 200 `ok` while the process works: that it answers is all that is asked.
pub(super) fn live() -> Response<Body> {
    reply::text(StatusCode::OK, "ok".to_owned())
}

/// Answers 200 `ok` while the log takes messages and can be read and the server is not stopping,
/// else 503 with the reason.
pub(super) fn ready(call: &Call<'_>) -> Response<Body> {
    let health = if call.app.drain.has_begun() {
        Err(Error::Stopping)
    } else {
        call.app.log.health().map_err(Error::from)
    };
    let Err(error) = health else {
        return reply::text(StatusCode::OK, "ok".to_owned());
    };
    let mut response = reply::text(error.status(), format!("{error}\n"));
    refusal::add_headers(&error, &call.app.drain, response.headers_mut());
    response
}

/// Answers with all metrics, in the exposition format of Prometheus.
pub(super) async fn metrics(call: &Call<'_>) -> Response<Body> {
    let readings = Readings {
        bounds: call.app.log.bounds(),
        log_available: call.app.log.check_appends().is_ok(),
        log_readable: call.app.log.is_sound(),
        body_bytes: call.app.bodies.held(),
        unsent_bytes: call.app.answers.held() + call.app.operator_answers.held(),
        lost_lines: diagnostics::lost_lines(),
        cluster: call.app.log.cluster().map(|cluster| cluster.readings()),
        keys_held: call.app.log.keys_held(),
        wall_ahead_seconds: call.app.log.clock().wall_ahead_seconds(),
        open_files: open_files().await,
        max_files: call.app.max_files,
    };
    let text = call.app.metrics.render(&readings);
    reply::full(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        text,
    )
}

/// Answers with the description of the interface.
pub(super) fn openapi() -> Response<Body> {
    reply::full(StatusCode::OK, "application/json", openapi::text())
}

/// Returns the number of files that the process has open, where the system tells. To count them takes
/// the longer the more there are, so it is done one at a time, and on no thread that serves.
#[cfg(target_os = "linux")]
async fn open_files() -> Option<u64> {
    use tokio::sync::Semaphore;
    static COUNTS: Semaphore = Semaphore::const_new(1);
    let _one = COUNTS.acquire().await;
    let count = || {
        let files = std::fs::read_dir("/proc/self/fd").ok()?;
        // The directory that is being read is one of its own entries.
        Some(files.count().saturating_sub(1) as u64)
    };
    tokio::task::spawn_blocking(count).await.ok()?
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unused_async, reason = "elsewhere it waits")]
async fn open_files() -> Option<u64> {
    None
}
