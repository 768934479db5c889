//! What a client has seen of a probe. Times are milliseconds after the request was sent, on its clock.

use serde::{Deserialize, Serialize};

use super::up_observation::UpObservation;

/// What a client has seen of all the runs of a probe.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// How long a request without a body takes to be answered.
    pub round_trip_ms: f64,
    /// Lines from the server, as plain text.
    pub text: RunObservation,
    /// Lines from the server, as an event stream.
    pub events: RunObservation,
    /// Lines to the server; `None` if the client cannot send any.
    pub up: Option<UpObservation>,
    /// Whether two requests got one answer.
    pub is_repeated: bool,
    /// The headers of the answers, each with its value.
    pub headers: Vec<(String, String)>,
    /// The version of HTTP by which the server was asked, as it says.
    pub version: String,
    /// The headers with which the server was asked that tell of something in between, as it says.
    pub asked_with: Vec<(String, String)>,
    /// Whether the client is a browser.
    pub is_browser: bool,
}

/// What a client has seen of lines that were sent, one after the other.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunObservation {
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub failure: Option<String>,
    /// How many lines there are to come.
    pub expected: usize,
    /// The lines that came.
    pub lines: Vec<LineTime>,
    /// The time at which the answer ended.
    pub ended_ms: f64,
}

/// When a line was sent, and when it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineTime {
    /// When it was sent.
    pub sent_ms: f64,
    /// When it came.
    pub came_ms: f64,
}

impl Observation {
    /// The value of a header of an answer, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The value of a header with which the server was asked, by its name in lower case.
    #[must_use]
    pub fn asked_header(&self, name: &str) -> Option<&str> {
        find(&self.asked_with, name)
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(field, _)| field == name);
    found.map(|(_, value)| value.as_str())
}
