//! The sessions of `/receiver`: how far each browser has seen the log.
//!
//! A session is derived state: when it is forgotten, its browser starts at the beginning of the log
//! again and misses no message.
//!
//! # Which sessions are forgotten first
//!
//! A session begins with the first long request. That of a client which has shown a cookie from here is
//! *known*, and is kept until it has been idle for some time; each network has a share of the known
//! sessions ([`Budget`]). That of any other client may never be asked for again, so it is a
//! *newcomer*: the oldest makes room for a new one, unless its long request is still open. So visitors
//! without cookies push out nobody but their like.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::budget::{Budget, Reservation};
use crate::limits;
use crate::message::Seq;
use crate::network::Network;

/// The id of a session: 64 random bits, and 64 that only this process can make of them, as hexadecimal
/// digits. So an id that a client shows was given to it here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReceiverSessionId(String);

impl ReceiverSessionId {
    fn new(random: u64, secret: &RandomState) -> ReceiverSessionId {
        ReceiverSessionId(format!("{random:016x}{:016x}", secret.hash_one(random)))
    }

    /// The id, as it stands in the cookie.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All sessions. Each is forgotten when it has been idle for some time.
#[derive(Debug)]
pub struct ReceiverSessions {
    idle: Duration,
    /// What makes the ids of this process.
    secret: RandomState,
    /// The places of the known sessions, [`limits::RECEIVER_SESSIONS_MAX`] in all.
    places: Budget,
    tables: Mutex<SessionTables>,
}

/// The sessions by their ids, in the order of their last use.
#[derive(Debug)]
struct SessionTables {
    known: LruCache<ReceiverSessionId, KnownSession>,
    newcomers: LruCache<ReceiverSessionId, Arc<ReceiverSession>>,
}

#[derive(Debug)]
struct KnownSession {
    session: Arc<ReceiverSession>,
    _place: Reservation,
}

/// One browser's session.
#[derive(Debug)]
pub struct ReceiverSession {
    state: Mutex<ReceiverState>,
}

#[derive(Debug)]
struct ReceiverState {
    /// When the session was used last.
    used: Instant,
    /// All of `main` up to this position has been shown; `None` before the first long request.
    seen: Option<Seq>,
    /// The number of the newest long request, which alone moves the position: an older one may still
    /// write into a page that has been left.
    newest: u64,
    /// The number of long requests that are open; while there are any, the session is not idle.
    open: usize,
}

impl ReceiverSessions {
    /// A store without sessions. Each session will be forgotten when it has been idle for this long.
    #[must_use]
    pub fn new(idle: Duration) -> ReceiverSessions {
        let max = NonZeroUsize::new(limits::RECEIVER_SESSIONS_MAX).unwrap_or(NonZeroUsize::MIN);
        ReceiverSessions {
            idle,
            secret: RandomState::new(),
            places: Budget::new(limits::RECEIVER_SESSIONS_MAX),
            tables: Mutex::new(SessionTables {
                known: LruCache::unbounded(),
                newcomers: LruCache::new(max),
            }),
        }
    }

    /// Returns the id in a cookie if it was given here, or else a new one. No session begins with it.
    #[must_use]
    pub fn id(&self, cookie: Option<&str>) -> ReceiverSessionId {
        self.read(cookie)
            .unwrap_or_else(|| ReceiverSessionId::new(rand::random(), &self.secret))
    }

    fn read(&self, cookie: Option<&str>) -> Option<ReceiverSessionId> {
        let random = u64::from_str_radix(cookie?.get(..16)?, 16).ok()?;
        let id = ReceiverSessionId::new(random, &self.secret);
        (Some(id.as_str()) == cookie).then_some(id)
    }

    /// Forgets what the session of a cookie has been shown, if there is one: its next long request
    /// starts at the beginning of the log.
    pub fn clear(&self, cookie: Option<&str>) {
        let Some(id) = self.read(cookie) else { return };
        let tables = self.tables.lock();
        let known = tables.known.peek(&id).map(|known| &known.session);
        if let Some(session) = known.or_else(|| tables.newcomers.peek(&id)) {
            session.clear();
        }
    }

    /// Returns the session that a cookie names, or a new one, for a client of this network.
    #[must_use]
    pub fn enter(
        &self,
        cookie: Option<&str>,
        network: Network,
        now: Instant,
    ) -> (ReceiverSessionId, Arc<ReceiverSession>) {
        let shown = self.read(cookie);
        let is_known = shown.is_some();
        let id = shown.unwrap_or_else(|| self.id(None));
        let mut tables = self.tables.lock();
        tables.forget_idle(self.idle, now);
        let is_fresh = |session: &&Arc<ReceiverSession>| !session.is_idle(self.idle, now);
        if let Some(session) = tables
            .known
            .get(&id)
            .map(|known| &known.session)
            .filter(is_fresh)
        {
            session.state.lock().used = now;
            return (id, Arc::clone(session));
        }
        // A known session that has been idle gives its place back before the new one asks for one.
        tables.known.pop(&id);
        let newcomer = tables.newcomers.pop(&id);
        let session = newcomer
            .filter(|session| is_fresh(&session))
            .unwrap_or_else(|| Arc::new(ReceiverSession::new(now)));
        session.state.lock().used = now;
        let place = is_known.then(|| self.places.try_reserve(network, 1));
        if let Some(place) = place.flatten() {
            let known = KnownSession {
                session: Arc::clone(&session),
                _place: place,
            };
            tables.known.push(id.clone(), known);
        } else {
            tables.add_newcomer(id.clone(), Arc::clone(&session));
        }
        (id, session)
    }
}

/// Sessions that are looked at when one begins: those with an open request are passed over.
const LOOKED_AT: usize = 64;

impl SessionTables {
    /// Forgets sessions that have been idle, from the one used longest ago on.
    fn forget_idle(&mut self, idle: Duration, now: Instant) {
        for _ in 0..LOOKED_AT {
            let Some((id, oldest)) = self.known.peek_lru() else {
                break;
            };
            if oldest.session.is_idle(idle, now) {
                self.known.pop_lru();
            } else if oldest.session.is_open() {
                let id = id.clone();
                self.known.promote(&id);
            } else {
                break;
            }
        }
        while self
            .newcomers
            .peek_lru()
            .is_some_and(|(_, session)| session.is_idle(idle, now))
        {
            self.newcomers.pop_lru();
        }
    }

    /// Adds a newcomer. If there are too many, the oldest without an open request makes room; if there
    /// is none, the new one is not remembered.
    fn add_newcomer(&mut self, id: ReceiverSessionId, session: Arc<ReceiverSession>) {
        for _ in 0..LOOKED_AT {
            if self.newcomers.len() < self.newcomers.cap().get() {
                self.newcomers.push(id, session);
                return;
            }
            if let Some((id, oldest)) = self.newcomers.pop_lru()
                && oldest.is_open()
            {
                self.newcomers.push(id, oldest);
            }
        }
    }
}

impl ReceiverSession {
    fn new(now: Instant) -> ReceiverSession {
        ReceiverSession {
            state: Mutex::new(ReceiverState {
                used: now,
                seen: None,
                newest: 0,
                open: 0,
            }),
        }
    }

    fn is_open(&self) -> bool {
        self.state.lock().open > 0
    }

    /// Whether the session has no open request and was used last at least `idle` before `now`.
    fn is_idle(&self, idle: Duration, now: Instant) -> bool {
        let state = self.state.lock();
        state.open == 0 && now.saturating_duration_since(state.used) >= idle
    }

    /// Forgets what has been shown: the next long request starts at the beginning of the log.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        state.seen = None;
        // Long requests that are still open belong to the time before, and must not move the
        // position any more.
        state.newest += 1;
    }

    /// The position up to which everything has been shown; `None` before the first long request.
    #[must_use]
    pub fn seen(&self) -> Option<Seq> {
        self.state.lock().seen
    }

    /// Begins a long request, which is open until the guard is dropped.
    #[must_use]
    pub fn receive(self: &Arc<ReceiverSession>) -> Receiving {
        let mut state = self.state.lock();
        state.newest += 1;
        state.open += 1;
        Receiving {
            session: Arc::clone(self),
            number: state.newest,
            seen: state.seen,
        }
    }
}

/// A guard of an open long request, which moves the session's position.
#[derive(Debug)]
pub struct Receiving {
    session: Arc<ReceiverSession>,
    number: u64,
    /// The position that the request follows from; `None` for the beginning of the log.
    pub seen: Option<Seq>,
}

impl Receiving {
    /// Notes that everything up to `seq` has been shown, unless a newer request has begun.
    pub fn saw(&self, seq: Seq) {
        let mut state = self.session.state.lock();
        if state.newest == self.number {
            state.seen = Some(seq);
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut state = self.session.state.lock();
        state.open -= 1;
        state.used = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const IDLE: Duration = Duration::from_mins(1);

    fn network(n: u32) -> Network {
        Network::of(Ipv4Addr::from_bits(n).into())
    }

    /// Enters with a cookie, or without, from network 1.
    fn enter(
        sessions: &ReceiverSessions,
        id: Option<&ReceiverSessionId>,
    ) -> (ReceiverSessionId, Arc<ReceiverSession>) {
        let cookie = id.map(ReceiverSessionId::as_str);
        sessions.enter(cookie, network(1), Instant::now())
    }

    fn seen(sessions: &ReceiverSessions, id: &ReceiverSessionId) -> Option<Seq> {
        enter(sessions, Some(id)).1.receive().seen
    }

    /// A session is forgotten when it is idle, but not while it receives.
    #[tokio::test(start_paused = true)]
    async fn receiver_session_forgotten_when_idle() {
        let sessions = ReceiverSessions::new(IDLE);
        let (id, session) = enter(&sessions, None);
        let receiving = session.receive();
        receiving.saw(Seq(5));
        for _ in 0..2 {
            tokio::time::advance(2 * IDLE).await;
            assert_eq!(enter(&sessions, Some(&id)).0, id);
        }
        drop(receiving);
        assert_eq!(seen(&sessions, &id), Some(Seq(5)));
        tokio::time::advance(2 * IDLE).await;
        assert_eq!(seen(&sessions, &id), None);
    }

    #[tokio::test(start_paused = true)]
    async fn receiver_session_newest_request_moves_position() {
        let sessions = ReceiverSessions::new(IDLE);
        let (_, session) = enter(&sessions, None);
        let left = session.receive();
        left.saw(Seq(1));
        let reloaded = session.receive();
        assert_eq!(reloaded.seen, Some(Seq(1)));
        left.saw(Seq(2));
        assert_eq!(session.receive().seen, Some(Seq(1)));
        session.clear();
        reloaded.saw(Seq(3));
        assert_eq!(session.receive().seen, None);
    }

    /// Visitors without cookies, and with cookies that they have made up, push out neither who has
    /// shown a cookie nor whose request is open.
    #[tokio::test(start_paused = true)]
    async fn receiver_sessions_in_use_are_kept() {
        let sessions = ReceiverSessions::new(IDLE);
        let known = sessions.id(None);
        enter(&sessions, Some(&known)).1.receive().saw(Seq(7));
        let (open, session) = enter(&sessions, None);
        let receiving = session.receive();
        receiving.saw(Seq(8));
        for n in 0..3 * limits::RECEIVER_SESSIONS_MAX {
            let made_up = format!("{n:032x}");
            let cookie = (n % 2 == 0).then_some(&*made_up);
            let (id, _) = sessions.enter(cookie, network(2), Instant::now());
            assert_ne!(id.as_str(), made_up);
        }
        assert_eq!(seen(&sessions, &known), Some(Seq(7)));
        assert_eq!(seen(&sessions, &open), Some(Seq(8)));
        let tables = sessions.tables.lock();
        assert!(tables.newcomers.len() <= limits::RECEIVER_SESSIONS_MAX);
        assert_eq!(tables.known.len(), 2);
    }

    /// A network that keeps cookies gets its share of the known sessions, and another one finds some.
    #[tokio::test(start_paused = true)]
    async fn receiver_sessions_are_shared() {
        let sessions = ReceiverSessions::new(IDLE);
        for _ in 0..limits::RECEIVER_SESSIONS_MAX {
            let id = sessions.id(None);
            let _ = sessions.enter(Some(id.as_str()), network(2), Instant::now());
        }
        let id = sessions.id(None);
        let _ = enter(&sessions, Some(&id));
        let share = limits::RECEIVER_SESSIONS_MAX / 2;
        assert_eq!(sessions.tables.lock().known.len(), share + 1);
        tokio::time::advance(2 * IDLE).await;
        for _ in 0..share {
            let _ = enter(&sessions, None);
        }
        assert_eq!(sessions.tables.lock().known.len(), 0, "all were idle");
        assert_eq!(sessions.places.held(), 0);
    }
}
