//! The lines of a probe, as they are written and read.

use std::time::Duration;

/// How the line begins that says how the request came to the server.
const ASKED_BY: &str = "asked by ";

/// What stands before the time in a line.
const SENT: &str = " sent after ";

/// The line that says by which version of HTTP the server was asked, and with which headers that tell of
/// something in between.
#[must_use]
pub fn asked_by(version: &str, headers: &[(String, String)]) -> String {
    let mut line = format!("{ASKED_BY}{version}");
    for (name, value) in headers {
        line += "; ";
        line += name;
        if !value.is_empty() {
            line += ": ";
            line.extend(value.escape_debug());
        }
    }
    line
}

/// Reads a line of [`asked_by`]: the version, and the headers. `None` for another line.
#[must_use]
pub fn parse_asked_by(line: &str) -> Option<(String, Vec<(String, String)>)> {
    let mut parts = line.strip_prefix(ASKED_BY)?.split("; ");
    let version = parts.next()?.to_owned();
    let pair = |part: &str| {
        let (name, value) = part.split_once(": ").unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    Some((version, parts.map(pair).collect()))
}

/// The line that is sent so long after the beginning: the one with this number, of so many.
pub(super) fn write(number: usize, count: usize, after: Duration) -> String {
    let seconds = after.as_secs_f64();
    format!("line {number} of {count},{SENT}{seconds:.3} s")
}

/// Reads when a line was sent, after the beginning; `None` if it does not say that.
#[must_use]
pub fn parse_sent(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once(SENT)?;
    let seconds: f64 = rest.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

impl super::ProbeSchedule {
    /// The line that is sent so long after the beginning; numbers begin at 0.
    #[must_use]
    pub fn line(&self, number: usize, after: Duration) -> String {
        write(number + 1, self.count(), after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_written() {
        let line = write(3, 10, Duration::from_millis(1502));
        assert_eq!(line, "line 3 of 10, sent after 1.502 s");
        let more = format!("{line}, at 06:31:02.501 UTC");
        assert_eq!(parse_sent(&more), Some(Duration::from_millis(1502)));
        for other in ["", "line 1", " sent after x s", " sent after -1 s"] {
            assert_eq!(parse_sent(other), None, "{other}");
        }
        let headers = [("via", "1.1 a"), ("x-real-ip", "")];
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let line = asked_by("HTTP/1.0", &headers);
        assert_eq!(parse_asked_by(&line), Some(("HTTP/1.0".into(), headers)));
        assert_eq!(parse_asked_by("line 1"), None);
    }
}
