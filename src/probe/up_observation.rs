//! What a client and the server have seen of lines that the client sent.

use serde::{Deserialize, Serialize};

use super::observation::{LineTime, RunObservation};

/// What a client has seen of the lines that it sent, and what the server has answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpObservation {
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub failure: Option<String>,
    /// The lines that were sent.
    pub sent: Vec<SentLine>,
    /// The answer.
    pub answer: UpAnswer,
    /// When the answer came, in milliseconds after the request was sent.
    pub answered_ms: f64,
}

/// A line that a client sent.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SentLine {
    /// How long it was.
    pub bytes: usize,
    /// When it was sent, in milliseconds after the request was.
    pub sent_ms: f64,
}

/// When which part of what a client sent came to the server. Times are milliseconds after the head of the
/// request was there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UpAnswer {
    /// The pieces, in their order.
    pub arrivals: Vec<Arrival>,
    /// When the answer was made.
    pub took_ms: f64,
    /// The version of HTTP by which the server was asked.
    pub version: String,
    /// The headers with which it was asked that tell of something in between.
    pub asked_with: Vec<(String, String)>,
}

/// A piece that came to the server.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrival {
    /// How long it was.
    pub bytes: usize,
    /// When it came.
    pub after_ms: f64,
}

impl UpObservation {
    /// When the lines came to the server, by the clock of the client.
    #[must_use]
    pub fn run(&self) -> RunObservation {
        let head_ms = self.answered_ms - self.answer.took_ms;
        let mut pieces = self.answer.arrivals.iter();
        let (mut wanted, mut have, mut came_ms) = (0, 0, head_ms);
        let mut lines = Vec::new();
        for line in &self.sent {
            wanted += line.bytes;
            while have < wanted {
                let Some(piece) = pieces.next() else { break };
                have += piece.bytes;
                came_ms = head_ms + piece.after_ms;
            }
            if have < wanted {
                break;
            }
            lines.push(LineTime {
                sent_ms: line.sent_ms,
                came_ms,
            });
        }
        RunObservation {
            status: self.status,
            failure: self.failure.clone(),
            expected: self.sent.len(),
            lines,
            ended_ms: self.answered_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_observation_finds_lines_in_pieces() {
        let line = |sent_ms| SentLine { bytes: 10, sent_ms };
        let piece = |bytes, after_ms| Arrival { bytes, after_ms };
        let seen = UpObservation {
            status: Some(200),
            sent: [0.0, 500.0, 1000.0, 1500.0].map(line).into(),
            answer: UpAnswer {
                // The second line comes in two pieces, and the third with the rest of it.
                arrivals: vec![piece(10, 0.0), piece(5, 500.0), piece(15, 1000.0)],
                took_ms: 1500.0,
                ..UpAnswer::default()
            },
            answered_ms: 1510.0,
            ..UpObservation::default()
        };
        let came: Vec<f64> = seen.run().lines.iter().map(|line| line.came_ms).collect();
        assert_eq!(came, [10.0, 1010.0, 1010.0]);
    }
}
