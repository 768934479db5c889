-- The file of a server of version 0.1, as its code made it on 2026-11-28: two channels, of which one has an
-- event whose name is reserved now; a key; a letter; two accounts that are friends, with their sessions and a
-- message; and the accounts of --demo-accounts.
PRAGMA auto_vacuum = INCREMENTAL;
BEGIN TRANSACTION;
CREATE TABLE accounts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,                    -- as it is shown
        key TEXT NOT NULL UNIQUE,              -- as it is compared
        hash TEXT NOT NULL,                    -- of the password, a PHC string
        created INTEGER NOT NULL               -- in ms since 1970, as all times
    ) STRICT;
INSERT INTO "accounts" VALUES(1,'liger_zql','liger_zql','$argon2id$v=19$m=19456,t=2,p=1$E7Qq5ByzQ7EMpY2ZnxjoTQ$MJydk66aBpNvNJ1hFt4a04KEULXQWvJ/4A+/iujaF+s',1795849749650);
INSERT INTO "accounts" VALUES(2,'漠然','漠然','$argon2id$v=19$m=19456,t=2,p=1$IV+d0YmBuwCMM+FR1NEjLw$U3Vyz3/8y+GvmVutQbpZGdcBnPd5lili0Bo9ue1jSBk',1795849749714);
INSERT INTO "accounts" VALUES(3,'Zoe','zoe','$argon2id$v=19$m=19456,t=2,p=1$DsYLWGbvh8qotpc3Mig//Q$T4XPCEn8sdZjtUUv5dselxJQtDZCJ5Gtd1nWt0+kOk8',1795849751731);
INSERT INTO "accounts" VALUES(4,'Yan','yan','$argon2id$v=19$m=19456,t=2,p=1$yCRENXkqDe/DdIasM/8G5g$i7nw4CmSgHG5yaIUD0Wptq/TesB7C39oAEbYxlXUs9Q',1795849751846);
CREATE TABLE channels (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kept INTEGER NOT NULL,                 -- rows of messages
        first INTEGER NOT NULL,                -- the first message it ever had, 0 if not known
        lost_through INTEGER NOT NULL,         -- its newest trimmed message
        lost INTEGER NOT NULL                  -- how many of its messages were trimmed
    ) STRICT;
INSERT INTO "channels" VALUES(1,'~chat.1',3,1,0,0);
INSERT INTO "channels" VALUES(2,'~chat.2',3,2,0,0);
INSERT INTO "channels" VALUES(3,'build',2,7,0,0);
INSERT INTO "channels" VALUES(4,'orders',1,9,0,0);
INSERT INTO "channels" VALUES(5,'~mailbox.7665a907c674f215bf0a67ce946a11d3',1,10,0,0);
INSERT INTO "channels" VALUES(6,'~chat.3',3,11,0,0);
INSERT INTO "channels" VALUES(7,'~chat.4',3,12,0,0);
INSERT INTO "channels" VALUES(8,'~chat.3-4',1,17,0,0);
CREATE TABLE friends (
        me INTEGER NOT NULL REFERENCES accounts,
        friend INTEGER NOT NULL REFERENCES accounts,
        standing TEXT NOT NULL CHECK (standing IN ('friend', 'asked', 'asking')),
        read INTEGER NOT NULL DEFAULT 0,       -- the last message of the two that I have seen
        PRIMARY KEY (me, friend),
        CHECK (me <> friend)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "friends" VALUES(1,2,'friend',4);
INSERT INTO "friends" VALUES(2,1,'friend',4);
INSERT INTO "friends" VALUES(3,4,'friend',14);
INSERT INTO "friends" VALUES(4,3,'friend',14);
CREATE TABLE keys (
        seq INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        channel TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (channel, key)
    ) STRICT;
INSERT INTO "keys" VALUES(9,1795849751614,'orders','k1');
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
INSERT INTO "log" VALUES(1,'wrk20v1450',17,1795849751976,0,0,9055,1,0,0);
CREATE TABLE messages (
        seq INTEGER PRIMARY KEY,
        channel INTEGER NOT NULL,
        time INTEGER NOT NULL,                 -- never less than that of the message before
        event TEXT,                            -- NULL for 'message'
        data TEXT NOT NULL
    ) STRICT;
INSERT INTO "messages" VALUES(1,1,1795849749723,'friends','{"name":"漠然","change":"asked"}');
INSERT INTO "messages" VALUES(2,2,1795849749723,'friends','{"name":"liger_zql","change":"asking"}');
INSERT INTO "messages" VALUES(3,2,1795849749727,'hear','1');
INSERT INTO "messages" VALUES(4,1,1795849749727,'hear','2');
INSERT INTO "messages" VALUES(5,2,1795849749728,'friends','{"name":"liger_zql","change":"friend"}');
INSERT INTO "messages" VALUES(6,1,1795849749728,'friends','{"name":"漠然","change":"friend"}');
INSERT INTO "messages" VALUES(7,3,1795849751514,NULL,'tests pass');
INSERT INTO "messages" VALUES(8,3,1795849751569,'live','live or not');
INSERT INTO "messages" VALUES(9,4,1795849751614,NULL,'once');
INSERT INTO "messages" VALUES(10,5,1795849751674,NULL,'Ada
hi');
INSERT INTO "messages" VALUES(11,6,1795849751952,'friends','{"name":"Yan","change":"asked"}');
INSERT INTO "messages" VALUES(12,7,1795849751952,'friends','{"name":"Zoe","change":"asking"}');
INSERT INTO "messages" VALUES(13,7,1795849751965,'hear','3');
INSERT INTO "messages" VALUES(14,6,1795849751965,'hear','4');
INSERT INTO "messages" VALUES(15,7,1795849751967,'friends','{"name":"Zoe","change":"friend"}');
INSERT INTO "messages" VALUES(16,6,1795849751967,'friends','{"name":"Yan","change":"friend"}');
INSERT INTO "messages" VALUES(17,8,1795849751976,NULL,'{"from":"Zoe","to":"Yan","text":"hello Yan"}');
CREATE TABLE parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
INSERT INTO "parts" VALUES('accounts',1);
CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        token BLOB NOT NULL UNIQUE,            -- the hash of what the browser shows
        account INTEGER NOT NULL REFERENCES accounts,
        used INTEGER NOT NULL                  -- not much before the last request
    ) STRICT;
INSERT INTO "sessions" VALUES(1,X'A2B50093667765FA034B11B0F89EC89EE17A03F93DBDB8489B49E4F8FEE110CB',3,1795849751731);
INSERT INTO "sessions" VALUES(2,X'BB3DCF88B1BDBAC169960E689F5E2BC031D0CA92C79DA228E1A9F5BF2A57DAF3',4,1795849751846);
CREATE INDEX empty_channels ON channels (lost_through) WHERE kept = 0;
CREATE INDEX messages_of_channel ON messages (channel, seq);
CREATE INDEX sessions_of_account ON sessions (account, used);
CREATE INDEX idle_sessions ON sessions (used);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('accounts',4);
INSERT INTO "sqlite_sequence" VALUES('sessions',2);
COMMIT;
PRAGMA application_id = 1717989997;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
