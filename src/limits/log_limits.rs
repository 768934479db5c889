//! The bounds of the log: what it keeps, what a commit and a step of retention may do, and what its
//! file takes.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::MIB;

/// Messages kept per channel unless `--keep` says otherwise.
pub const KEEP_MESSAGES_DEFAULT: usize = 1_000_000;

/// How long messages are kept unless `--keep-for` says otherwise.
pub const KEEP_FOR_DEFAULT: Duration = Duration::from_hours(7 * 24);

/// What all channels of a log in memory keep together unless `--keep-bytes` says otherwise, counting
/// [`MESSAGE_OVERHEAD_BYTES`] for each message. There may be many channels, so a number per channel
/// alone would be no bound.
pub const MEMORY_LOG_BYTES_DEFAULT: usize = 256 * MIB;

/// What all channels of a stored log keep together unless `--keep-bytes` says otherwise, counting
/// [`MESSAGE_OVERHEAD_BYTES`] for each message: anybody who may append can fill what there is.
pub const STORED_LOG_BYTES_DEFAULT: u64 = 4 * 1024 * MIB as u64;

/// Committed messages held in memory for the followers that are up to date. Each message may also
/// hold its bytes in each encoding, made when the first follower asks for it.
pub const TAIL_BYTES: usize = 8 * MIB;

/// What a message costs in memory besides its text. It is counted so that empty messages are not
/// free.
pub const MESSAGE_OVERHEAD_BYTES: usize = 512;

/// Remembered channels whose messages have all been deleted: a gap in such a channel can be told
/// from a channel that never was. About 150 bytes each.
pub const EMPTY_CHANNELS_MAX: usize = 65_536;

/// Appends that wait for the log's writer. A full queue makes the senders wait instead of the
/// memory grow; the messages that they wait with are bounded by [`BODIES_BYTES`](super::BODIES_BYTES).
pub const QUEUED_APPENDS_MAX: usize = 4096;

/// Most messages in one commit: enough that all waiting senders share the price of a commit, few
/// enough that the first of them is not held up by the last.
pub const BATCH_MESSAGES_MAX: usize = 2048;

/// Most text in one commit: enough that all waiting senders share the price of a commit, little
/// enough that the first of them is not held up by the last.
pub const BATCH_BYTES_MAX: usize = MIB;

/// How often the log looks for messages past their age.
pub const RETAIN_INTERVAL: Duration = Duration::from_secs(1);

/// Messages, keys or channels that one step of retention handles in a stored log: a few
/// milliseconds, for which an append may have to wait. (A commit deletes as many messages as it
/// appends, and at most this many more.)
pub const RETAIN_STEP_ROWS: usize = 512;

/// Messages past their age that one step of retention deletes in a stored log: commits and steps take
/// turns, so it is twice what a commit may add, and messages expire as fast as new ones can come.
pub const EXPIRE_STEP_ROWS: usize = 2 * BATCH_MESSAGES_MAX;

/// Text and overhead of the messages that one step of retention deletes in a stored log, besides the
/// first: each of their pages is looked at. (A commit deletes as much as it appends, and at most this
/// much more.)
pub const RETAIN_STEP_BYTES: u64 = 4 * MIB as u64;

/// Space next to a stored log that is given up when the disk is full, so that something can be
/// deleted: the write-ahead log up to where it is written into the file (4 MiB), a commit, and the
/// deletions.
pub const DISK_RESERVE_BYTES: u64 = 8 * MIB as u64;

/// The least of [`DISK_RESERVE_BYTES`] that is of use, on a small disk.
pub const DISK_RESERVE_BYTES_MIN: u64 = MIB as u64;

/// How often [`DISK_RESERVE_BYTES`] are tried to be taken when the disk had not as much.
pub const DISK_RESERVE_INTERVAL: Duration = Duration::from_secs(30);

/// Messages that one step deletes on a disk that is full: the pages that it changes have to fit the
/// space of the write-ahead log.
pub const SHORTAGE_STEP_ROWS: usize = 128;

/// Free pages (of 4 KiB) that the log's file may have however small it is. When it has more than
/// these and than a quarter of its pages, it is made smaller.
pub const FREE_PAGES_MAX: i64 = 1024;

/// Free pages (of 4 KiB) that the log's file gives back to the system in one step, for which an
/// append may have to wait.
pub const VACUUM_STEP_PAGES: u32 = 64;

/// Messages that one read of a stored log goes back at most to find where `since=-N` begins: a few
/// milliseconds, after which other readers have their turn.
pub const LOCATE_STEP_ROWS: u64 = 4096;

/// Connections that read the log's file, each on a thread of its own while it reads, with 2 MiB of
/// pages in memory. They are few: they are there to wait for the disk, not to take the processors
/// from the streams.
pub const STORE_READERS_MAX: usize = 4;

/// Size of the write-ahead log at which it is emptied by force: readers that overlap without end
/// could otherwise keep it growing.
pub const WAL_BYTES: u32 = 64 * 1024 * 1024;

/// How long another process may hold the lock of the log's file before appends are refused.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an append waits for the lock of the log's file while appends are refused because
/// another process holds it: senders then get their refusal soon.
pub const LOCK_TIMEOUT_REFUSING: Duration = Duration::from_millis(500);

/// How long a read of the store that has failed is held back before its reader is told. A client
/// that asks again at once would otherwise do so thousands of times a second.
pub const READ_FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How often a read that has failed is tried again, to find out whether the store can be read.
pub const READ_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a read must have failed, while the newest messages can be read, before a part of the log
/// counts as damaged for good. Until then the server is not ready.
pub const READ_DAMAGE_TIME: Duration = Duration::from_secs(30);

/// Errors of one kind that clients can cause are reported in the server's own log once in this
/// interval.
pub const ERROR_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// What the pages of the past may take that readers have in common while they lag: 100,000 short
/// messages, for clients that all read them from the beginning.
pub const SHARED_PAGES_BYTES: usize = 48 * MIB;

/// How long such a page is kept that no reader asks for: those that began together are not further apart.
pub const SHARED_PAGE_UNASKED: Duration = Duration::from_secs(10);

/// Pages of which it is remembered that they have been asked for once, at about 0.1 KiB each: more than
/// the other bound has room for, if messages are short.
pub const SHARED_PAGES_ASKED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Channels of patterns for each of which a follower begins at a position of its own, at about 40 bytes
/// each until it has caught up. Beyond it `since=each` is refused, and a follower from the beginning may
/// be told of a gap where messages had been trimmed before it came.
pub const KNOWN_CHANNELS_MAX: usize = 4096;

/// Channels that one read of the store looks up one by one: a few milliseconds. Where a pattern has more,
/// the messages of all channels are read, and those that are not wanted are passed over.
pub const PAGE_CHANNELS_MAX: usize = 256;

/// Messages that one read of the store passes over at most: a few milliseconds, after which other readers
/// have their turn.
pub const SCAN_MESSAGES_MAX: usize = 8192;

/// The closes that a reader of many channels looks at for one page. They are small.
pub const PAGE_CLOSES_MAX: usize = 1024;

/// The closed channels of which the tail knows, or a stored log knows without a look at its file: about
/// 200 bytes each. A reader of what was before the oldest of them reads the store.
pub const KNOWN_CLOSES_MAX: usize = 16_384;

/// Channels that one request lists at most, at about 200 bytes each.
pub const LIST_CHANNELS_MAX: usize = 1000;
