//! Lanes: threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on its lane. So the work that a message causes, waking thousands of streams and
//! writing to each, is done where the streams are: no work is moved between processors, no queue is
//! shared, and between two slices of that work the lane serves its other connections. Among 2,000
//! followers, a publisher that sends as fast as it is answered waited four times as long when threads
//! took tasks from each other.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::crowd::{self, CrowdHandle};
use crate::http::App;
use crate::limits;

/// A guard that counts a connection as one of its lane.
#[derive(Debug)]
pub(super) struct LaneLoad(Arc<AtomicUsize>);

impl Drop for LaneLoad {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The lanes, one for each processor. When they are dropped they end, with all connections on them.
#[derive(Debug)]
pub(super) struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    crowd: CrowdHandle,
    connections: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Lanes {
    /// Starts a lane for each processor. A client that takes no byte for the time `stall` is given up.
    pub(super) fn start(app: &App, stall: Duration) -> io::Result<Lanes> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        (0..count)
            .map(|number| Lane::start(number, app, stall))
            .collect::<Result<_, _>>()
            .map(Lanes)
    }

    /// The lane with the fewest connections, which has one more as long as the guard lives.
    pub(super) fn least_busy(&self) -> Option<(&Handle, &CrowdHandle, LaneLoad)> {
        let connections = |lane: &&Lane| lane.connections.load(Relaxed);
        let lane = self.0.iter().min_by_key(connections)?;
        lane.connections.fetch_add(1, Relaxed);
        let load = LaneLoad(Arc::clone(&lane.connections));
        Some((&lane.runtime, &lane.crowd, load))
    }

    /// Waits until every lane has run a task.
    pub(super) async fn answer(&self) {
        let runtimes = self.0.iter().map(|lane| &lane.runtime);
        let tasks: Vec<_> = runtimes.map(|runtime| runtime.spawn(async {})).collect();
        for task in tasks {
            // A lane that has ended has no task to wait for.
            let _ = task.await;
        }
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
    fn start(number: usize, app: &App, stall: Duration) -> io::Result<Lane> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready_tx, ready_rx) = mpsc::channel();
        // Built on the thread that drops it, because dropping a runtime may block.
        let (drain, metrics) = (app.drain.clone(), Arc::clone(&app.metrics));
        let run = move || {
            let mut builder = Builder::new_current_thread();
            builder
                .enable_all()
                .event_interval(limits::LANE_EVENT_INTERVAL);
            let begun = builder.build().and_then(|runtime| {
                let _guard = runtime.enter();
                let (crowd, task) = crowd::serve(drain, stall, metrics)?;
                runtime.spawn(task);
                Ok((runtime, crowd))
            });
            match begun {
                Ok((runtime, crowd)) => {
                    let _ = ready_tx.send(Ok((runtime.handle().clone(), crowd)));
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(ready_tx.send(Err(error))),
            }
        };
        let thread = thread::Builder::new().name(format!("lane-{number}"));
        let thread = thread.spawn(run)?;
        let (runtime, crowd) = ready_rx.recv().map_err(io::Error::other)??;
        Ok(Lane {
            runtime,
            crowd,
            connections: Arc::default(),
            stop,
            thread,
        })
    }
}
