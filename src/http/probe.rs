//! `/probe`: whether something between the client and here holds bytes back. The lines come and go here;
//! [`probe`](crate::probe) concludes from when they came.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, Response, StatusCode};
use tokio::time::{Instant, timeout};

use super::error::{Error, ParamError};
use super::negotiate::{self, Form};
use super::params::parse;
use super::probe_body::{ProbeBody, ProbeForm, ProbePlaces};
use super::query::{self, Query};
use super::reply::{self, Body};
use super::{Call, body, browser, page};
use crate::config::duration;
use crate::limits;
use crate::probe::{Arrival, Observation, ProbeSchedule, UpAnswer, Verdict, asked_by, is_telling};
use crate::wire::Wire;

/// `GET`: the page for browsers; for all others, and where the query says so, the lines.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let query = match Query::read(call.query(), &[query::PROBE, call.page_params()]) {
        // The page is opened with any parameter, as all pages are.
        Err(Error::UnknownParam { .. }) if negotiate::error_form(&call.head) == Form::Html => {
            return page::show(call, "probe.html").await;
        }
        query => query?,
    };
    let asked = parse("as", query.get("as"), form)?;
    let accepted = negotiate::wire(&call.head.headers);
    if asked.is_none() && accepted == Wire::Html {
        return page::show(call, "probe.html").await;
    }
    let form = asked.unwrap_or(match accepted {
        Wire::Sse => ProbeForm::Events,
        _ => ProbeForm::Text,
    });
    let usual = ProbeSchedule::default();
    let schedule = ProbeSchedule {
        lines: parse("lines", query.get("lines"), lines)?.unwrap_or(usual.lines),
        quiet: parse("quiet", query.get("quiet"), quiet)?.unwrap_or(usual.quiet),
    };
    lines_of(&call, form, schedule).await
}

/// The answer whose lines are sent by a schedule.
async fn lines_of(
    call: &Call<'_>,
    form: ProbeForm,
    schedule: ProbeSchedule,
) -> Result<Response<Body>, Error> {
    let content_type = match form {
        ProbeForm::Text => Wire::Text.content_type(),
        ProbeForm::Events => Wire::Sse.content_type(),
        ProbeForm::Html => Wire::Html.content_type(),
    };
    let mut response = reply::going_on(StatusCode::OK, content_type);
    if form == ProbeForm::Html {
        reply::tell_language(&mut response, call.language);
    }
    if call.is_head() {
        return Ok(response);
    }
    let places = ProbePlaces {
        _request: call.place_of_stream()?,
        _memory: call
            .answer_share()
            .try_reserve(limits::PROBE_BYTES)
            .ok_or(Error::NoAnswerMemory)?,
    };
    let language = call.language;
    let opening = [
        format!(
            "probe {:08x}: {}",
            rand::random::<u32>(),
            schedule.in_words()
        ),
        asked(call),
    ];
    let page = match form {
        ProbeForm::Html => frame(call).await,
        ProbeForm::Text | ProbeForm::Events => (String::new(), String::new()),
    };
    let drain = call.app.drain.clone();
    let stop = async move { drain.begun().await };
    let lines = ProbeBody::new((form, language), schedule, &opening, page, stop, places);
    *response.body_mut() = Body::Probe(Box::new(lines));
    Ok(response)
}

/// The page around the lines, for browsers without scripts.
async fn frame(call: &Call<'_>) -> (String, String) {
    let framed = if browser::is_in_frame(&call.head.headers) {
        "framed"
    } else {
        ""
    };
    let title = call.language.sentence("Probe");
    let values = [
        ("channels", &*title),
        ("kind", "one"),
        ("beat", ""),
        ("framed", framed),
    ];
    let page = call.page("stream.html", &values).await;
    (browser::pad(page.before, &call.head.headers), page.after)
}

/// How the request came here, in a line.
fn asked(call: &Call<'_>) -> String {
    let (version, headers) = came(call);
    asked_by(&version, &headers)
}

/// The version of HTTP by which the request came here, and its headers that tell of something in between.
/// Addresses in them are not repeated.
fn came(call: &Call<'_>) -> (String, Vec<(String, String)>) {
    let headers = call.head.headers.iter();
    let headers = headers.filter(|(name, _)| is_telling(name.as_str()));
    let headers = headers.map(|(name, value)| {
        let is_shown = name.as_str() == "via";
        let value = value.to_str().ok().filter(|_| is_shown);
        (name.as_str().to_owned(), value.unwrap_or("").to_owned())
    });
    (format!("{:?}", call.head.version), headers.collect())
}

/// `POST` and `PUT`: lines that a client sends, or what it has seen of all.
pub(super) async fn act(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let content_type = call.header("content-type").unwrap_or("");
    if call.head.method == Method::POST && content_type.starts_with("application/json") {
        return conclude(&mut call).await;
    }
    Query::read(call.query(), &[&["as"]])?;
    let began = Instant::now();
    let reading = read_pieces(&mut call, began);
    let arrivals = timeout(limits::PROBE_UP_TIMEOUT, reading).await;
    let slow = |_| Error::BodySlow(limits::PROBE_UP_TIMEOUT.as_secs());
    let arrivals = arrivals.map_err(slow)??;
    if negotiate::error_form(&call.head) == Form::Json && call.header("accept") != Some("*/*") {
        let (version, asked_with) = came(&call);
        let answer = UpAnswer {
            arrivals,
            took_ms: milliseconds(began.elapsed()),
            version,
            asked_with,
        };
        return Ok(reply::json(StatusCode::OK, &answer));
    }
    let came = |arrival: Arrival| {
        let seconds = arrival.after_ms / 1000.0;
        format!("{} bytes came after {seconds:.3} s\n", arrival.bytes)
    };
    let came: String = arrivals.into_iter().map(came).collect();
    let text = asked(&call) + "\n" + &came;
    Ok(reply::text(StatusCode::OK, text))
}

/// Reads a body, and notes when each piece of it came.
async fn read_pieces(call: &mut Call<'_>, began: Instant) -> Result<Vec<Arrival>, Error> {
    let drain = call.app.drain.clone();
    let mut arrivals: Vec<Arrival> = Vec::new();
    let mut size = 0;
    loop {
        let frame = tokio::select! {
            biased;
            frame = call.body.frame() => frame,
            () = drain.begun() => return Err(Error::Stopping),
        };
        let Some(frame) = frame else {
            return Ok(arrivals);
        };
        let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
            continue;
        };
        size += data.len();
        if size > limits::PROBE_BODY_BYTES_MAX {
            return Err(Error::FormTooLarge(limits::PROBE_BODY_BYTES_MAX));
        }
        // Only the first pieces have their times told. The end of a body of HTTP/2 may be an empty one.
        if !data.is_empty() && arrivals.len() < limits::PROBE_PIECES_MAX {
            let after_ms = milliseconds(began.elapsed());
            let bytes = data.len();
            arrivals.push(Arrival { bytes, after_ms });
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What follows from what a client has seen.
async fn conclude(call: &mut Call<'_>) -> Result<Response<Body>, Error> {
    let read = body::read(call, limits::PROBE_BODY_BYTES_MAX).await;
    let read = read.map_err(|error| match error {
        Error::TooLarge(_) => Error::FormTooLarge(limits::PROBE_BODY_BYTES_MAX),
        error => error,
    })?;
    let seen: Result<Observation, _> = serde_json::from_slice(&read.bytes);
    let seen =
        seen.map_err(|error| ParamError::new("body", "…", format!("is no observation: {error}")))?;
    Ok(reply::json(StatusCode::OK, &Verdict::of(&seen)))
}

/// Reads `as`.
fn form(text: &str) -> Result<ProbeForm, String> {
    match text {
        "text" => Ok(ProbeForm::Text),
        "sse" => Ok(ProbeForm::Events),
        "html" => Ok(ProbeForm::Html),
        _ => Err("is not a form of the probe; choose one of text, sse, html".to_owned()),
    }
}

/// Reads `lines`.
fn lines(text: &str) -> Result<usize, String> {
    let max = limits::PROBE_LINES_MAX;
    let lines = text.parse().ok();
    lines
        .filter(|lines| (1..=max).contains(lines))
        .ok_or_else(|| format!("is not a number of lines between 1 and {max}"))
}

/// Reads `quiet`.
fn quiet(text: &str) -> Result<Duration, String> {
    let max = limits::PROBE_QUIET_MAX;
    let outside = || format!("is longer than {}s, the maximum", max.as_secs());
    duration(text).and_then(|quiet| (quiet <= max).then_some(quiet).ok_or_else(outside))
}
