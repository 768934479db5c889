//! Asking a server whether it is ready, as `forever-frame check` does.

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::outgoing_connection;
use crate::config::HealthUrl;
use crate::limits;

/// Why a server does not count as ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Nobody could be asked.
    #[error("cannot be reached: {0}")]
    Unreachable(#[from] io::Error),
    /// There was no answer of HTTP.
    #[error("gives no answer: {0}")]
    NoAnswer(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("cannot be asked: {0}")]
    Request(#[from] hyper::http::Error),
    /// The answer is another than 200.
    #[error("is not ready: {0}{1}")]
    Refused(StatusCode, String),
    /// The answer took too long.
    #[error("gives no answer within {} s", limits::CHECK_TIMEOUT.as_secs())]
    Slow,
}

/// Asks the server at `url` whether it is ready.
///
/// # Errors
/// When it is not, or cannot be asked.
pub async fn check_ready(url: &HealthUrl) -> Result<(), NotReady> {
    match timeout(limits::CHECK_TIMEOUT, ask(url)).await {
        Ok(Ok((StatusCode::OK, _))) => Ok(()),
        Ok(Ok((status, reason))) => Err(NotReady::Refused(status, reason)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(NotReady::Slow),
    }
}

/// The status of the answer, and what it says, after a colon.
async fn ask(url: &HealthUrl) -> Result<(StatusCode, String), NotReady> {
    let socket = TokioIo::new(outgoing_connection::connect(url).await?);
    let (mut server, connection) = http1::handshake(socket).await?;
    let request = Request::get(&url.path)
        .header(HOST, url.authority.to_string())
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let answer = server.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), limits::CHECK_ANSWER_BYTES_MAX);
        // Only the status counts: a text that is long, or breaks off, is not shown.
        let text = body.collect().await.map(Collected::to_bytes);
        let text = text.unwrap_or_default();
        let reason = String::from_utf8_lossy(&text);
        let reason = reason.lines().next().unwrap_or("").trim();
        let reason = if reason.is_empty() {
            String::new()
        } else {
            format!(": {}", reason.escape_debug())
        };
        Ok((status, reason))
    };
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that accepts and says nothing is not ready, after a while.
    #[tokio::test(start_paused = true)]
    async fn silent_server_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = listener.local_addr().unwrap().to_string().parse().unwrap();
        let began = tokio::time::Instant::now();
        let error = check_ready(&url).await.unwrap_err();
        assert!(matches!(error, NotReady::Slow), "{error}");
        assert!(began.elapsed() >= limits::CHECK_TIMEOUT);
    }
}
