//! The floor of an append: the same inserts without a server, one by one.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::appends::{Round, Row};
use crate::latency::Latencies;
use crate::publish::Published;
use crate::scratch::Scratch;
use crate::targets::ours;
use crate::{Result, http, message};

/// A file that the server has made, so that its tables and indexes are those of a log.
#[derive(Debug)]
pub(crate) struct Inserts {
    file: Connection,
    channel: i64,
    seq: i64,
}

impl Inserts {
    pub(crate) fn new(scratch: &Scratch) -> Result<Inserts> {
        let path = scratch.unused("floor.db");
        let store = format!("sqlite:{}", path.display());
        let server = ours::start(ours::PROGRAM.as_ref(), &store)?;
        // The first message of a channel makes its row.
        http::ask(server.addr, &http::append("append", 1), 201)?;
        server.stop()?;
        let file = Connection::open(path)?;
        file.pragma_update(None, "journal_mode", "wal")?;
        file.pragma_update(None, "synchronous", "full")?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (channel, seq) = file.query_row("SELECT channel, seq FROM messages", [], row)?;
        Ok(Inserts { file, channel, seq })
    }

    /// The inserts as the row that others are compared with.
    pub(crate) fn row(&mut self) -> Row<'_> {
        Row::new("no server, one by one".to_owned(), 1, |time| {
            let published = self.insert(time)?;
            Ok(Round {
                published,
                cpu: None,
            })
        })
    }

    /// Inserts for this long, with a transaction for each message.
    fn insert(&mut self, time: Duration) -> Result<Published> {
        const SQL: &str =
            "INSERT INTO messages (seq, channel, time, event, data) VALUES (?, ?, ?, NULL, ?)";
        let line = message::line(1);
        let (text, millis) = (line.trim_end(), 1_700_000_000_000_i64);
        let mut insert = self.file.prepare(SQL)?;
        let mut latencies = Latencies::default();
        let began = Instant::now();
        while began.elapsed() < time {
            let sent = Instant::now();
            self.seq += 1;
            insert.execute(params![self.seq, self.channel, millis, text])?;
            latencies.add(sent.elapsed());
        }
        Ok(Published {
            latencies,
            elapsed: began.elapsed(),
        })
    }
}
