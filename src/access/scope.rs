//! What somebody may do, and what a request needs. Pure.

use std::fmt;

use super::ChannelSet;
use crate::message::Channel;

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The channels that may be followed, and are listed.
    pub read: ChannelSet,
    /// The channels that may be appended to, and closed.
    pub write: ChannelSet,
    /// Whether the metrics may be read.
    pub metrics: bool,
}

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Needed {
    /// The demonstrations that are everybody's, if there are any: the mailbox, the clock, the chat.
    Demos,
    /// To read all of these channels.
    Read(ChannelSet),
    /// To read any channel at all.
    ReadAny,
    /// To write to this channel.
    Write(Channel),
    /// To read the metrics.
    Metrics,
}

impl Needed {
    /// What is missing of this when these scopes are held together; `None` if nothing is.
    #[must_use]
    pub fn missing(&self, held: &[&Scope]) -> Option<Needed> {
        let has = match self {
            Needed::Demos => false,
            Needed::Read(channels) => {
                let read: Vec<&ChannelSet> = held.iter().map(|scope| &scope.read).collect();
                let left = channels.without(&read);
                return (!left.is_empty()).then_some(Needed::Read(left));
            }
            Needed::ReadAny => held.iter().any(|scope| !scope.read.is_empty()),
            Needed::Write(channel) => held.iter().any(|scope| scope.write.has(channel)),
            Needed::Metrics => held.iter().any(|scope| scope.metrics),
        };
        (!has).then(|| self.clone())
    }

    /// The words of a `scope` (RFC 6749, section 3.3) that a token would have for this.
    #[must_use]
    pub fn scope_words(&self) -> String {
        match self {
            Needed::Read(channels) => {
                let words = channels.names().map(|name| format!("read:{name}"));
                words.collect::<Vec<_>>().join(" ")
            }
            Needed::Write(channel) => format!("write:{channel}"),
            Needed::Metrics => "metrics".to_owned(),
            Needed::Demos | Needed::ReadAny => String::new(),
        }
    }
}

/// What is done, as the end of a sentence.
impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Needed::Demos => f.write_str("use the demonstrations"),
            Needed::Read(channels) => write!(f, "read {channels}"),
            Needed::ReadAny => f.write_str("read any channel"),
            Needed::Write(channel) => write!(f, "write to {channel}"),
            Needed::Metrics => f.write_str("read the metrics"),
        }
    }
}
