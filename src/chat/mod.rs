//! The chat: who there is, who is logged in, and who is whose friend.
//!
//! Everything here is told the time; nothing knows requests. What must outlive the process is in
//! tables beside the log ([`Database`]), so that one file is all there is to back up.

mod attempts;
mod database;
mod name;
mod password;
mod throttle;
mod token;

pub use attempts::{Attempt, Attempts, TooMany};
pub use database::{
    Account, AccountId, Change, Database, Friend, LogIn, NoAccount, Refused, Session, SessionId,
    Standing,
};
pub use name::{BadName, Name};
pub use password::{BadPassword, Busy, Hash, Hasher, NewPassword};
pub use token::Token;
