//! The messages that a reader wants: of which channels, and from where on. Pure.

use std::sync::Arc;

use super::trimmed::Trimmed;
use super::{LocateError, StartAt, Subscription};
use crate::limits;
use crate::message::{Channel, Gap, Pattern, Seq};

/// A reader's channels, each with the position after which the reader wants its messages. Readers of
/// the same may share it.
#[derive(Clone, Debug)]
pub struct Selection(Arc<Selected>);

/// What a reader follows: a channel by its name, or a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) enum Followed<'s> {
    Channel(&'s Channel),
    Pattern(&'s Pattern),
}

#[derive(Clone, Debug, Default)]
struct Selected {
    /// The channels that are named.
    channels: Box<[(Channel, Seq)]>,
    /// The patterns. A position here is that of the pattern's channels which are not in `known`.
    patterns: Box<[(Pattern, Seq)]>,
    /// Channels of the patterns that are read from a position of their own, by their names.
    known: Box<[(Channel, Seq)]>,
}

impl Selection {
    /// The selection of these channels and patterns. `known` are channels of the patterns, each with a
    /// position of its own.
    #[must_use]
    pub fn new(
        channels: impl IntoIterator<Item = (Channel, Seq)>,
        patterns: impl IntoIterator<Item = (Pattern, Seq)>,
        known: impl IntoIterator<Item = (Channel, Seq)>,
    ) -> Selection {
        let mut known: Box<[_]> = known.into_iter().collect();
        known.sort_unstable();
        Selection(Arc::new(Selected {
            channels: channels.into_iter().collect(),
            patterns: patterns.into_iter().collect(),
            known,
        }))
    }

    /// The selection of all that a subscription has after a position.
    #[must_use]
    pub fn at(subscription: &Subscription, at: Seq) -> Selection {
        let channels = subscription.channels().iter().cloned();
        let patterns = subscription.patterns().iter().cloned();
        Selection::new(
            channels.map(|channel| (channel, at)),
            patterns.map(|pattern| (pattern, at)),
            [],
        )
    }

    /// The selection of one channel from its beginning.
    #[must_use]
    pub fn of_channel(channel: Channel) -> Selection {
        Selection::from_iter([(channel, Seq::START)])
    }

    /// The selection of one channel, or of one pattern, from the beginning.
    pub(super) fn of(followed: Followed<'_>) -> Selection {
        match followed {
            Followed::Channel(channel) => Selection::of_channel(channel.clone()),
            Followed::Pattern(pattern) => Selection::new([], [(pattern.clone(), Seq::START)], []),
        }
    }

    /// The channels that are named.
    #[must_use]
    pub fn channels(&self) -> &[(Channel, Seq)] {
        &self.0.channels
    }

    /// The patterns.
    #[must_use]
    pub fn patterns(&self) -> &[(Pattern, Seq)] {
        &self.0.patterns
    }

    /// What is followed: the channels, and then the patterns.
    pub(super) fn followed(&self) -> impl Iterator<Item = Followed<'_>> {
        let channels = self.0.channels.iter();
        let channels = channels.map(|(channel, _)| Followed::Channel(channel));
        let patterns = self.0.patterns.iter();
        channels.chain(patterns.map(|(pattern, _)| Followed::Pattern(pattern)))
    }

    /// How many channels and patterns are selected.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.channels.len() + self.0.patterns.len()
    }

    /// The only channel, if no other is selected and no pattern.
    #[must_use]
    pub fn only_channel(&self) -> Option<&Channel> {
        match (&*self.0.channels, &*self.0.patterns) {
            ([(channel, _)], []) => Some(channel),
            _ => None,
        }
    }

    /// The position after which the messages of a channel are wanted, if any are.
    #[must_use]
    pub fn from(&self, channel: &Channel) -> Option<Seq> {
        let Selected {
            channels,
            patterns,
            known,
        } = &*self.0;
        if let Some((_, from)) = channels.iter().find(|(named, _)| named == channel) {
            return Some(*from);
        }
        let (_, from) = patterns.iter().find(|(pattern, _)| pattern.has(channel))?;
        let own = known.binary_search_by(|(known, _)| known.cmp(channel));
        Some(own.map_or(*from, |index| known[index].1))
    }

    /// Whether a message at this position of a channel is wanted.
    #[must_use]
    pub fn wants(&self, channel: &Channel, seq: Seq) -> bool {
        self.from(channel).is_some_and(|from| seq > from)
    }

    /// The first position after which anything is wanted; `None` if nothing is.
    #[must_use]
    pub fn first(&self) -> Option<Seq> {
        self.positions().min()
    }

    /// The last position after which anything is wanted first; `None` if nothing is.
    #[must_use]
    pub fn last(&self) -> Option<Seq> {
        self.positions().max()
    }

    fn positions(&self) -> impl Iterator<Item = Seq> {
        let Selected {
            channels,
            patterns,
            known,
        } = &*self.0;
        let channels = channels.iter().chain(known).map(|(_, from)| *from);
        channels.chain(patterns.iter().map(|(_, from)| *from))
    }

    /// The gap that a reader of patterns at `after` is told of if channels have been forgotten, the last of
    /// which had `forgotten` as its last message: they may have been the patterns'. Only if it ends at
    /// `through` or before.
    #[must_use]
    pub fn gap_of_forgotten(&self, after: Seq, forgotten: Seq, through: Seq) -> Option<Gap> {
        let from = self.0.patterns.iter().map(|(_, from)| *from).min()?;
        let gap = Trimmed::of_unknown(forgotten).gap(after.max(from))?;
        (gap.resumes <= through).then_some(gap)
    }

    /// The selection with one more channel.
    #[must_use]
    pub fn with(&self, channel: Channel, from: Seq) -> Selection {
        let mut selected = Selected::clone(&self.0);
        let added = std::iter::once((channel, from));
        selected.channels = selected.channels.into_iter().chain(added).collect();
        Selection(Arc::new(selected))
    }

    /// Moves the position of the first channel that is named back to `seq`, if it is later than that.
    pub fn no_later_than(&mut self, seq: Seq) {
        if let Some((_, from)) = Arc::make_mut(&mut self.0).channels.first_mut() {
            *from = (*from).min(seq);
        }
    }

    /// A copy in memory of its own.
    #[must_use]
    pub fn copy(&self) -> Selection {
        Selection(Arc::new(Selected::clone(&self.0)))
    }
}

/// A selection of named channels.
impl FromIterator<(Channel, Seq)> for Selection {
    fn from_iter<T: IntoIterator<Item = (Channel, Seq)>>(channels: T) -> Selection {
        Selection::new(channels, [], [])
    }
}

/// How the channels of patterns are read: those that there are (`known`) each from its own position, and
/// those that come later from `last`, the newest message of the log, on; or all from `at`, if they are
/// too many.
///
/// # Errors
/// When they are too many for a start that is different in each of them.
pub(super) fn known_or_all(
    start_at: StartAt,
    known: Vec<(Channel, Seq)>,
    at: Seq,
    last: Seq,
) -> Result<(Vec<(Channel, Seq)>, Seq), LocateError> {
    if known.len() <= limits::KNOWN_CHANNELS_MAX {
        return Ok((known, last));
    }
    if start_at == StartAt::Each {
        return Err(LocateError::TooManyChannels(known.len()));
    }
    Ok((Vec::new(), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel is wanted from its own position on, if it has one, and from its pattern's otherwise.
    #[test]
    fn every_channel_has_one_position() {
        let channel = |name| Channel::new(name).unwrap();
        let selection = Selection::new(
            [(channel("main"), Seq(5))],
            [(Pattern::new("b*").unwrap(), Seq(9))],
            [(channel("b2"), Seq(3)), (channel("b1"), Seq(1))],
        );
        let from = |name| selection.from(&channel(name));
        assert_eq!(from("main"), Some(Seq(5)));
        assert_eq!((from("b1"), from("b2")), (Some(Seq(1)), Some(Seq(3))));
        assert_eq!(from("b3"), Some(Seq(9)), "a channel that comes later");
        assert_eq!(from("c"), None);
        assert!(
            selection.wants(&channel("b1"), Seq(2)) && !selection.wants(&channel("b1"), Seq(1))
        );
        assert_eq!(
            (selection.first(), selection.last()),
            (Some(Seq(1)), Some(Seq(9)))
        );
        assert_eq!(selection.count(), 2);
    }
}
