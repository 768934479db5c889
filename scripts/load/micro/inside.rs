//! Case `inside`: appends a second by publishers in the process of the log, without HTTP, compared
//! with what `SQLite` does alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forever_frame::limits;
use forever_frame::log::{Keep, Log, Sqlite, Store};
use forever_frame::message::{Channel, Draft};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Inserts;
use crate::appends::{self, PUBLISHERS, Round, Row};
use crate::latency::Latencies;
use crate::publish::Published;
use crate::run::Run;
use crate::{Result, message};

pub(super) fn run(run: &mut Run) -> Result<()> {
    let mut floor = Inserts::new(&run.scratch)?;
    let runtime = Runtime::new()?;
    // The log keeps all messages, as the server does in the other cases.
    let keep = Keep {
        messages: 20_000_000,
        age: limits::KEEP_FOR_DEFAULT,
    };
    let file = run.scratch.file("inside.db");
    let store = Store::Sqlite(Sqlite::open(&file, keep, limits::STORED_LOG_BYTES_DEFAULT)?);
    let log = {
        let _entered = runtime.enter();
        Log::open(store, Arc::default())?
    };
    let mut rows = vec![floor.row()];
    for publishers in PUBLISHERS {
        let (log, runtime) = (&log, &runtime);
        let append = move |time| runtime.block_on(publish(log, publishers, time));
        rows.push(Row::new("sqlite, no HTTP".to_owned(), publishers, append));
    }
    appends::measure(run, rows)
}

/// Lets publishers append for this long, each of which waits for its answer before the next message.
async fn publish(log: &Log, publishers: usize, time: Duration) -> Result<Round> {
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..publishers {
        running.spawn(append(log.clone(), began, time));
    }
    let mut latencies = Latencies::default();
    while let Some(others) = running.join_next().await {
        latencies.extend(others??);
    }
    let elapsed = began.elapsed();
    let published = Published { latencies, elapsed };
    Ok(Round {
        published,
        cpu: None,
    })
}

async fn append(log: Log, began: Instant, time: Duration) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let (channel, line) = (Channel::new("append")?, message::line(1));
    while began.elapsed() < time {
        let sent = Instant::now();
        log.append(Draft::new(channel.clone(), line.trim_end()))
            .await?;
        latencies.add(sent.elapsed());
    }
    Ok(latencies)
}
