//! Every bound, with its reason and what it costs. Nothing in the program grows past these.
//!
//! What an operator may want to change is an option of the command line (`config.rs`), and the
//! number here is its default or its ceiling.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// --- names and messages ---------------------------------------------------------------------

/// Longest channel or event name. Names are in every message and in every index.
pub const NAME_BYTES: usize = 64;

/// Most channels in one stream: each costs a stream an entry in the wake-up lists.
pub const CHANNELS_IN_STREAM: usize = 64;

/// Longest message unless `--max-message` says otherwise.
pub const MESSAGE_BYTES: usize = 48 * KIB;

/// Highest `--max-message`. A follower that has stopped reading may hold one message, encoded
/// (up to six times its size), so this is also a bound on what it costs.
pub const MESSAGE_BYTES_CEILING: usize = MIB;

/// A letter takes up to nine bytes in a form (`%E4%BD%A0`), three for each of its own.
pub const FORM_FACTOR: usize = 3;

/// Request bodies in memory at the same time, all together. Past it an append gets 503: 20,000
/// senders of 48 KiB each would be a GiB.
pub const BODIES_BYTES: usize = 64 * MIB;

// --- the log --------------------------------------------------------------------------------

/// Messages kept a channel unless `--keep` says otherwise.
pub const KEEP_MESSAGES: usize = 10_000;

/// How long messages are kept unless `--keep-for` says otherwise.
pub const KEEP_FOR: Duration = Duration::from_hours(7 * 24);

/// What the memory store holds in all, with [`MESSAGE_OVERHEAD`] for each message: the channels
/// are many, so "a number a channel" alone would be no bound.
pub const MEMORY_LOG_BYTES: usize = 256 * MIB;

/// What a stored log holds in all, counted in the same way. Past it the oldest messages go: a disk
/// that is full refuses every append.
pub const STORED_LOG_BYTES: u64 = 64 * 1024 * MIB as u64;

/// Committed messages held in memory for the followers that are up to date. Each may hold an
/// encoding a wire on top, made when the first follower asks for it.
pub const TAIL_BYTES: usize = 8 * MIB;

/// What a message costs in memory beside its text: counted so that empty ones are not free.
pub const MESSAGE_OVERHEAD: usize = 512;

/// Names of channels whose messages are all gone that are remembered, so that a gap in one of
/// them can be told from a channel that never was. About 150 bytes each.
pub const EMPTY_CHANNELS: usize = 65_536;

/// Appends that wait for the writer. A full queue makes the senders wait, not the memory grow;
/// what they wait with is bounded by [`BODIES_BYTES`].
pub const APPEND_QUEUE: usize = 4096;

/// Most messages in one commit: enough that a commit's price is shared by all who wait, few
/// enough that the first of them is not held up by the last.
pub const BATCH_MESSAGES: usize = 1024;

/// Most text in one commit, for the same reason.
pub const BATCH_BYTES: usize = MIB;

/// How often messages past their age are looked for.
pub const RETAIN_EVERY: Duration = Duration::from_secs(1);

/// Messages that a stored log lets go of at a stretch: a few milliseconds, for which an append
/// may have to wait. (A commit lets go of as many as it brings, and so many more.)
pub const RETAIN_STEP: usize = 512;

/// Free pages (of 4 KiB) that the log's file may have however small it is; beyond these and a
/// quarter of the file it is made smaller, [`SHRINK_STEP`] pages at a stretch.
pub const FREE_PAGES: i64 = 1024;
/// See [`FREE_PAGES`].
pub const SHRINK_STEP: u32 = 64;

/// Connections that read the log's file, each on a thread of its own while it reads, with 2 MiB of
/// pages in memory. A few: they are there to wait for the disk, not to take the processors from
/// the streams.
pub const STORE_READERS: usize = 4;

/// Size of the write-ahead log beside the log's file at which it is emptied by force: readers that
/// overlap without end could else keep it growing.
pub const WAL_BYTES: u32 = 64 * 1024 * 1024;

/// How long another process may hold the lock of the log's file before appends are refused; and
/// how long it is waited for when they are refused already.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// See [`LOCK_TIMEOUT`].
pub const LOCK_TIMEOUT_REFUSING: Duration = Duration::from_millis(500);

// --- streams --------------------------------------------------------------------------------

/// Text gathered into one write of a stream. One write for all that is pending is what makes a
/// busy log cheap; the bound is what makes a slow follower cheap. A longer message goes alone.
pub const FRAME_BYTES: usize = 32 * KIB;

/// Writes of a stream that catches up before others on its thread have their turn.
pub const WRITES_AT_ONCE: usize = 8;

/// Most messages in one such write.
pub const FRAME_MESSAGES: usize = 512;

/// Followers woken in one go before others on their thread may run, at about 5 µs each; and so many
/// where a publisher is to go first.
pub const WAKE_SLICE: usize = 32;
/// See [`WAKE_SLICE`].
pub const WAKE_SLICE_OVERRUN: usize = 4;

/// A walk is late, and publishers go first, if it has come less than this part of its way (an eighth)
/// between two messages.
pub const OVERRUN_DIVISOR: usize = 8;

/// Tasks that a lane runs before it looks whether a socket has something to say.
pub const LANE_EVENTS: u32 = 16;

/// Followers of a channel on one lane that keep its processor for many milliseconds when they are
/// woken: a moment before, the sender gets its answer, and can go on if it is on this machine.
pub const CROWD_FOLLOWERS: usize = 2048;
/// See [`CROWD_FOLLOWERS`].
pub const CROWD_PAUSE: Duration = Duration::from_millis(1);

/// How often a quiet `text` or `html` stream shows a dot, unless `?heartbeat=` says otherwise.
pub const DOTS_EVERY: Duration = Duration::from_secs(1);

/// How often a quiet stream of another kind says that all is well, unless `--heartbeat` or
/// `?heartbeat=` says otherwise: what the HTML standard advises, below all idle limits in the field
/// (`CloudFront` has 30 s).
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);

/// The least and the most that `?heartbeat=` takes. Below a second it would be a load; above a
/// minute proxies (nginx, most load balancers: 60 s) take the line for dead.
pub const HEARTBEAT: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_mins(1);

/// How long a long poll waits unless `?wait=` says otherwise, and the most it may be told to:
/// nginx and most load balancers give up after 60 s.
pub const POLL_WAIT: Duration = Duration::from_secs(25);
/// See [`POLL_WAIT`].
pub const POLL_WAIT_MAX: Duration = Duration::from_mins(1);

/// By how much a long poll may end before its time, so that those who began together do not all
/// come back together.
pub const POLL_JITTER: f64 = 0.1;

/// After how many milliseconds an `EventSource` comes back, unless `?retry=` says otherwise.
pub const SSE_RETRY: u32 = 1000;

/// The longest `?retry=`, a day.
pub const SSE_RETRY_MAX: u32 = 24 * 60 * 60 * 1000;

/// The seconds after which an `EventSource` that was refused is told to come back: spread, or all of
/// them come back at once.
pub const SSE_RETRY_REFUSED: std::ops::RangeInclusive<u64> = 5..=30;

/// The seconds after which any other client that was refused because the server is at its limit of
/// connections is told to come back (`Retry-After`).
pub const RETRY_AFTER_FULL: std::ops::RangeInclusive<u64> = 2..=8;

/// The seconds after the end of the drain at which clients are told to come back: the time in which
/// another server takes over, spread so that they do not all come at once.
pub const RETRY_AFTER_STOP: std::ops::RangeInclusive<u64> = 2..=8;

/// After how many bytes a script frame ends, to be loaded anew: each script takes itself out of
/// the document, but what a browser keeps of a page that loads grows all the same.
pub const SCRIPT_FRAME_BYTES: usize = MIB;

/// `Idempotency-Key`s remembered, and for how long. About 250 bytes each; when there are more,
/// the oldest are forgotten before their time.
pub const IDEMPOTENCY_KEYS_MAX: usize = 100_000;
/// See [`IDEMPOTENCY_KEYS_MAX`].
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_mins(10);

/// Longest `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES: usize = 128;

/// Lines of an upload appended in one go.
pub const UPLOAD_LINES: usize = 256;

/// HTML that a browser is sent before it paints: Safari and old engines wait for about 1 KiB.
pub const PRELUDE_BYTES: usize = KIB;

// --- connections ----------------------------------------------------------------------------

/// Files kept free of connections: the store, the pages, standard streams, and the connections
/// that are told that there is no room.
pub const RESERVED_FILES: u64 = 128;

/// Connections past `--max-connections` that are answered (503) at the same time. More than
/// these are closed without a word.
pub const REFUSALS_MAX: usize = 64;

/// How long a client may take for a request's head, and may say nothing between two requests.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a client may take for a request's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take no byte of what is written to it before it is given up. A client that
/// reads slowly is not given up: a single byte within this time is enough. (A kernel whose buffer is
/// full reports room again only when a sixteenth of it is free, so a client with a buffer of 4 MiB
/// that reads less than 4 KiB a second counts as one that does not read.)
pub const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// How long the kernel waits for an acknowledgement of what was sent, or of its question whether the
/// other side is still there (`TCP_USER_TIMEOUT`). On Linux it takes the place of
/// [`KEEPALIVE_PROBES`], so it is as long as these take: one lost packet ends no connection.
pub const ACK_TIMEOUT: Duration = Duration::from_mins(1);

/// The silence after which the kernel asks whether the other side is still there.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// The time between two of the kernel's questions whether the other side is still there.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How often the kernel asks whether the other side is still there before it gives up.
pub const KEEPALIVE_PROBES: u32 = 3;

/// The kernel's send buffer of a connection (it doubles the number for its own book-keeping).
/// Left alone it grows to 4 MiB for a client that does not read.
pub const SEND_BUFFER: usize = 64 * KIB;

/// hyper's buffers of a connection, each: a request's head must fit, and a stream's frames wait
/// in it for the socket. The least that takes a [`FRAME_BYTES`] frame whole.
pub const HTTP_BUFFER: usize = 32 * KIB;

/// How long a connection whose request was refused before its body had been read is still read
/// from, so that the client sees the answer and not a reset connection. One whose last answer is
/// to have come for sure has this and [`STALL_TIMEOUT`].
pub const LINGER: Duration = Duration::from_secs(2);

/// The longest pause between two questions whether the kernel has closed a connection for good,
/// which takes as long as a packet there and back.
pub const CLOSE_PAUSE: Duration = Duration::from_millis(64);

/// Connections that wait to be accepted, in the kernel.
pub const BACKLOG: u32 = 4096;

/// The pause after `accept` failed for want of files or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long open streams have to end unless `--drain` says otherwise.
pub const DRAIN: Duration = Duration::from_secs(5);

/// What connections get on top of `--drain` to finish writing before they are cut.
pub const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// What a connection that came while the server was stopping gets to finish its answer.
pub const LATE_GRACE: Duration = Duration::from_millis(100);

// --- mailboxes ------------------------------------------------------------------------------

/// Longest name of a mailbox, in characters: a person's, in any script.
pub const MAILBOX_NAME_CHARS: usize = 100;

/// Room in a mailbox's form for all but the message: two names, a cursor, a duration.
pub const MAILBOX_FORM: usize = 4 * KIB;

/// Letters of a mailbox between the first that nobody has received yet and the last that was
/// handed out. Each costs a few bytes in memory and in every note of what was received; when there
/// are so many, the next is handed out when the first has been received or came back.
pub const MAILBOX_IN_FLIGHT_MAX: usize = 256;

/// The pause after the log did not take a note of what was received.
pub const MAILBOX_RETRY: Duration = Duration::from_secs(1);

// --- the chat -------------------------------------------------------------------------------

/// Longest form beside those that carry a text: a name and two passwords, each letter nine bytes.
pub const FORM_BYTES: usize = 16 * KIB;

/// Longest text in a conversation.
pub const CHAT_TEXT_BYTES: usize = 16 * KIB;

/// Messages of a conversation that are shown at once unless `?limit=` says otherwise.
pub const HISTORY_MESSAGES_DEFAULT: usize = 50;

/// The most that `?limit=` may say there.
pub const HISTORY_MESSAGES_MAX: usize = 200;

/// Text of such messages that is shown at once, however few they are then: an answer stays in
/// memory until its client has read it, and as JSON it may be six times as long.
pub const HISTORY_BYTES: usize = 256 * KIB;

/// Unread messages that are counted in a conversation: a page shows more as "99+".
pub const UNREAD_COUNTED_MAX: usize = 100;

/// For how long somebody may be without a stream and still be online: a reload, or the next long
/// poll, takes less.
pub const PRESENCE_GRACE: Duration = Duration::from_millis(700);

/// What is told of who comes and goes, in memory for those whose line has broken for a moment.
pub const PRESENCE_BYTES: usize = 16 * MIB;

/// How often a quiet stream of the chat says that all is well: more often than others, so that
/// whoever is gone without a word is offline after the time of an ordinary heartbeat.
pub const CHAT_HEARTBEAT: Duration = Duration::from_secs(5);

/// How long the kernel waits for an acknowledgement on a stream of the chat, in the place of
/// [`ACK_TIMEOUT`]: a client that vanished without closing is offline soon.
pub const PRESENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// The silence after which the kernel asks whether the client of such a stream is still there. With
/// [`CHAT_HEARTBEAT`] there is no such silence while the client answers.
pub const PRESENCE_KEEPALIVE_IDLE: Duration = Duration::from_secs(7);

/// The time between two of these questions.
pub const PRESENCE_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

// --- pages ----------------------------------------------------------------------------------

/// Browsers' sessions of `/receiver`. The one used longest ago makes room for a new one.
pub const RECEIVER_SESSIONS_MAX: usize = 10_000;

/// After how long without a request a session is forgotten.
pub const RECEIVER_SESSION_IDLE: Duration = Duration::from_mins(20);

/// Largest file that `--pages DIR` serves: they are read into memory for each request.
pub const PAGE_BYTES: u64 = 4 * 1024 * 1024;

// --- accounts -------------------------------------------------------------------------------

/// Longest name of an account, in characters: room for a family of emoji, and a line on a page.
pub const ACCOUNT_NAME_CHARS: usize = 32;

/// Shortest password, in characters (NIST SP 800-63B).
pub const PASSWORD_CHARS_MIN: usize = 8;

/// Longest password: more than anybody types, and nothing to hash beside what argon2 does.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// What a hash of a password costs, whoever asks for it: memory in KiB, and passes over it. OWASP's
/// "Password Storage Cheat Sheet" gives these for argon2id: 20 to 50 ms of a processor.
pub const HASH_KIB: u32 = 19 * 1024;
/// See [`HASH_KIB`].
pub const HASH_PASSES: u32 = 2;

/// Most hashes made at the same time, so 38 MiB; and never on more than half of the processors,
/// which are there for the streams.
pub const HASHES_AT_ONCE_MAX: usize = 2;

/// Passwords that wait for that, about a second's worth; past it they are told to try again.
pub const HASHES_WAITING: usize = 32;

/// Tries at a thing: so many at once, and one more each time this long has passed.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// After how long there is one more.
    pub every: Duration,
}

/// Wrong passwords for one name from one address: a person who tries all that they have ever had
/// is through before this, and who guesses gets 8,640 a day.
pub const LOGINS_OF_PAIR: Rate = Rate {
    burst: 10,
    every: Duration::from_secs(10),
};

/// Wrong passwords for any names from one address, which may be that of a whole school.
pub const LOGINS_FROM_ADDRESS: Rate = Rate {
    burst: 30,
    every: Duration::from_secs(3),
};

/// Wrong passwords for one name from all addresses: against guessing from many. It can be used up
/// to keep somebody from logging in, so it is wide; who is logged in already does not notice.
pub const LOGINS_OF_NAME: Rate = Rate {
    burst: 300,
    every: Duration::from_secs(1),
};

/// New accounts from one address: a class registers at the same time.
pub const REGISTRATIONS: Rate = Rate {
    burst: 40,
    every: Duration::from_secs(30),
};

/// Names, addresses and pairs of them whose tries are remembered, each. At most 1 KiB for each,
/// 100 bytes as a rule; when there are more, the one that tried longest ago may try afresh.
pub const RATE_LIMIT_KEYS: usize = 10_000;

/// Accounts. Each has a row of about 300 bytes, and those of its sessions and friends.
pub const ACCOUNTS_MAX: u32 = 100_000;

/// Sessions of an account, each a browser that is logged in; the oldest makes room for a new one.
pub const SESSIONS_OF_ACCOUNT: u32 = 20;

/// After how long without a request one has to log in again.
pub const LOGIN_IDLE: Duration = Duration::from_hours(30 * 24);

/// How long a browser keeps the cookie of a login: the most that it may (RFC 6265bis, section 5.5).
/// It is given once, so a shorter time would log out who comes every day.
pub const COOKIE_AGE: Duration = Duration::from_hours(400 * 24);

/// How exactly it is known when a session was used last: each time that is written is a commit.
pub const LOGIN_USED: Duration = Duration::from_hours(1);

/// Sessions that have run out are deleted when somebody logs in, so many at a time: more than
/// begin.
pub const LOGINS_FORGOTTEN: u32 = 16;

/// Friends of an account, with those asked and asking: a list that is shown at once.
pub const FRIENDS_MAX: u32 = 200;

/// Most channels of a stream that takes up new ones while it is open, about 200 bytes each: the
/// chat's, one for each friendship that has been made since, though some have ended. Past it the
/// stream ends, and comes back with those of the friends there are.
pub const GROWING_STREAM_CHANNELS_MAX: usize = 2 * FRIENDS_MAX as usize;

// What must hold between them.
const _: () = {
    assert!(MESSAGE_BYTES <= MESSAGE_BYTES_CEILING);
    assert!(MESSAGE_BYTES_CEILING <= BODIES_BYTES, "one body must fit");
    assert!(
        BODIES_BYTES <= u32::MAX as usize,
        "a semaphore hands out so many"
    );
    assert!(
        MESSAGE_BYTES_CEILING + MESSAGE_OVERHEAD <= TAIL_BYTES,
        "the newest message must fit the tail"
    );
    assert!(TAIL_BYTES <= MEMORY_LOG_BYTES);
    assert!(
        CHAT_TEXT_BYTES * 6 <= MESSAGE_BYTES_CEILING,
        "a text may take six times its bytes as JSON"
    );
    assert!(FRAME_BYTES <= HTTP_BUFFER);
    assert!(
        GROWING_STREAM_CHANNELS_MAX > FRIENDS_MAX as usize + 1,
        "a stream that has just begun takes up one more"
    );
    assert!(
        MAILBOX_IN_FLIGHT_MAX <= BATCH_MESSAGES,
        "the notes of what was received go together"
    );
    assert!(
        CHAT_HEARTBEAT.as_secs() + PRESENCE_TIMEOUT.as_secs() <= HEARTBEAT_EVERY.as_secs(),
        "whoever is gone is offline by then"
    );
    assert!(PRELUDE_BYTES <= FRAME_BYTES);
    assert!(
        ACK_TIMEOUT.as_secs()
            >= KEEPALIVE_IDLE.as_secs() + KEEPALIVE_PROBES as u64 * KEEPALIVE_INTERVAL.as_secs(),
        "one lost packet ends no connection"
    );
    assert!(
        PRESENCE_TIMEOUT.as_secs()
            >= PRESENCE_KEEPALIVE_IDLE.as_secs()
                + KEEPALIVE_PROBES as u64 * PRESENCE_KEEPALIVE_INTERVAL.as_secs(),
        "nor one of the chat"
    );
};
