//! Taps: what is written to the sockets of some streams, told to the page that asked for it. Pure but for
//! its lock: the time is an argument.
//!
//! The page `/wire` opens a tap, and names it in the address of each of its streams (`?tap=ID`). From then
//! on every write to such a stream's socket is a record of the tap, with its time and its bytes: the status
//! line and the headers, the sizes of chunks, the end. With TLS the bytes are those before they are
//! encrypted. The page fetches the records.
//!
//! **Nobody else sees them.** The ID cannot be guessed, and is good for the client that opened the tap
//! alone ([`TapOwner`]), and for streams of channels that this client may read. Headers and parameters that
//! show who sends a request are left out of the records.
//!
//! **Nothing grows.** There are at most [`limits::TAPS_MAX`] taps, each with so many streams and bytes; one
//! whose page does not fetch is forgotten. A stream that is not tapped knows nothing of all this; one
//! that is keeps its task for as long as somebody looks, and joins the crowd then.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::access::ChannelSet;
use crate::limits;

/// All taps of a server.
#[derive(Debug, Default)]
pub struct Taps(Mutex<HashMap<String, Arc<Tap>>>);

/// Whose a tap is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapOwner {
    /// The address that it was opened from.
    pub client: IpAddr,
    /// The channels that its owner may read.
    pub readable: ChannelSet,
}

/// There are as many taps as there may be, of this client or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapsFull;

/// One tap: what its streams have written and its page has not fetched.
#[derive(Debug)]
pub struct Tap {
    owner: TapOwner,
    opened: Instant,
    state: Mutex<TapState>,
}

#[derive(Debug)]
struct TapState {
    fetched: Instant,
    records: VecDeque<TapRecord>,
    /// The bytes of writes in `records`.
    bytes: usize,
    /// The bytes of writes that found no room since the last fetch.
    lost: u64,
    /// The number of the last stream.
    last: u32,
    /// How many streams are tapped now.
    streams: usize,
}

/// Something that happened on a stream that is tapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapRecord {
    /// The stream's number in its tap, from 1.
    pub stream: u32,
    /// Microseconds since the tap was opened.
    pub micros: u64,
    /// What happened.
    pub event: TapEvent,
}

/// What happened on a stream that is tapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapEvent {
    /// A request was read. Its lines are those of its head, without what shows who sent it.
    Request(Box<[String]>),
    /// The socket has taken these bytes.
    Write(Box<[u8]>),
    /// Nothing more is written: the answer is over, or its connection broke (`false`).
    End(bool),
}

/// What a page fetches from its tap.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TapReport {
    /// What has happened since the last fetch.
    pub records: Vec<TapRecord>,
    /// The bytes that were written and found no room.
    pub lost: u64,
    /// Microseconds since the tap was opened.
    pub micros: u64,
}

/// A stream whose writes are records of a tap. Dropped before its answer is over, it tells that the
/// connection broke.
#[derive(Debug)]
pub struct TappedStream {
    tap: Arc<Tap>,
    number: u32,
    last: Instant,
    is_over: bool,
}

impl Taps {
    /// Opens a tap, and returns its ID.
    ///
    /// # Errors
    /// [`TapsFull`].
    pub fn open(&self, owner: TapOwner, now: Instant) -> Result<String, TapsFull> {
        let mut taps = self.0.lock();
        taps.retain(|_, tap| tap.is_live(now));
        let own = taps.values().filter(|tap| tap.owner.client == owner.client);
        if taps.len() >= limits::TAPS_MAX || own.count() >= limits::TAPS_PER_CLIENT_MAX {
            return Err(TapsFull);
        }
        let id = rand::random::<[u8; 16]>()
            .iter()
            .fold(String::new(), |mut id, byte| {
                // Writing into a string cannot fail.
                let _ = write!(id, "{byte:02x}");
                id
            });
        taps.insert(id.clone(), Arc::new(Tap::new(owner, now)));
        Ok(id)
    }

    /// Returns the tap with this ID, if it is open, the client's, and for channels that `may_see` allows.
    #[must_use]
    pub fn get(
        &self,
        id: &str,
        client: IpAddr,
        now: Instant,
        may_see: impl Fn(&ChannelSet) -> bool,
    ) -> Option<Arc<Tap>> {
        let mut taps = self.0.lock();
        taps.retain(|_, tap| tap.is_live(now));
        let tap = taps.get(id)?;
        let is_owned = tap.owner.client == client && may_see(&tap.owner.readable);
        is_owned.then(|| Arc::clone(tap))
    }
}

impl Tap {
    fn new(owner: TapOwner, now: Instant) -> Tap {
        Tap {
            owner,
            opened: now,
            state: Mutex::new(TapState {
                fetched: now,
                records: VecDeque::new(),
                bytes: 0,
                lost: 0,
                last: 0,
                streams: 0,
            }),
        }
    }

    /// Taps a stream whose request had a head of these lines; `None` if there are as many as there may be.
    #[must_use]
    pub fn stream(
        self: &Arc<Tap>,
        head: impl IntoIterator<Item = String>,
        now: Instant,
    ) -> Option<TappedStream> {
        let mut state = self.state.lock();
        if state.streams >= limits::TAP_STREAMS_MAX {
            return None;
        }
        state.streams += 1;
        state.last += 1;
        let number = state.last;
        let head: Box<[String]> = head.into_iter().collect();
        let bytes = head.iter().map(String::len).sum();
        state.push(bytes, self.record(number, now, TapEvent::Request(head)));
        Some(TappedStream {
            tap: Arc::clone(self),
            number,
            last: now,
            is_over: false,
        })
    }

    /// Takes what has happened since the last time.
    #[must_use]
    pub fn fetch(&self, now: Instant) -> TapReport {
        let mut state = self.state.lock();
        state.fetched = now;
        state.bytes = 0;
        TapReport {
            records: state.records.drain(..).collect(),
            lost: std::mem::take(&mut state.lost),
            micros: self.micros(now),
        }
    }

    /// Whether somebody looks at the tap.
    fn is_live(&self, now: Instant) -> bool {
        let fetched = self.state.lock().fetched;
        now.saturating_duration_since(self.opened) < limits::TAP_LIFE
            && now.saturating_duration_since(fetched) < limits::TAP_IDLE_TIMEOUT
    }

    fn micros(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.opened);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    fn record(&self, stream: u32, now: Instant, event: TapEvent) -> TapRecord {
        TapRecord {
            stream,
            micros: self.micros(now),
            event,
        }
    }
}

impl TapState {
    /// Keeps a record of so many bytes, if there is room for it.
    fn push(&mut self, bytes: usize, record: TapRecord) {
        let has_room = self.bytes + bytes <= limits::TAP_BYTES
            && self.records.len() < limits::TAP_RECORDS_MAX
            // From the first loss to the next fetch nothing is kept, so that no record has a hole before it.
            && self.lost == 0;
        if has_room {
            self.bytes += bytes;
            self.records.push_back(record);
        } else {
            self.lost += bytes.max(1) as u64;
        }
    }
}

impl TappedStream {
    /// The socket has taken these bytes, which may lie in several pieces.
    pub fn on_write<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>, now: Instant) {
        self.last = now;
        let bytes: Vec<u8> = pieces.into_iter().flatten().copied().collect();
        if !bytes.is_empty() {
            let (len, event) = (bytes.len(), TapEvent::Write(bytes.into()));
            let record = self.tap.record(self.number, now, event);
            self.tap.state.lock().push(len, record);
        }
    }

    /// Whether anybody looks. A stream at which nobody does is tapped no more.
    #[must_use]
    pub fn is_live(&self, now: Instant) -> bool {
        self.tap.is_live(now)
    }

    /// The answer is over, and all of it has been written.
    pub fn on_over(mut self, now: Instant) {
        self.last = now;
        self.is_over = true;
    }
}

impl Drop for TappedStream {
    fn drop(&mut self) {
        let event = TapEvent::End(self.is_over);
        let record = self.tap.record(self.number, self.last, event);
        let mut state = self.tap.state.lock();
        state.streams -= 1;
        state.push(0, record);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn owner(last: u8) -> TapOwner {
        TapOwner {
            client: Ipv4Addr::new(127, 0, 0, last).into(),
            readable: ChannelSet::all(),
        }
    }

    fn get(taps: &Taps, id: &str, now: Instant) -> Option<Arc<Tap>> {
        taps.get(id, CLIENT, now, |_| true)
    }

    /// The records of a stream, in order, and the end that it had.
    #[test]
    fn tap_reports_writes_in_order() {
        let (taps, now) = (Taps::default(), Instant::now());
        let id = taps.open(owner(1), now).unwrap();
        assert_eq!(id.len(), 32);
        let tap = get(&taps, &id, now).unwrap();
        let later = now + Duration::from_millis(3);
        let mut stream = tap.stream(["GET / HTTP/1.1".to_owned()], now).unwrap();
        stream.on_write([&b"5\r\n"[..], b"hello\r\n"], later);
        stream.on_write([], later);
        stream.on_over(later);
        let report = tap.fetch(later);
        let event = |event| TapRecord {
            stream: 1,
            micros: if matches!(event, TapEvent::Request(_)) {
                0
            } else {
                3000
            },
            event,
        };
        let expected = [
            event(TapEvent::Request(["GET / HTTP/1.1".to_owned()].into())),
            event(TapEvent::Write((*b"5\r\nhello\r\n").into())),
            event(TapEvent::End(true)),
        ];
        assert_eq!(report.records, expected);
        assert_eq!((report.lost, report.micros), (0, 3000));
        drop(tap.stream([], later));
        let broken = tap.fetch(later).records.pop().unwrap();
        assert_eq!((broken.stream, broken.event), (2, TapEvent::End(false)));
    }

    /// A tap is its owner's, while it is fetched.
    #[test]
    fn tap_of_nobody_else() {
        let (taps, now) = (Taps::default(), Instant::now());
        let id = taps.open(owner(1), now).unwrap();
        assert!(get(&taps, "", now).is_none());
        assert!(
            taps.get(&id, owner(2).client, now, |_| true).is_none(),
            "another address"
        );
        assert!(taps.get(&id, CLIENT, now, |_| false).is_none(), "no right");
        let almost = now + limits::TAP_IDLE_TIMEOUT.mul_f64(0.99);
        let tap = get(&taps, &id, almost).unwrap();
        let stream = tap.stream([], almost).unwrap();
        assert!(stream.is_live(almost));
        let over = now + limits::TAP_IDLE_TIMEOUT;
        assert!(!stream.is_live(over), "nobody has fetched");
        let _ = tap.fetch(almost);
        assert!(get(&taps, &id, over).is_some());
        let mut at = over;
        while at < now + limits::TAP_LIFE {
            let _ = tap.fetch(at);
            at += Duration::from_secs(10);
        }
        assert!(get(&taps, &id, now + limits::TAP_LIFE).is_none(), "old");
    }

    #[test]
    fn taps_are_bounded() {
        let (taps, now) = (Taps::default(), Instant::now());
        let mut ids = Vec::new();
        for _ in 0..limits::TAPS_PER_CLIENT_MAX {
            ids.push(taps.open(owner(1), now).unwrap());
        }
        assert_eq!(taps.open(owner(1), now), Err(TapsFull));
        for last in 2..=u8::MAX {
            match taps.open(owner(last), now) {
                Ok(id) => ids.push(id),
                Err(TapsFull) => break,
            }
        }
        assert_eq!(ids.len(), limits::TAPS_MAX);
        let tap = get(&taps, &ids[0], now).unwrap();
        let streams: Vec<_> = (0..limits::TAP_STREAMS_MAX)
            .map(|_| tap.stream([], now).unwrap())
            .collect();
        assert!(tap.stream([], now).is_none());
        drop(streams);
        let mut stream = tap.stream([], now).unwrap();
        let _ = tap.fetch(now);
        let half = vec![0; limits::TAP_BYTES / 2 + 1];
        stream.on_write([&*half], now);
        stream.on_write([&*half], now);
        stream.on_write([&b"a"[..]], now);
        let report = tap.fetch(now);
        assert_eq!(report.records.len(), 1, "and nothing after what is lost");
        assert_eq!(report.lost, half.len() as u64 + 1);
        stream.on_write([&b"a"[..]], now);
        assert_eq!(tap.fetch(now).records.len(), 1);
        for _ in 0..2 * limits::TAP_RECORDS_MAX {
            stream.on_write([&b"a"[..]], now);
        }
        assert_eq!(tap.fetch(now).records.len(), limits::TAP_RECORDS_MAX);
        // Those that nobody fetches make room.
        let later = now + limits::TAP_IDLE_TIMEOUT;
        assert!(taps.open(owner(1), later).is_ok());
    }
}
