//! The numbers of rings, found by the name of a channel. Pure.

use std::collections::BTreeMap;

use super::selection::Followed;
use crate::message::Channel;

/// The numbers of the rings of channels and of patterns. Those of patterns that have a channel are found by
/// its name: what it takes depends on how many lengths the patterns have, and not on how many there are.
#[derive(Debug, Default)]
pub(super) struct RingNumbers {
    /// A tree, since a hash table with a million names stands still while it grows.
    by_channel: BTreeMap<Channel, u32>,
    /// For each length of a pattern's prefix the patterns that have it.
    by_length: BTreeMap<usize, BTreeMap<Box<str>, u32>>,
}

impl RingNumbers {
    pub(super) fn get(&self, followed: Followed<'_>) -> Option<u32> {
        match followed {
            Followed::Channel(channel) => self.by_channel.get(channel).copied(),
            Followed::Pattern(pattern) => {
                let prefix = pattern.prefix();
                self.by_length.get(&prefix.len())?.get(prefix).copied()
            }
        }
    }

    pub(super) fn insert(&mut self, followed: Followed<'_>, ring: u32) {
        match followed {
            Followed::Channel(channel) => {
                self.by_channel.insert(channel.clone(), ring);
            }
            Followed::Pattern(pattern) => {
                let prefix = pattern.prefix();
                let of_length = self.by_length.entry(prefix.len()).or_default();
                of_length.insert(prefix.into(), ring);
            }
        }
    }

    pub(super) fn remove(&mut self, followed: Followed<'_>) {
        match followed {
            Followed::Channel(channel) => {
                self.by_channel.remove(channel);
            }
            Followed::Pattern(pattern) => {
                let prefix = pattern.prefix();
                if let Some(of_length) = self.by_length.get_mut(&prefix.len()) {
                    of_length.remove(prefix);
                    if of_length.is_empty() {
                        self.by_length.remove(&prefix.len());
                    }
                }
            }
        }
    }

    /// The rings that are told of a channel's messages: its own, and those of the patterns that have it.
    pub(super) fn of(&self, channel: &Channel) -> impl Iterator<Item = u32> {
        let name = channel.as_str();
        let lengths = if channel.is_of_server() {
            // No pattern has these.
            0..0
        } else {
            0..name.len() + 1
        };
        let patterns = self.by_length.range(lengths);
        let patterns =
            patterns.filter_map(|(length, of_length)| of_length.get(&name[..*length]).copied());
        let own = self.by_channel.get(channel).copied();
        own.into_iter().chain(patterns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Pattern;

    /// A channel finds the patterns that have it, as long as they are there.
    #[test]
    fn channels_find_their_patterns() {
        let mut rings = RingNumbers::default();
        let patterns = ["*", "b*", "build.*", "built*"].map(|text| Pattern::new(text).unwrap());
        for (pattern, ring) in patterns.iter().zip(0..) {
            rings.insert(Followed::Pattern(pattern), ring);
            assert_eq!(rings.get(Followed::Pattern(pattern)), Some(ring));
        }
        let of = |rings: &RingNumbers, name| -> Vec<u32> {
            rings.of(&Channel::new(name).unwrap()).collect()
        };
        assert_eq!(of(&rings, "build.1"), [0, 1, 2]);
        assert_eq!(of(&rings, "b"), [0, 1]);
        assert_eq!(of(&rings, "main"), [0]);
        assert_eq!(rings.of(&Channel::of_server("chat")).count(), 0);
        rings.remove(Followed::Pattern(&patterns[0]));
        rings.remove(Followed::Pattern(&patterns[1]));
        assert_eq!(of(&rings, "build.1"), [2]);
        assert_eq!(rings.get(Followed::Pattern(&patterns[0])), None);
        assert_eq!(
            rings.by_length.len(),
            2,
            "nothing is left of what was removed"
        );
    }
}
