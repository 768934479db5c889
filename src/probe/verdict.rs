//! What is concluded from what a client has seen.

use std::fmt;

use serde::Serialize;

use super::intermediary::Intermediary;
use super::observation::{Observation, RunObservation};
use super::passage::Passage;
use super::remedy::{Remedy, Trouble};

/// The conclusion: whether something is wrong, what, and what to do.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub is_fine: bool,
    /// The conclusion in a sentence.
    pub summary: String,
    /// What was looked at, one by one.
    pub rows: Vec<VerdictRow>,
    /// What to do.
    pub remedies: Vec<VerdictRemedy>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictRow {
    /// Whether nothing is wrong with it.
    pub is_fine: bool,
    /// What it is.
    pub what: &'static str,
    /// What was seen.
    pub says: String,
}

/// What to do about one trouble.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictRemedy {
    /// The sentence.
    pub say: &'static str,
    /// The lines for the configuration, if there are any.
    pub write: &'static str,
}

impl From<Remedy> for VerdictRemedy {
    fn from(remedy: Remedy) -> VerdictRemedy {
        VerdictRemedy {
            say: remedy.say,
            write: remedy.write,
        }
    }
}

/// The verdict while it is made.
struct VerdictDraft {
    rows: Vec<VerdictRow>,
    troubles: Vec<Trouble>,
}

impl VerdictDraft {
    fn row(&mut self, what: &'static str, says: String, trouble: Option<Trouble>) {
        let is_fine = trouble.is_none();
        self.rows.push(VerdictRow {
            is_fine,
            what,
            says,
        });
        if let Some(trouble) = trouble.filter(|trouble| !self.troubles.contains(trouble)) {
            self.troubles.push(trouble);
        }
    }

    fn run(&mut self, what: &'static str, run: &RunObservation, round_trip: f64, held: Trouble) {
        let passage = Passage::of(run, round_trip);
        let trouble = match passage {
            Passage::Prompt { .. } => None,
            Passage::Late { .. } => Some(Trouble::Late),
            Passage::Held { .. } | Passage::Refused(_) => Some(held),
            Passage::Cut { .. } | Passage::Failed(_) => Some(Trouble::Cut),
        };
        self.row(what, passage.in_words(run.expected), trouble);
    }

    fn compression(&mut self, seen: &Observation) {
        match seen.header("content-encoding") {
            None => self.row("compression", "none".to_owned(), None),
            Some(coding) => {
                let says =
                    format!("the answers came compressed ({coding}), and the server did not do it");
                self.row("compression", says, Some(Trouble::Compressed));
            }
        }
    }

    fn cache(&mut self, seen: &Observation) {
        let age = seen.header("age").filter(|age| *age != "0");
        let says = match age {
            _ if seen.is_repeated => "two requests got one answer".to_owned(),
            Some(age) => format!("an answer was {age} s old"),
            None => {
                return self.row(
                    "cache",
                    "none answers in the server’s place".to_owned(),
                    None,
                );
            }
        };
        self.row("cache", says, Some(Trouble::Cached));
    }
}

impl Verdict {
    /// Concludes from what a client has seen.
    #[must_use]
    pub fn of(seen: &Observation) -> Verdict {
        let mut draft = VerdictDraft {
            rows: Vec::new(),
            troubles: Vec::new(),
        };
        let round_trip = seen.round_trip_ms;
        draft.run(
            "down, as plain text",
            &seen.text,
            round_trip,
            Trouble::DownHeld,
        );
        draft.run(
            "down, as an event stream",
            &seen.events,
            round_trip,
            Trouble::DownHeld,
        );
        if let Some(up) = &seen.up {
            draft.run("up", &up.run(), round_trip, Trouble::UpHeld);
        } else {
            let says = "not tried: browsers send lines one by one only over HTTP/2, which is spoken \
                        with TLS. The command forever-frame probe tries it";
            draft.row("up", says.to_owned(), None);
        }
        draft.compression(seen);
        draft.cache(seen);
        let between = Intermediary::of(seen);
        draft.row("in between", in_between(seen, between), None);
        let mut remedies: Vec<Remedy> = Vec::new();
        for trouble in &draft.troubles {
            let remedy = trouble.remedy(between);
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        Verdict {
            is_fine: draft.troubles.is_empty(),
            summary: summary(seen, &draft, between),
            remedies: remedies.into_iter().map(Into::into).collect(),
            rows: draft.rows,
        }
    }
}

/// What is in between, in words.
fn in_between(seen: &Observation, between: Option<Intermediary>) -> String {
    let version = &seen.version;
    let asked = if version.is_empty() {
        String::new()
    } else {
        format!("; the server was asked by {version}")
    };
    match between {
        None => format!("nothing that shows itself{asked}"),
        Some(who) => format!("{}{asked}", who.name()),
    }
}

/// The verdict in a sentence.
fn summary(seen: &Observation, draft: &VerdictDraft, between: Option<Intermediary>) -> String {
    let who = match between {
        None | Some(Intermediary::Nameless) if seen.is_browser => {
            "Something between this browser and the server, or in the browser,".to_owned()
        }
        None | Some(Intermediary::Nameless) => "Something between here and the server".to_owned(),
        Some(who) => format!("{}, which is in between,", who.name()),
    };
    let has = |trouble| draft.troubles.contains(&trouble);
    let does = [
        (Trouble::DownHeld, "holds back what the server sends"),
        (Trouble::UpHeld, "takes uploads only whole, or not at all"),
        (Trouble::Late, "lets lines wait a moment"),
        (Trouble::Cut, "cuts the connection"),
        (Trouble::Compressed, "compresses"),
        (Trouble::Cached, "answers from a cache"),
    ];
    let does: Vec<&str> = does
        .into_iter()
        .filter_map(|(trouble, does)| has(trouble).then_some(does))
        .collect();
    if does.is_empty() {
        return match seen.up {
            Some(_) => "Nothing between here and the server holds lines back.".to_owned(),
            None => "Nothing between here and the server holds back what it sends.".to_owned(),
        };
    }
    format!("{who} {}.", does.join(", and "))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.summary)?;
        writeln!(f)?;
        for row in &self.rows {
            let sign = if row.is_fine { " " } else { "!" };
            writeln!(f, "{sign} {:26}{}", row.what, row.says)?;
        }
        for remedy in &self.remedies {
            writeln!(f, "\n{}", remedy.say)?;
            for line in remedy.write.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::observation::LineTime;
    use super::super::up_observation::{Arrival, SentLine, UpAnswer, UpObservation};
    use super::*;

    fn run(came: impl Fn(f64) -> f64) -> RunObservation {
        let sent = [0.0, 500.0, 1000.0, 1500.0];
        let line = |sent_ms| LineTime {
            sent_ms,
            came_ms: came(sent_ms),
        };
        RunObservation {
            status: Some(200),
            failure: None,
            expected: sent.len(),
            lines: sent.map(line).into(),
            ended_ms: 1500.0,
        }
    }

    fn up(came: impl Fn(f64) -> f64) -> UpObservation {
        let down = run(came);
        let sent = |line: &LineTime| SentLine {
            bytes: 1,
            sent_ms: line.sent_ms,
        };
        let arrival = |line: &LineTime| Arrival {
            bytes: 1,
            after_ms: line.came_ms,
        };
        UpObservation {
            status: down.status,
            sent: down.lines.iter().map(sent).collect(),
            answer: UpAnswer {
                arrivals: down.lines.iter().map(arrival).collect(),
                took_ms: 1500.0,
                ..UpAnswer::default()
            },
            answered_ms: 1501.0,
            ..UpObservation::default()
        }
    }

    fn fine() -> Observation {
        Observation {
            round_trip_ms: 1.0,
            text: run(|sent| sent + 1.0),
            events: run(|sent| sent + 1.0),
            up: Some(up(|sent| sent)),
            version: "HTTP/1.1".to_owned(),
            ..Observation::default()
        }
    }

    #[test]
    fn verdict_is_fine_where_all_came() {
        let verdict = Verdict::of(&fine());
        assert!(verdict.is_fine && verdict.remedies.is_empty(), "{verdict}");
        assert!(
            verdict.to_string().starts_with("Nothing between"),
            "{verdict}"
        );
        // What could not be tried is no trouble.
        let seen = Observation { up: None, ..fine() };
        assert!(Verdict::of(&seen).is_fine);
    }

    #[test]
    fn verdict_names_what_and_who() {
        let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let nginx = header("server", "nginx/1.22.1");
        let all_at_once = || run(|_| 1500.0);
        for (seen, says, writes) in [
            (
                Observation {
                    up: Some(up(|_| 1500.0)),
                    headers: nginx.clone(),
                    ..fine()
                },
                "nginx, which is in between, takes uploads",
                "proxy_request_buffering off;",
            ),
            (
                Observation {
                    text: all_at_once(),
                    ..fine()
                },
                "Something between here and the server holds back",
                "",
            ),
            (
                Observation {
                    headers: header("content-encoding", "gzip"),
                    ..fine()
                },
                "compresses",
                "",
            ),
            (
                Observation {
                    is_repeated: true,
                    headers: nginx,
                    ..fine()
                },
                "answers from a cache",
                "proxy_cache off;",
            ),
            (
                Observation {
                    headers: header("age", "7"),
                    ..fine()
                },
                "answers from a cache",
                "",
            ),
            (
                Observation {
                    text: run(|sent| sent + 201.0),
                    ..fine()
                },
                "lets lines wait",
                "option http-no-delay",
            ),
        ] {
            let verdict = Verdict::of(&seen);
            let text = verdict.to_string();
            assert!(!verdict.is_fine, "{text}");
            assert!(verdict.summary.contains(says), "{text}");
            assert!(text.contains(writes), "{text}");
        }
    }
}
