//! The schema of the tables, and the migrations from earlier versions of it.

/// The migrations in their order: each leads from one version of the tables to the next. A step that
/// has been released is never changed, not even its comments, which `SQLite` keeps in the file; a
/// change of the schema is one more step.
pub(super) const STEPS: [&str; 4] = ["
    -- An id is never used again: conversations and open streams go by it.
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,                    -- as it is shown
        key TEXT NOT NULL UNIQUE,              -- as it is compared
        hash TEXT NOT NULL,                    -- of the password, a PHC string
        created INTEGER NOT NULL               -- in ms since 1970, as all times
    ) STRICT;

    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token BLOB NOT NULL UNIQUE,            -- the hash of what the browser shows
        account INTEGER NOT NULL REFERENCES accounts,
        used INTEGER NOT NULL                  -- not much before the last request
    ) STRICT;
    CREATE INDEX sessions_of_account ON sessions (account, used);
    CREATE INDEX idle_sessions ON sessions (used);

    -- Two rows for each pair, one for how either sees the other.
    CREATE TABLE friends (
        me INTEGER NOT NULL REFERENCES accounts,
        friend INTEGER NOT NULL REFERENCES accounts,
        standing TEXT NOT NULL CHECK (standing IN ('friend', 'asked', 'asking')),
        read INTEGER NOT NULL DEFAULT 0,       -- the last message of the two that I have seen
        PRIMARY KEY (me, friend),
        CHECK (me <> friend)
    ) STRICT, WITHOUT ROWID;
    ", "
    -- How names look, so that no new one can be mistaken for another. Accounts from before this table
    -- get their rows when the tables are opened.
    CREATE TABLE looks (
        look TEXT NOT NULL,
        account INTEGER NOT NULL REFERENCES accounts,
        PRIMARY KEY (look, account)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX looks_of_account ON looks (account);
    ", "
    -- Requests that were declined, and accounts that are blocked, have a row for the one that did so.
    CREATE TABLE standings (
        me INTEGER NOT NULL REFERENCES accounts,
        friend INTEGER NOT NULL REFERENCES accounts,
        standing TEXT NOT NULL
            CHECK (standing IN ('friend', 'asked', 'asking', 'declined', 'blocked')),
        read INTEGER NOT NULL DEFAULT 0,       -- the last message of the two that I have seen
        since INTEGER NOT NULL DEFAULT 0,      -- when the friend has come to stand so
        PRIMARY KEY (me, friend),
        CHECK (me <> friend)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO standings (me, friend, standing, read) SELECT me, friend, standing, read FROM friends;
    DROP TABLE friends;
    ALTER TABLE standings RENAME TO friends;
    ", "
    -- From here on `used` and `since` are times on the log's clock, which began no later than now.
    UPDATE sessions SET used = min(used, CAST(unixepoch('subsec') * 1000 AS INTEGER));
    "];
