//! The lines of a probe, as the body of a response.

use std::fmt;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::budget::Reservation;
use crate::client_shares::RequestPlace;
use crate::probe::ProbeSchedule;
use crate::translation::Language;

/// How the lines of a probe are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProbeForm {
    Text,
    Events,
    Html,
}

/// What a probe holds while it goes on.
pub(super) struct ProbePlaces {
    pub(super) _request: RequestPlace,
    pub(super) _memory: Reservation,
}

/// The lines of a probe, each sent when it is due.
pub struct ProbeBody {
    form: ProbeForm,
    /// The language of the page around, if there is one.
    language: Language,
    schedule: ProbeSchedule,
    /// What is sent before the first line, until it has been.
    opening: String,
    /// What is sent after the last line.
    ending: String,
    began: Instant,
    /// The number of the next line; one more than there are once the end has been sent.
    next: usize,
    due: Pin<Box<Sleep>>,
    /// Ready when the server has to end.
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
    _places: ProbePlaces,
}

impl ProbeBody {
    /// The lines of a schedule from now on, after these lines and the page around all of them, if there
    /// is one; lines in a page are in its language.
    pub(super) fn new(
        (form, language): (ProbeForm, Language),
        schedule: ProbeSchedule,
        opening: &[String],
        page: (String, String),
        stop: impl Future<Output = ()> + Send + 'static,
        places: ProbePlaces,
    ) -> ProbeBody {
        let began = Instant::now();
        let lines: String = opening
            .iter()
            .map(|line| form.line(line, language))
            .collect();
        ProbeBody {
            form,
            language,
            schedule,
            opening: page.0 + &lines,
            ending: page.1,
            began,
            next: 0,
            due: Box::pin(sleep_until(began)),
            stop: Box::pin(stop),
            _places: places,
        }
    }

    /// The next lines, or `None` after the last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.next > self.schedule.count() || self.stop.as_mut().poll(cx).is_ready() {
            self.next = self.schedule.count() + 1;
            return Poll::Ready(None);
        }
        ready!(self.due.as_mut().poll(cx));
        let mut text = std::mem::take(&mut self.opening);
        let after = self.began.elapsed();
        let time = jiff::Timestamp::now().strftime("%H:%M:%S.%3f");
        let line = self.schedule.line(self.next, after);
        let line = format!("{line}, at {time} UTC");
        text += &self.form.line(&line, self.language);
        self.next += 1;
        if let Some(due) = self.schedule.due(self.next) {
            self.due.as_mut().reset(self.began + due);
        } else {
            self.next += 1;
            text += &self.form.line("end of the probe", self.language);
            text += &self.ending;
        }
        Poll::Ready(Some(text.into()))
    }

    pub(super) fn is_over(&self) -> bool {
        self.next > self.schedule.count()
    }
}

impl ProbeForm {
    fn line(self, line: &str, language: Language) -> String {
        let mut text = String::with_capacity(line.len() + 40);
        // Writing to a string does not fail.
        let _ = match self {
            ProbeForm::Text => writeln!(text, "{line}"),
            ProbeForm::Events => writeln!(text, "data: {line}\n"),
            ProbeForm::Html => writeln!(
                text,
                "<p class=\"message\" data-event=\"message\">{}</p>",
                language.sentence(line)
            ),
        };
        text
    }
}

impl fmt::Debug for ProbeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProbeBody")
            .field("schedule", &self.schedule)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
