//! How the lines of a run came.

use super::observation::RunObservation;
use crate::limits;

/// How the lines of a run came. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Passage {
    /// Each line came when it was sent, the slowest so much later.
    Prompt {
        /// How much later.
        worst: f64,
    },
    /// Lines came a little later than the way takes, most of them at least by so much.
    Late {
        /// How much later.
        by: f64,
    },
    /// Lines came after the next ones had been sent.
    Held {
        /// How many of them.
        lines: usize,
        /// The longest time for which one was held back.
        by: f64,
    },
    /// The answer ended before all lines had come.
    Cut {
        /// How many had come.
        lines: usize,
        /// When it ended.
        after: f64,
    },
    /// The answer was an error.
    Refused(u16),
    /// There was no answer.
    Failed(String),
}

impl Passage {
    /// How the lines of a run came, where a request and its answer take `round_trip` ms.
    #[must_use]
    pub fn of(run: &RunObservation, round_trip: f64) -> Passage {
        match run.status {
            None => {
                let why = run.failure.clone();
                return Passage::Failed(why.unwrap_or_else(|| "there was no answer".to_owned()));
            }
            Some(200) => {}
            Some(status) => return Passage::Refused(status),
        }
        let mut late: Vec<f64> = run
            .lines
            .iter()
            .map(|line| (line.came_ms - line.sent_ms - round_trip).max(0.0))
            .collect();
        late.sort_by(f64::total_cmp);
        let worst = late.last().copied().unwrap_or(0.0);
        let interval = limits::PROBE_INTERVAL.as_secs_f64() * 1000.0;
        let held = late.iter().filter(|late| **late >= interval).count();
        let median = late.get(late.len() / 2).copied().unwrap_or(0.0);
        if run.lines.len() < run.expected {
            return Passage::Cut {
                lines: run.lines.len(),
                after: run.ended_ms,
            };
        }
        if held >= limits::PROBE_HELD_MIN {
            return Passage::Held {
                lines: held,
                by: worst,
            };
        }
        let bound = limits::PROBE_LATE_MIN.as_secs_f64() * 1000.0;
        if median >= bound {
            return Passage::Late { by: median };
        }
        Passage::Prompt { worst }
    }

    /// Whether nothing is wrong with it.
    #[must_use]
    pub fn is_prompt(&self) -> bool {
        matches!(self, Passage::Prompt { .. })
    }

    /// Says it in words, as the end of a sentence about the lines.
    #[must_use]
    pub fn in_words(&self, expected: usize) -> String {
        let seconds = |ms: &f64| format!("{:.1} s", ms / 1000.0);
        match self {
            Passage::Prompt { worst } => {
                format!("each line came when it was sent, the slowest {worst:.0} ms later")
            }
            Passage::Late { by } => format!("lines come late: most of them {by:.0} ms or more"),
            Passage::Held { lines, by } => format!(
                "held back: {lines} of {expected} lines came only after later ones had been sent, \
                 up to {} late",
                seconds(by)
            ),
            Passage::Cut { lines, after } => format!(
                "cut: the answer ended after {}, and {lines} of {expected} lines had come",
                seconds(after)
            ),
            Passage::Refused(status) => format!("refused: the answer was {status}"),
            Passage::Failed(why) => format!("failed: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::observation::LineTime;
    use super::*;

    fn run(lines: &[(f64, f64)]) -> RunObservation {
        RunObservation {
            status: Some(200),
            expected: 4,
            lines: lines
                .iter()
                .map(|&(sent_ms, came_ms)| LineTime { sent_ms, came_ms })
                .collect(),
            ended_ms: 2000.0,
            ..RunObservation::default()
        }
    }

    #[test]
    fn passage_tells_holds_apart() {
        let at = |late: [f64; 4]| {
            let lines = [0.0, 500.0, 1000.0, 1500.0].into_iter().zip(late);
            let lines: Vec<_> = lines.map(|(sent, late)| (sent, sent + late)).collect();
            Passage::of(&run(&lines), 20.0)
        };
        assert_eq!(at([20.0, 25.0, 20.0, 21.0]), Passage::Prompt { worst: 5.0 });
        // One slow moment of the network is no hold.
        assert_eq!(
            at([20.0, 920.0, 20.0, 21.0]),
            Passage::Prompt { worst: 900.0 }
        );
        assert_eq!(at([20.0, 220.0, 220.0, 220.0]), Passage::Late { by: 200.0 });
        // All came with the last.
        assert_eq!(
            at([1520.0, 1020.0, 520.0, 20.0]),
            Passage::Held {
                lines: 3,
                by: 1500.0
            }
        );
    }

    #[test]
    fn passage_tells_what_is_missing() {
        let cut = run(&[(0.0, 1.0), (500.0, 501.0)]);
        let after = 2000.0;
        assert_eq!(Passage::of(&cut, 1.0), Passage::Cut { lines: 2, after });
        let refused = RunObservation {
            status: Some(413),
            ..cut.clone()
        };
        assert_eq!(Passage::of(&refused, 1.0), Passage::Refused(413));
        let failed = RunObservation {
            status: None,
            ..cut
        };
        assert!(matches!(Passage::of(&failed, 1.0), Passage::Failed(_)));
    }
}
