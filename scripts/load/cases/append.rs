//! Case `append`: appends a second to this server, compared with what `SQLite` does alone, with a
//! transaction and an fsync for each message.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::appends::{self, PUBLISHERS, Round, Row};
use crate::http;
use crate::micro::Inserts;
use crate::publish::publish;
use crate::run::Run;
use crate::server::Server;
use crate::targets::ours;

/// A server, and how many appends it has acknowledged.
struct Store {
    name: &'static str,
    server: Server,
    appended: Cell<usize>,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let mut floor = Inserts::new(&run.scratch)?;
    let stores = [
        Store::start("memory", "memory")?,
        Store::start("sqlite", &run.scratch.sqlite("append"))?,
    ];
    let mut rows = vec![floor.row()];
    for store in &stores {
        for publishers in PUBLISHERS {
            let append = move |time| store.append(publishers, time);
            rows.push(Row::new(store.name, publishers, append));
        }
    }
    appends::measure(run, rows)?;
    stores.into_iter().try_for_each(Store::check)
}

impl Store {
    fn start(name: &'static str, store: &str) -> Result<Store> {
        let server = ours::start(store)?;
        let appended = Cell::new(0);
        Ok(Store {
            name,
            server,
            appended,
        })
    }

    fn append(&self, publishers: usize, time: Duration) -> Result<Round> {
        let before = self.server.cpu()?;
        let request = http::append("append", 1);
        let began = Instant::now();
        let published = publish(self.server.addr, publishers, |_, next| {
            next.extend_from_slice(request.as_bytes());
            began.elapsed() < time
        })?;
        let cpu = Some(self.server.cpu()?.saturating_sub(before));
        self.appended.update(|n| n + published.latencies.len());
        Ok(Round { published, cpu })
    }

    /// Checks that the log holds exactly the acknowledged messages: the next has the next number.
    fn check(self) -> Result<()> {
        let answer = http::ask(self.server.addr, &http::append("append", 1), 201)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let (name, appended, seq) = (self.name, self.appended.get(), &answer["seq"]);
        if *seq != appended + 1 {
            return Err(format!(
                "{name}: {appended} appends were acknowledged, but the next message is number {seq}"
            )
            .into());
        }
        self.server.stop()
    }
}
