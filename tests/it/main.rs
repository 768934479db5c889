//! The server as its users meet it: over HTTP, in the browser, as a process.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod support;
