//! Publishers inside the process of the log: what the store does when HTTP costs nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forever_frame::limits;
use forever_frame::log::{Keep, Log, Sqlite, Store};
use forever_frame::message::{Channel, Draft};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::latency::Latencies;
use crate::publish::Published;
use crate::{Result, message};

/// A log in a file, and the runtime that its publishers run on.
pub(crate) struct Inside {
    log: Log,
    runtime: Runtime,
}

impl Inside {
    pub(crate) fn new(file: &Path) -> Result<Inside> {
        let runtime = Runtime::new()?;
        // All of it, as the server does here.
        let keep = Keep {
            messages: 20_000_000,
            age: limits::KEEP_FOR_DEFAULT,
        };
        let store = Store::Sqlite(Sqlite::open(file, keep, limits::STORED_LOG_BYTES)?);
        let log = {
            let _entered = runtime.enter();
            Log::open(store, Arc::default())?
        };
        Ok(Inside { log, runtime })
    }

    /// Lets so many append for so long, each waiting for its answer before the next.
    pub(crate) fn publish(&self, publishers: usize, time: Duration) -> Result<Published> {
        let began = Instant::now();
        let latencies = self.runtime.block_on(async {
            let mut running = JoinSet::new();
            for _ in 0..publishers {
                running.spawn(append(self.log.clone(), began, time));
            }
            let mut all = Latencies::default();
            while let Some(latencies) = running.join_next().await {
                all.extend(latencies??);
            }
            Result::Ok(all)
        })?;
        Ok(Published {
            latencies,
            elapsed: began.elapsed(),
        })
    }
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
