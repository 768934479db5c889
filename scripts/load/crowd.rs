//! A server with followers, and what is published to them.

use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Followers;
use crate::latency::Latencies;
use crate::message::{BYTES, Message, now};
use crate::publish::{Published, publish};
use crate::run::Run;
use crate::server::{Memory, Server};
use crate::targets::Target;
use crate::{Result, http, message};

/// The channel that a server is warmed up with.
const WARM: &str = "warm";

/// Who follows what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// In all: a multiple of the channels.
    pub(crate) followers: usize,
    pub(crate) channels: usize,
    /// Who have their turns with the channels.
    pub(crate) publishers: usize,
    /// The length of a message.
    pub(crate) bytes: usize,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            followers: 2000,
            channels: 1,
            publishers: 1,
            bytes: BYTES,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Crowd<'a> {
    target: &'a (dyn Target + Sync),
    // It goes before its followers do: thousands who leave are not what is measured.
    pub(crate) server: Server,
    pub(crate) followers: Followers,
    shape: Shape,
    /// The last number of each publisher in each channel.
    numbers: Vec<u64>,
    /// The server's memory before anybody followed it.
    pub(crate) before: Memory,
}

/// What was published, and what came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) deliveries: u64,
    /// Until the last of them.
    pub(crate) elapsed: Duration,
    /// Of the server.
    pub(crate) cpu: Duration,
    /// Of each delivery, from before its message was sent.
    pub(crate) latencies: Latencies,
    pub(crate) published: Published,
}

impl Crowd<'_> {
    /// Starts a server, and has all followers on its streams, from now on.
    pub(crate) fn gather<'a>(
        target: &'a (dyn Target + Sync),
        run: &Run,
        shape: Shape,
    ) -> Result<Crowd<'a>> {
        let shape = Shape {
            followers: run.size(shape.followers),
            channels: run.size(shape.channels).max(1),
            ..shape
        };
        let server = target.start(&run.scratch)?;
        let names = (0..shape.channels).map(channel);
        make_channels(target, &server, names.chain([WARM.to_owned()]))?;
        warm_up(target, &server)?;
        let before = server.memory()?;
        let followers = Followers::gather(server.addr, shape.followers, shape.bytes, |index| {
            target.follow(&channel(index % shape.channels))
        })?;
        Ok(Crowd {
            target,
            server,
            followers,
            shape,
            numbers: vec![0; shape.publishers * shape.channels],
            before,
        })
    }

    /// Publishes so many messages, one each time that this has passed, or as fast as they are
    /// acknowledged; and reads until all of them have come to all.
    pub(crate) fn publish(&mut self, messages: u32, every: Duration) -> Result<Outcome> {
        let Shape {
            followers,
            channels,
            publishers,
            bytes,
        } = self.shape;
        let (target, addr, numbers) = (self.target, self.server.addr, &mut self.numbers);
        let deliveries = u64::from(messages) * (followers / channels) as u64;
        let cpu = self.server.cpu()?;
        let began = Instant::now();
        let mut turns = 0..messages;
        let next = |publisher, request: &mut Vec<u8>| {
            let Some(turn) = turns.next() else {
                return false;
            };
            thread::sleep((began + every * turn).saturating_duration_since(Instant::now()));
            let place = turn as usize % channels;
            let number = &mut numbers[publisher * channels + place];
            *number += 1;
            let message = Message {
                publisher,
                number: *number,
                sent: now(),
            };
            let head = target.append(&channel(place), bytes + 1);
            request.extend_from_slice(head.as_bytes());
            message.write(bytes, request);
            true
        };
        let (published, tally) = thread::scope(|scope| {
            let publishing = scope.spawn(move || publish(addr, publishers, next));
            let tally = self.followers.read_messages(deliveries);
            let published = publishing
                .join()
                .map_err(|_| "the publishers have failed")?;
            Result::Ok((published?, tally?))
        })?;
        let elapsed = began.elapsed();
        self.followers.check_order(channels)?;
        Ok(Outcome {
            deliveries,
            elapsed,
            cpu: self.server.cpu()?.saturating_sub(cpu),
            latencies: tally.latencies,
            published,
        })
    }
}

/// The name of a channel.
pub(crate) fn channel(index: usize) -> String {
    format!("c{index}")
}

/// Makes channels, where they must be made.
pub(crate) fn make_channels(
    target: &dyn Target,
    server: &Server,
    names: impl Iterator<Item = String>,
) -> Result<()> {
    let mut socket = http::connect(server.addr)?;
    for request in names.filter_map(|name| target.make(&name)) {
        http::exchange(&mut socket, &request, 201)?;
    }
    Ok(())
}

/// Appends so many messages to a channel, as fast as they are acknowledged.
pub(crate) fn fill(
    target: &dyn Target,
    server: &Server,
    channel: &str,
    messages: u64,
) -> Result<()> {
    let mut numbers = 1..=messages;
    publish(server.addr, 1, |_, request| {
        let line = numbers.next().map(message::line);
        if let Some(line) = &line {
            request.extend_from_slice(target.append(channel, line.len()).as_bytes());
            request.extend_from_slice(line.as_bytes());
        }
        line.is_some()
    })?;
    Ok(())
}

/// A few messages to a follower, so that what is loaded at the first use has been.
pub(crate) fn warm_up(target: &dyn Target, server: &Server) -> Result<()> {
    const MESSAGES: u64 = 5;
    let mut follower = Followers::gather(server.addr, 1, BYTES, |_| target.follow(WARM))?;
    fill(target, server, WARM, MESSAGES)?;
    follower.read_messages(MESSAGES)?;
    Ok(())
}
