//! Followers that are written shared frames, as a crowd's are, and followers that are asked for each of
//! their writes: what both have is the same, byte by byte.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::{Options, ServedFollower, StreamStep};
use crate::budget::MemoryShare;
use crate::drain::Drain;
use crate::limits;
use crate::log::{Entry, Item, Keep, Log, LogView, Memory, ReadOutcome, SharedFrame, Since, Store};
use crate::message::{Channel, Draft, Seq};
use crate::metrics::{Metrics, OpenStream};
use crate::wire::{Encoder, Encoding, HtmlStream, SseOptions, TextStream};

/// The interval of the followers' heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The encoders whose messages are shared, and two of those whose are not.
fn encoders() -> [Encoder; 8] {
    let sse = |heartbeat_event, envelope| {
        Encoder::Sse(SseOptions {
            retry: limits::SSE_RETRY_MS_DEFAULT,
            heartbeat_event,
            envelope,
        })
    };
    [
        Encoder::Text(TextStream::new(false, false)),
        Encoder::Text(TextStream::new(true, false)),
        Encoder::Text(TextStream::new(false, true)),
        Encoder::Text(TextStream::new(false, false).with_colors(true)),
        Encoder::Html(HtmlStream::default()),
        sse(true, false),
        sse(false, true),
        Encoder::Ndjson,
    ]
}

/// A follower and all that it was written.
struct Written {
    follower: Box<ServedFollower>,
    bytes: Vec<u8>,
    /// The number of writes that were shared.
    shared: usize,
}

/// Two followers with the same options, from the same position on.
struct Compared {
    alone: Written,
    crowd: Written,
}

impl Written {
    fn new(log: &Log, start: crate::log::Start, options: Options) -> Written {
        let open = OpenStream::new(Arc::new(Metrics::default()), options.encoder.wire());
        let memory = MemoryShare::alone(limits::UNSENT_BYTES);
        let drain = Drain::new(Duration::ZERO);
        Written {
            follower: Box::new(ServedFollower::new(
                log, start, drain, open, memory, options,
            )),
            bytes: Vec::new(),
            shared: 0,
        }
    }

    /// Writes all that there is, asking each time.
    fn ask(&mut self, now: Instant) {
        let view = self.follower.view().clone();
        loop {
            match self
                .follower
                .next(now, |position, limit| view.read(position, limit))
            {
                StreamStep::Chunk(chunk) => self.bytes.extend_from_slice(&chunk.data()),
                StreamStep::Wait(moment) => break assert!(moment > now),
                step => panic!("{step:?}"),
            }
        }
    }

    /// Writes a frame that all share where that is the next write, as a lane does.
    fn share(&mut self, now: Instant, frames: &mut [Option<SharedFrame>]) {
        let view = self.follower.view().clone();
        while let Some(encoding) = self.follower.follower.shared_encoding() {
            let at = self.follower.follower.position().at();
            let frame = &mut frames[encoding.index()];
            if !frame.as_ref().is_some_and(|frame| frame.comes_after(at)) {
                match view.read(
                    self.follower.follower.position(),
                    self.follower.follower.page_limit(),
                ) {
                    ReadOutcome::UpToDate { .. } => return,
                    ReadOutcome::Items { items, through, .. } => {
                        *frame = join(&items, at, through, encoding, &view);
                    }
                    read => panic!("{read:?}"),
                }
            }
            let frame = frame.as_ref().unwrap();
            self.bytes.extend_from_slice(&frame.chunk.data());
            assert!(frame.through > at, "nothing is shared twice");
            self.follower.follower.wrote_shared(frame.through, now);
            self.shared += 1;
            if frame.through >= view.newest() {
                return;
            }
        }
        self.ask(now);
    }
}

/// A text of some length: short ones, long ones, and some of about the size of a frame.
fn text(random: &mut StdRng) -> String {
    let length = match random.random_range(0..20) {
        0 => random.random_range(limits::FRAME_BYTES - 200..limits::FRAME_BYTES + 200),
        1..4 => random.random_range(0..limits::FRAME_BYTES / 2),
        _ => random.random_range(0..60),
    };
    let noise = *["x", "<&", "\n", ".", "\u{1}", "é", "\x1b[1m!"]
        .choose(random)
        .unwrap();
    noise.repeat(length / noise.len())
}

fn log() -> Log {
    let keep = Keep {
        messages: 1_000_000,
        age: Duration::from_hours(1),
    };
    let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT);
    Log::open(Store::Memory(memory), Arc::default()).unwrap()
}

/// Whatever is in the log, whatever the followers' positions, and whenever they come to be written:
/// shared frames say what each follower would have been written alone.
#[tokio::test]
async fn shared_frames_say_what_each_follower_would() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut shared = 0;
    for _ in 0..30 {
        shared += compare(&mut random).await;
    }
    assert!(shared > 1000, "{shared}");
}

/// Compares some followers of one log, and returns how many of their writes were shared.
async fn compare(random: &mut StdRng) -> usize {
    let log = log();
    let [main, other] = ["main", "other"].map(|name| Channel::new(name).unwrap());
    let channels = [main, other];
    let mut now = Instant::now();
    let mut pairs: Vec<Compared> = Vec::new();
    for _ in 0..random.random_range(5..15) {
        for _ in 0..random.random_range(0..6) {
            let encoder = encoders().choose(random).unwrap().clone();
            let options = || Options::new(encoder.clone(), Some(HEARTBEAT));
            let since = Since::Last(random.random_range(0..4));
            let start = log
                .start(&channels[0].clone().into(), &since)
                .await
                .unwrap();
            pairs.push(Compared {
                alone: Written::new(&log, start.clone(), options()),
                crowd: Written::new(&log, start, options()),
            });
        }
        for _ in 0..random.random_range(0..12) {
            // Some are of a channel that nobody follows.
            let channel = channels[usize::from(random.random_ratio(1, 4))].clone();
            log.append(Draft::new(channel, text(random).as_str()))
                .await
                .unwrap();
        }
        if random.random_ratio(1, 3) {
            now += HEARTBEAT / 2;
        }
        // The frames of one slice. Some followers are left out, and are further back then.
        let mut frames: [Option<SharedFrame>; Encoding::COUNT] = Default::default();
        for Compared { alone, crowd } in &mut pairs {
            if random.random_ratio(1, 4) {
                continue;
            }
            alone.ask(now);
            crowd.share(now, &mut frames);
            // Time passes for both.
            crowd.ask(now);
            let (alone, crowd) = (
                alone.follower.follower.position(),
                crowd.follower.follower.position(),
            );
            assert_eq!(alone.at(), crowd.at());
        }
    }
    for Compared { alone, crowd } in &mut pairs {
        now += HEARTBEAT;
        alone.ask(now);
        crowd.ask(now);
        let texts = [&alone.bytes, &crowd.bytes].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(alone.bytes == crowd.bytes, "{:?}\n{:?}", texts[0], texts[1]);
    }
    pairs.iter().map(|pair| pair.crowd.shared).sum()
}

/// A shared frame of which the first part was written can be taken back: what is made again is the same.
#[tokio::test]
async fn shared_frame_is_made_again_as_it_was() {
    let (mut random, mut now) = (StdRng::seed_from_u64(7), Instant::now());
    for encoder in encoders() {
        let log = log();
        let start = log
            .start(&Channel::main().into(), &Since::All)
            .await
            .unwrap();
        let mut written = Written::new(&log, start, Options::new(encoder, Some(HEARTBEAT)));
        written.ask(now);
        // A stream that begins quiet has shown a dot.
        log.append(Draft::new(Channel::main(), "first"))
            .await
            .unwrap();
        written.ask(now);
        for _ in 0..50 {
            now += HEARTBEAT / 10;
            for _ in 0..random.random_range(1..8) {
                let draft = Draft::new(Channel::main(), text(&mut random).as_str());
                log.append(draft).await.unwrap();
            }
            let Some(encoding) = written.follower.follower.shared_encoding() else {
                break;
            };
            let (view, at) = (log.view(), written.follower.follower.position().at());
            let (position, limit) = (
                written.follower.follower.position(),
                written.follower.follower.page_limit(),
            );
            let ReadOutcome::Items { items, through, .. } = view.read(position, limit) else {
                panic!("there are messages")
            };
            let frame = join(&items, at, through, encoding, &view).unwrap();
            written.follower.wrote_part(frame.through, now);
            assert!(written.follower.undo(true));
            assert_eq!(written.follower.follower.position().at(), at);
            // More comes before the client reads on.
            let draft = Draft::new(Channel::main(), "later");
            log.append(draft).await.unwrap();
            let step = written
                .follower
                .next(now, |position, limit| view.read(position, limit));
            let StreamStep::Chunk(again) = step else {
                panic!("{step:?}")
            };
            assert_eq!(again.framed(), frame.chunk.framed());
            assert_eq!(written.follower.follower.position().at(), frame.through);
            written.ask(now);
        }
    }
}

/// The frame of these items, as a lane makes it.
fn join(
    items: &[Item],
    at: Seq,
    through: Seq,
    encoding: Encoding,
    view: &LogView,
) -> Option<SharedFrame> {
    let encode = |entry: &Arc<Entry>| entry.encoded(encoding, view.epoch()).clone();
    SharedFrame::join(items.iter().filter_map(Item::message), at, through, encode)
}
