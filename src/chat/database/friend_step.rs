//! What a friend action does, and why it is refused.

use super::Account;
use crate::chat::SessionEnded;
use crate::limits;
use crate::rate_limiter::RateLimited;

/// What a friend action has changed between two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FriendChange {
    /// A friend request was sent.
    Asked,
    /// A friend request was accepted: the two are friends now.
    Accepted,
    /// The account that was asked has declined.
    Declined,
    /// The account that had asked has withdrawn its request.
    Withdrawn,
    /// The two are no longer friends.
    Removed,
    /// The other account was blocked.
    Blocked,
    /// The other account is blocked no more.
    Unblocked,
    /// Nothing changed.
    None,
}

/// Why a friend action is refused.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FriendError {
    /// The session that asks for it has ended.
    #[error(transparent)]
    SessionEnded(#[from] SessionEnded),
    /// There were too many actions.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// An account cannot be its own friend.
    #[error("you cannot be your own friend; ask another account")]
    Oneself,
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// The other account has sent no request, or has withdrawn it.
    #[error("there is no request to accept; send one yourself")]
    NotAsked,
    /// The other account has blocked mine, or has declined its request a while ago: which of these is
    /// not told.
    #[error("that account takes no friend request from you at present")]
    NotTaken,
    /// My account has blocked the other.
    #[error("you have blocked that account; unblock it first")]
    YouBlocked,
    /// My account has [`limits::FRIENDS_MAX`] friends.
    #[error("you have {max} friends, which is the limit; remove one first", max = limits::FRIENDS_MAX)]
    Full,
    /// The other account has [`limits::FRIENDS_MAX`] friends.
    #[error("that account has reached the limit of {max} friends", max = limits::FRIENDS_MAX)]
    OtherFull,
    /// My account has sent [`limits::FRIEND_REQUESTS_MAX`] requests that are not answered.
    #[error(
        "{max} of your requests are not answered yet, which is the limit; withdraw one first",
        max = limits::FRIEND_REQUESTS_MAX
    )]
    RequestsFull,
    /// My account has blocked [`limits::BLOCKED_MAX`] others.
    #[error("you have blocked {max} accounts, which is the limit; unblock one first", max = limits::BLOCKED_MAX)]
    BlockedFull,
}

/// What a friend action has done to the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) struct FriendStep {
    pub(in crate::chat) change: FriendChange,
    /// Whether the two were friends, and are no more.
    pub(in crate::chat) was_friend: bool,
    /// Whether my account stands to the other in a new way, too.
    pub(in crate::chat) concerns_other: bool,
    /// The account whose request to the other was the oldest of too many, and is forgotten.
    pub(in crate::chat) pushed_out: Option<Account>,
}

impl FriendStep {
    /// A change of how both stand to each other.
    pub(super) fn of_both(change: FriendChange) -> FriendStep {
        FriendStep {
            change,
            was_friend: false,
            concerns_other: true,
            pushed_out: None,
        }
    }

    /// A change that only my account knows of.
    pub(super) fn of_mine(change: FriendChange) -> FriendStep {
        FriendStep {
            concerns_other: false,
            ..FriendStep::of_both(change)
        }
    }

    /// No change.
    pub(super) fn none() -> FriendStep {
        FriendStep::of_mine(FriendChange::None)
    }
}
