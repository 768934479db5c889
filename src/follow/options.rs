//! What a stream is asked to be. There is one set of options: a handler fills it in, and the
//! follower keeps it.

use std::fmt;
use std::num::NonZeroU32;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::half_closed::HalfClosed;
use super::pace::Pace;
use super::undo::Again;
use super::{Ends, Filter};
use crate::message::{Channel, Close, Seq};
use crate::right::{RightEnd, RightHold};
use crate::wire::{Encoder, EndReason};

/// Called repeatedly with the seq up to which everything has been taken by the connection.
pub type OnProgress = Box<dyn FnMut(Seq) + Send>;

/// A value that is dropped when the stream is over.
pub type DropGuard = Box<dyn Send>;

/// The options of a stream.
#[derive(Debug)]
pub struct Options {
    /// How messages and marks are encoded.
    pub encoder: Encoder,
    /// The right with which the client was let in. Followers with one share what they write all the
    /// same: whoever writes it looks at the right after it was read. Boxed, because where everybody may
    /// all none has it.
    pub access: Option<Box<RightHold>>,
    /// The interval of heartbeats in milliseconds: thousands of idle streams have little else.
    heartbeat: Option<NonZeroU32>,
    /// Boxed, because most streams are idle and have none.
    extras: Option<Box<Extras>>,
}

/// The options that only some streams have.
#[derive(Default)]
pub struct Extras {
    /// When the stream ends by itself.
    pub ends: Ends,
    /// The bytes before everything else.
    pub prelude: Bytes,
    /// The bytes after everything else.
    pub epilogue: Bytes,
    /// Decides about each message before the follower sees it.
    pub filter: Option<Filter>,
    /// Whether the filter adds channels. Such a stream ends after a gap: a message that was to add a
    /// channel may be missing, and the next stream begins with the channels of its moment.
    pub grows: bool,
    /// Called with the seq up to which the connection has taken everything.
    pub on_progress: Option<OnProgress>,
    /// A guard that is dropped with the stream.
    pub guard: Option<DropGuard>,
    /// The rights without which the stream ends.
    pub rights: Vec<RightHold>,
    /// The interval of the ticks at which the stream writes, once its follower has caught up.
    pub pace_interval: Option<Duration>,
    /// The pace that the stream keeps.
    pub(super) pace: Option<Pace>,
    /// When the time comes up to which the stream is to have the log ([`Ends::until`]).
    pub(super) until_time: Option<Instant>,
    /// When the stream's time is over, and why it ends then.
    pub(super) deadline: Option<(Instant, EndReason)>,
    /// The time after which the client is to come back, if the stream ends because the server stops.
    pub(super) retry_after_stop: Option<Duration>,
    /// What a client that has closed its sending side is to be told first.
    pub(super) half_closed: Option<HalfClosed>,
    /// The write that was taken back, and is to be made again.
    pub(super) again: Option<Again>,
    /// Why the stream is over, if something other than its options ended it.
    pub(super) over: Option<EndReason>,
    /// The closes that the follower was told of, of channels that nothing was appended to since.
    pub(super) closed: Vec<Close>,
}

impl Options {
    /// A stream without end that shows heartbeats every `heartbeat`, if at all.
    #[must_use]
    pub fn new(encoder: Encoder, heartbeat: Option<Duration>) -> Options {
        let mut options = Options {
            encoder,
            access: None,
            heartbeat: None,
            extras: None,
        };
        options.set_heartbeat(heartbeat);
        options
    }

    /// The interval of heartbeats while nothing is new; `None` for a transport without heartbeats.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        let millis = self.heartbeat?.get();
        Some(Duration::from_millis(millis.into()))
    }

    /// Sets the interval of heartbeats, in milliseconds, at most 49 days.
    pub fn set_heartbeat(&mut self, heartbeat: Option<Duration>) {
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let at_least_one = |time| NonZeroU32::new(millis(time)).unwrap_or(NonZeroU32::MIN);
        self.heartbeat = heartbeat.map(at_least_one);
    }

    /// The options that only some streams have, to be filled in.
    pub fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The options that only some streams have, if this one has any.
    pub(super) fn extras_mut(&mut self) -> Option<&mut Extras> {
        self.extras.as_deref_mut()
    }

    /// When the stream ends by itself, to be filled in.
    pub fn ends_mut(&mut self) -> &mut Ends {
        &mut self.extras().ends
    }

    /// When the stream ends by itself.
    #[must_use]
    pub fn ends(&self) -> Ends {
        self.extras
            .as_ref()
            .map_or_else(Ends::default, |extras| extras.ends)
    }

    /// When the stream's time is over, and why it ends then.
    pub(super) fn deadline(&self) -> Option<(Instant, EndReason)> {
        self.extras.as_ref()?.deadline
    }

    /// The interval of the ticks at which the stream writes.
    pub(super) fn pace_interval(&self) -> Option<Duration> {
        self.extras.as_ref()?.pace_interval
    }

    /// The pace of the stream, if it has one.
    pub(super) fn pace(&self) -> Option<&Pace> {
        self.extras.as_ref()?.pace.as_ref()
    }

    /// The pace of the stream, if it has one.
    pub(super) fn pace_mut(&mut self) -> Option<&mut Pace> {
        self.extras.as_mut()?.pace.as_mut()
    }

    /// When the time comes up to which the stream is to have the log.
    pub(super) fn until_time(&self) -> Option<Instant> {
        self.extras.as_ref()?.until_time
    }

    /// The write that is to be made again.
    pub(super) fn again(&self) -> Option<&Again> {
        self.extras.as_ref()?.again.as_ref()
    }

    /// Why the stream is over, if something other than its options ended it.
    pub(super) fn over(&self) -> Option<EndReason> {
        self.extras.as_ref()?.over
    }

    /// The closes that the follower was told of, of channels that nothing was appended to since.
    pub(super) fn closed(&self) -> &[Close] {
        let extras = self.extras.as_ref();
        extras.map_or(&[], |extras| &extras.closed)
    }

    /// Notes that a channel is closed.
    pub(super) fn note_closed(&mut self, close: &Close) {
        self.extras().closed.push(close.clone());
    }

    /// Notes that a channel is open.
    pub(super) fn note_open(&mut self, channel: &Channel) {
        if let Some(extras) = self.extras_mut() {
            extras.closed.retain(|close| close.channel != *channel);
        }
    }

    /// The time after which the client is to come back, if the stream ends because the server stops.
    pub(super) fn retry_after_stop(&self) -> Option<Duration> {
        self.extras.as_ref()?.retry_after_stop
    }

    /// What a client that has closed its sending side is to be told first.
    pub(super) fn half_closed(&self) -> Option<HalfClosed> {
        self.extras.as_ref()?.half_closed
    }

    /// The bytes before everything else, if they have not been taken.
    pub(super) fn prelude(&self) -> Bytes {
        let extras = self.extras.as_ref();
        extras.map_or_else(Bytes::new, |extras| extras.prelude.clone())
    }

    /// Takes the bytes before everything else.
    pub(super) fn take_prelude(&mut self) -> Bytes {
        let extras = self.extras.as_mut();
        extras.map_or_else(Bytes::new, |extras| std::mem::take(&mut extras.prelude))
    }

    /// Gives the memory of the options back that only some streams have, if this one has none any more.
    pub(super) fn shed(&mut self) {
        self.extras.take_if(|extras| extras.is_empty());
    }

    /// Has the stream's task woken when one of its rights ends.
    pub(super) fn register(&mut self, waker: &Waker) {
        let extras = self.extras.as_mut().into_iter();
        for right in self
            .access
            .as_deref_mut()
            .into_iter()
            .chain(extras.flat_map(|e| &mut e.rights))
        {
            right.register(waker);
        }
    }

    /// Why the stream may not go on, if one of its rights has ended.
    pub(super) fn ended_right(&self) -> Option<EndReason> {
        let extras = self.extras.as_ref().into_iter();
        let access = self.access.as_deref().into_iter();
        let mut rights = access.chain(extras.flat_map(|e| &e.rights));
        rights.find_map(RightHold::end).map(|end| match end {
            RightEnd::Revoked => EndReason::Revoked,
            RightEnd::Expired => EndReason::Expired,
        })
    }

    /// Whether the stream sees every message as it is, and does not end with one.
    pub(super) fn is_plain(&self) -> bool {
        self.extras.as_ref().is_none_or(|extras| extras.is_plain())
    }

    /// Whether the stream ends when a right does.
    pub(super) fn has_rights(&self) -> bool {
        let extras = self.extras.as_ref();
        self.access.is_some() || extras.is_some_and(|extras| !extras.rights.is_empty())
    }

    /// Whether something is held for as long as the stream is open.
    pub(super) fn has_guard(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.guard.is_some())
    }
}

impl Extras {
    /// Whether a message is written as it is, and nothing has to be looked at before or after.
    fn is_plain(&self) -> bool {
        self.filter.is_none()
            && self.on_progress.is_none()
            && self.rights.is_empty()
            && self.again.is_none()
            && self.over.is_none()
            && self.closed.is_empty()
            && self.pace.is_none()
            && self.ends.count_nothing()
    }

    /// Whether nothing is here.
    fn is_empty(&self) -> bool {
        self.is_plain()
            && self.prelude.is_empty()
            && self.epilogue.is_empty()
            && self.guard.is_none()
            && self.deadline.is_none()
            && self.retry_after_stop.is_none()
            && self.half_closed.is_none()
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extras")
            .field("prelude", &self.prelude.len())
            .field("epilogue", &self.epilogue.len())
            .field("filter", &self.filter.is_some())
            .field("grows", &self.grows)
            .field("on_progress", &self.on_progress.is_some())
            .field("guard", &self.guard.is_some())
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}
