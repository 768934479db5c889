//! A crowd: a server with followers, and what is published to them.

use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Followers;
use crate::latency::Latencies;
use crate::message::{BYTES, Message, now};
use crate::publish::{Published, publish};
use crate::run::Run;
use crate::server::{Cpu, Memory, Server};
use crate::targets::Target;
use crate::{Result, http, message};

/// The channel that warms a server up.
const WARM: &str = "warm";

/// How many follow and publish, on how many channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Followers of all channels together: a multiple of the channels.
    pub(crate) followers: usize,
    pub(crate) channels: usize,
    /// Publishers, which take turns with the channels.
    pub(crate) publishers: usize,
    /// The length of a message, without its newline.
    pub(crate) bytes: usize,
}

impl Shape {
    /// The shape from which a case differs in what it is about.
    pub(crate) const USUAL: Shape = Shape {
        followers: 2000,
        channels: 1,
        publishers: 1,
        bytes: BYTES,
    };
}

/// A server with followers.
#[derive(Debug)]
pub(crate) struct Crowd<'a> {
    target: &'a Target,
    // Declared, and so dropped, before the followers: thousands that leave are not measured.
    pub(crate) server: Server,
    pub(crate) followers: Followers,
    shape: Shape,
    /// The number of the last message of each publisher in each channel.
    numbers: Vec<u64>,
    /// The server's memory before the followers connected.
    pub(crate) before: Memory,
    /// How long it took to connect all followers, and the CPU time of the server.
    pub(crate) connected: (Duration, Cpu),
}

/// What was published, and how it was delivered.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) deliveries: u64,
    /// The time until the last delivery.
    pub(crate) elapsed: Duration,
    /// The CPU time of the server.
    pub(crate) cpu: Cpu,
    /// The time of each delivery since before its message was sent.
    pub(crate) latencies: Latencies,
    pub(crate) published: Published,
}

impl Crowd<'_> {
    /// Starts a server, and connects all followers to its streams.
    pub(crate) fn gather<'a>(target: &'a Target, run: &Run, shape: Shape) -> Result<Crowd<'a>> {
        Crowd::gather_with(target, run, shape, "")
    }

    /// Does so with further parameters of the streams, such as `&heartbeat=1s`.
    pub(crate) fn gather_with<'a>(
        target: &'a Target,
        run: &Run,
        shape: Shape,
        parameters: &str,
    ) -> Result<Crowd<'a>> {
        let shape = Shape {
            followers: run.size(shape.followers),
            channels: run.size(shape.channels).max(1),
            ..shape
        };
        let server = run.start(target)?;
        let names = (0..shape.channels).map(channel);
        create_channels(target, &server, names.chain([WARM.to_owned()]))?;
        warm_up(target, &server)?;
        let before = server.memory()?;
        let (began, cpu) = (Instant::now(), server.cpu()?);
        let endpoints = target.endpoints(&server);
        let followers = Followers::gather(&endpoints, shape.followers, shape.bytes, |index| {
            target.follow_with(&channel(index % shape.channels), parameters)
        })?;
        let connected = (began.elapsed(), server.cpu_since(cpu)?);
        Ok(Crowd {
            target,
            server,
            followers,
            shape,
            numbers: vec![0; shape.publishers * shape.channels],
            before,
            connected,
        })
    }

    /// Publishes messages with `every` between two of them, or as fast as they are acknowledged; and
    /// reads until all of them have come to all followers.
    pub(crate) fn publish(&mut self, messages: u32, every: Duration) -> Result<Outcome> {
        let Shape {
            followers,
            channels,
            publishers,
            bytes,
        } = self.shape;
        let (target, addrs, numbers) = (self.target, self.server.addrs(), &mut self.numbers);
        let deliveries = u64::from(messages) * (followers / channels) as u64;
        let cpu = self.server.cpu()?;
        let began = Instant::now();
        let mut turns = 0..messages;
        let next = |publisher, request: &mut Vec<u8>| {
            let Some(turn) = turns.next() else {
                return false;
            };
            thread::sleep((began + every * turn).saturating_duration_since(Instant::now()));
            let index = turn as usize % channels;
            let number = &mut numbers[publisher * channels + index];
            *number += 1;
            let message = Message {
                publisher,
                number: *number,
                sent: now(),
            };
            let head = target.append(&channel(index), bytes + 1);
            request.extend_from_slice(head.as_bytes());
            message.write(bytes, request);
            true
        };
        let (published, tally) = thread::scope(|scope| {
            let publishing = scope.spawn(move || publish(&addrs, publishers, next));
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
            cpu: self.server.cpu_since(cpu)?,
            latencies: tally.latencies,
            published,
        })
    }
}

/// The name of a channel.
pub(crate) fn channel(index: usize) -> String {
    format!("c{index}")
}

/// Creates channels, if the target's channels must be created.
pub(crate) fn create_channels(
    target: &Target,
    server: &Server,
    names: impl IntoIterator<Item = String>,
) -> Result<()> {
    let mut socket = http::connect(server.addr)?;
    for request in names.into_iter().filter_map(|name| target.create(&name)) {
        http::exchange(&mut socket, request.as_bytes(), 201)?;
    }
    Ok(())
}

/// Appends this many messages to a channel, as fast as they are acknowledged.
pub(crate) fn fill(target: &Target, server: &Server, channel: &str, messages: u64) -> Result<()> {
    let mut numbers = 1..=messages;
    publish(&[server.addr], 1, |_, request| {
        let line = numbers.next().map(message::line);
        if let Some(line) = &line {
            request.extend_from_slice(target.append(channel, line.len()).as_bytes());
            request.extend_from_slice(line.as_bytes());
        }
        line.is_some()
    })?;
    Ok(())
}

/// Sends a few messages to a follower, so that what is loaded at the first use is loaded.
pub(crate) fn warm_up(target: &Target, server: &Server) -> Result<()> {
    const MESSAGES: u64 = 5;
    let endpoints = target.endpoints(server);
    let mut follower = Followers::gather(&endpoints, 1, BYTES, |_| target.follow(WARM))?;
    fill(target, server, WARM, MESSAGES)?;
    follower.read_messages(MESSAGES)?;
    Ok(())
}
