//! Servers that share one log, over real NATS servers, all of them as processes.
//!
//! `scripts/test` runs these tests. `cargo test --features tools,cluster --test cluster settings` runs those
//! with that word in their name; `scripts/nats-server` fetches the NATS server, or `NATS_SERVER` names one.
//! `scripts/faults` runs `faults` with many faults.
//!
//! What holds for every log is tested by tests/it, whose servers have their logs in a NATS server if
//! `scripts/nats/over` starts them. Here is what only a cluster has.
//!
//! | modules | what they test |
//! |---|---|
//! | `contract` | appends, keys, preconditions, closes and cursors: the same answers from every server |
//! | `faults` | servers of either kind are killed, paused and wiped while many publish and follow |
//! | `outages` | no quorum, no engine, a copy that lags |
//! | `settings` | what is refused at the start, and in which words |
//! | `catch_up` | a copy that is built from a long log |
//!
//! `nats` has the NATS servers, `shared` ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod catch_up;
mod contract;
mod faults;
mod nats;
mod outages;
mod settings;
mod shared;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "tests/it uses all of it, and would warn")]
mod support;
