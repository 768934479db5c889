//! All followers, on one thread, and what happens to them.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use socket2::{Domain, Socket, Type};

use super::follower::{Disturbance, Ended, Follower};
use super::publisher::Publisher;
use super::way::{Pace, Way};
use crate::Result;
use crate::table::count;

/// Of so many followers, one is disturbed in a second.
const CALM: usize = 100;

/// The receive buffer of a slow reader, which the kernel doubles: what is slow must reach the server.
const SLOW_BUFFER: usize = 2048;

const BUFFER: usize = 256 * 1024;

/// The followers, and what has happened to them.
#[derive(Debug)]
pub(super) struct Audience {
    addr: SocketAddr,
    poll: Poll,
    events: Events,
    followers: Vec<Follower>,
    buffer: Vec<u8>,
    rng: StdRng,
    connections: u64,
    disturbed: [u64; 4],
    given_up: u64,
    while_slow: u64,
    ended: u64,
}

impl Audience {
    pub(super) fn new(addr: SocketAddr) -> Result<Audience> {
        Ok(Audience {
            addr,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            followers: Vec::new(),
            buffer: vec![0; BUFFER],
            rng: StdRng::seed_from_u64(1),
            connections: 0,
            disturbed: [0; 4],
            given_up: 0,
            while_slow: 0,
            ended: 0,
        })
    }

    /// Adds a follower, and connects it.
    pub(super) fn add(&mut self, index: usize) -> Result<()> {
        let way = Way::new(index, &mut self.rng);
        self.followers.push(Follower::new(way));
        self.connect(index)
    }

    /// Reads for this long what has come.
    pub(super) fn read_for(&mut self, time: Duration, publisher: &Publisher) -> Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            let ready: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
            for index in ready {
                let ended = self.followers[index].ready(&mut self.buffer, publisher);
                self.note(index, ended)?;
            }
        }
        Ok(())
    }

    /// Cuts some connections, lets some followers stall, and reads what slow ones read in a tick.
    pub(super) fn disturb(&mut self, tick: Duration, publisher: &Publisher) -> Result<()> {
        let a_second = self.followers.len() as f64 / CALM as f64;
        let mut left = a_second * tick.as_secs_f64();
        while left > 0.0 {
            if left >= 1.0 || self.rng.random_bool(left) {
                self.disturb_one()?;
            }
            left -= 1.0;
        }
        let now = Instant::now();
        for index in 0..self.followers.len() {
            let ended = self.followers[index].tick(now, &mut self.buffer, publisher);
            self.note(index, ended)?;
        }
        self.come_back()
    }

    fn disturb_one(&mut self) -> Result<()> {
        let rng = &mut self.rng;
        let seconds =
            |rng: &mut StdRng, most: u64| Duration::from_millis(rng.random_range(0..most * 1000));
        let index = rng.random_range(0..self.followers.len());
        let (kind, how) = match rng.random_range(0..10) {
            0..3 => (0, Disturbance::Close),
            3..6 => (1, Disturbance::Reset),
            6..9 => (2, Disturbance::HalfClose(seconds(rng, 5))),
            _ => (3, Disturbance::Stall(seconds(rng, 100))),
        };
        let back = Instant::now() + seconds(rng, 5);
        self.disturbed[kind] += 1;
        self.followers[index].disturb(how, back)
    }

    /// Connects the followers that have been away for long enough.
    pub(super) fn come_back(&mut self) -> Result<()> {
        let now = Instant::now();
        for index in 0..self.followers.len() {
            if self.followers[index].is_due(now) {
                self.connect(index)?;
            }
        }
        Ok(())
    }

    /// Lets all followers read.
    pub(super) fn calm_down(&mut self, publisher: &Publisher) -> Result<()> {
        for index in 0..self.followers.len() {
            let ended = self.followers[index].calm_down(&mut self.buffer, publisher);
            self.note(index, ended)?;
        }
        Ok(())
    }

    /// Whether all followers have sent their requests.
    pub(super) fn has_asked(&self) -> bool {
        self.followers.iter().all(Follower::has_asked)
    }

    /// Whether all followers have all that was published.
    pub(super) fn has_all(&self, publisher: &Publisher) -> bool {
        let mut followers = self.followers.iter();
        followers.all(|follower| follower.missing(publisher) == 0)
    }

    /// Fails unless all followers have all that was published.
    pub(super) fn check(&self, publisher: &Publisher) -> Result<()> {
        let missing = |follower: &&Follower| follower.missing(publisher) > 0;
        let some: Vec<&Follower> = self.followers.iter().filter(missing).collect();
        let Some(one) = some.first() else {
            return Ok(());
        };
        Err(format!(
            "{} of {} followers have not had all messages; {} is {} behind",
            some.len(),
            self.followers.len(),
            one.way().name(),
            one.missing(publisher)
        )
        .into())
    }

    /// The followers that have a connection.
    pub(super) fn connected(&self) -> usize {
        self.followers.iter().filter(|one| one.is_on()).count()
    }

    pub(super) fn messages(&self) -> u64 {
        self.followers.iter().map(Follower::messages).sum()
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections
    }

    fn connect(&mut self, index: usize) -> Result<()> {
        let socket = Socket::new(Domain::for_address(self.addr), Type::STREAM, None)?;
        if self.followers[index].way().pace != Pace::Fast {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&self.addr.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                return Err(format!("follower {index} cannot connect: {error}").into());
            }
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut socket, Token(index), both)?;
        self.connections += 1;
        self.followers[index].connect(socket)
    }

    /// Counts how a connection has ended; an error gets the name of its follower.
    fn note(&mut self, index: usize, ended: Result<Option<Ended>>) -> Result<()> {
        match ended {
            Ok(None) => {}
            Ok(Some(Ended::Expected)) => self.ended += 1,
            Ok(Some(Ended::GivenUp)) => self.given_up += 1,
            Ok(Some(Ended::WhileSlow)) => self.while_slow += 1,
            Err(error) => {
                let way = self.followers[index].way().name();
                return Err(format!("follower {index} ({way}): {error}").into());
            }
        }
        Ok(())
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [closed, reset, half_closed, stalled] = self.disturbed.map(count);
        writeln!(
            f,
            "{} messages have come, each once and in order, over {} connections. Of these, {closed} were \
             closed, {reset} reset and {half_closed} half closed; {} ended as they were asked to. \
             {stalled} times a follower stalled; the server has given up {} of them, and {} that read \
             slowly.",
            count(self.messages()),
            count(self.connections),
            count(self.ended),
            count(self.given_up),
            count(self.while_slow),
        )
    }
}
