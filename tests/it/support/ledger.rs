//! What was appended, as its senders were told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use serde_json::Value;

use super::client::{append, get};
use super::follower::Follower;
use super::soon;
use super::wires::{Message, Said};

/// A message: its channel, its text, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) channel: String,
    pub(crate) text: String,
    pub(crate) time: String,
}

/// Messages by their place. Each has a text of its own in its channel.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) epoch: String,
    pub(crate) entries: BTreeMap<u64, Entry>,
}

/// A cursor's two parts.
pub(crate) fn parts(cursor: &str) -> (&str, u64) {
    let (epoch, seq) = cursor.split_once('-').unwrap();
    (epoch, seq.parse().unwrap())
}

impl Ledger {
    /// Enters what was sent with the answer to it, or a message with what it says of itself.
    pub(crate) fn enter(&mut self, answer: &Value, text: &str) {
        let field = |name: &str| answer[name].as_str().unwrap().to_owned();
        let (cursor, entry) = (
            field("cursor"),
            Entry {
                channel: field("channel"),
                text: text.to_owned(),
                time: field("time"),
            },
        );
        let (epoch, seq) = parts(&cursor);
        if self.epoch.is_empty() {
            epoch.clone_into(&mut self.epoch);
        }
        assert_eq!(epoch, self.epoch, "the log began anew: {answer}");
        let before = self.entries.insert(seq, entry);
        assert_eq!(before, None, "{seq} is two messages: {answer} {text}");
    }

    /// Appends a message, which must be taken.
    pub(crate) async fn append(&mut self, addr: SocketAddr, channel: &str, text: &str) {
        let answer = append(addr, channel, text).await;
        self.enter(&answer, text);
    }

    /// All that a server has of these channels, which must come to this place.
    pub(crate) async fn read(addr: SocketAddr, channels: &str, last: u64) -> Ledger {
        let mut response = get(addr, &format!("/c/{channels}?as=ndjson&since=0")).await;
        let (mut ledger, mut partial) = (Ledger::default(), Vec::new());
        while ledger.last() < last {
            let chunk = soon(response.chunk()).await.unwrap();
            partial.extend(chunk.expect("it ended too soon"));
            while let Some(end) = partial.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = partial.drain(..=end).collect();
                let said: Value = serde_json::from_slice(&line).unwrap();
                match said["type"].as_str().unwrap() {
                    "message" => ledger.enter(&said, said["data"].as_str().unwrap()),
                    "open" | "heartbeat" => {}
                    _ => panic!("{said}"),
                }
            }
        }
        ledger
    }

    /// The newest place.
    pub(crate) fn last(&self) -> u64 {
        self.entries.keys().next_back().copied().unwrap_or(0)
    }

    /// Is there a message for each number?
    pub(crate) fn is_contiguous(&self) -> bool {
        self.entries.keys().copied().eq(1..=self.last())
    }

    /// Holds a follower to the promise: each message of its channels once and in order, or said to
    /// be gone. Gives how many were.
    pub(crate) fn check(&self, follower: &Follower) -> usize {
        assert_eq!(
            follower.epochs,
            [&*self.epoch],
            "{}: one life",
            follower.wire
        );
        self.check_said(follower.wire, &follower.channels, &follower.said)
    }

    /// The same for what a stream of these channels said.
    pub(crate) fn check_said(&self, wire: &str, channels: &[&str], said: &[Said]) -> usize {
        let who = format!("{wire} of {channels:?}");
        // What is still to come: in each channel, and of each text.
        let mut due: HashMap<&str, VecDeque<u64>> = HashMap::new();
        let mut places: HashMap<&str, VecDeque<u64>> = HashMap::new();
        for (seq, Entry { channel, text, .. }) in &self.entries {
            if channels.contains(&&**channel) {
                due.entry(channel).or_default().push_back(*seq);
                places.entry(text).or_default().push_back(*seq);
            }
        }
        let (mut at, mut gone) = (0, 0);
        for said in said {
            let seq = match said {
                Said::Message(message) if message.cursor.is_empty() => {
                    let places = places.get(&*message.data).into_iter().flatten();
                    let mut behind = places.skip_while(|seq| **seq <= at);
                    behind.next().copied()
                }
                Said::Message(Message { cursor, .. }) | Said::Gap(_, _, cursor) => {
                    let (epoch, seq) = parts(cursor);
                    (epoch == self.epoch && seq > at).then_some(seq)
                }
                other => panic!("{who}: {other:?}"),
            };
            let mine = |entry: &&Entry| channels.contains(&&*entry.channel);
            let entry = seq.and_then(|seq| Some((seq, self.entries.get(&seq).filter(mine)?)));
            let Some((seq, entry)) = entry else {
                panic!("{who}: nothing like that comes behind {at}: {said:?}")
            };
            let due = due.get_mut(&*entry.channel).expect(&who);
            let skipped = due.iter().take_while(|due| **due < seq).count();
            drop(due.drain(..=skipped));
            match said {
                Said::Gap(reason, missed, _) => {
                    // It stands where the last of them stood.
                    let missing = skipped + 1;
                    assert_eq!(reason, "expired", "{who}");
                    let exact = missed.is_none_or(|missed| missed == missing as u64);
                    assert!(exact, "{who}: {missing} are missing: {said:?}");
                    gone += missing;
                }
                Said::Message(message) => {
                    assert_eq!(skipped, 0, "{who}: missing before {said:?}");
                    assert_eq!(message.data, entry.text, "{who}: {seq}");
                }
                _ => {}
            }
            at = seq;
        }
        let left: Vec<&u64> = due.values().flatten().collect();
        assert!(left.is_empty(), "{who}: have not come: {left:?}");
        gone
    }
}
