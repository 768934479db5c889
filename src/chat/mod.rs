//! The chat: who there is, who is logged in, and who is whose friend.
//!
//! Everything here is told the time; nothing knows requests.

mod attempts;
mod name;
mod password;
mod throttle;
mod token;

pub use attempts::{Attempt, Attempts, TooMany};
pub use name::{BadName, Name};
pub use password::{BadPassword, Busy, Hash, Hasher, NewPassword};
pub use token::Token;
