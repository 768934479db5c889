//! The format that a client wants, by its `Accept` (RFC 9110, section 12.5.1).

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE};
use hyper::http::request::Parts;

use super::forwarded::items;
use crate::translation::Language;
use crate::wire::Wire;

/// The format of an answer that says an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Text,
    Html,
    /// An event stream, for an `EventSource`, which understands nothing else.
    Sse,
}

/// Returns the format in which the client gets an error: JSON, unless it prefers plain text, is a
/// browser, or follows by Server-Sent Events.
pub(super) fn error_form(head: &Parts) -> Form {
    let asked = head
        .uri
        .query()
        .unwrap_or("")
        .split('&')
        .rfind(|pair| pair.starts_with("as="));
    if asked == Some("as=sse") {
        return Form::Sse;
    }
    let offers = [
        ("text/html", Form::Html),
        ("text/plain", Form::Text),
        ("application/json", Form::Json),
        (EVENT_STREAM, Form::Sse),
    ];
    best(&head.headers, &offers).unwrap_or(Form::Json)
}

/// Returns the transport that the client wants: `text`, unless it names the type of another.
pub(super) fn wire(headers: &HeaderMap) -> Wire {
    let offers = [
        ("text/html", Wire::Html),
        ("text/plain", Wire::Text),
        (EVENT_STREAM, Wire::Sse),
        ("application/x-ndjson", Wire::Ndjson),
        ("application/jsonl", Wire::Ndjson),
        ("application/json", Wire::Json),
    ];
    best(headers, &offers).unwrap_or(Wire::Text)
}

/// Whether the client takes an answer that is compressed by gzip (RFC 9110, section 12.5.3).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    items(headers, ACCEPT_ENCODING.as_str())
        .flatten()
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_gzip = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            is_gzip && parts.find_map(weight).unwrap_or(1.0) > 0.0
        })
}

/// Returns the language that the client reads best of those that there are, the first among equals; `None`
/// if it names none of them (RFC 9110, section 12.5.4).
pub(super) fn language(headers: &HeaderMap) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for range in items(headers, ACCEPT_LANGUAGE.as_str()).flatten() {
        let mut parts = range.split(';').map(str::trim);
        let Some(language) = parts.next().and_then(Language::of_range) else {
            continue;
        };
        let weight = parts.find_map(weight).unwrap_or(1.0);
        if weight > best.map_or(0.0, |(weight, _)| weight) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

/// The type of Server-Sent Events. A client that names it at all gets it, whatever it prefers: such a
/// client can read it, and no browser that shows a page names it (htmx names `text/html` first).
const EVENT_STREAM: &str = "text/event-stream";

/// Returns the offer that the client names with the highest weight, the first among equals. All lines
/// of `Accept` count, as one list. Wildcards name nothing: a client that accepts anything gets the
/// default.
fn best<T: Copy>(headers: &HeaderMap, offers: &[(&str, T)]) -> Option<T> {
    let mut best: Option<(f32, T)> = None;
    for range in items(headers, ACCEPT.as_str()).flatten() {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let weight = parts.find_map(weight).unwrap_or(1.0);
        let offer = offers
            .iter()
            .find(|(offered, _)| offered.eq_ignore_ascii_case(name));
        let Some((name, offer)) = offer else { continue };
        if *name == EVENT_STREAM && weight > 0.0 {
            return Some(*offer);
        }
        if weight > best.map_or(0.0, |(weight, _)| weight) {
            best = Some((weight, *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// Reads the parameter `q` of a media range, between 0 (not acceptable) and 1 (RFC 9110, section
/// 12.4.2); `None` for another parameter, and for a weight that is none.
fn weight(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.split_once('=')?;
    let weight: f32 = value.trim().parse().ok()?;
    let is_weight = name.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&weight);
    is_weight.then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn accept(lines: &[&'static str]) -> HeaderMap {
        let line = |line: &&'static str| (ACCEPT, HeaderValue::from_static(line));
        lines.iter().map(line).collect()
    }

    #[test]
    fn negotiate_takes_gzip() {
        for (line, expected) in [
            ("gzip, deflate, br, zstd", true),
            ("br, GZIP;q=0.1", true),
            ("gzip;q=0, br", false),
            ("br", false),
            ("*", false),
        ] {
            let value = HeaderValue::from_static(line);
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value)]);
            assert_eq!(takes_gzip(&headers), expected, "{line}");
        }
    }

    #[test]
    fn negotiate_reads_languages() {
        let (english, chinese) = (Some(Language::English), Some(Language::Chinese));
        for (lines, expected) in [
            (&["zh-CN,zh;q=0.9,en;q=0.8"][..], chinese),
            (&["en-US,en;q=0.9,zh-CN;q=0.8"], english),
            (&["de,fr;q=0.9,zh-Hant;q=0.1"], chinese),
            (&["en;q=0.1, ZH-tw;q=0.2"], chinese),
            (&["en, zh"], english),
            (&["zh;q=0"], None),
            (&["zh;q=0, en;q=0.1"], english),
            (&["zh;q=2, en;q=0.1"], chinese),
            (&["de", "zh"], chinese),
            (&["*"], None),
            (&["zhx"], None),
            (&[], None),
        ] {
            let line = |line: &&'static str| (ACCEPT_LANGUAGE, HeaderValue::from_static(line));
            let headers = lines.iter().map(line).collect();
            assert_eq!(language(&headers), expected, "{lines:?}");
        }
    }

    #[test]
    fn negotiate_follows_accept() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (lines, expected) in [
            (&[browser][..], Wire::Html),
            (&["*/*"], Wire::Text),
            (&[], Wire::Text),
            (&["text/event-stream"], Wire::Sse),
            (&["application/json, text/plain, */*"], Wire::Json),
            (&["application/jsonl"], Wire::Ndjson),
            (&["text/html;q=0.1, text/plain"], Wire::Text),
            (&["text/html; q=0"], Wire::Text),
            (&["text/html;Q = 0.000, application/json;q=0.1"], Wire::Json),
            (
                &["text/html;level=1;q=0.2, application/json;q=0.3"],
                Wire::Json,
            ),
            (&["text/html;q=NaN", "application/json;q=0.5"], Wire::Html),
            // Lines are one list.
            (&["text/plain;q=0.1", "application/json"], Wire::Json),
            (&["text/html", "text/event-stream;q=0.1"], Wire::Sse),
            (&["text/html, text/event-stream"], Wire::Sse),
            (&["text/html, Text/Event-Stream; charset=utf-8"], Wire::Sse),
            (&["text/html, text/event-stream;q=0"], Wire::Html),
        ] {
            assert_eq!(wire(&accept(lines)), expected, "{lines:?}");
        }
        let form = |uri: &str, accept: &str| {
            let request = hyper::Request::get(uri).header("accept", accept);
            error_form(&request.body(()).unwrap().into_parts().0)
        };
        assert_eq!(form("/", "application/json"), Form::Json);
        assert_eq!(form("/", "TEXT/PLAIN"), Form::Text);
        assert_eq!(form("/", "*/*"), Form::Json);
        assert_eq!(form("/", "text/event-stream"), Form::Sse);
        assert_eq!(form("/c/a?as=text&as=sse", "*/*"), Form::Sse);
    }
}
