//! Following the log: cursor + encoder + time → the bytes of a stream. Written once for all
//! transports.
//!
//! | file | what it is |
//! |---|---|
//! | `options.rs` | what a stream is asked to be; the one set of options |
//! | `follower.rs` | the follower: decides what is written next. Pure |
//! | `writing.rs` | what it writes of the items that were read. Pure |
//! | `ending.rs` | how it ends, and what it says then. Pure |
//! | `step.rs` | what it asks for: bytes to be written, a page of the store, to wait |
//! | `ends.rs`, `end_at.rs`, `timers.rs` | when it ends, when it sends a heartbeat. Pure |
//! | `live.rs` | when it says that its follower has caught up. Pure |
//! | `pace.rs` | when it writes, if that is at ticks. Pure |
//! | `undo.rs` | taking back a write for which there is no room. Pure |
//! | `filter.rs` | what one follower sees of the messages, where that is not the same for all |
//! | `sharing.rs` | what a follower writes that many others write, too. Pure |
//! | `half_closed.rs` | what is said to a client that may have left |
//! | `served_follower.rs` | a follower with its metrics, the drain, and the undoing of a write |
//! | `chunk_stream.rs` | the same with a source and a timer: polled for chunks by a task |
//!
//! A poll returns at most one chunk with all that is pending, up to
//! [`limits::FRAME_BYTES`](crate::limits::FRAME_BYTES), so one wake-up is one write.

mod chunk_stream;
mod end_at;
mod ending;
mod ends;
mod filter;
mod follower;
#[cfg(test)]
mod follower_tests;
mod half_closed;
mod live;
mod options;
mod pace;
mod served_follower;
#[cfg(test)]
mod shared_frame_tests;
mod sharing;
mod step;
mod timers;
mod undo;
mod writing;

pub use chunk_stream::{ChunkStream, Polled};
pub use end_at::EndAt;
pub use ends::Ends;
pub use filter::{Filter, FilterAction};
pub use follower::Follower;
pub use live::Live;
pub use options::{DropGuard, Extras, OnProgress, Options};
pub use served_follower::{ServedFollower, StreamStep};
pub use step::{Output, Step};
