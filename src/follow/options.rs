//! What a stream is made from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Filter, Link};
use crate::message::Seq;
use crate::wire::Encoder;

/// When a stream ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// After so many messages.
    pub limit: Option<u64>,
    /// With the first frame that has anything new: a long poll.
    pub poll: bool,
    /// After so many bytes.
    pub bytes: Option<usize>,
    /// When it has come up to this place; then without a mark, since a page goes on behind it.
    pub until: Option<Seq>,
}

/// Is told how far a stream has come: all up to there has been taken by the connection.
pub type OnProgress = Box<dyn FnMut(Seq) + Send>;

/// What is to end with the stream: dropped when it is over.
pub type DropGuard = Box<dyn Send>;

/// What a [`Follower`](super::Follower) is made from.
pub struct Options {
    /// How it is encoded.
    pub encoder: Encoder,
    /// How often it says that all is well; `None` for one that has no words for it.
    pub heartbeat: Option<Duration>,
    /// When it ends by itself.
    pub ends: Ends,
    /// The same, after so long.
    pub timeout: Option<Duration>,
    /// What comes before the first message.
    pub prelude: Bytes,
    /// What comes behind the last.
    pub epilogue: Bytes,
    /// The connection it is on.
    pub link: Arc<Link>,
    /// Who wants to know how far it has come.
    pub taken: Option<OnProgress>,
    /// What its follower sees of the messages; `None` for all.
    pub lens: Option<Filter>,
    /// What is to end with it.
    pub guard: Option<DropGuard>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("encoder", &self.encoder)
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}
