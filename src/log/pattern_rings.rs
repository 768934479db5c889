//! The rings of patterns, found by the name of a channel. Pure.

use std::collections::BTreeMap;

use crate::message::{Channel, Pattern};

/// The numbers of the rings of patterns. A channel's are found by its name: what it takes depends on how
/// many lengths its patterns have, and not on how many patterns there are.
#[derive(Debug, Default)]
pub(super) struct PatternRings {
    /// For each length of a prefix the patterns that have it.
    by_length: BTreeMap<usize, BTreeMap<Box<str>, u32>>,
}

impl PatternRings {
    pub(super) fn get(&self, pattern: &Pattern) -> Option<u32> {
        let prefix = pattern.prefix();
        self.by_length.get(&prefix.len())?.get(prefix).copied()
    }

    pub(super) fn insert(&mut self, pattern: &Pattern, ring: u32) {
        let prefix = pattern.prefix();
        let of_length = self.by_length.entry(prefix.len()).or_default();
        of_length.insert(prefix.into(), ring);
    }

    pub(super) fn remove(&mut self, pattern: &Pattern) {
        let prefix = pattern.prefix();
        if let Some(of_length) = self.by_length.get_mut(&prefix.len()) {
            of_length.remove(prefix);
            if of_length.is_empty() {
                self.by_length.remove(&prefix.len());
            }
        }
    }

    /// The rings of all patterns that have this channel.
    pub(super) fn of(&self, channel: &Channel) -> impl Iterator<Item = u32> {
        let name = channel.as_str();
        let lengths = if channel.is_of_server() {
            // No pattern has these.
            0..0
        } else {
            0..name.len() + 1
        };
        self.by_length
            .range(lengths)
            .filter_map(|(length, of_length)| of_length.get(&name[..*length]).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel finds the patterns that have it, as long as they are there.
    #[test]
    fn channels_find_their_patterns() {
        let mut rings = PatternRings::default();
        let patterns = ["*", "b*", "build.*", "built*"].map(|text| Pattern::new(text).unwrap());
        for (pattern, ring) in patterns.iter().zip(0..) {
            rings.insert(pattern, ring);
            assert_eq!(rings.get(pattern), Some(ring));
        }
        let of = |rings: &PatternRings, name| -> Vec<u32> {
            rings.of(&Channel::new(name).unwrap()).collect()
        };
        assert_eq!(of(&rings, "build.1"), [0, 1, 2]);
        assert_eq!(of(&rings, "b"), [0, 1]);
        assert_eq!(of(&rings, "main"), [0]);
        assert_eq!(rings.of(&Channel::of_server("chat")).count(), 0);
        rings.remove(&patterns[0]);
        rings.remove(&patterns[1]);
        assert_eq!(of(&rings, "build.1"), [2]);
        assert_eq!(rings.get(&patterns[0]), None);
        assert_eq!(
            rings.by_length.len(),
            2,
            "nothing is left of what was removed"
        );
    }
}
