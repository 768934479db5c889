//! What a follower asks for, and how it reads.

use rand::RngExt;
use rand::rngs::StdRng;

use super::publisher::CHANNELS;

/// How a follower asks. The messages in its answer look the same in all of them.
#[derive(Clone, Copy, Debug)]
struct Transport {
    query: &'static str,
    version: &'static str,
    /// Channels that it follows in one stream.
    channels: usize,
}

/// All of them have about the same number of followers.
#[rustfmt::skip]
const TRANSPORTS: [Transport; 10] = [
    Transport { query: "as=text", version: "1.1", channels: 1 },
    Transport { query: "as=text", version: "1.1", channels: 3 },
    Transport { query: "as=text&timeout=40s", version: "1.1", channels: 1 },
    Transport { query: "as=html", version: "1.1", channels: 1 },
    Transport { query: "as=script", version: "1.1", channels: 1 },
    Transport { query: "as=sse", version: "1.1", channels: 1 },
    Transport { query: "as=sse&heartbeat=5s", version: "1.1", channels: 2 },
    Transport { query: "as=ndjson", version: "1.1", channels: 1 },
    Transport { query: "as=json&wait=10s", version: "1.1", channels: 1 },
    Transport { query: "as=text", version: "1.0", channels: 1 },
];

/// How fast a follower reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// All that has come, at once.
    Fast,
    /// So many bytes a tick, with a small buffer in its kernel.
    Slow(usize),
}

/// What a follower does all the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    transport: Transport,
    /// The first of its channels.
    first: usize,
    pub(super) pace: Pace,
}

impl Way {
    /// The way of a follower: one in twenty reads slowly.
    pub(super) fn new(index: usize, rng: &mut StdRng) -> Way {
        let pace = if rng.random_ratio(1, 20) {
            Pace::Slow(rng.random_range(4..64))
        } else {
            Pace::Fast
        };
        Way {
            transport: TRANSPORTS[index % TRANSPORTS.len()],
            first: rng.random_range(0..CHANNELS),
            pace,
        }
    }

    /// The indexes of its channels.
    pub(super) fn channels(&self) -> impl Iterator<Item = usize> {
        let first = self.first;
        (0..self.transport.channels).map(move |more| (first + more) % CHANNELS)
    }

    /// The request that follows from after a number of the log; from 0, from the first message.
    pub(super) fn request(&self, since: u64) -> String {
        let names: Vec<String> = self.channels().map(super::publisher::name).collect();
        let (names, Transport { query, version, .. }) = (names.join(","), self.transport);
        format!("GET /c/{names}?{query}&since={since} HTTP/{version}\r\nHost: localhost\r\n\r\n")
    }

    pub(super) fn polls(&self) -> bool {
        self.transport.query.starts_with("as=json")
    }

    pub(super) fn name(&self) -> String {
        let Transport {
            query,
            version,
            channels,
        } = self.transport;
        format!(
            "HTTP/{version} ?{query}, channels: {channels}, {:?}",
            self.pace
        )
    }
}
