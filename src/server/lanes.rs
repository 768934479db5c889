//! Lanes: threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on its lane. So what a message sets in motion, to wake thousands of streams
//! and have each write, happens where they are: nothing is handed from processor to processor, no
//! queue is shared, and between two slices of it the lane hears what its other connections want.
//! Beside 2,000 followers, a publisher who sends as fast as it is answered waited four times as long
//! where threads took tasks from each other.

use std::io;
use std::num::NonZero;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::limits;

/// As many as there are processors. They end when this is dropped, with all that is on them.
#[derive(Debug)]
pub(super) struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Lanes {
    /// Starts them.
    pub(super) fn start() -> io::Result<Lanes> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        (0..count)
            .map(Lane::start)
            .collect::<Result<_, _>>()
            .map(Lanes)
    }

    /// The one that has the least to do.
    pub(super) fn least_busy(&self) -> Handle {
        let tasks = |lane: &&Lane| lane.runtime.metrics().num_alive_tasks();
        let lane = self.0.iter().min_by_key(tasks);
        lane.map_or_else(Handle::current, |lane| lane.runtime.clone())
    }

    /// Ends them, and waits until that is done.
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
        let (say, said) = mpsc::channel();
        // Built where it is dropped: that may block.
        let run = move || {
            let mut builder = Builder::new_current_thread();
            builder
                .enable_all()
                .event_interval(limits::LANE_EVENT_INTERVAL);
            match builder.build() {
                Ok(runtime) => {
                    let _ = say.send(Ok(runtime.handle().clone()));
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(say.send(Err(error))),
            }
        };
        let thread = thread::Builder::new().name(format!("lane-{number}"));
        let thread = thread.spawn(run)?;
        let runtime = said.recv().map_err(io::Error::other)??;
        Ok(Lane {
            runtime,
            stop,
            thread,
        })
    }
}
