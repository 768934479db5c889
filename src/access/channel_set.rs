//! Sets of channels: what a right is for, and what a request asks for. Pure.

use std::fmt;

use crate::message::{Channel, NameError, Pattern};

/// Channels by their names and by patterns of names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChannelSet {
    channels: Vec<Channel>,
    patterns: Vec<Pattern>,
}

impl ChannelSet {
    /// The set of these channels and of all channels of these patterns.
    #[must_use]
    pub fn new(mut channels: Vec<Channel>, mut patterns: Vec<Pattern>) -> ChannelSet {
        channels.sort_unstable();
        channels.dedup();
        patterns.sort_unstable();
        // A pattern comes before those that it has.
        patterns.dedup_by(|later, earlier| earlier.has_pattern(later));
        channels.retain(|channel| !patterns.iter().any(|pattern| pattern.has(channel)));
        ChannelSet { channels, patterns }
    }

    /// The set of all channels.
    #[must_use]
    pub fn all() -> ChannelSet {
        ChannelSet::new(Vec::new(), Pattern::new("*").into_iter().collect())
    }

    /// Reads a list of names and patterns.
    ///
    /// # Errors
    /// The first that is neither, and why.
    pub fn read<'a>(
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<ChannelSet, (&'a str, NameError)> {
        let (mut channels, mut patterns) = (Vec::new(), Vec::new());
        for name in names {
            if name.contains('*') {
                patterns.push(Pattern::new(name).map_err(|why| (name, why))?);
            } else {
                channels.push(Channel::new(name).map_err(|why| (name, why))?);
            }
        }
        Ok(ChannelSet::new(channels, patterns))
    }

    /// Whether there is no channel in the set, nor can one come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    /// The patterns of the set. (Names are asked for by [`ChannelSet::channels`].)
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The channels of the set that are named.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// Whether a channel is in the set.
    #[must_use]
    pub fn has(&self, channel: &Channel) -> bool {
        self.channels.contains(channel) || self.patterns.iter().any(|own| own.has(channel))
    }

    /// Whether one of the patterns of this set has all channels of another pattern.
    fn has_pattern(&self, pattern: &Pattern) -> bool {
        self.patterns.iter().any(|own| own.has_pattern(pattern))
    }

    /// What is in this set and in none of the others.
    #[must_use]
    pub fn without(&self, others: &[&ChannelSet]) -> ChannelSet {
        let is_left = |channel: &&Channel| !others.iter().any(|other| other.has(channel));
        let all_left = |pattern: &&Pattern| !others.iter().any(|other| other.has_pattern(pattern));
        ChannelSet {
            channels: self.channels.iter().filter(is_left).cloned().collect(),
            patterns: self.patterns.iter().filter(all_left).cloned().collect(),
        }
    }

    /// What is in this set and in another.
    #[must_use]
    pub fn meet(&self, other: &ChannelSet) -> ChannelSet {
        let both = |one: &ChannelSet, other: &ChannelSet| {
            let (channels, patterns) = (one.channels.iter(), one.patterns.iter());
            let channels: Vec<_> = channels.filter(|own| other.has(own)).cloned().collect();
            let patterns: Vec<_> = patterns
                .filter(|own| other.has_pattern(own))
                .cloned()
                .collect();
            (channels, patterns)
        };
        let (mut channels, mut patterns) = both(self, other);
        let (more, more_patterns) = both(other, self);
        channels.extend(more);
        patterns.extend(more_patterns);
        ChannelSet::new(channels, patterns)
    }

    /// What is in this set or in another.
    #[must_use]
    pub fn join(&self, other: &ChannelSet) -> ChannelSet {
        ChannelSet::new(
            [self.channels.as_slice(), &other.channels].concat(),
            [self.patterns.as_slice(), &other.patterns].concat(),
        )
    }

    /// The names and patterns as texts.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let channels = self.channels.iter().map(ToString::to_string);
        channels.chain(self.patterns.iter().map(ToString::to_string))
    }
}

impl From<Channel> for ChannelSet {
    fn from(channel: Channel) -> ChannelSet {
        ChannelSet {
            channels: vec![channel],
            patterns: Vec::new(),
        }
    }
}

/// The names and patterns, with commas.
impl fmt::Display for ChannelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ChannelSet {
        ChannelSet::read(text.split_whitespace()).unwrap()
    }

    /// What is left of a set that is asked for, when these rights are held.
    #[test]
    fn channels_need_a_right_that_covers_them() {
        for (asked, held, left) in [
            ("a", "a", ""),
            ("a b", "a", "b"),
            ("a", "", "a"),
            ("a.1 a.2", "a.*", ""),
            ("a.*", "a.*", ""),
            ("a.b.*", "a.*", ""),
            ("a.*", "a.b.*", "a.*"),
            ("a*", "a.* a", "a*"),
            ("*", "a*", "*"),
            ("*", "*", ""),
            ("A", "a", "A"),
            ("a.", "a.*", ""),
            ("a", "a.*", "a"),
        ] {
            assert_eq!(
                set(asked).without(&[&set(held)]),
                set(left),
                "{asked} {held}"
            );
        }
        // Rights come on top of each other, but each pattern is covered by one.
        assert!(set("a b").without(&[&set("a"), &set("b")]).is_empty());
    }

    /// No more is left of two sets than both have.
    #[test]
    fn channels_in_both_sets() {
        for (one, other, both) in [
            ("*", "user.*", "user.*"),
            ("user.42.* main", "user.*", "user.42.*"),
            ("user.42", "user.*", "user.42"),
            ("a b c", "b c d", "b c"),
            ("a*", "b*", ""),
            ("a* b", "a b*", "a b"),
        ] {
            assert_eq!(set(one).meet(&set(other)), set(both), "{one} {other}");
            assert_eq!(set(other).meet(&set(one)), set(both), "{one} {other}");
        }
        assert_eq!(set("a b").join(&set("a* c")), set("a* b c"));
    }

    /// Neither a bad name nor one of the server's own is a right.
    #[test]
    fn channels_of_a_right_have_names() {
        for bad in ["~chat", "~*", "a*b", "**", "a/b", ""] {
            assert_eq!(ChannelSet::read([bad]).unwrap_err().0, bad);
        }
        let server = Channel::of_server("chat");
        assert!(!ChannelSet::all().has(&server));
    }
}
