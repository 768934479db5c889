//! Whether something between a client and this server holds bytes back.
//!
//! The server sends lines at times that it says in them, and takes lines that a client sends at times. Who
//! has seen when they came ([`Observation`]) learns from it what happens on the way ([`Verdict`]): whether
//! something holds the bytes back, compresses them, cuts the connection, or answers from a cache; what it
//! looks like ([`Intermediary`]), and what to write into its configuration. Nothing here does that itself:
//! `http/probe.rs` sends the lines, `server/probe_client.rs` and the page `/probe` watch them come.

mod intermediary;
mod observation;
mod passage;
mod probe_line;
mod remedy;
mod schedule;
mod up_observation;
mod verdict;

pub use intermediary::{Intermediary, is_telling};
pub use observation::{LineTime, Observation, RunObservation};
pub use passage::Passage;
pub use probe_line::{asked_by, parse_asked_by, parse_sent};
pub use remedy::{Remedy, Trouble};
pub use schedule::ProbeSchedule;
pub use up_observation::{Arrival, SentLine, UpAnswer, UpObservation};
pub use verdict::{Verdict, VerdictRow};
