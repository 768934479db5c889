//! What a stream is asked to be. There is one set of options: a handler fills it in, and the
//! follower keeps it.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::{Ends, Filter};
use crate::message::Seq;
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
    /// The interval of heartbeats while nothing is new; `None` for a transport without heartbeats.
    pub heartbeat: Option<Duration>,
    /// When the stream ends by itself.
    pub ends: Ends,
    /// Boxed, because most streams are idle and have none.
    extras: Option<Box<Extras>>,
}

/// The options that only some streams have.
#[derive(Default)]
pub struct Extras {
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
}

impl Options {
    /// A stream without end that shows heartbeats every `heartbeat`, if at all.
    #[must_use]
    pub fn new(encoder: Encoder, heartbeat: Option<Duration>) -> Options {
        Options {
            encoder,
            heartbeat,
            ends: Ends::default(),
            extras: None,
        }
    }

    /// The options that only some streams have, to be filled in.
    pub fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// The options that only some streams have, if this one has any.
    pub(super) fn extras_mut(&mut self) -> Option<&mut Extras> {
        self.extras.as_deref_mut()
    }

    /// The bytes before everything else, if they have not been taken.
    pub(super) fn prelude(&self) -> Bytes {
        let extras = self.extras.as_ref();
        extras.map_or_else(Bytes::new, |extras| extras.prelude.clone())
    }

    /// Takes the bytes before everything else. If the stream has no other option that only some have,
    /// their memory is given back.
    pub(super) fn take_prelude(&mut self) -> Bytes {
        let Some(extras) = self.extras.as_mut() else {
            return Bytes::new();
        };
        let prelude = std::mem::take(&mut extras.prelude);
        let is_needed = !extras.epilogue.is_empty()
            || extras.filter.is_some()
            || extras.on_progress.is_some()
            || extras.guard.is_some()
            || !extras.rights.is_empty();
        if !is_needed {
            self.extras = None;
        }
        prelude
    }

    /// Has the stream's task woken when one of its rights ends.
    pub(super) fn register(&mut self, waker: &Waker) {
        for right in self.extras_mut().into_iter().flat_map(|e| &mut e.rights) {
            right.register(waker);
        }
    }

    /// Why the stream may not go on, if one of its rights has ended.
    pub(super) fn ended_right(&self) -> Option<EndReason> {
        let rights = &self.extras.as_ref()?.rights;
        rights.iter().find_map(RightHold::end).map(|end| match end {
            RightEnd::Revoked => EndReason::Revoked,
            RightEnd::Expired => EndReason::Expired,
        })
    }

    /// Whether something is held for as long as the stream is open.
    pub(super) fn has_guard(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.guard.is_some())
    }

    /// Whether the stream's progress is reported, so that it has to be polled once more after each
    /// write.
    pub(super) fn reports_progress(&self) -> bool {
        let extras = self.extras.as_ref();
        extras.is_some_and(|extras| extras.on_progress.is_some())
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
            .finish()
    }
}
