//! The tables, and how a file of an earlier version comes to have them.

use rusqlite::{Connection, TransactionBehavior};

use super::value::params;
use crate::message::Epoch;

/// Says in a file's header whose it is: "ffrm" (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"ffrm");

/// What brings a file from each version (`PRAGMA user_version`) to the next. What has been
/// released is not changed any more; a change is one more line.
const MIGRATIONS: [&str; 1] = ["
    -- One row: the log itself.
    CREATE TABLE log (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch TEXT NOT NULL,
        last INTEGER NOT NULL DEFAULT 0,       -- the newest message's seq
        time INTEGER NOT NULL DEFAULT 0,       -- and its time, in ms since 1970
        lost INTEGER NOT NULL DEFAULT 0,       -- the newest message that was let go
        forgotten INTEGER NOT NULL DEFAULT 0,  -- the same, of channels that have no row any more
        bytes INTEGER NOT NULL DEFAULT 0,      -- what all messages count against the bound
        keys INTEGER NOT NULL DEFAULT 0,       -- rows of keys
        empty INTEGER NOT NULL DEFAULT 0,      -- rows of channels of which nothing is kept
        probes INTEGER NOT NULL DEFAULT 0      -- raised to find out whether the file can be written
    ) STRICT;

    CREATE TABLE channels (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kept INTEGER NOT NULL,                 -- rows of messages
        first INTEGER NOT NULL,                -- the first message it ever had, 0 if not known
        lost_through INTEGER NOT NULL,         -- the last message it has lost
        lost INTEGER NOT NULL                  -- how many it has lost
    ) STRICT;
    CREATE INDEX empty_channels ON channels (lost_through) WHERE kept = 0;

    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY,
        channel INTEGER NOT NULL,
        time INTEGER NOT NULL,                 -- never less than that of the message before
        event TEXT,                            -- NULL for 'message'
        data TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_of_channel ON messages (channel, seq);

    -- Idempotency-Keys and what they were answered.
    CREATE TABLE keys (
        seq INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (channel, key)
    ) STRICT;
    "];

/// The version that this program writes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "they are a few"
)]
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;

/// Brings a file from a version to [`VERSION`], or leaves it as it is.
pub(super) fn migrate(connection: &mut Connection, from: i32) -> rusqlite::Result<()> {
    if from == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (step, _) in MIGRATIONS
        .iter()
        .zip(0..)
        .filter(|(_, version)| *version >= from)
    {
        transaction.execute_batch(step)?;
    }
    if from == 0 {
        let epoch = Epoch::random();
        transaction.execute("INSERT INTO log (id, epoch) VALUES (1, ?)", params![epoch])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
