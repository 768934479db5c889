//! What a follower asks for: channels by their names, and by patterns of names.

use crate::message::{Channel, Pattern};

/// The channels and the patterns that a follower asks for. No channel is named that a pattern has, and
/// no pattern that another has, so that nothing is read twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    channels: Vec<Channel>,
    patterns: Vec<Pattern>,
}

impl Subscription {
    /// A subscription to these channels, in this order, and to all channels of these patterns.
    #[must_use]
    pub fn new(mut channels: Vec<Channel>, mut patterns: Vec<Pattern>) -> Subscription {
        patterns.sort_unstable();
        // A pattern comes before those that it has.
        patterns.dedup_by(|later, earlier| earlier.has_pattern(later));
        channels.retain(|channel| !patterns.iter().any(|pattern| pattern.has(channel)));
        Subscription { channels, patterns }
    }

    /// The channels that are named.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The patterns.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether the messages may be of several channels.
    #[must_use]
    pub fn is_of_several(&self) -> bool {
        self.channels.len() + 2 * self.patterns.len() > 1
    }
}

impl From<Channel> for Subscription {
    fn from(channel: Channel) -> Subscription {
        Subscription::from(vec![channel])
    }
}

impl From<Vec<Channel>> for Subscription {
    fn from(channels: Vec<Channel>) -> Subscription {
        Subscription {
            channels,
            patterns: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a pattern has is not asked for once more.
    #[test]
    fn patterns_take_what_they_have() {
        let channel = |name| Channel::new(name).unwrap();
        let pattern = |text| Pattern::new(text).unwrap();
        let asked = Subscription::new(
            vec![channel("build.1"), channel("main"), channel("b")],
            ["news*", "build.x*", "build.*", "build.*"]
                .map(pattern)
                .into(),
        );
        assert_eq!(asked.channels(), [channel("main"), channel("b")]);
        assert_eq!(asked.patterns(), ["build.*", "news*"].map(pattern));
        let all = Subscription::new(vec![channel("main")], vec![pattern("a*"), pattern("*")]);
        assert_eq!(
            (all.channels(), all.patterns()),
            (&[][..], &[pattern("*")][..])
        );
        assert!(all.is_of_several());
        assert!(!Subscription::from(channel("main")).is_of_several());
    }
}
