//! Probing the way to a server, as `forever-frame probe` does.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, HOST, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::outgoing_connection;
use crate::config::HealthUrl;
use crate::limits;
use crate::probe::{
    LineTime, Observation, ProbeSchedule, RunObservation, SentLine, UpObservation, Verdict,
    parse_asked_by, parse_sent,
};

/// Why the way to a server cannot be probed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
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
    #[error("cannot be probed: {0}; is it the address of a forever-frame server?")]
    Refused(StatusCode),
    /// The answer is not that of a probe.
    #[error("gives an answer that is not of a probe; is it the address of a forever-frame server?")]
    Foreign,
    /// The answers took too long.
    #[error("is not through with the probe within {} s", .0.as_secs())]
    Slow(Duration),
}

/// Probes the way to the server at `url`.
///
/// # Errors
/// When the server cannot be asked, or is none of ours.
pub async fn probe(url: &HealthUrl, quiet: Duration) -> Result<Verdict, ProbeError> {
    let most = limits::PROBE_TIMEOUT + quiet;
    let seen = timeout(most, observe(url, quiet)).await;
    let seen = seen.map_err(|_| ProbeError::Slow(most))??;
    Ok(Verdict::of(&seen))
}

/// What is seen of all the runs.
async fn observe(url: &HealthUrl, quiet: Duration) -> Result<Observation, ProbeError> {
    let round_trip = round_trip(url).await?;
    let schedule = ProbeSchedule {
        quiet,
        ..ProbeSchedule::default()
    };
    let short = ProbeSchedule {
        lines: 1,
        quiet: Duration::ZERO,
    };
    let (text, events, up) = tokio::join!(
        watch(url, "text", schedule),
        watch(url, "sse", schedule),
        send(url, schedule),
    );
    let (first, second) = (
        watch(url, "text", short).await?,
        watch(url, "text", short).await?,
    );
    let text = text?;
    if first.id.is_none() {
        return Err(ProbeError::Foreign);
    }
    let (version, asked_with) = first.asked_by.unwrap_or_default();
    Ok(Observation {
        round_trip_ms: milliseconds(round_trip),
        is_repeated: first.id == second.id,
        headers: [text.headers, second.headers].concat(),
        text: text.run,
        events: events?.run,
        up: Some(up?),
        version,
        asked_with,
        is_browser: false,
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Sends a request on a connection of its own, and hands its answer to `read` with the time at which it was
/// sent.
async fn exchange<B, T>(
    url: &HealthUrl,
    request: (Method, &str, &str),
    body: impl FnOnce(Instant) -> B,
    read: impl AsyncFnOnce(Response<Incoming>, Instant) -> Result<T, ProbeError>,
) -> Result<T, ProbeError>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (method, query, accept) = request;
    let socket = TokioIo::new(outgoing_connection::connect(url).await?);
    let (mut server, connection) = http1::handshake(socket).await?;
    let began = Instant::now();
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{query}", url.path))
        .header(HOST, url.authority.to_string())
        .header(ACCEPT, accept)
        // What compresses for browsers is to do so here.
        .header(ACCEPT_ENCODING, "gzip")
        .header(USER_AGENT, "Mozilla/5.0 (forever-frame probe)")
        .header(CONNECTION, "close")
        .body(body(began))?;
    let answer = async { read(server.send_request(request).await?, began).await };
    tokio::pin!(connection, answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The answer has all that came.
        _ = &mut connection => answer.await,
    }
}

/// How long a request without a body takes to be answered.
async fn round_trip(url: &HealthUrl) -> Result<Duration, ProbeError> {
    let request = (Method::HEAD, "", "text/plain");
    let empty = |_| Empty::<Bytes>::new();
    exchange(url, request, empty, async |answer, began| {
        match answer.status() {
            StatusCode::OK => Ok(began.elapsed()),
            status => Err(ProbeError::Refused(status)),
        }
    })
    .await
}

/// What was seen of lines from the server.
#[derive(Default)]
struct WatchedLines {
    run: RunObservation,
    headers: Vec<(String, String)>,
    /// The line by which one answer differs from another.
    id: Option<String>,
    asked_by: Option<(String, Vec<(String, String)>)>,
}

/// Watches lines of the server come.
async fn watch(
    url: &HealthUrl,
    form: &str,
    schedule: ProbeSchedule,
) -> Result<WatchedLines, ProbeError> {
    let (lines, quiet) = (schedule.lines, schedule.quiet.as_millis());
    let query = format!("?as={form}&lines={lines}&quiet={quiet}ms");
    let accept = match form {
        "sse" => "text/event-stream",
        _ => "text/plain",
    };
    let request = (Method::GET, query.as_str(), accept);
    let empty = |_| Empty::<Bytes>::new();
    let watched = exchange(url, request, empty, async |answer, began| {
        Ok(read_lines(answer, began, schedule.count()).await)
    });
    or_failure(watched.await, |failure| WatchedLines {
        run: RunObservation {
            failure: Some(failure),
            ..RunObservation::default()
        },
        ..WatchedLines::default()
    })
}

/// A connection that breaks off is something to tell of, not an error.
fn or_failure<T>(
    seen: Result<T, ProbeError>,
    failed: impl FnOnce(String) -> T,
) -> Result<T, ProbeError> {
    match seen {
        Err(ProbeError::NoAnswer(error)) => Ok(failed(error.to_string())),
        seen => seen,
    }
}

async fn read_lines(answer: Response<Incoming>, began: Instant, expected: usize) -> WatchedLines {
    let mut seen = WatchedLines::default();
    seen.run.status = Some(answer.status().as_u16());
    seen.run.expected = expected;
    let headers = answer.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    seen.headers = headers
        .map(|(name, value)| (name.as_str().to_owned(), value.to_owned()))
        .collect();
    let is_gzip = answer
        .headers()
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding == "gzip");
    let mut text = Decoded::new(is_gzip);
    let mut body = Limited::new(answer.into_body(), limits::PROBE_ANSWER_BYTES_MAX);
    // What came before a connection broke off counts.
    while let Some(Ok(frame)) = body.frame().await {
        let came_ms = milliseconds(began.elapsed());
        let Ok(data) = frame.into_data() else {
            continue;
        };
        for line in text.add(&data) {
            let line = line.strip_prefix("data: ").unwrap_or(&line);
            if let Some(sent) = parse_sent(line) {
                let sent_ms = milliseconds(sent);
                seen.run.lines.push(LineTime { sent_ms, came_ms });
            } else if line.starts_with("probe ") {
                seen.id = Some(line.to_owned());
            } else if let Some(asked_by) = parse_asked_by(line) {
                seen.asked_by = Some(asked_by);
            }
        }
    }
    seen.run.ended_ms = milliseconds(began.elapsed());
    seen
}

/// Lines of an answer as they come, whatever compresses them.
struct Decoded {
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    rest: Vec<u8>,
}

impl Decoded {
    fn new(is_gzip: bool) -> Decoded {
        Decoded {
            gzip: is_gzip.then(|| MultiGzDecoder::new(Vec::new())),
            rest: Vec::new(),
        }
    }

    /// The lines that are whole with these bytes.
    fn add(&mut self, data: &[u8]) -> Vec<String> {
        match &mut self.gzip {
            None => self.rest.extend_from_slice(data),
            Some(gzip) => {
                // Bytes that are no gzip give no lines, which is seen.
                let _ = gzip.write_all(data).and_then(|()| gzip.flush());
                let out = gzip.get_mut();
                out.truncate(limits::PROBE_ANSWER_BYTES_MAX);
                self.rest.append(out);
            }
        }
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let whole = String::from_utf8_lossy(&whole);
        whole.lines().map(str::to_owned).collect()
    }
}

/// Sends lines to the server.
async fn send(url: &HealthUrl, schedule: ProbeSchedule) -> Result<UpObservation, ProbeError> {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let body = |began| SentLines {
        schedule,
        began,
        due: Box::pin(sleep_until(began)),
        sent: Arc::clone(&sent),
    };
    let request = (Method::POST, "", "application/json");
    let answered = exchange(url, request, body, async |answer, began| {
        let status = Some(answer.status().as_u16());
        let answered_ms = milliseconds(began.elapsed());
        let body = Limited::new(answer.into_body(), limits::PROBE_ANSWER_BYTES_MAX);
        let body = body.collect().await.map(Collected::to_bytes);
        let answer = serde_json::from_slice(&body.unwrap_or_default());
        Ok(UpObservation {
            status,
            answer: answer.unwrap_or_default(),
            answered_ms,
            ..UpObservation::default()
        })
    });
    let seen = or_failure(answered.await, |failure| UpObservation {
        failure: Some(failure),
        ..UpObservation::default()
    })?;
    let sent = sent.lock().clone();
    Ok(UpObservation { sent, ..seen })
}

/// Lines as the body of a request, each sent when it is due.
struct SentLines {
    schedule: ProbeSchedule,
    began: Instant,
    due: Pin<Box<Sleep>>,
    sent: Arc<Mutex<Vec<SentLine>>>,
}

impl Body for SentLines {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let number = self.sent.lock().len();
        let Some(due) = self.schedule.due(number) else {
            return Poll::Ready(None);
        };
        let at = self.began + due;
        if self.due.deadline() != at {
            self.due.as_mut().reset(at);
        }
        ready!(self.due.as_mut().poll(cx));
        let after = self.began.elapsed();
        let line = self.schedule.line(number, after) + "\n";
        self.sent.lock().push(SentLine {
            bytes: line.len(),
            sent_ms: milliseconds(after),
        });
        Poll::Ready(Some(Ok(Frame::data(line.into()))))
    }
}
