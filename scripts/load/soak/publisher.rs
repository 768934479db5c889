//! What is published, and the number that each message has in the log.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::message::{self, BYTES, Message, PUBLISHERS};
use crate::{Result, http};

/// A channel has one publisher, whose messages are numbered from 1.
pub(super) const CHANNELS: usize = PUBLISHERS;

/// Messages a second, of all channels together.
const RATE: u32 = 20;

/// From time to time many messages come at once, more than the buffers of a slow follower hold.
const BURST_EVERY: Duration = Duration::from_secs(20);
const BURST: usize = 100;

/// Messages of each channel before it begins, more than the server keeps in memory of all channels together:
/// a message costs more there when it has been written on all transports, so what is kept grows until all of it
/// has been, and would look like a leak. What the buffers of a slow follower hold is full then, too.
const FILL: usize = 2000;

/// Publishes, and waits for each answer: so the number of a message is known before a follower reads it.
#[derive(Debug)]
pub(super) struct Publisher {
    socket: TcpStream,
    /// For each channel, the numbers in the log of its messages.
    seqs: [Vec<u64>; CHANNELS],
    turn: usize,
    due: Instant,
    burst_due: Instant,
}

impl Publisher {
    pub(super) fn new(addr: SocketAddr) -> Result<Publisher> {
        let now = Instant::now();
        Ok(Publisher {
            socket: http::connect(addr)?,
            seqs: Default::default(),
            turn: 0,
            due: now,
            burst_due: now + BURST_EVERY,
        })
    }

    /// Publishes what is due.
    pub(super) fn publish(&mut self, now: Instant) -> Result<()> {
        while self.due <= now {
            self.due += Duration::from_secs(1) / RATE;
            self.append()?;
        }
        if self.burst_due <= now {
            self.burst_due = now + BURST_EVERY;
            for _ in 0..BURST {
                self.append()?;
            }
        }
        Ok(())
    }

    /// Publishes more at once than slow followers can take.
    pub(super) fn fill(&mut self) -> Result<()> {
        (0..FILL * CHANNELS).try_for_each(|_| self.append())
    }

    fn append(&mut self) -> Result<()> {
        let channel = self.turn % CHANNELS;
        self.turn += 1;
        let message = Message {
            publisher: channel,
            number: self.seqs[channel].len() as u64 + 1,
            sent: message::now(),
        };
        let path = format!("/c/{}", name(channel));
        let mut request = http::head("POST", &path, "", BYTES as u64 + 1).into_bytes();
        message.write(BYTES, &mut request);
        let answer = http::exchange(&mut self.socket, &request, 201)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let seq = answer["seq"].as_u64();
        self.seqs[channel].push(seq.ok_or("an append was answered without its number")?);
        Ok(())
    }

    /// The number in the log of a message, by its number in its channel.
    pub(super) fn seq(&self, message: &Message) -> Option<u64> {
        let index = usize::try_from(message.number.checked_sub(1)?).ok()?;
        self.seqs[message.publisher].get(index).copied()
    }

    /// The messages of a channel so far.
    pub(super) fn published(&self, channel: usize) -> u64 {
        self.seqs[channel].len() as u64
    }

    pub(super) fn messages(&self) -> usize {
        self.turn
    }
}

/// The name of a channel.
pub(super) fn name(channel: usize) -> String {
    format!("soak{channel}")
}
