//! Every bound of the program, with its reason and what it costs. Nothing grows past these.
//!
//! What an operator may want to change is an option of the command line (`config.rs`); the number
//! here is then the option's default (`…_DEFAULT`) or its ceiling (`…_MAX`). A bound on
//! the size or the number of single things ends in `…_MAX`, too; a name without such a word is a
//! budget that many share, or a size at which work is cut into parts. The unit stands before such a word.

mod access_limits;
mod accounts;
mod budgets;
mod clock_limits;
mod cluster_limits;
mod color_limits;
mod follow_limits;
mod h2_limits;
mod key_limits;
mod log_limits;
mod service_limits;
mod tls_limits;

use std::time::Duration;

pub use access_limits::*;
pub use accounts::*;
pub use budgets::*;
pub use clock_limits::*;
pub use cluster_limits::*;
pub use color_limits::*;
pub use follow_limits::*;
pub use h2_limits::*;
pub use key_limits::*;
pub use log_limits::*;
pub use service_limits::*;
pub use tls_limits::*;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// --- names and messages ---------------------------------------------------------------------

/// Longest channel or event name. Names are in every message and in every index.
pub const NAME_BYTES_MAX: usize = 64;

/// Most channels in one stream: each costs the stream an entry in the wake-up lists, about 0.1 KiB, and
/// 0.3 KiB more if nobody else follows the channel.
pub const STREAM_CHANNELS_MAX: usize = 64;

/// Longest message unless `--max-message` says otherwise.
pub const MESSAGE_BYTES_DEFAULT: usize = 48 * KIB;

/// Highest `--max-message`. An encoded message may have six times its size, and the elements of its
/// colours ([`COLORED_RUNS_MAX`]), and must fit one address's share of [`UNSENT_BYTES`].
pub const MESSAGE_BYTES_MAX: usize = MIB;

/// How many times longer a text may become in a form: a character takes up to nine bytes
/// (`%E4%BD%A0`), three for each of its own.
pub const FORM_ENCODING_FACTOR: usize = 3;

// --- diagnostics ----------------------------------------------------------------------------

/// Longest text of a line on standard error; a longer one is cut. Much of it may come from a client.
pub const DIAGNOSTIC_BYTES_MAX: usize = 2 * KIB;

/// Lines that one place in the program may write to standard error in a second; the others are
/// counted. A client that can cause a line can cause thousands.
pub const DIAGNOSTICS_PER_SECOND_MAX: u32 = 10;

/// Lines that wait for standard error, all together: what the program says in a bad minute. Past
/// this they are dropped and counted.
pub const DIAGNOSTICS_BYTES: usize = 256 * KIB;

/// How long the end of the process waits for standard error to take the last lines.
pub const DIAGNOSTICS_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause before a standard stream that is full, and does not block, is tried again.
pub const STANDARD_STREAM_PAUSE: Duration = Duration::from_millis(10);

/// Most lines of a panic's backtrace.
pub const BACKTRACE_LINES_MAX: usize = 400;

// --- streams --------------------------------------------------------------------------------

/// Text gathered into one frame, which is one write of a stream. One write for all that is pending
/// makes a busy log cheap; the bound makes a slow follower cheap. A longer message goes alone.
pub const FRAME_BYTES: usize = 32 * KIB;

/// Writes of a stream that catches up before other streams on its thread have their turn.
pub const WRITES_AT_ONCE: usize = 8;

/// Bytes of a stream that catches up before other streams on its thread have their turn, even if that
/// is a single write: to encode a long message takes time.
pub const BYTES_AT_ONCE: usize = WRITES_AT_ONCE * FRAME_BYTES;

/// Streams of a lane that catch up at the same time, [`BYTES_AT_ONCE`] each in their turn: what is new
/// waits for no more than these.
pub const CATCH_UP_TURNS: usize = 2;

/// Most messages in one frame, which is one write of a stream.
pub const FRAME_MESSAGES: usize = 512;

/// Followers told of a message in one slice, at about 5 µs each, before other tasks on their thread may
/// run.
pub const WAKE_SLICE: usize = 64;

/// Followers told in one slice, at about 5 µs each, while publishers are to go first: when a round
/// is overrun, or when an append waits for another thread.
pub const WAKE_SLICE_OVERRUN: usize = 4;

/// Followers of a crowd that are looked at in one slice, and requests to it that are taken, before other
/// tasks on their thread may run.
pub const CROWD_SLICE: usize = 64;

/// How exactly a crowd keeps the time of heartbeats and ends: none is early, or later than this.
pub const CROWD_TICK: Duration = Duration::from_millis(10);

/// Ticks after which every follower of a crowd is looked at, 10 s: longer than most heartbeats take, and
/// a list of 24 bytes each.
pub const CROWD_TICKS: usize = 1024;

/// Slots that are looked at for each follower that may be woken in a slice, at a few ns each: a channel
/// whose followers have left has empty slots.
pub const WAKE_LOOKS: usize = 64;

/// A round of wake-ups is overrun if fewer than one in this many of the followers (an eighth) were
/// woken before the next message. Publishers then get the processor first.
pub const OVERRUN_DIVISOR: usize = 8;

/// Tasks that a lane runs before it polls its sockets for events.
pub const LANE_EVENT_INTERVAL: u32 = 16;

/// Followers of a channel on one lane that are a crowd: to wake them takes many milliseconds of the
/// lane's processor. Before that the lane waits for [`CROWD_PAUSE`].
pub const CROWD_FOLLOWERS: usize = 2048;

/// The pause before a lane wakes [`CROWD_FOLLOWERS`] or more. In it the publisher gets its answer,
/// and can go on if it runs on this machine.
pub const CROWD_PAUSE: Duration = Duration::from_millis(1);

/// How often a quiet `text` or `html` stream shows a dot unless `?heartbeat=` says otherwise.
pub const DOT_INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// Interval between the heartbeats of a quiet stream that shows no dots, unless `--heartbeat` or
/// `?heartbeat=` says otherwise. It is what the HTML standard advises, and below all idle limits in
/// the field (`CloudFront` has 30 s).
pub const HEARTBEAT_INTERVAL_DEFAULT: Duration = Duration::from_secs(15);

/// How long a long poll waits unless `?wait=` says otherwise.
pub const POLL_WAIT_DEFAULT: Duration = Duration::from_secs(25);

/// The longest `?wait=` of a long poll: nginx and most load balancers give up after 60 s.
pub const POLL_WAIT_MAX: Duration = Duration::from_mins(1);

/// The part of its time by which a long poll may end early, so that clients that began together do
/// not all come back together.
pub const POLL_JITTER: f64 = 0.1;

/// After how many milliseconds an `EventSource` reconnects unless `?retry=` says otherwise.
pub const SSE_RETRY_MS_DEFAULT: u32 = 3000;

/// The longest `?retry=`, in milliseconds: a day.
pub const SSE_RETRY_MS_MAX: u32 = 24 * 60 * 60 * 1000;

/// The seconds after which a refused `EventSource` is told to reconnect: spread, since otherwise all
/// of them would come at once.
pub const SSE_RETRY_REFUSED_SECONDS: std::ops::RangeInclusive<u64> = 5..=30;

/// The seconds after which any other client that was refused because the server is at its limit of
/// connections is told to come back (`Retry-After`).
pub const RETRY_AFTER_FULL_SECONDS: std::ops::RangeInclusive<u64> = 2..=8;

/// The shortest `--rotate`: below, clients would do little but come back.
pub const ROTATE_MIN: Duration = Duration::from_secs(1);

/// The part of `--rotate` by which a stream may end earlier, so that streams that began together do
/// not all come back together.
pub const ROTATE_JITTER: f64 = 0.2;

/// After how long the client of a stream that ended because it had become too old or too long is told
/// to come back: the server is there, and these ends are spread.
pub const RETRY_AFTER_ROTATE: Duration = Duration::from_millis(250);

/// The seconds after the end of the drain at which clients are told to come back: the time in which
/// another server takes over, spread so that they do not all come at once.
pub const RETRY_AFTER_STOP_SECONDS: std::ops::RangeInclusive<u64> = 2..=8;

/// After how many bytes a script frame (a hidden iframe) ends, to be loaded anew. Each script
/// removes itself from the document, but what a browser keeps of a loading page grows all the same.
pub const SCRIPT_FRAME_BYTES: usize = MIB;

/// HTML that a browser is sent before it paints: Safari and old engines wait for about 1 KiB.
pub const PRELUDE_BYTES: usize = KIB;

// --- connections ----------------------------------------------------------------------------

/// Open files that are reserved for other uses than connections: the store, the pages, standard
/// streams, and the connections that are refused because the server is full.
pub const RESERVED_FILES: u64 = 128;

/// Connections past `--max-connections` that are answered at the same time: with 503, or with what an
/// operator asks for. When there are more the oldest is closed.
pub const REFUSALS_MAX: usize = 64;

/// Longest name of a host, in a request or an option (RFC 1035, section 2.3.4).
pub const HOST_BYTES_MAX: usize = 255;

/// How long a client may take for a request's head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a connection may be idle between two requests unless `--keep-alive` says otherwise: as
/// long as nginx's, and longer than the minute after which most load balancers close theirs.
pub const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(75);

/// Longest target of a request. The longest that is needed names [`STREAM_CHANNELS_MAX`] channels.
pub const URL_BYTES_MAX: usize = 16 * KIB;

/// Longest head of a request. hyper keeps it in its buffer, and would refuse without a word what does
/// not fit that.
pub const HEAD_BYTES_MAX: usize = 20 * KIB;

/// How long a client may take for a request's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take no byte of what is written to it before it is given up. A client that
/// reads slowly is not given up: a single byte within this time is enough. (The client's kernel,
/// when its receive buffer is full, reports room again only when a sixteenth of it is free, so a client
/// with a buffer of 4 MiB that reads less than 4 KiB a second counts as one that does not read.)
pub const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// How long the kernel waits for an acknowledgement of what was sent, or of its probe whether the
/// peer is still there (`TCP_USER_TIMEOUT`). On Linux it takes the place of [`KEEPALIVE_PROBES`], so
/// it is as long as these take: one lost packet breaks no connection. It was seen to end
/// streams of clients that read slowly into a buffer of 2 KiB, while the server's own writes were not blocked.
pub const ACK_TIMEOUT: Duration = Duration::from_mins(1);

/// After how much silence the kernel probes whether the peer is still there (`TCP_KEEPIDLE`).
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// How long the kernel waits between two of its probes (`TCP_KEEPINTVL`).
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How many unanswered probes break a connection (`TCP_KEEPCNT`).
pub const KEEPALIVE_PROBES: u32 = 3;

/// The kernel's send buffer of a connection (it doubles the number for its own book-keeping).
/// Left alone it grows to 4 MiB for a client that does not read.
pub const SEND_BUFFER_BYTES: usize = 64 * KIB;

/// Each of hyper's buffers of a connection: a request's head must fit, and a stream's frames wait
/// in it for the socket. This is the least that takes a frame of [`FRAME_BYTES`] whole.
pub const HTTP_BUFFER_BYTES: usize = 32 * KIB;

/// How long a connection that this side has closed is still read from, so that its client sees the
/// last answer, or an orderly end, and not a reset connection. A connection whose last
/// answer must be known to have arrived has [`STALL_TIMEOUT`] on top.
/// The end of the server does not wait for it.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// Heartbeats that a stream sends before anything else when its client has closed its sending side: a
/// client that has left answers the first by a reset. A proxy in between (Varnish, in pipe mode)
/// notices that when it writes the second, and then answers the third by a reset.
pub const HALF_CLOSE_HEARTBEATS: u32 = 3;

/// How long a stream holds its messages after each of these heartbeats: the reset comes within one
/// round trip.
pub const HALF_CLOSE_HOLD: Duration = Duration::from_millis(300);

/// The longest pause between two checks whether a client that has closed its sending side is gone.
pub const HALF_CLOSE_POLL_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// The longest pause between two checks whether the kernel has closed a connection for good,
/// which takes one round trip.
pub const CLOSE_POLL_INTERVAL_MAX: Duration = Duration::from_millis(64);

/// Most addresses of a name that are listened on.
pub const LISTENERS_MAX: usize = 16;

/// How often a free port is looked for that is free at all addresses of a name.
pub const FREE_PORT_TRIES: u32 = 16;

/// Connections that wait in the kernel to be accepted.
pub const ACCEPT_BACKLOG: u32 = 4096;

/// The pause after `accept` failed for want of files or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long open streams have to end unless `--drain` says otherwise.
pub const DRAIN_DEFAULT: Duration = Duration::from_secs(5);

/// What connections get on top of `--drain` to finish writing before they are cut.
pub const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// The most that connections get on top of `--drain` while others still come to their end, on a
/// machine that is busy. With the default drain, the process has ended before the ten seconds after
/// which a container is killed.
pub const DRAIN_GRACE_MAX: Duration = Duration::from_secs(4);

/// What requests that are on their way get, after the last stream of a stopping server has ended, to
/// be answered; and then what their answers get to be written.
pub const LATE_GRACE: Duration = Duration::from_millis(100);

// --- mailboxes ------------------------------------------------------------------------------

/// Longest name of a mailbox, in characters: a person's name in any script fits.
pub const MAILBOX_NAME_CHARS_MAX: usize = 100;

/// Size of a mailbox's form without the message: two names, a cursor, a duration.
pub const MAILBOX_FORM_BYTES_MAX: usize = 4 * KIB;

/// Letters of a mailbox from the first that is not acknowledged to the last that was delivered.
/// Each costs a few bytes in memory and in every stored ack state. At this many, the next letter is
/// delivered when the first has been acknowledged or returned.
pub const MAILBOX_IN_FLIGHT_MAX: usize = 256;

/// Letters, of all mailboxes, that are remembered to have returned: eight bytes each, and as many as
/// a proxy's connections can mix up at once. A letter that is forgotten may return once more.
pub const MAILBOX_RETURNED_MAX: usize = 1024;

/// The pause before a mailbox's ack state is appended again, after the log did not take it.
pub const MAILBOX_RETRY_PAUSE: Duration = Duration::from_secs(1);

// --- the clock ------------------------------------------------------------------------------

/// Ticks of the clock that are kept: more than are younger than [`CLOCK_KEEP_FOR`].
pub const CLOCK_TICKS_MAX: usize = 10;

/// How long a tick of the clock is kept: a new watcher sees the last one at once, unless it is older
/// than this.
pub const CLOCK_KEEP_FOR: Duration = Duration::from_secs(2);

/// The memory that all ticks of the clock together may take; it is never reached.
pub const CLOCK_LOG_BYTES: usize = 64 * KIB;

// --- the chat -------------------------------------------------------------------------------

/// Longest form that carries no message: a name and two passwords, each character nine bytes.
pub const FORM_BYTES_MAX: usize = 16 * KIB;

/// Longest text in a conversation.
pub const CHAT_TEXT_BYTES_MAX: usize = 16 * KIB;

/// Messages of a conversation that are shown at once unless `?limit=` says otherwise.
pub const HISTORY_MESSAGES_DEFAULT: usize = 50;

/// The highest `?limit=` of messages of a conversation that are shown at once.
pub const HISTORY_MESSAGES_MAX: usize = 200;

/// Text of a conversation that is shown at once, however few messages that is: an answer stays in
/// memory until its client has read it, and as JSON it may be six times as long.
pub const HISTORY_BYTES: usize = 256 * KIB;

/// Unread messages that are counted in a conversation: a page shows more as "99+".
pub const UNREAD_COUNTED_MAX: usize = 100;

/// For how long an account may be without a stream and still be online: a reload, or the next long
/// poll, takes less.
pub const PRESENCE_GRACE: Duration = Duration::from_millis(700);

/// Presence events held in memory, for clients whose connection breaks for a moment.
pub const PRESENCE_BYTES: usize = 16 * MIB;

/// How long a change of presence is kept for clients whose connection has broken. A client that
/// reconnects later gets a gap, and loads the whole overview.
pub const PRESENCE_KEEP_FOR: Duration = Duration::from_mins(1);

/// Interval between the heartbeats of a quiet stream of the chat. It is shorter than that of other
/// streams, so that an account whose client vanished is offline after the time of an ordinary
/// heartbeat.
pub const CHAT_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// For how long the client of a chat stream may leave sent bytes unacknowledged
/// (`TCP_USER_TIMEOUT`, in the place of [`ACK_TIMEOUT`]) before its account is offline.
pub const PRESENCE_TIMEOUT: Duration = Duration::from_secs(10);

/// After how much silence the kernel probes whether the client of a chat stream is still there. With
/// [`CHAT_HEARTBEAT_INTERVAL`] there is no such silence while the client answers.
pub const PRESENCE_KEEPALIVE_IDLE: Duration = Duration::from_secs(7);

/// How long the kernel waits between two of these probes.
pub const PRESENCE_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// Most channels of a stream that adds channels while it is open, about 200 bytes each: the chat's,
/// with one for each friendship made since, though some have ended. Past this the stream ends, and
/// its client reconnects with the channels of its present friends.
pub const GROWING_STREAM_CHANNELS_MAX: usize = 2 * FRIENDS_MAX as usize;

// --- pages ----------------------------------------------------------------------------------

/// Sessions of `/receiver` of browsers that have shown their cookie, and as many of other clients: about
/// 200 bytes each. Of the former each address has a share; of the latter the one used longest ago makes
/// room for a new one.
pub const RECEIVER_SESSIONS_MAX: usize = 10_000;

/// After how long without a request a session of `/receiver` is forgotten.
pub const RECEIVER_SESSION_IDLE_TIMEOUT: Duration = Duration::from_mins(20);

/// Largest file that `--pages DIR` serves: such files are read into memory for each request.
pub const PAGE_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

// The relations that must hold between the bounds.
const _: () = {
    assert!(
        7 * MESSAGE_BYTES_MAX <= UNSENT_BYTES / 4,
        "the longest message, encoded, must fit the share of each of three addresses"
    );
    assert!(MESSAGE_BYTES_DEFAULT <= MESSAGE_BYTES_MAX);
    assert!(
        2 * (MESSAGE_BYTES_MAX * FORM_ENCODING_FACTOR + MAILBOX_FORM_BYTES_MAX) <= BODIES_BYTES / 2,
        "the longest form must fit one address's share, as it came and decoded"
    );
    assert!(
        MESSAGE_BYTES_MAX + MESSAGE_OVERHEAD_BYTES <= TAIL_BYTES,
        "the newest message must fit the tail"
    );
    assert!(TAIL_BYTES <= MEMORY_LOG_BYTES_DEFAULT);
    assert!(
        CHAT_TEXT_BYTES_MAX * 6 <= MESSAGE_BYTES_MAX,
        "a text may take six times its bytes as JSON"
    );
    assert!(FRAME_BYTES <= HTTP_BUFFER_BYTES);
    assert!(
        STREAM_CHANNELS_MAX * (NAME_BYTES_MAX + 1) < URL_BYTES_MAX,
        "a stream of the most channels can be asked for"
    );
    assert!(URL_BYTES_MAX < HEAD_BYTES_MAX && HEAD_BYTES_MAX < HTTP_BUFFER_BYTES);
    assert!(
        GROWING_STREAM_CHANNELS_MAX > FRIENDS_MAX as usize + 1,
        "a stream that has just begun can add a channel"
    );
    assert!(
        MAILBOX_IN_FLIGHT_MAX <= BATCH_MESSAGES_MAX,
        "acknowledgements of a whole window fit one commit"
    );
    assert!(
        CHAT_HEARTBEAT_INTERVAL.as_secs() + PRESENCE_TIMEOUT.as_secs()
            <= HEARTBEAT_INTERVAL_DEFAULT.as_secs(),
        "an account whose client vanished is offline by then"
    );
    assert!(PRELUDE_BYTES <= FRAME_BYTES);
    assert!(
        ACK_TIMEOUT.as_secs()
            >= KEEPALIVE_IDLE.as_secs() + KEEPALIVE_PROBES as u64 * KEEPALIVE_INTERVAL.as_secs(),
        "one lost packet breaks no connection"
    );
    assert!(
        PRESENCE_TIMEOUT.as_secs()
            >= PRESENCE_KEEPALIVE_IDLE.as_secs()
                + KEEPALIVE_PROBES as u64 * PRESENCE_KEEPALIVE_INTERVAL.as_secs(),
        "nor one of the chat"
    );
};
