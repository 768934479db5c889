//! One follower of a crowd.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

use super::super::client_stream::ClientStream;
use super::super::conn::ConnPermit;
use super::super::stream_conn::IdleStream;
use super::super::tls::TlsSession;
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
    /// The TLS that is spoken on the socket, with nothing unsent. Boxed, since few may have it, and it is
    /// larger than all the rest.
    tls: Option<Box<TlsSession>>,
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
        (socket, tls): (TcpStream, Option<Box<TlsSession>>),
        log: u8,
        slots: Slots,
        rest: Box<ServedFollower>,
        permit: ConnPermit,
    ) -> CrowdFollower {
        CrowdFollower {
            socket,
            tls,
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

    /// Writes what the socket takes at once. Returns how much of the bytes is not to be written again;
    /// with TLS a part of that may be unsent.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let send = |bytes: &[u8]| (&self.socket).write(bytes);
        let written = match &mut self.tls {
            None => again_if_interrupted(|| send(bytes)),
            Some(session) => session.write(bytes, send),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            written => written,
        }
    }

    /// Whether a part of what has been written is unsent.
    pub(super) fn has_unsent(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|session| session.has_unsent())
    }

    /// Reads once from the client, which is not listened to any more. Returns the number of bytes that
    /// have come; 0 when it sends nothing more.
    pub(super) fn ignore(&mut self) -> io::Result<usize> {
        let mut socket = &self.socket;
        again_if_interrupted(|| match &mut self.tls {
            None => socket.read(&mut [0; 256]),
            Some(session) => session.ignore(|bytes| socket.read(bytes)),
        })
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
            socket: ClientStream::of(socket, self.tls),
            follower: self.rest,
            expects_liveness: self.expects_liveness,
            ignored: self.ignored,
        });
        (stream, self.permit)
    }
}

/// Does something once more if a signal has come in between.
fn again_if_interrupted<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
