//! The sessions of `/receiver`: how far each browser has seen the log.
//!
//! A session is derived state: when it is forgotten, its browser starts at the beginning of the log
//! again and misses no message.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits;
use crate::message::Seq;

/// The id of a session: 128 random bits as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReceiverSessionId(String);

impl ReceiverSessionId {
    fn random() -> ReceiverSessionId {
        ReceiverSessionId(format!("{:032x}", rand::random::<u128>()))
    }

    /// The id, as it stands in the cookie.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All sessions: at most [`limits::RECEIVER_SESSIONS_MAX`], each forgotten when it has been idle for
/// some time.
#[derive(Debug)]
pub struct ReceiverSessions {
    idle: Duration,
    by_id: Mutex<LruCache<ReceiverSessionId, Arc<ReceiverSession>>>,
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
            by_id: Mutex::new(LruCache::new(max)),
        }
    }

    /// Returns the session that a cookie names, or a new one if there is no cookie or its session has
    /// been forgotten.
    #[must_use]
    pub fn enter(
        &self,
        cookie: Option<&str>,
        now: Instant,
    ) -> (ReceiverSessionId, Arc<ReceiverSession>) {
        let mut by_id = self.by_id.lock();
        // The session used longest ago is at the end, so idle ones are forgotten from there.
        while by_id
            .peek_lru()
            .is_some_and(|(_, session)| session.is_idle(self.idle, now))
        {
            by_id.pop_lru();
        }
        let id = cookie.map(|cookie| ReceiverSessionId(cookie.to_owned()));
        if let Some(id) = id
            && let Some(session) = by_id
                .get(&id)
                .filter(|session| !session.is_idle(self.idle, now))
        {
            session.state.lock().used = now;
            return (id, Arc::clone(session));
        }
        let id = ReceiverSessionId::random();
        let session = Arc::new(ReceiverSession {
            state: Mutex::new(ReceiverState {
                used: now,
                seen: None,
                newest: 0,
                open: 0,
            }),
        });
        by_id.push(id.clone(), Arc::clone(&session));
        (id, session)
    }
}

impl ReceiverSession {
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

    const IDLE: Duration = Duration::from_mins(1);

    /// A session is forgotten when it is idle, but not while it receives.
    #[tokio::test(start_paused = true)]
    async fn receiver_session_forgotten_when_idle() {
        let sessions = ReceiverSessions::new(IDLE);
        let (id, session) = sessions.enter(None, Instant::now());
        let receiving = session.receive();
        receiving.saw(Seq(5));
        tokio::time::advance(2 * IDLE).await;
        assert_eq!(sessions.enter(Some(id.as_str()), Instant::now()).0, id);
        tokio::time::advance(2 * IDLE).await;
        drop(receiving);
        assert_eq!(sessions.enter(Some(id.as_str()), Instant::now()).0, id);
        assert_eq!(session.receive().seen, Some(Seq(5)));
        tokio::time::advance(2 * IDLE).await;
        assert_ne!(sessions.enter(Some(id.as_str()), Instant::now()).0, id);
    }

    #[tokio::test(start_paused = true)]
    async fn receiver_session_newest_request_moves_position() {
        let sessions = ReceiverSessions::new(IDLE);
        let (_, session) = sessions.enter(None, Instant::now());
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

    #[tokio::test(start_paused = true)]
    async fn receiver_sessions_are_bounded() {
        let sessions = ReceiverSessions::new(IDLE);
        for _ in 0..limits::RECEIVER_SESSIONS_MAX + 10 {
            let _ = sessions.enter(None, Instant::now());
        }
        assert_eq!(sessions.by_id.lock().len(), limits::RECEIVER_SESSIONS_MAX);
    }
}
