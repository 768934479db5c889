//! The format that a client wants, by its `Accept` (RFC 9110, section 12.5.1).

use hyper::http::request::Parts;

use super::header;
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
        ("text/event-stream", Form::Sse),
    ];
    best(header(&head.headers, "accept"), &offers).unwrap_or(Form::Json)
}

/// Returns the transport that the client wants: `text`, unless it names the type of another.
pub(super) fn wire(accept: Option<&str>) -> Wire {
    let offers = [
        ("text/html", Wire::Html),
        ("text/plain", Wire::Text),
        ("text/event-stream", Wire::Sse),
        ("application/x-ndjson", Wire::Ndjson),
        ("application/json", Wire::Json),
    ];
    best(accept, &offers).unwrap_or(Wire::Text)
}

/// Returns the offer that the client names with the highest weight, the first among equals.
/// Wildcards name nothing: a client that accepts anything gets the default.
fn best<T: Copy>(accept: Option<&str>, offers: &[(&str, T)]) -> Option<T> {
    let mut best: Option<(f32, T)> = None;
    for range in accept?.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .and_then(|q| q.parse().ok())
            .unwrap_or(1.0);
        let offer = offers
            .iter()
            .find(|(offered, _)| offered.eq_ignore_ascii_case(name));
        if let Some((_, offer)) = offer
            && weight > best.map_or(0.0, |(weight, _)| weight)
        {
            best = Some((weight, *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiate_follows_accept() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        assert_eq!(wire(Some(browser)), Wire::Html);
        assert_eq!(wire(Some("*/*")), Wire::Text);
        assert_eq!(wire(None), Wire::Text);
        assert_eq!(wire(Some("text/event-stream")), Wire::Sse);
        assert_eq!(wire(Some("application/json, text/plain, */*")), Wire::Json);
        assert_eq!(wire(Some("text/html;q=0.1, text/plain")), Wire::Text);
        assert_eq!(wire(Some("text/html; q=0")), Wire::Text);
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
