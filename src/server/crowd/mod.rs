//! The crowd: the followers of a lane that have been written all there is, served by one task.
//!
//! Almost all followers wait for the same next message almost all the time. A task for each of them
//! would be a future, a timer, a record of readiness and a waker, in as many places in memory, and to
//! touch these would cost more than to write the message. Here a follower is an entry of a slab
//! ([`CrowdFollower`]); what it decides is decided by the same core as everywhere
//! ([`ServedFollower`](crate::follow::ServedFollower)).
//!
//! **A follower that needs anything else leaves the crowd for a task** ([`StreamConn`]): when a page has
//! to be read from the store, when its client does not take what it is sent, or may have left, and when
//! it ends. When nothing is left to be done the task gives it back. So the crowd has no follower that
//! waits for anything but a message, its client, or the time.
//!
//! **A follower joins before it looks**: first it has its slot in the ring of its channel, then it looks
//! at the log; and the log is written before the ring's members are told (`log/bell.rs`). The slots are a
//! circle that never moves: a message that comes while a round goes on makes it once around from there.
//!
//! **A frame is shared** by all followers that stand between the same two messages of a channel, on one
//! transport ([`SharedFrame`](crate::log::SharedFrame)). It is read from the log and joined once for
//! a slice of them. A follower that writes something of its own around messages, such as a line end
//! after its dots, makes its next write by itself.
//!
//! **With TLS** a follower is its socket and its session (`tls/tls_session.rs`), which has no buffer while
//! nothing is unsent. The frame is shared still, and encrypted for each such follower when it is written to
//! it. What the socket does not take of a record stays in the session, and a task goes on with it as with
//! any rest. What the client sends has to be read as TLS, or its end would not be understood.
//!
//! **A follower with a pace** ([`Follower::is_paced`](crate::follow::Follower::is_paced)) is looked at when
//! its tick comes, by the wheel, and is not told of messages.
//!
//! A key of the slab is only a hint: if its follower has left, another may have it by now. To look at
//! that one once more changes nothing. So nothing that holds keys has to be told who leaves.
//!
//! | file | what it is |
//! |---|---|
//! | `crowd_follower.rs` | one follower |
//! | `wheel.rs`, `ticks.rs` | when followers are looked at for the sake of time. Pure |
//! | `poller.rs`, elsewhere than on Unix `poller_thread.rs` | what their sockets tell |
//! | `writes.rs` | what is written to them: shared frames, heartbeats, and what each says by itself |
//! | `handle.rs` | what is asked of the crowd |
//! | `lane_task.rs` | the task that serves them, a slice of work at a time |

mod crowd_follower;
mod handle;
mod lane_task;
#[cfg(unix)]
mod poller;
#[cfg(any(not(unix), test))]
mod poller_thread;
mod ticks;
mod wheel;
mod writes;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use mio::net::TcpStream;
use slab::Slab;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::conn::{self, ConnPermit};
use super::socket;
use super::stall::Stall;
use super::stream_conn::{IdleStream, StreamConn};
use crate::drain::Drain;
use crate::limits;
use crate::log::{Bell, LogView, Member};
use crate::metrics::Metrics;
use crowd_follower::CrowdFollower;
use handle::{Nudge, Request};
use lane_task::LaneTask;
#[cfg(unix)]
use poller::Poller;
#[cfg(not(unix))]
use poller_thread::PollerThread as Poller;
use ticks::Ticks;
use wheel::Wheel;
use writes::Frames;

pub(super) use handle::CrowdHandle;

/// The followers of a lane that have been written all there is.
struct Crowd {
    handle: CrowdHandle,
    stall: Duration,
    metrics: Arc<Metrics>,
    poller: Poller,
    followers: Slab<CrowdFollower>,
    logs: Vec<FollowedLog>,
    /// The followers that are to be looked at in the slices that follow.
    queue: VecDeque<u32>,
    /// The followers whose time has come.
    due: VecDeque<u32>,
    wheel: Wheel,
    ticks: Ticks,
    /// The moment at which the log was read last, or the present slice began.
    now: Instant,
    frames: Frames,
}

/// A log that followers of the crowd follow.
struct FollowedLog {
    view: LogView,
    bell: Arc<Bell>,
}

/// Makes the crowd of the current runtime, and the task that serves it for as long as the runtime
/// lasts. A client that takes no byte for the time `stall` is given up.
///
/// # Errors
/// When the system cannot watch sockets: there are no files left, for example.
pub(super) fn serve(
    drain: Drain,
    stall: Duration,
    metrics: Arc<Metrics>,
) -> io::Result<(CrowdHandle, impl Future<Output = ()> + Send)> {
    let (sender, requests) = mpsc::unbounded_channel();
    let handle = CrowdHandle {
        requests: sender,
        turns: Arc::new(Semaphore::new(limits::CATCH_UP_TURNS)),
    };
    let now = Instant::now();
    let crowd = Crowd {
        handle: handle.clone(),
        stall,
        metrics,
        poller: Poller::new()?,
        followers: Slab::new(),
        logs: Vec::new(),
        queue: VecDeque::new(),
        due: VecDeque::new(),
        wheel: Wheel::new(limits::CROWD_TICKS),
        ticks: Ticks::since(now),
        now,
        frames: Frames::default(),
    };
    let task = LaneTask {
        crowd,
        requests,
        pause: None,
        sweep: 0,
    };
    Ok((handle, task.run(drain)))
}

impl Crowd {
    /// Serves a stream from here on.
    fn enter(&mut self, stream: IdleStream, permit: ConnPermit) {
        let IdleStream {
            socket,
            mut follower,
            expects_liveness,
            ignored,
        } = stream;
        let log = self.log(follower.view());
        let key = number(self.followers.vacant_key());
        let (socket, tls) = socket.into_parts();
        let socket = match socket.into_std() {
            Ok(socket) => (TcpStream::from_std(socket), tls),
            Err(error) => return log::debug!("a stream's connection is lost: {error}"),
        };
        let member = Member::Follower(key);
        let bell = &self.logs[usize::from(log)].bell;
        let slots = bell.join_at(follower.position_mut(), &member);
        if follower.has_rights() {
            let (handle, key) = (self.handle.clone(), key);
            follower.register(&Waker::from(Arc::new(Nudge { handle, key })));
        }
        let mut follower = CrowdFollower::new(socket, log, slots, follower, permit);
        (follower.expects_liveness, follower.ignored) = (expects_liveness, ignored);
        let watched = self.poller.add(&mut follower.socket, key);
        self.followers.insert(follower);
        if let Err(error) = watched {
            log::warn!("a stream is served by a task of its own, which takes more memory: {error}");
            return self.leave(key, false, |stream| stream);
        }
        // Only now, since a message may have come before.
        self.queue(key);
    }

    /// The index of a log.
    fn log(&mut self, view: &LogView) -> u8 {
        let known = self.logs.iter().position(|log| log.view.is(view));
        let index = known.unwrap_or_else(|| {
            self.logs.push(FollowedLog {
                view: view.clone(),
                bell: view.crowd_bell(),
            });
            self.logs.len() - 1
        });
        // A server has as many logs as kinds of streams.
        u8::try_from(index).unwrap_or(u8::MAX)
    }

    /// Has a follower looked at in a slice that follows.
    fn queue(&mut self, key: u32) {
        if let Some(follower) = self.followers.get_mut(key as usize)
            && !std::mem::replace(&mut follower.is_queued, true)
        {
            self.queue.push_back(key);
        }
    }

    /// Takes a follower out of the crowd.
    fn take(&mut self, key: u32) -> Option<CrowdFollower> {
        let mut follower = self.followers.try_remove(key as usize)?;
        if self.followers.is_empty() {
            // The memory of thousands that have left is given back.
            (self.followers, self.queue, self.due) = Default::default();
        }
        self.logs[usize::from(follower.log)]
            .bell
            .leave(&follower.slots);
        if let Err(error) = self.poller.remove(&mut follower.socket) {
            log::debug!("a socket was not watched: {error}");
        }
        Some(follower)
    }

    /// A follower's connection is broken.
    fn lose(&mut self, key: u32, error: &io::Error) {
        if let Some(follower) = self.take(key) {
            log::debug!("a stream's connection is over: {error}");
            socket::abandon(&follower.socket);
        }
    }

    /// Gives a follower to a task of its own, until it is idle again if it returns then.
    fn leave(&mut self, key: u32, returns: bool, prepare: impl FnOnce(StreamConn) -> StreamConn) {
        let Some(follower) = self.take(key) else {
            return;
        };
        let (stream, permit) = follower.into_idle(self.ticks);
        match stream {
            Ok(stream) => {
                let stream = prepare(StreamConn::resumed(stream, Stall::new(self.stall)));
                let crowd = returns.then(|| self.handle.clone());
                tokio::spawn(conn::serve_stream(stream, permit, crowd));
            }
            Err(error) => log::debug!("a stream's connection is lost: {error}"),
        }
    }
}

/// A number of followers or bytes, of which there are far fewer than this.
fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
