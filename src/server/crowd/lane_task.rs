//! The task that serves a lane's crowd. Its work is done in slices, between which the other tasks of
//! the lane have their turn.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Crowd, Request};
use crate::drain::Drain;
use crate::limits;
use crate::log::{BellAnswer, Member};

/// What the task knows besides its crowd.
pub(super) struct LaneTask {
    pub(super) crowd: Crowd,
    pub(super) requests: UnboundedReceiver<Request>,
    /// Until when no bell is answered.
    pub(super) pause: Option<Instant>,
    /// The key at which the sweep goes on that tells all followers of the drain.
    pub(super) sweep: usize,
}

impl LaneTask {
    /// Serves the crowd for as long as the lane lasts.
    pub(super) async fn run(mut self, drain: Drain) {
        let (mut begun, mut has_begun) = (pin!(drain.begun()), false);
        let mut timer = pin!(sleep_until(Instant::now()));
        loop {
            poll_fn(|cx| {
                has_begun = has_begun || begun.as_mut().poll(cx).is_ready();
                self.crowd.now = Instant::now();
                // None of these keeps the others from their turn. What clients do is noticed first: what
                // is written to a client that has left would count as seen.
                let is_busy = self.read_sockets(cx)
                    | self.take_requests(cx)
                    | self.answer_bells(cx)
                    | (has_begun && self.tell_of_drain())
                    | self.look_around();
                self.crowd.end_slice();
                if is_busy {
                    Poll::Ready(())
                } else {
                    self.poll_timer(cx, timer.as_mut())
                }
            })
            .await;
            // Not only other tasks have their turn, but also those that their sockets wake.
            tokio::task::yield_now().await;
        }
    }

    /// Reads what clients have sent. Returns whether there may be more, as the others do.
    fn read_sockets(&mut self, cx: &mut Context<'_>) -> bool {
        let mut keys = Vec::new();
        let polled = self.crowd.poller.poll(cx, &mut keys);
        for key in keys {
            self.crowd.read(key);
        }
        if let Poll::Ready(Err(error)) = &polled {
            log::error!("clients that leave are noticed late: {error}");
        }
        matches!(polled, Poll::Ready(Ok(())))
    }

    fn take_requests(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..limits::CROWD_SLICE {
            match self.requests.poll_recv(cx) {
                Poll::Ready(Some(Request::Enter(stream, permit))) => {
                    self.crowd.enter(*stream, permit);
                }
                Poll::Ready(Some(Request::Look(key))) => self.crowd.queue(key),
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        true
    }

    /// Tells the next slice of followers of messages.
    fn answer_bells(&mut self, cx: &mut Context<'_>) -> bool {
        if self.pause.is_some_and(|until| self.crowd.now < until) {
            return false;
        }
        self.pause = None;
        (0..self.crowd.logs.len()).fold(false, |is_busy, log| is_busy | self.answer_bell(cx, log))
    }

    /// Tells a slice of a log's followers. With messages that come much faster than a round takes, other
    /// threads have the processor first.
    fn answer_bell(&mut self, cx: &mut Context<'_>, log: usize) -> bool {
        let (mut members, mut told) = (Vec::new(), 0);
        while told < limits::WAKE_SLICE {
            let gives_way = match self.crowd.logs[log].bell.poll_answer(cx, &mut members) {
                Poll::Pending => return false,
                Poll::Ready(BellAnswer::Pause) => {
                    self.pause = Some(self.crowd.now + limits::CROWD_PAUSE);
                    return false;
                }
                Poll::Ready(BellAnswer::Slice { gives_way }) => gives_way,
            };
            if gives_way {
                std::thread::yield_now();
            }
            told += members.len().max(1);
            for member in members.drain(..) {
                match member {
                    Member::Task(waker) => waker.wake(),
                    Member::Follower(key) => self.crowd.advance(key),
                }
            }
            if gives_way {
                break;
            }
        }
        true
    }

    /// Looks at a slice of the followers whose time has come, and of those that are to be looked at for
    /// other reasons.
    fn look_around(&mut self) -> bool {
        let crowd = &mut self.crowd;
        let tick = crowd.ticks.by(crowd.now);
        crowd.wheel.advance(tick, &mut crowd.due);
        for _ in 0..limits::CROWD_SLICE {
            let (queued, due) = (crowd.queue.pop_front(), crowd.due.pop_front());
            if let Some(key) = queued {
                crowd.look(key);
            }
            if let Some(key) = due {
                crowd.beat(key);
            }
        }
        !(crowd.queue.is_empty() && crowd.due.is_empty())
    }

    /// Ready when a follower's time comes, or the pause is over.
    fn poll_timer(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        let ticks = self.crowd.ticks;
        let next = self.crowd.wheel.next().map(|tick| ticks.moment(tick));
        let Some(next) = next.into_iter().chain(self.pause).min() else {
            return Poll::Pending;
        };
        if timer.deadline() != next {
            timer.as_mut().reset(next);
        }
        timer.poll(cx)
    }

    /// Has a slice of the followers look at the drain, which has begun.
    fn tell_of_drain(&mut self) -> bool {
        let end = self.crowd.followers.capacity();
        let slice = self.sweep..end.min(self.sweep + limits::CROWD_SLICE);
        self.sweep = slice.end.max(self.sweep);
        for key in slice.clone() {
            self.crowd.queue(super::number(key));
        }
        !slice.is_empty()
    }
}
