//! The bounds of accounts: names, passwords, sessions, friends, and how often a client may try.

use std::time::Duration;

/// Longest name of an account, in characters: room for a family of emoji, and a line on a page.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 32;

/// Most combining marks on one character of a name (UTS #39, section 5.4).
pub const NAME_MARKS_MAX: usize = 4;

/// Shortest password, in characters (NIST SP 800-63B).
pub const PASSWORD_CHARS_MIN: usize = 8;

/// Longest password: more than a person types, and little to hash compared with argon2's own work.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Memory that a password hash takes, in KiB. OWASP's "Password Storage Cheat Sheet" gives this and
/// [`HASH_PASSES`] for argon2id: together 20 to 50 ms of a processor for each hash.
pub const HASH_KIB: u32 = 19 * 1024;

/// Passes that a password hash makes over its [`HASH_KIB`] of memory.
pub const HASH_PASSES: u32 = 2;

/// Most password hashes made at the same time, so 38 MiB; and never on more than half of the
/// processors, which are there for the streams.
pub const HASHES_AT_ONCE_MAX: usize = 2;

/// Passwords that wait to be hashed, about a second's worth. Past this a client is told to try
/// again: the one that waits since the shortest time of those from the address that has the most
/// waiting. So a client from an address with nothing else waiting gets its place, unless this many
/// other addresses have one.
pub const HASHES_WAITING_MAX: usize = 32;

/// How often a client may try an action: a burst of tries, and then one more try per interval.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Tries that are allowed at once.
    pub burst: u32,
    /// After how long one more try is allowed.
    pub every: Duration,
}

/// Wrong passwords for one name from one address: a person who tries all passwords they ever had
/// is through before this, and an attacker gets 8,640 guesses a day.
pub const LOGINS_OF_PAIR: Rate = Rate {
    burst: 10,
    every: Duration::from_secs(10),
};

/// Wrong passwords for any names from one address, which may be that of a whole school.
pub const LOGINS_FROM_ADDRESS: Rate = Rate {
    burst: 30,
    every: Duration::from_secs(3),
};

/// Wrong passwords for one name from all addresses: against guessing from many. An attacker can use
/// it up to keep a person from logging in, so it is wide; an open session is not affected.
pub const LOGINS_OF_NAME: Rate = Rate {
    burst: 300,
    every: Duration::from_secs(1),
};

/// New accounts from one address: a class registers at the same time.
pub const REGISTRATIONS_FROM_ADDRESS: Rate = Rate {
    burst: 40,
    every: Duration::from_secs(30),
};

/// Names, addresses and pairs of them whose tries are remembered, each. At most 1 KiB for each,
/// 200 bytes as a rule; when there are more, the one that has tried least starts afresh.
pub const RATE_LIMIT_KEYS_MAX: usize = 10_000;

/// Accounts. Each has a row of about 300 bytes, and those of its sessions and friends.
pub const ACCOUNTS_MAX: u32 = 100_000;

/// Sessions of an account, each a browser that is logged in; the oldest makes room for a new one.
pub const ACCOUNT_SESSIONS_MAX: u32 = 20;

/// After how long without a request a person has to log in again.
pub const LOGIN_IDLE_TIMEOUT: Duration = Duration::from_hours(30 * 24);

/// How long a browser keeps the cookie of a login: the most that it may (RFC 6265bis, section 5.5).
/// The cookie is set once, so a shorter time would log out a person who comes every day.
pub const LOGIN_COOKIE_AGE: Duration = Duration::from_hours(400 * 24);

/// How exactly a session's last use is recorded: each record of it is a commit.
pub const LOGIN_USED_INTERVAL: Duration = Duration::from_hours(1);

/// Records of a session's use that wait to be written at the same time. When there are more, a later
/// request of the session has it recorded.
pub const SESSION_RECORDS_MAX: usize = 16;

/// How often it is looked up whether the sessions and friendships of open streams still are in the
/// tables, 10 µs for each. Only what ends without a request, such as a session that is idle for too
/// long, is noticed by that.
pub const RIGHTS_LOOKUP_INTERVAL: Duration = Duration::from_secs(10);

/// Expired sessions that are deleted at each login: more than begin.
pub const LOGIN_CLEANUP_ROWS: u32 = 16;

/// Friends of an account: a list that is shown at once.
pub const FRIENDS_MAX: u32 = 200;

/// Friend requests to an account that are not answered: the newest are kept, so that nobody can fill
/// the list against others. An account can have sent as many itself.
pub const FRIEND_REQUESTS_MAX: u32 = 200;

/// Accounts that an account has blocked, 50 bytes each.
pub const BLOCKED_MAX: u32 = 1000;

/// For how long an account whose friend request was declined cannot ask again.
pub const DECLINED_PAUSE: Duration = Duration::from_hours(24);

/// Declined requests that an account remembers for [`DECLINED_PAUSE`], the newest.
pub const DECLINED_MAX: u32 = 1000;

/// Friend requests that one account sends: to a whole class at once, and then to a few a minute. Each
/// is told to the account that is asked.
pub const FRIEND_REQUESTS_OF_ACCOUNT: Rate = Rate {
    burst: 60,
    every: Duration::from_secs(20),
};

/// Friend requests that one account sends to another: to take one back and send it again a few times is
/// a mistake that people make, more than that is a nuisance.
pub const FRIEND_REQUESTS_OF_PAIR: Rate = Rate {
    burst: 5,
    every: Duration::from_mins(10),
};

/// All other friend actions of one account. Each is told to the account itself, too, and is a record in
/// the log: a full list of requests can be cleared at once, and it does not go on and on.
pub const FRIEND_ACTIONS_OF_ACCOUNT: Rate = Rate {
    burst: 500,
    every: Duration::from_secs(1),
};

/// How often one account goes offline for its friends, which are all told; one that comes and goes
/// more often counts as online meanwhile.
pub const DEPARTURES_OF_ACCOUNT: Rate = Rate {
    burst: 10,
    every: Duration::from_secs(10),
};

/// Messages that one account says, to all its friends: a long text that is pasted line by line, and
/// then more than a person types.
pub const SAYS_OF_ACCOUNT: Rate = Rate {
    burst: 600,
    every: Duration::from_millis(100),
};
