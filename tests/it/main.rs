//! The server as its users meet it: over HTTP, in the browser, as a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod append;
mod browser;
mod chat_accounts;
mod chat_attempts;
mod chat_breaks;
mod chat_browser;
mod chat_demo;
mod chat_markup;
mod chat_page;
mod chat_plain;
mod chat_silence;
mod chat_strangers;
mod chat_streams;
mod conformance;
mod crash;
mod disk;
mod entrance;
mod exactly_once;
mod follow;
mod locked;
mod log;
mod mailbox;
mod mailbox_page;
mod mailbox_proof;
mod mailbox_restart;
mod nginx;
mod opening;
mod origins;
mod pages_live;
mod parsers;
mod pressure;
mod process;
mod receiver;
mod requests;
mod retained;
mod store;
mod stored;
mod support;
mod tidy;
mod upload;
mod wal;
mod wire_page;
