//! The log's tables, and the migration of files of earlier versions.

use rusqlite::{Connection, TransactionBehavior};

use super::key_table;
use super::value::params;
use crate::message::Epoch;

/// Marks a file as this program's in the file's header: "ffrm" (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"ffrm");

/// The step from each version of a file (`PRAGMA user_version`) to the next. A step that has been
/// released is never changed; a change is one more step.
const MIGRATIONS: [fn(&Connection) -> rusqlite::Result<()>; 4] = [
    |file| file.execute_batch(FIRST),
    |file| {
        file.execute_batch(TIME_THAT_PASSES)?;
        key_table::move_first_version(file)
    },
    |file| file.execute_batch(UPLOAD_KEYS),
    |file| file.execute_batch(CLOSES),
];

/// The tables of the first version.
const FIRST: &str = "
    -- One row: the log itself.
    CREATE TABLE log (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch TEXT NOT NULL,
        last INTEGER NOT NULL DEFAULT 0,       -- the newest message's seq
        time INTEGER NOT NULL DEFAULT 0,       -- and its time, in ms since 1970
        lost INTEGER NOT NULL DEFAULT 0,       -- the newest message that was trimmed
        forgotten INTEGER NOT NULL DEFAULT 0,  -- the newest trimmed message of deleted channels
        bytes INTEGER NOT NULL DEFAULT 0,      -- what all messages count against the bound
        keys INTEGER NOT NULL DEFAULT 0,       -- rows of keys
        empty INTEGER NOT NULL DEFAULT 0,      -- rows of channels that keep no message
        probes INTEGER NOT NULL DEFAULT 0      -- raised to find out whether the file can be written
    ) STRICT;

    CREATE TABLE channels (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kept INTEGER NOT NULL,                 -- rows of messages
        first INTEGER NOT NULL,                -- the first message it ever had, 0 if not known
        lost_through INTEGER NOT NULL,         -- its newest trimmed message
        lost INTEGER NOT NULL                  -- how many of its messages were trimmed
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

    -- Idempotency-Keys and their receipts.
    CREATE TABLE keys (
        seq INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (channel, key)
    ) STRICT;
    ";

/// Things grow old by a clock of the log's own, which the wall clock does not move; and keys are
/// kept as hashes.
const TIME_THAT_PASSES: &str = "
    -- What the log's clock said at the newest commit, in ms.
    ALTER TABLE log ADD COLUMN log_time INTEGER NOT NULL DEFAULT 0;
    -- Where it began in a file of the first version. The wall clock may be wrong now, or may have
    -- been when the newest message came; the earlier of both lets nothing expire too early.
    ALTER TABLE log ADD COLUMN upgraded INTEGER NOT NULL DEFAULT 0;
    UPDATE log SET upgraded = min(time, CAST(unixepoch('subsec') * 1000 AS INTEGER));
    UPDATE log SET log_time = upgraded;
    ALTER TABLE log DROP COLUMN keys;

    -- What the log's clock said at the commit; NULL in the first version.
    ALTER TABLE messages ADD COLUMN committed INTEGER;

    -- The newest messages that show an earlier time than the message before them.
    CREATE TABLE falls (seq INTEGER PRIMARY KEY) STRICT;

    -- The log's clock, one row.
    CREATE TABLE clock (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        boot TEXT,                             -- the machine's boot, where it has a name
        start INTEGER NOT NULL,                -- the log's clock less the machine's uptime
        reference INTEGER NOT NULL,            -- the wall clock less the log's, when it was trusted
        trusted INTEGER NOT NULL,              -- 0 if the wall clock was set since
        open_pause INTEGER                     -- where the log's clock stood before a pause whose
                                               -- length is not known yet
    ) STRICT;
    INSERT INTO clock SELECT 1, NULL, 0, 0, 1, NULL FROM log;

    -- While no server ran, time passed that the log's clock did not count.
    CREATE TABLE pauses (
        at INTEGER PRIMARY KEY,                -- where the log's clock stood
        millis INTEGER NOT NULL
    ) STRICT;

    -- Idempotency keys and their receipts.
    CREATE TABLE recent_keys (
        seq INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,                 -- of the message
        used INTEGER NOT NULL,                 -- what the log's clock said
        id BLOB NOT NULL,                      -- the hash of channel and key
        content INTEGER                        -- the hash of event name and text, NULL if not known
    ) STRICT;
    ";

/// An upload has a key, too: one row, which goes on with its lines.
const UPLOAD_KEYS: &str = "
    -- How many lines of an upload were appended, of which seq is the last and content the hash; NULL
    -- if the key is that of a single message.
    ALTER TABLE recent_keys ADD COLUMN lines INTEGER;
    -- The first of them; 0 if it is not known.
    ALTER TABLE recent_keys ADD COLUMN first INTEGER;
    ";

/// A channel may be closed.
const CLOSES: &str = "
    -- The entry that closes it: its last, by its seq. 0 if it is open.
    ALTER TABLE channels ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX closed_channels ON channels (closed) WHERE closed > 0;
    DROP INDEX empty_channels;
    CREATE INDEX empty_channels ON channels (max(lost_through, closed)) WHERE kept = 0;
    ";

/// The version of the files that this program writes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "there are only a few"
)]
pub(super) const VERSION: i32 = MIGRATIONS.len() as i32;

/// Brings a file from the version `from` to [`VERSION`], as a whole or not at all.
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
        step(&transaction)?;
    }
    if from == 0 {
        let epoch = Epoch::random();
        transaction.execute("INSERT INTO log (id, epoch) VALUES (1, ?)", params![epoch])?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
