//! One follower of a crowd.

use std::io;

use mio::net::TcpStream;

use super::super::conn::ConnPermit;
use super::super::stream_conn::IdleStream;
use super::ticks::Ticks;
use crate::follow::ServedFollower;
use crate::log::Slots;
use crate::message::Seq;
use crate::wire::Encoding;

/// What is done when there may be a message for a follower.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnMessage {
    /// The next shared frame of this encoding is written, whatever comes
    /// ([`Follower::shared_encoding`](crate::follow::Follower::shared_encoding)).
    Share(Encoding),
    /// The follower is asked.
    Look,
    /// Nothing: the follower keeps a pace, and is looked at when its tick comes.
    Wait,
}

/// A follower that has been written all that there is. What every message touches is here; the rest
/// of the follower is elsewhere in memory, and only touched when it says something of its own.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is asked by itself, and is a byte"
)]
pub(super) struct CrowdFollower {
    pub(super) socket: TcpStream,
    /// The index of the log that is followed.
    pub(super) log: u8,
    /// What is done when there may be a message for the follower.
    pub(super) on_message: OnMessage,
    /// Whether shared frames have been written that the rest of the follower does not know of.
    pub(super) is_ahead: bool,
    /// Whether the client's disappearance is to be noticed soon.
    pub(super) expects_liveness: bool,
    /// Whether the follower ends when a right does, which is looked at before each write.
    pub(super) has_rights: bool,
    /// Whether the follower is to be looked at in a slice that follows.
    pub(super) is_queued: bool,
    /// The ticks between heartbeats, if these are shared with others and there is nothing else to be done
    /// in time; otherwise 0.
    pub(super) heartbeat: u16,
    /// The number of bytes that the client has sent although nothing is read from it any more.
    pub(super) ignored: u32,
    /// The position of the follower.
    pub(super) at: Seq,
    /// The tick before which something was written last.
    pub(super) wrote: u64,
    /// The tick of the follower's bucket in the wheel.
    pub(super) looks: u64,
    pub(super) slots: Slots,
    rest: Box<ServedFollower>,
    pub(super) permit: ConnPermit,
}

impl CrowdFollower {
    /// An idle stream that follows the log with this index.
    pub(super) fn new(
        socket: TcpStream,
        log: u8,
        slots: Slots,
        rest: Box<ServedFollower>,
        permit: ConnPermit,
    ) -> CrowdFollower {
        CrowdFollower {
            socket,
            log,
            on_message: OnMessage::Look,
            is_ahead: false,
            expects_liveness: false,
            has_rights: rest.has_rights(),
            is_queued: false,
            heartbeat: 0,
            ignored: 0,
            at: rest.follower.position().at(),
            wrote: 0,
            looks: 0,
            slots,
            rest,
            permit,
        }
    }

    /// The follower itself, which knows of everything that has been written.
    pub(super) fn rest(&mut self, ticks: Ticks) -> &mut ServedFollower {
        if std::mem::take(&mut self.is_ahead) {
            self.rest
                .follower
                .wrote_shared(self.at, ticks.moment(self.wrote));
        }
        &mut self.rest
    }

    /// Whether a right of the follower has ended.
    pub(super) fn has_ended_right(&self) -> bool {
        self.has_rights && self.rest.has_ended_right()
    }

    /// Whether the follower has a slot for each of its channels.
    pub(super) fn has_all_slots(&self) -> bool {
        self.slots.count() == self.rest.follower.position().selection().count()
    }

    /// Nothing is to be done until there is a message, or time has passed.
    pub(super) fn settle(&mut self, ticks: Ticks) {
        let follower = &self.rest.follower;
        self.at = follower.position().at();
        self.wrote = ticks.after(follower.last_write());
        let shared = follower.shared_encoding();
        self.on_message = match shared {
            Some(encoding) => OnMessage::Share(encoding),
            None if follower.is_paced() => OnMessage::Wait,
            None => OnMessage::Look,
        };
        let heartbeat = follower.shared_heartbeat().filter(|_| shared.is_some());
        self.heartbeat = heartbeat.map_or(0, Ticks::in_time);
    }

    /// The stream, to be served by a task.
    pub(super) fn into_idle(mut self, ticks: Ticks) -> (io::Result<IdleStream>, ConnPermit) {
        self.rest(ticks);
        let socket = tokio::net::TcpStream::from_std(self.socket.into());
        let stream = socket.map(|socket| IdleStream {
            socket,
            follower: self.rest,
            expects_liveness: self.expects_liveness,
            ignored: self.ignored,
        });
        (stream, self.permit)
    }
}
