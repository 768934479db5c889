//! A forever frame server: HTTP responses that never end, over one message log.
//!
//! # One idea
//!
//! A follower is a *cursor* over one *log*. A step of a cursor is: here are messages; or they are
//! older than what is in memory, ask the store; or there is nothing new, wait; or what you ask for
//! is gone. There is no queue per follower: a slow one is merely further back.
//!
//! # Invariants
//!
//! - The log is the ground state; the tail, sessions and counters are derived from it.
//! - A publisher is answered only after its message is committed; a follower sees only committed
//!   messages. The tail is fed by committed batches, whichever store made them.
//! - Numbers only rise within an epoch; a cursor from another epoch is never served silently.
//! - Nothing per follower grows with the number of messages. A message is encoded once per
//!   transport, and its bytes are shared by all who follow.
//! - Wire encodings, tail, cursor, batch policy and routes do no IO and read no clock: time is an
//!   argument.
//! - Only [`http`] knows requests and responses; only [`server`] knows sockets; only [`config`]
//!   knows flags; only `log/sqlite` and `chat/database` know SQL.
//! - Modules use only what stands above them in the list below; a test holds it.
//!
//! # Map, in reading order
//!
//! | module | what it is |
//! |---|---|
//! | [`limits`] | every bound, with its reason |
//! | [`message`] | messages and the names of places: seq, epoch, cursor, channel |
//! | [`wire`] | encodings: bytes only |
//! | [`metrics`] | what is counted |
//! | [`log`] | the log: append, read, wake |
//! | [`mailbox`] | letters to a name, each for one receiver |
//! | [`clock`] | the server's time, as messages |
//! | [`drain`] | the end of the server, spread over time |
//! | [`connection`] | what one connection knows: its phase, its deliveries, its handover |
//! | [`follow`] | log + cursor + wire + time → the bytes of a stream |
//! | [`chat`] | accounts, friends, presence, and what they say to each other |
//! | [`receiver_session`] | where each browser's receiver stands |
//! | [`pages`] | the files of `pages/` |
//! | [`config`] | the command line |
//! | [`http`] | requests and responses |
//! | [`server`] | sockets, and the threads that serve them |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test that fails panics"
    )
)]

pub mod chat;
pub mod clock;
pub mod config;
pub mod connection;
pub mod drain;
pub mod follow;
pub mod http;
pub mod limits;
pub mod log;
pub mod mailbox;
pub mod message;
pub mod metrics;
pub mod pages;
pub mod receiver_session;
pub mod server;
pub mod wire;
