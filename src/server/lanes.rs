//! Lanes: threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on its lane. So the work that a message causes, waking thousands of streams and
//! writing to each, is done where the streams are: no work is moved between processors, no queue is
//! shared, and between two slices of that work the lane serves its other connections. Among 2,000
//! followers, a publisher that sends as fast as it is answered waited four times as long when threads
//! took tasks from each other.

use std::io;
use std::num::NonZero;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::limits;

/// The lanes, one for each processor. When they are dropped they end, with all connections on them.
#[derive(Debug)]
pub(super) struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Lanes {
    /// Starts a lane for each processor.
    pub(super) fn start() -> io::Result<Lanes> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        (0..count)
            .map(Lane::start)
            .collect::<Result<_, _>>()
            .map(Lanes)
    }

    /// The runtime of the lane with the fewest tasks.
    pub(super) fn least_busy(&self) -> Handle {
        let tasks = |lane: &&Lane| lane.runtime.metrics().num_alive_tasks();
        let lane = self.0.iter().min_by_key(tasks);
        lane.map_or_else(Handle::current, |lane| lane.runtime.clone())
    }

    /// Ends the lanes, and waits until their threads have ended.
    pub(super) async fn end(self) {
        for Lane { stop, thread, .. } in self.0 {
            drop(stop);
            let ended = tokio::task::spawn_blocking(|| thread.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                log::error!("a lane's thread panicked, which is a defect");
            }
        }
    }
}

impl Lane {
    fn start(number: usize) -> io::Result<Lane> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready_tx, ready_rx) = mpsc::channel();
        // Built on the thread that drops it, because dropping a runtime may block.
        let run = move || {
            let mut builder = Builder::new_current_thread();
            builder
                .enable_all()
                .event_interval(limits::LANE_EVENT_INTERVAL);
            match builder.build() {
                Ok(runtime) => {
                    let _ = ready_tx.send(Ok(runtime.handle().clone()));
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(ready_tx.send(Err(error))),
            }
        };
        let thread = thread::Builder::new().name(format!("lane-{number}"));
        let thread = thread.spawn(run)?;
        let runtime = ready_rx.recv().map_err(io::Error::other)??;
        Ok(Lane {
            runtime,
            stop,
            thread,
        })
    }
}
