//! A forever frame server: HTTP responses that never end, over one message log.
//!
//! # One idea
//!
//! A follower is a *cursor* over one *log*. A step of a cursor has one of four outcomes: here are
//! messages; they are older than what is in memory, so fetch them from the store; nothing is new, so
//! wait; what the cursor asks for is gone, which is a gap. There is no queue per follower: a slow
//! follower is merely further behind.
//!
//! # Invariants
//!
//! Each is held by the tests named after it; `tidy` is `tests/it/tidy`.
//!
//! - The log is the ground state, and append-only: only retention removes messages. The tail, the
//!   sessions of `/receiver` and the counters are derived from it (`stored`, `crash`, `retained`).
//!   Accounts, logins and friendships are not: they are in tables of their own (`chat/database`).
//! - A publisher is answered only after its message is committed; a follower sees only committed
//!   messages. The tail is fed by committed batches, whichever store made them (`store`, `crash`).
//! - Seqs only rise within an epoch. A cursor of another epoch is never served silently, but with a
//!   gap (`store`, `conformance`, `exactly_once`).
//! - Nothing per follower grows with the number of messages (`process`). A message in the tail is
//!   encoded once per encoding, and all followers share its bytes; a message that is read from the
//!   store is encoded for its reader.
//! - The encoders, the tail, positions, the follower, the policy of batches and the routes do no IO
//!   and read no clock: the time is an argument (`tidy`).
//! - Only [`http`] knows requests and responses, and only [`http`] and [`server`] know hyper; only
//!   [`server`] knows sockets; only [`config`] parses flags; only `log/sqlite` and `chat/database`
//!   know SQL (`tidy`).
//! - Nothing in the log expires by the wall clock, which may be wrong and may be set: the log's clock
//!   counts the time that passes, also across restarts (`clock_steps`, [`log::LogClock`]). Only rights
//!   end by it, whose givers name a date ([`access`]).
//! - Everything that could grow has a bound, and each bound stands in [`limits`] with its reason.
//! - A module uses only modules that stand above it in the map (`tidy`).
//!
//! # Map, in reading order
//!
//! | module | what it is |
//! |---|---|
//! | [`limits`] | every bound, with its reason |
//! | [`authority`] | the host and port of a server, as URLs write them |
//! | [`network`] | whom a share belongs to: a client's address |
//! | [`diagnostics`] | what the program says on standard error |
//! | [`budget`] | what many clients share, and how much of it each may hold |
//! | [`rate_limiter`] | how often a client, or whoever else, may try |
//! | [`client_shares`] | what one client may use of the server |
//! | [`message`] | messages and their names: seq, epoch, cursor, channel |
//! | [`machine_clock`] | the machine's clocks: the wall clock and the uptime |
//! | [`translation`] | the languages of the pages, and their catalogues |
//! | [`wire`] | transports: the moments of a stream as bytes |
//! | [`metrics`] | counters and gauges |
//! | [`log`] | the log: append, read, wake |
//! | [`mailbox`] | letters to a name, each for one receiver |
//! | [`clock`] | the server's time, as messages |
//! | [`drain`] | the end of the server, spread over time |
//! | [`right`] | what a stream or a request was let in with, and how that ends |
//! | [`access`] | who may: the access file and a token go in, rights come out |
//! | [`tap`] | what is written to the sockets of a page's own streams |
//! | [`connection`] | what one connection knows: its phase, its deliveries, its handover |
//! | [`follow`] | cursor + encoder + time → the bytes of a stream |
//! | [`chat`] | accounts, friends, presence, conversations |
//! | [`receiver_session`] | where the receiver page of each browser stands |
//! | [`pages`] | the files of `pages/` |
//! | [`probe`] | whether something on the way to a client holds bytes back |
//! | [`openapi`] | the interface, described for programs |
//! | [`config`] | the command line |
//! | [`http`] | requests and responses |
//! | [`server`] | sockets, and the threads that serve them |
//!
//! # Threads
//!
//! | thread | what it does |
//! |---|---|
//! | main | accepts connections, and gives each to a lane (`server/accept.rs`); deletes expired messages of the logs in memory (the clock's, presence's, and with `--store memory` the log itself: `log/writer.rs`); tells friends of changes of presence (`chat/presence.rs`) |
//! | `lane-N`, one for each processor | a single-threaded runtime that serves its connections for their whole life: requests, streams (`server/lanes.rs`). One of its tasks serves its crowd, the followers that have been written all there is (`server/crowd`) |
//! | `signals` | waits for signals, whatever the others wait for (`server/signal.rs`) |
//! | `cluster`, where the log is shared | the connection to the NATS servers; feeds the copy (`log/cluster/copying.rs`) |
//! | `log-writer` | commits batches to a store that blocks, and deletes expired messages (`log/writer.rs`); a store in memory is written by the appending task |
//! | tokio's blocking pool of each runtime | reads of the file ([`limits::STORE_READERS_MAX`] at a time), the chat's tables, files of `--pages` |
//! | `hash` | hashes a password, and ends ([`limits::HASHES_AT_ONCE_MAX`] at a time) |
//! | `diagnostics` | writes the lines of the `log` macros to standard error, so that no other thread waits for it (`diagnostics.rs`) |
//! | jemalloc's | gives memory back while the server is idle |
//!
//! # The life of a message
//!
//! `POST /c/x` → `http/append.rs` reads the body within its bounds → [`log::Log::append`] → the store
//! numbers the message and commits it → the tail has it → the publisher is answered → the followers
//! of its channel are told, lane by lane, slice by slice → the bytes that all share are written to the
//! socket of each that stands where they begin; any other asks the log what comes after its position.
//! The details are in [`log`] and `server/crowd`.
//!
//! # The life of a stream
//!
//! ```text
//!  client         hyper (lane)        http/stream.rs          server/                       log
//!    │ GET /c/x       │                     │                     │                          │
//!    ├───────────────▶├────── request ─────▶│ start: where to begin ────────────────────────▶│
//!    │                │                     │ ServedFollower = Follower + metrics + drain    │
//!    │                │◀── head, empty body ┤ give(ChunkStream)   │                          │
//!    │◀──── head ─────┤                     │                     │                          │
//!    │                ├─ flushed; the connection takes the socket ▶│ task: StreamConn         │
//!    │◀────────────────────── chunks of the past ─────────────────┤◀── pages, the tail ──────┤
//!    │                                                            │ nothing left: enter      │
//!    │                                                            ▼ crowd                    │
//!    │                                                            │ joins, then looks ──────▶│
//!    │                                                            │◀── bell: told of news ───┤
//!    │◀────────────────── shared frame, heartbeat, … ─────────────┤                          │
//!    │                                                            ▼ task again, when         │
//!    │                                                            │ the client is slow or    │
//!    │                                                            │ leaves, when a page is   │
//!    │                                                            │ to be read, at the end   │
//!    │◀────────────────── end mark, last chunk ───────────────────┤                          │
//! ```
//!
//! The handover, drawn step by step, is in `connection/handover.rs`; what the crowd is, in
//! `server/crowd/mod.rs`. With TLS the socket has its session with it everywhere (`server/client_stream.rs`).
//! Over HTTP/1.0 and HTTP/2, and for a page that ends (the sender page), hyper keeps the stream and polls it
//! as any body; a long poll is whole before its head is made (`http/long_poll.rs`). What a transport says
//! at each moment of a stream is a table in [`wire`].
//!
//! # Glossary
//!
//! | term | meaning |
//! |---|---|
//! | seq | a message's number in the log: 1, 2, 3, … over all channels |
//! | epoch | the name of one log; it changes whenever an old seq would mean another message |
//! | cursor | `EPOCH-SEQ`: everything up to and including that seq has been seen |
//! | position | where a reader stands: a seq, and the channels that it follows |
//! | follower | the reader of a stream: a position with an encoder and its timers |
//! | receiver | a client that asks a mailbox for letters; also the page `/receiver` |
//! | transport, [`Wire`](wire::Wire) | the format of a stream: `text`, `html`, `script`, `sse`, `ndjson`, `json` |
//! | encoding, [`Encoding`](wire::Encoding) | how a message is written; followers of one encoding share its bytes |
//! | gap | messages that a cursor asks for are missing: `expired`, `epoch` or `future` |
//! | trimmed | deleted by retention, on purpose |
//! | engine, copy | where several servers share a log: what numbers and keeps it (NATS `JetStream`), and what each server has of it in its own store |
//! | fill | a request to the engine for entries that did not come by themselves |
//! | tail | the newest committed messages, in memory |
//! | lag | how far a follower is behind the newest message |
//! | wall clock, log's clock | the time for people, which can be set; the time that has passed, by which things expire |
//! | live | caught up: all that was in the log when the stream began has been sent (`follow/live.rs`) |
//! | crowd | the followers of a lane that have been written all there is, served by one task |
//! | shared frame | the next messages of a channel, as bytes that its followers have in common |
//! | pace, burst | a stream with a pace writes all that has come at each tick of it, a burst (`follow/pace.rs`) |
//! | heartbeat, dot | what a quiet stream says to show that the connection works |
//! | lane | a thread with a runtime of its own, for some of the connections |
//! | handover | a stream's socket goes from hyper to the connection |
//! | right | what a stream was let in with, such as a login session; when it ends, so does the stream |
//! | drain | the time over which streams end when the server stops |
//! | stream of HTTP/2 | a request and its answer, among others on one connection (`server/h2.rs`) |
//! | handshake | what comes before the first request where TLS is spoken |
//! | session | of TLS: the state of a connection that both sides encrypt; elsewhere a login, or a visit to `/receiver` |
//! | record | of TLS: a piece of text, encrypted |
//! | stalled | a client that has taken no byte for [`limits::STALL_TIMEOUT`] |
//! | in flight | a letter that was delivered and is neither acknowledged nor returned |
//! | lease | what a connection holds for a client until the letter is acknowledged |
//!
//! # Where to change what
//!
//! | change | begin in |
//! |---|---|
//! | a header on every stream | `http/stream.rs`, which makes the head of each |
//! | a new transport, or WebSocket | `wire/mod.rs`, whose doc names every other file |
//! | the wording of the gap mark | the transport's file, for text `wire/text.rs` |
//! | a new beginning for `since=`, or end for `until=` | `log/cursor.rs`, `log/until.rs` |
//! | a parameter of a request | `http/query.rs`, the one table of parameters; `http/params.rs` reads those of a stream |
//! | another store | `log/store.rs`, whose doc says what a store owes |
//! | what is sent to the cluster, and what its stream must be like | `log/cluster/envelope.rs`, `log/cluster/stream_settings.rs` |
//! | an option, such as the tail's size | `config.rs`; its default is in `limits.rs` |
//! | a command, such as `check` | `config/command_line.rs`; `main.rs` runs it |
//! | what expires, such as a session | `log/moment.rs`: ages are told by [`log::Log::now`], never by the wall clock |
//! | when an append is refused or a second try | `log/store.rs` says it; `log/used_keys.rs` has the keys |
//! | a bound | `limits.rs` |
//! | a text of a page, or its Chinese | the template, the script, or the sentence where it is made; `pages/zh-*.toml` has the Chinese of each, and [`translation`] says how it is found |
//! | another language | `translation/language.rs` and its catalogues; `http/language_choice.rs` chooses one for each request |
//! | what one client may use | `client_shares.rs`; connections ask in `server/accept.rs`, requests in `http/client_places.rs` |
//! | what a probe concludes, and what it says to configure | `probe/verdict.rs`, `probe/remedy.rs`; `probe/intermediary.rs` has the signs by which proxies are known |
//! | a metric, such as the age of the oldest message | `metrics.rs`; what is looked up when the text is asked for is filled in by `http/operator.rs`; the log's edges come from `log/store.rs` |
//! | what systemd is told, and its sockets | `server/systemd.rs`, `server/inherited.rs` |
//! | what HTTP/2 may take | `limits/h2_limits.rs`; `server/h2.rs` has what differs from HTTP/1.1 |
//! | what TLS is spoken, which certificate is shown | `server/tls`; `server/conn.rs` turns an accepted socket into a connection |
//! | deleting a message of the chat | it cannot be done: `chat/conversation.rs` says why |
//! | the access log | `http/access_log.rs` |
//! | how often a line may be logged, how long it may be | `diagnostics.rs` |
//! | an endpoint | `http/route.rs`, the one table of paths; `http/mod.rs` calls its handler; `openapi.json` describes it for programs |
//! | who may use an endpoint | for pages of other origins `http/permission.rs`, by the effect that `http/route.rs` gives each method; for holders of tokens `http/admission.rs`, by the need that it gives each method, and `access/rules.rs`; whose conversation it is, by the chat's session, in `http/chat/mod.rs`; how a stream sees that it has ended is in `right.rs` |
//! | the sentence of an error, its status | `http/error.rs`, the one table of errors; `Retry-After` of a server that is full or stopping is in `http/refusal.rs` |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that fails panics"
    )
)]

pub mod access;
pub mod authority;
pub mod budget;
pub mod chat;
pub mod client_shares;
pub mod clock;
pub mod config;
pub mod connection;
pub mod diagnostics;
pub mod drain;
pub mod follow;
pub mod http;
pub mod limits;
pub mod log;
pub mod machine_clock;
pub mod mailbox;
pub mod message;
pub mod metrics;
pub mod network;
pub mod openapi;
pub mod pages;
pub mod probe;
pub mod rate_limiter;
pub mod receiver_session;
pub mod right;
pub mod server;
pub mod tap;
pub mod translation;
pub mod wire;
