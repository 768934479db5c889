//! Bounds of a log that several servers share.

use std::time::Duration;

use super::MIB;

/// What may wait for the writer of a copy: a batch, and the questions of those who append.
pub const COPY_WORK_MAX: usize = 64;

/// How long an append is tried until it is said that its outcome is not known: longer than the engine takes
/// to elect a leader (4 to 9 s), and shorter than the 30 s after which many clients give up.
pub const CLUSTER_APPEND_TIMEOUT: Duration = Duration::from_secs(20);

/// How long one try of an append waits for its answer. It is known after that only that nothing is known.
pub const CLUSTER_TRY_TIMEOUT: Duration = Duration::from_secs(1);

/// How much longer each message of a batch makes a try wait: earlier servers sync each one by itself.
pub const CLUSTER_MESSAGE_TIMEOUT: Duration = Duration::from_millis(5);

/// The pause between two tries of an append.
pub const CLUSTER_TRY_PAUSE: Duration = Duration::from_millis(100);

/// Tries without a leader until it is said that there is none: one that was just elected takes messages a
/// moment later than it answers questions.
pub const CLUSTER_LEADER_TRIES: u64 = 10;

/// Messages in one batch that the engine takes as a whole: it takes no more than 1000.
pub const CLUSTER_BATCH_MESSAGES_MAX: usize = 1000;

/// Batches of uploads that a server has under way at once: the engine takes 50 of all servers.
pub const CLUSTER_BATCHES_MAX: usize = 12;

/// Messages in one answer to a fill: the engine sends them without waiting for the reader.
pub const CLUSTER_FILL_MESSAGES: usize = 1000;

/// Text in one answer to a fill.
pub const CLUSTER_FILL_BYTES: usize = MIB;

/// How long a fill may say nothing until another server is asked, too.
pub const CLUSTER_FILL_TIMEOUT: Duration = Duration::from_millis(300);

/// Fills under way at once while one has failed: a server may hang, and its place is not known.
pub const CLUSTER_FILLS_MAX: usize = 2;

/// How long an entry that must be there is waited for until it is asked for.
pub const CLUSTER_QUIET: Duration = Duration::from_millis(100);

/// How often it is looked whether something is missing.
pub const CLUSTER_TICK: Duration = Duration::from_millis(50);

/// Entries that wait to be written into the copy; the rest is asked for again.
pub const CLUSTER_BUFFER_MESSAGES: usize = 10_000;

/// Bytes of the entries that wait to be written into the copy.
pub const CLUSTER_BUFFER_BYTES: usize = 16 * MIB;

/// Entries that are written into the copy at once.
pub const CLUSTER_APPLY_MESSAGES: usize = 2048;

/// Messages that the connection holds until they are looked at; what is too much is asked for again. It is
/// more than two fills bring.
pub const CLUSTER_SUBSCRIPTION_MESSAGES: usize = 4096;

/// How often the engine is asked how far its log has come.
pub const CLUSTER_INFO_INTERVAL: Duration = Duration::from_secs(1);

/// How long a copy may lag until its server is not ready: longer than the answers of the engine take on a
/// machine under load.
pub const CLUSTER_LAG_MAX: Duration = Duration::from_secs(5);

/// How long a follower whose cursor is ahead of the copy is waited for.
pub const CLUSTER_CURSOR_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the engine has to say that it has less than the copy until it is believed: a leader that was
/// just elected may not know the end of its log.
pub const CLUSTER_LOSS_ANSWERS: u32 = 10;

/// How long a server waits for the engine before it starts with what its copy has.
pub const CLUSTER_START_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause before a write that failed is tried again.
pub const CLUSTER_WRITE_PAUSE: Duration = Duration::from_secs(1);

/// How long a connection to the engine may take.
pub const CLUSTER_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a connection to the engine is tried out: one that hangs is noticed after three of these.
pub const CLUSTER_PING_INTERVAL: Duration = Duration::from_secs(1);
