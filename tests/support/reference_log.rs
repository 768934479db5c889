//! A reference for the log: what was appended, as the senders were told by the answers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use serde_json::Value;

use super::client::{append, get};
use super::follower::Follower;
use super::soon;
use super::wires::{Message, StreamEvent};

/// A message: its channel, its text, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) channel: String,
    pub(crate) text: String,
    pub(crate) time: String,
}

/// Messages by their position. Each text is unique in its channel.
#[derive(Debug, Default)]
pub(crate) struct ReferenceLog {
    pub(crate) epoch: String,
    pub(crate) entries: BTreeMap<u64, Entry>,
}

/// A cursor's two parts.
pub(crate) fn parts(cursor: &str) -> (&str, u64) {
    let (epoch, seq) = cursor.split_once('-').unwrap();
    (epoch, seq.parse().unwrap())
}

impl ReferenceLog {
    /// Enters a text with the answer to its append, or with the object of its message.
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
        assert_eq!(epoch, self.epoch, "the log has a new epoch: {answer}");
        let before = self.entries.insert(seq, entry);
        assert_eq!(before, None, "{seq} is two messages: {answer} {text}");
    }

    /// Appends a message, which the server must take, and enters it.
    pub(crate) async fn append(&mut self, addr: SocketAddr, channel: &str, text: &str) {
        let answer = append(addr, channel, text).await;
        self.enter(&answer, text);
    }

    /// Reads all that a server has of these channels, which must reach this position.
    pub(crate) async fn read(addr: SocketAddr, channels: &str, last: u64) -> ReferenceLog {
        let mut response = get(addr, &format!("/c/{channels}?as=ndjson&since=0")).await;
        let (mut log, mut partial) = (ReferenceLog::default(), Vec::new());
        while log.last() < last {
            let chunk = soon(response.chunk()).await.unwrap();
            partial.extend(chunk.expect("it ended too soon"));
            while let Some(end) = partial.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = partial.drain(..=end).collect();
                let said: Value = serde_json::from_slice(&line).unwrap();
                match said["type"].as_str().unwrap() {
                    "message" => log.enter(&said, said["data"].as_str().unwrap()),
                    "open" | "live" | "closed" | "heartbeat" => {}
                    _ => panic!("{said}"),
                }
            }
        }
        log
    }

    /// The newest position, 0 in an empty log.
    pub(crate) fn last(&self) -> u64 {
        self.entries.keys().next_back().copied().unwrap_or(0)
    }

    /// Whether there is a message at each position up to the newest.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.entries.keys().copied().eq(1..=self.last())
    }

    /// Checks the promise to a follower: it sees each message of its channels once and in order, or is
    /// told that it is missing. Gives the number of missing messages.
    pub(crate) fn check(&self, follower: &Follower) -> usize {
        assert_eq!(
            follower.epochs,
            [&*self.epoch],
            "{}: one epoch",
            follower.wire
        );
        self.check_events(follower.wire, &follower.channels, &follower.said)
    }

    /// Checks the same promise for the events of a stream of these channels.
    pub(crate) fn check_events(
        &self,
        wire: &str,
        channels: &[&str],
        said: &[StreamEvent],
    ) -> usize {
        let who = format!("{wire} of {channels:?}");
        // The positions that are still to come, by channel and by text.
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
                StreamEvent::Message(message) if message.cursor.is_empty() => {
                    let places = places.get(&*message.data).into_iter().flatten();
                    let mut later = places.skip_while(|seq| **seq <= at);
                    later.next().copied()
                }
                StreamEvent::Message(Message { cursor, .. }) | StreamEvent::Gap(_, _, cursor) => {
                    let (epoch, seq) = parts(cursor);
                    (epoch == self.epoch && seq > at).then_some(seq)
                }
                other => panic!("{who}: {other:?}"),
            };
            let mine = |entry: &&Entry| channels.contains(&&*entry.channel);
            let entry = seq.and_then(|seq| Some((seq, self.entries.get(&seq).filter(mine)?)));
            let Some((seq, entry)) = entry else {
                panic!("{who}: nothing like that comes after {at}: {said:?}")
            };
            let due = due.get_mut(&*entry.channel).expect(&who);
            let skipped = due.iter().take_while(|due| **due < seq).count();
            drop(due.drain(..=skipped));
            match said {
                StreamEvent::Gap(reason, missed, _) => {
                    // A gap has the position of the last message that it stands for.
                    let missing = skipped + 1;
                    assert_eq!(reason, "expired", "{who}");
                    let exact = missed.is_none_or(|missed| missed == missing as u64);
                    assert!(exact, "{who}: {missing} are missing: {said:?}");
                    gone += missing;
                }
                StreamEvent::Message(message) => {
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
