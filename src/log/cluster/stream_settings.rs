//! What the engine and its stream must be like, and what is wrong with those that are there. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::log::Keep;

/// The oldest version of the engine whose replicas stay the same, whatever happens to them.
const VERSION_MIN: (u32, u32) = (2, 12);

/// What headers take besides the text of a message, in bytes.
const HEADER_BYTES: usize = 1024;

/// Where the stream has `--keep`, which each server's copy goes by.
const KEEP: &str = "forever-frame.keep";

/// What this server wants of the stream.
#[derive(Clone, Debug)]
pub struct StreamWishes {
    /// The stream's name, and what its subjects begin with.
    pub name: String,
    /// How many servers of the engine have each message.
    pub replicas: usize,
    /// How much is kept.
    pub keep: Keep,
    /// How many bytes all messages may take.
    pub keep_bytes: u64,
    /// The longest message.
    pub max_message: usize,
}

/// The settings of a stream, as the engine writes them.
#[expect(clippy::struct_excessive_bools, reason = "they are the engine's")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StreamSettings {
    pub(super) name: String,
    pub(super) subjects: Vec<String>,
    pub(super) retention: String,
    pub(super) storage: String,
    pub(super) discard: String,
    pub(super) num_replicas: usize,
    pub(super) max_age: u64,
    pub(super) max_bytes: i64,
    pub(super) max_msgs: i64,
    pub(super) max_msgs_per_subject: i64,
    pub(super) max_msg_size: i64,
    pub(super) max_consumers: i64,
    pub(super) duplicate_window: u64,
    pub(super) allow_direct: bool,
    pub(super) allow_atomic: bool,
    pub(super) deny_delete: bool,
    pub(super) deny_purge: bool,
    pub(super) allow_rollup_hdrs: bool,
    pub(super) sealed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) republish: Option<Republished>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// Where the engine sends what it has committed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Republished {
    pub(super) src: String,
    pub(super) dest: String,
    pub(super) headers_only: bool,
}

impl StreamWishes {
    /// The subjects under which committed messages are sent.
    pub(super) fn committed(&self) -> String {
        format!("{}-committed.>", self.name)
    }

    /// The settings with which the stream is made.
    pub(super) fn settings(&self) -> StreamSettings {
        let all = format!("{}.>", self.name);
        let window = limits::IDEMPOTENCY_WINDOW.min(self.keep.age);
        StreamSettings {
            name: self.name.clone(),
            subjects: vec![all.clone()],
            retention: "limits".to_owned(),
            storage: "file".to_owned(),
            discard: "old".to_owned(),
            num_replicas: self.replicas,
            max_age: nanos(self.keep.age),
            max_bytes: i64::try_from(self.keep_bytes).unwrap_or(i64::MAX),
            max_msgs: -1,
            max_msgs_per_subject: -1,
            max_msg_size: -1,
            max_consumers: -1,
            duplicate_window: nanos(window),
            allow_direct: true,
            allow_atomic: true,
            deny_delete: true,
            deny_purge: true,
            allow_rollup_hdrs: false,
            sealed: false,
            republish: Some(Republished {
                src: all,
                dest: self.committed(),
                headers_only: false,
            }),
            metadata: BTreeMap::from([(KEEP.to_owned(), self.keep.messages.to_string())]),
        }
    }

    /// Says what is wrong with a server of the engine, a sentence each.
    pub(super) fn faults_of_server(&self, version: &str, max_payload: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let mut numbers = version.split(['.', '-']).map(|n| n.parse::<u32>().ok());
        let number = (numbers.next().flatten(), numbers.next().flatten());
        let is_new = matches!(number, (Some(major), Some(minor)) if (major, minor) >= VERSION_MIN);
        if !is_new {
            let (major, minor) = VERSION_MIN;
            faults.push(format!(
                "the NATS server has version {version:?}; {major}.{minor} is the least, since the replicas \
                 of earlier ones can come to differ: install a newer nats-server"
            ));
        }
        let needed = self.max_message + HEADER_BYTES;
        if max_payload < needed {
            faults.push(format!(
                "the NATS server takes {max_payload} bytes a message (max_payload), and --max-message {} \
                 needs {needed}: raise the one or lower the other",
                self.max_message
            ));
        }
        faults
    }

    /// Says what is wrong with a stream, a sentence each.
    pub(super) fn faults(&self, found: &StreamSettings) -> Vec<String> {
        let mut faults = self.faults_of_kind(found);
        faults.extend(self.faults_of_bounds(found));
        let sentence = |fault| format!("the stream {:?} {fault}", found.name);
        faults.into_iter().map(sentence).collect()
    }

    /// Says what is wrong with what a stream does.
    fn faults_of_kind(&self, found: &StreamSettings) -> Vec<String> {
        let wanted = self.settings();
        let mut faults = Vec::new();
        let mut check = |is_right: bool, fault: String| {
            if !is_right {
                faults.push(fault);
            }
        };
        check(
            found.subjects == wanted.subjects,
            format!(
                "has the subjects {:?}, and not {:?}: choose another name with --cluster-stream",
                found.subjects, wanted.subjects
            ),
        );
        check(
            found.num_replicas >= self.replicas,
            format!(
                "has {} replicas, and {} are wanted, so that no acknowledged message is lost with a \
                 server: raise them (nats stream edit --replicas {1}), or say --cluster-replicas {0} if \
                 this is a trial",
                found.num_replicas, self.replicas
            ),
        );
        check(
            found.retention == "limits",
            format!(
                "has the retention {:?}, which takes messages out: make it \"limits\"",
                found.retention
            ),
        );
        check(
            found.storage == "file",
            format!("is stored in {:?}: make it \"file\"", found.storage),
        );
        check(
            found.discard == "old",
            format!(
                "refuses new messages when it is full (discard {:?}): make it \"old\"",
                found.discard
            ),
        );
        check(
            found.max_msgs_per_subject <= 0,
            format!(
                "has a bound of {} messages a subject, which makes holes in the log: remove it",
                found.max_msgs_per_subject
            ),
        );
        check(
            found.max_msgs <= 0,
            format!(
                "has a bound of {} messages: remove it, since --keep-for and --keep-bytes bound it",
                found.max_msgs
            ),
        );
        check(
            found.allow_direct,
            "does not let its replicas answer (allow_direct): allow it".to_owned(),
        );
        check(
            found.allow_atomic,
            "takes no batches (allow_atomic), in which uploads come: allow it".to_owned(),
        );
        check(
            found.deny_delete,
            "lets messages be deleted, which makes holes in the log: make it anew with deny_delete"
                .to_owned(),
        );
        check(
            found.deny_purge && !found.allow_rollup_hdrs,
            "lets messages be purged or rolled up: make it anew with deny_purge and without \
             allow_rollup_hdrs"
                .to_owned(),
        );
        check(!found.sealed, "is sealed: it takes no messages".to_owned());
        check(
            found.republish == wanted.republish,
            format!(
                "does not send what it has committed on as {:?} (republish): edit it",
                self.committed()
            ),
        );
        faults
    }

    /// Says what is wrong with how much a stream takes and keeps.
    fn faults_of_bounds(&self, found: &StreamSettings) -> Vec<String> {
        let wanted = self.settings();
        let mut faults = Vec::new();
        let mut check = |is_right: bool, fault: String| {
            if !is_right {
                faults.push(fault);
            }
        };
        let keep = &wanted.metadata[KEEP];
        let needed = i64::try_from(self.max_message + HEADER_BYTES).unwrap_or(i64::MAX);
        check(
            found.max_age == wanted.max_age,
            format!(
                "keeps messages for {}, and --keep-for says {}: give all servers the same, or edit the \
                 stream",
                duration(found.max_age),
                duration(wanted.max_age)
            ),
        );
        check(
            found.max_bytes == wanted.max_bytes,
            format!(
                "keeps {} bytes, and --keep-bytes says {}: give all servers the same, or edit the stream",
                found.max_bytes, wanted.max_bytes
            ),
        );
        check(
            found.metadata.get(KEEP).is_none_or(|own| own == keep),
            format!(
                "is for --keep {}, and this server has --keep {keep}: give all servers the same",
                found.metadata.get(KEEP).map_or("", String::as_str)
            ),
        );
        check(
            found.max_msg_size <= 0 || found.max_msg_size >= needed,
            format!(
                "takes {} bytes a message, and --max-message {} needs {needed}: raise the one or lower \
                 the other",
                found.max_msg_size, self.max_message
            ),
        );
        check(
            found.duplicate_window >= wanted.duplicate_window,
            format!(
                "knows message ids for {}, and {} are needed for Idempotency-Keys: raise its \
                 duplicate window",
                duration(found.duplicate_window),
                duration(wanted.duplicate_window)
            ),
        );
        faults
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(i64::MAX.cast_unsigned())
}

fn duration(nanos: u64) -> String {
    if nanos == 0 {
        return "ever".to_owned();
    }
    humantime::format_duration(Duration::from_nanos(nanos)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut StreamSettings);

    fn wishes() -> StreamWishes {
        StreamWishes {
            name: "log".to_owned(),
            replicas: 3,
            keep: Keep {
                messages: 1000,
                age: Duration::from_hours(1),
            },
            keep_bytes: 1 << 30,
            max_message: 48 * 1024,
        }
    }

    /// What is made is right, and each thing that is not is said in a sentence of its own.
    #[test]
    fn wrong_settings_are_said() {
        let right = wishes().settings();
        assert_eq!(wishes().faults(&right), [""; 0]);
        let wrong: [(&str, Change); 17] = [
            ("subjects", |s| s.subjects = vec!["x.>".to_owned()]),
            ("replicas", |s| s.num_replicas = 1),
            ("retention", |s| s.retention = "workqueue".to_owned()),
            ("stored", |s| s.storage = "memory".to_owned()),
            ("discard", |s| s.discard = "new".to_owned()),
            ("a subject", |s| s.max_msgs_per_subject = 5),
            ("5 messages", |s| s.max_msgs = 5),
            ("--keep-for", |s| s.max_age += 1),
            ("--keep-bytes", |s| s.max_bytes = -1),
            ("--keep 1000", |s| {
                s.metadata.insert(KEEP.to_owned(), "5".to_owned());
            }),
            ("--max-message", |s| s.max_msg_size = 1000),
            ("duplicate window", |s| s.duplicate_window /= 5),
            ("allow_direct", |s| s.allow_direct = false),
            ("allow_atomic", |s| s.allow_atomic = false),
            ("deny_delete", |s| s.deny_delete = false),
            ("deny_purge", |s| s.allow_rollup_hdrs = true),
            ("republish", |s| s.republish = None),
        ];
        for (word, make_wrong) in wrong {
            let mut found = right.clone();
            make_wrong(&mut found);
            let faults = wishes().faults(&found);
            assert_eq!(faults.len(), 1, "{word}: {faults:?}");
            assert!(faults[0].contains(word), "{word}: {faults:?}");
        }
    }

    /// The engine's version and its longest message count.
    #[test]
    fn wrong_servers_are_said() {
        let count = |version, max| wishes().faults_of_server(version, max).len();
        assert_eq!(count("2.12.8", 1 << 20), 0);
        assert_eq!(count("3.0.0-beta", 1 << 20), 0);
        for version in ["2.9.10", "2.11.0", "1.20", "", "new"] {
            assert_eq!(count(version, 1 << 20), 1, "{version}");
        }
        assert_eq!(count("2.15.1", 48 * 1024), 1);
    }
}
