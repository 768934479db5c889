//! The one follower of the engine's log on this server: it feeds the copy.
//!
//! What the engine has committed it sends on at once. What does not come that way (it was committed before,
//! or while a connection was broken, or there was more than the connection holds) is asked for, a batch at a
//! time, of whichever replica answers. Both go into [`Contiguous`], and only what follows without a hole goes
//! from there into the copy, so no fault of either way can lose, double or reorder anything.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use async_nats::{Message as EngineMessage, StatusCode, Subscriber};
use futures_core::Stream;
use tokio::time::MissedTickBehavior;

use super::ClusterOptions;
use super::cluster_status::{ClusterStatus, Extent};
use super::contiguous::Contiguous;
use super::engine::{Engine, EngineFault, StreamState};
use super::envelope;
use super::fills::Fills;
use crate::limits;
use crate::log::{LogCopy, Numbered, Place, StoreError};
use crate::message::{self, Epoch, Seq, Timestamp};

type Applying = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;
type AskingState =
    Pin<Box<dyn Future<Output = (Instant, Result<StreamState, EngineFault>)> + Send>>;

/// The follower, with what it has of the engine's log and the copy does not have yet.
pub(super) struct Copying {
    pub(super) engine: Engine,
    pub(super) options: Arc<ClusterOptions>,
    pub(super) status: Arc<ClusterStatus>,
    pub(super) copy: LogCopy,
    /// The epoch of the copy.
    pub(super) epoch: Epoch,
    buffer: Contiguous<Numbered>,
    fills: Fills,
    /// What is being written into the copy.
    applying: Option<Applying>,
    /// No write is tried before this.
    write_after: Instant,
    /// The engine is being asked for its state.
    asking: Option<AskingState>,
    /// When it was asked last, and how far the copy had come then.
    asked: Option<(Instant, Seq)>,
    /// The first position that the engine has, as far as the copy knows.
    head: Seq,
    /// How often the engine has said that it has less than the copy.
    losses: u32,
    /// Whether the engine has been found to be as it must be.
    is_checked: bool,
}

impl Copying {
    pub(super) fn new(
        engine: Engine,
        options: Arc<ClusterOptions>,
        status: Arc<ClusterStatus>,
        copy: LogCopy,
        epoch: Epoch,
    ) -> Copying {
        let now = Instant::now();
        Copying {
            engine,
            options,
            status,
            epoch,
            buffer: Contiguous::after(copy.last()),
            copy,
            fills: Fills::new(now),
            applying: None,
            write_after: now,
            asking: None,
            asked: None,
            head: Seq::START,
            losses: 0,
            is_checked: false,
        }
    }

    /// Feeds the copy, until the log is closed.
    ///
    /// # Errors
    /// When the engine cannot be followed any more.
    pub(super) async fn run(mut self) -> Result<(), String> {
        let mut committed = self.engine.committed().await?;
        let (inbox, mut answers) = self.engine.fill_answers().await?;
        let mut tick = tokio::time::interval(limits::CLUSTER_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = next(&mut committed) => {
                    let message = message.ok_or("the connection to NATS was closed")?;
                    self.fills.heard(None, Instant::now());
                    self.take(&message);
                    take_ready(&mut committed, |message| self.take(message));
                }
                message = next(&mut answers) => {
                    let message = message.ok_or("the connection to NATS was closed")?;
                    self.take_answer(&message);
                    take_ready(&mut answers, |message| self.take_answer(message));
                }
                applied = finished(&mut self.applying) => {
                    self.applying = None;
                    if applied.is_err() {
                        // The store has said why. What it did not take is asked for again.
                        self.write_after = Instant::now() + limits::CLUSTER_WRITE_PAUSE;
                        self.buffer = Contiguous::after(self.copy.last());
                    }
                }
                (asked, state) = finished(&mut self.asking) => {
                    self.asking = None;
                    self.note_state(asked, state).await;
                }
                _ = tick.tick() => {}
            }
            self.go_on(&inbox).await;
        }
    }

    /// Begins what is to be done.
    async fn go_on(&mut self, inbox: &str) {
        let now = Instant::now();
        let last = self.copy.last();
        self.status.note_copy(last);
        if self.applying.is_none() && !self.buffer.is_empty() && now >= self.write_after {
            let entries = self.buffer.take(limits::CLUSTER_APPLY_MESSAGES);
            let copy = self.copy.clone();
            self.applying = Some(Box::pin(async move { copy.apply(entries).await }));
        }
        let failures = self.fills.failures();
        self.fills.give_up(now);
        let failed = u64::from(self.fills.failures().saturating_sub(failures));
        self.status.failed_fills.fetch_add(failed, Relaxed);
        if self.buffer.has_room_for_fill() {
            let (end, known) = (self.buffer.end(), self.status.known());
            let asked = self.fills.ask(self.buffer.has_hole(), end, known, now);
            if let Some(number) = asked {
                self.status.fills.fetch_add(1, Relaxed);
                self.engine.ask_fill(end.next(), inbox, number).await;
            }
        }
        let is_due = self
            .asked
            .is_none_or(|(asked, _)| now - asked >= limits::CLUSTER_INFO_INTERVAL);
        if self.asking.is_none() && is_due {
            self.asked = Some((now, last));
            let (engine, is_checked) = (self.engine.clone(), self.is_checked);
            self.asking = Some(Box::pin(async move {
                let state = if is_checked {
                    engine.state().await
                } else {
                    engine.contact().await
                };
                (now, state)
            }));
        }
    }

    /// Takes an entry that the engine has sent, if it is new.
    fn take(&mut self, message: &EngineMessage) {
        let Some(headers) = &message.headers else {
            return;
        };
        let header = |name: &'static str| headers.get(name).map(async_nats::HeaderValue::as_str);
        let seq = header("Nats-Sequence").and_then(|text| text.parse().ok());
        let Some(seq) = seq.map(Seq) else { return };
        self.status.note_known(seq);
        let bytes = message::cost(message.payload.len());
        if !self.buffer.wants(seq, bytes) {
            return;
        }
        let time: Option<Timestamp> = header("Nats-Time-Stamp").and_then(|text| text.parse().ok());
        // Without its time an entry is not complete; a fill brings it with it.
        let Some(time) = time else { return };
        let subject = header("Nats-Subject").unwrap_or(message.subject.as_str());
        let prefix = &self.options.wishes.name;
        let (draft, sent_by) = envelope::read(prefix, subject, header, &message.payload);
        if draft.is_none() {
            log::warn!(
                "seq {seq} of the cluster's log is no message that can be read; it is passed over"
            );
        }
        let entry = Numbered {
            place: Place { seq, time },
            draft,
            sent_by,
        };
        self.buffer.insert(seq, entry, bytes);
    }

    /// Takes a part of the answer to a fill.
    fn take_answer(&mut self, message: &EngineMessage) {
        let number = message.subject.rsplit('.').next();
        let Some(number) = number.and_then(|number| number.parse().ok()) else {
            return;
        };
        let Some(status) = message.status.filter(|status| *status != StatusCode::OK) else {
            self.fills.heard(Some(number), Instant::now());
            return self.take(message);
        };
        let pending = message.headers.as_ref().and_then(|headers| {
            let pending = headers.get("Nats-Num-Pending")?;
            pending.as_str().parse().ok()
        });
        // 204 is the end of an answer, and 404 that of one that has nothing.
        let left = match status.as_u16() {
            204 => Some(pending.unwrap_or(0)),
            404 => Some(0),
            _ => None,
        };
        if left.is_none() {
            self.status.failed_fills.fetch_add(1, Relaxed);
        }
        self.fills.ended(number, left);
    }

    /// Notes what the engine says of its stream.
    async fn note_state(&mut self, asked: Instant, state: Result<StreamState, EngineFault>) {
        let state = match state {
            Ok(state) => state,
            Err(EngineFault::Unreachable(why)) => return self.status.note_trouble(why),
            Err(EngineFault::Wrong(faults)) => {
                let faults = faults.join("; ");
                return self.status.fail(faults);
            }
        };
        if state.epoch != self.epoch {
            return self.status.fail(format!(
                "the stream {:?} is another one than this server's copy is of: the server ends, and has a \
                 copy of that one when it is started again",
                self.options.wishes.name
            ));
        }
        let faults = self.options.wishes.faults(&state.settings);
        if !faults.is_empty() {
            return self.status.note_trouble(faults.join("; "));
        }
        self.is_checked = true;
        let copied = self.asked.map_or(Seq::START, |(_, copied)| copied);
        if state.last < copied {
            self.losses += 1;
            if self.losses >= limits::CLUSTER_LOSS_ANSWERS {
                self.status.fail(format!(
                    "the cluster has lost messages: its log ends with seq {}, and this server's copy had \
                     come to {copied}; the server ends, and has a copy of what is there when it is started \
                     again",
                    state.last
                ));
            }
            return;
        }
        self.losses = 0;
        self.follow_head(state.first).await;
        self.status.note_extent(Extent {
            asked,
            last: state.last,
        });
    }

    /// Does to the copy what retention has done to the engine's log, which begins with `first` now.
    async fn follow_head(&mut self, first: Seq) {
        if first > self.head {
            self.head = first;
            self.copy.set_head(first).await;
        }
        let through = first.before();
        if self.buffer.end() >= through || self.applying.is_some() {
            return;
        }
        log::warn!(
            "the cluster does not have the messages after seq {} any more: the copy begins after {through}",
            self.copy.last()
        );
        if self.copy.skip(through).await.is_ok() {
            self.buffer = Contiguous::after(through);
        }
    }
}

/// Waits for the next message.
async fn next(messages: &mut Subscriber) -> Option<EngineMessage> {
    std::future::poll_fn(|cx| Pin::new(&mut *messages).poll_next(cx)).await
}

/// Takes the messages that are here, so that many that came together are looked at together.
fn take_ready(messages: &mut Subscriber, mut take: impl FnMut(&EngineMessage)) {
    // Whoever waits for the next one has it looked for once more before.
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..limits::CLUSTER_FILL_MESSAGES {
        match Pin::new(&mut *messages).poll_next(&mut cx) {
            Poll::Ready(Some(message)) => take(&message),
            Poll::Ready(None) | Poll::Pending => return,
        }
    }
}

/// Waits for something that is under way; for ever if nothing is.
async fn finished<F: Future + Unpin>(what: &mut Option<F>) -> F::Output {
    match what {
        Some(what) => what.await,
        None => pending().await,
    }
}
