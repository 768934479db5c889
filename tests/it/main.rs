//! The server as its users meet it: over HTTP, and as a process. These tests need nothing but Rust, a
//! C compiler and the loopback; those that need a browser or other programs are in `tests/tools`.
//!
//! `cargo test --test it` runs all of them, `cargo test --test it resume` those with that word in
//! their name, and `cargo test --test it follow::since_chooses_start -- --nocapture` a single one,
//! with what it prints.
//!
//! | modules | what they test |
//! |---|---|
//! | `requests`, `origins`, `permission`, `hosts` | each request and its answer; pages of other origins; who may do what; names of the server |
//! | `framing`, `half_closed`, `keep_alive` | heads and bodies that cannot be served; clients that send no more; connections between requests |
//! | `append`, `receipts`, `keys`, `upload_tries`, `backpressure`, `body_memory` | messages, uploads of lines and their receipts, idempotency keys, a slow store, scarce memory |
//! | `access…`, `login`, `secrets` | who may, by the access file and the tokens that are shown |
//! | `preconditions` | appends that depend on a channel's last entry |
//! | `clock_steps`, `first_version` | a wall clock that is set; a file of the first version |
//! | `parameters` | the parameters of requests |
//! | `follow`, `beginnings`, `live`, `until`, `etags`, `pace`, `rotate`, `named_lines`, `colors` | streams: begin, catch up, end; what a line says, and how it looks |
//! | `conformance`, `round_trip`, `exactly_once`, `unread` | streams on all six transports |
//! | `crowd_simulation`, `crowd_faults`, `crowd_times`, `crowd_writes` | endless streams: whatever their clients do, when they speak and end, and what does not fit one write |
//! | `log`, `store`, `store_copies`, `store_times`, `store_simulation`, `wal` | the log and its stores, by their Rust interface |
//! | `stored`, `retained`, `keep_bytes`, `open_store`, `disk`, `locked`, `unreadable`, `file_permissions`, `crash` | the log on the disk, and what may happen to it |
//! | `conformance`, `round_trip`, `exactly_once` | streams on all six transports |
//! | `log`, `store`, `store_simulation`, `wal` | the log and its stores, by their Rust interface |
//! | `stored`, `retained`, `keep_bytes`, `open_store`, `disk`, `locked`, `unreadable`, `replaced`, `backup`, `file_permissions`, `crash` | the log on the disk, and what may happen to it |
//! | `client_shares` | what one client may use, so that there is room for the others |
//! | `h2` | requests that share a connection |
//! | `tls` | handshakes, certificates, and listeners with and without TLS |
//! | `tls_streams` | endless streams over TLS: what their clients may do below HTTP |
//! | `base_path` | a server below a path of a site |
//! | `proxies` | what proxies say of their clients |
//! | `log_page`, `page_caching`, `page_forms` | the page of a channel; what browsers keep; pages without scripts |
//! | `languages…`, `catalogues` | pages in English and in Chinese, and the texts for them |
//! | `receiver`, `mailbox…`, `chat_…` | the demonstrations |
//! | `drain`, `stop` | how the server goes away: in-band ends, newcomers, slow clients |
//! | `operators` | the metrics of refusals, the access log |
//! | `diagnostics` | standard error and standard output, and what clients write there |
//! | `unix_socket` | a Unix socket to listen at, and streams over it |
//! | `systemd` | the binary as a service: sockets that are handed over, and what is told |
//! | `process`, `command_line`, `signals` | the binary: its command line and environment, signals, and limits of the system |
//! | `docs` | the pages of the docs, and `/llms.txt` |
//! | `tidy` | the source tree itself |
//!
//! `support` has the server in this process, the clients, and the readers of the transports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod access;
mod access_ends;
mod access_file;
#[cfg(feature = "secure")]
mod access_jwt;
#[cfg(feature = "secure")]
mod access_keys;
mod append;
mod backpressure;
mod backup;
mod base_path;
mod beginnings;
mod body_memory;
mod catalogues;
mod channel_list;
mod chat_accounts;
mod chat_attempts;
mod chat_demo;
mod chat_markup;
mod chat_names;
mod chat_revoked;
mod chat_spam;
mod chat_strangers;
mod chat_streams;
mod class;
mod client_shares;
mod clock_steps;
mod closing;
mod closing_uploads;
mod colors;
mod command_line;
mod conformance;
mod crash;
mod crowd_faults;
mod crowd_simulation;
mod crowd_times;
mod crowd_writes;
mod diagnostics;
mod disk;
mod docs;
mod drain;
mod etags;
mod exactly_once;
mod file_permissions;
mod first_version;
mod follow;
mod framing;
mod h2;
mod half_closed;
mod hosts;
mod keep_alive;
mod keep_bytes;
mod keys;
mod languages;
mod languages_errors;
mod languages_sources;
mod live;
mod locked;
mod log;
mod log_page;
mod login;
mod mailbox;
mod mailbox_delivery;
mod mailbox_proxy;
mod mailbox_restart;
mod named_lines;
mod open_store;
mod operators;
mod origins;
mod pace;
mod page_caching;
mod page_forms;
mod parameters;
mod patterns;
mod permission;
mod preconditions;
mod probe;
mod process;
mod proxies;
mod receipts;
mod receiver;
mod replaced;
mod requests;
mod retained;
mod rotate;
mod round_trip;
mod secrets;
mod signals;
mod sixty_lines;
mod stop;
mod store;
mod store_closes;
mod store_copies;
mod store_patterns;
mod store_simulation;
mod store_times;
mod stored;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod systemd;
mod tap;
mod tidy;
#[cfg(feature = "secure")]
mod tls;
#[cfg(feature = "secure")]
mod tls_streams;
mod unix_socket;
mod unread;
mod unreadable;
mod until;
mod upload_tries;
mod wal;
