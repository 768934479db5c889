//! The browsers' sessions: where each browser's `/receiver` stands in the log.
//!
//! Derived state: a session that is forgotten begins anew, it loses nothing of the log.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits;
use crate::message::Seq;

/// A session's name: 128 random bits as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReceiverSessionId(String);

impl ReceiverSessionId {
    fn random() -> ReceiverSessionId {
        ReceiverSessionId(format!("{:032x}", rand::random::<u128>()))
    }

    /// The name, as it stands in the cookie.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All sessions: at most [`limits::RECEIVER_SESSIONS_MAX`], each forgotten after an idle time.
#[derive(Debug)]
pub struct ReceiverSessions {
    idle: Duration,
    known: Mutex<LruCache<ReceiverSessionId, Arc<ReceiverSession>>>,
}

/// One browser's session.
#[derive(Debug)]
pub struct ReceiverSession {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: Instant,
    /// All of `main` up to here has been shown; `None` before the first long request.
    seen: Option<Seq>,
    /// The number of the newest long request, which alone moves the cursor: an older one may
    /// still write into a page that has been left.
    newest: u64,
    /// Long requests that are open: while there are any the session is not idle.
    open: usize,
}

impl ReceiverSessions {
    /// No sessions. Each will be forgotten after `idle`.
    #[must_use]
    pub fn new(idle: Duration) -> ReceiverSessions {
        let most = NonZeroUsize::new(limits::RECEIVER_SESSIONS_MAX).unwrap_or(NonZeroUsize::MIN);
        ReceiverSessions {
            idle,
            known: Mutex::new(LruCache::new(most)),
        }
    }

    /// The session that a cookie names, or a new one.
    #[must_use]
    pub fn enter(
        &self,
        cookie: Option<&str>,
        now: Instant,
    ) -> (ReceiverSessionId, Arc<ReceiverSession>) {
        let mut known = self.known.lock();
        // The one used longest ago is at the end: forget from there.
        while known
            .peek_lru()
            .is_some_and(|(_, session)| session.is_idle(self.idle, now))
        {
            known.pop_lru();
        }
        let id = cookie.map(|cookie| ReceiverSessionId(cookie.to_owned()));
        if let Some(id) = id
            && let Some(session) = known
                .get(&id)
                .filter(|session| !session.is_idle(self.idle, now))
        {
            session.state.lock().used = now;
            return (id, Arc::clone(session));
        }
        let id = ReceiverSessionId::random();
        let session = Arc::new(ReceiverSession {
            state: Mutex::new(State {
                used: now,
                seen: None,
                newest: 0,
                open: 0,
            }),
        });
        known.push(id.clone(), Arc::clone(&session));
        (id, session)
    }
}

impl ReceiverSession {
    fn is_idle(&self, idle: Duration, now: Instant) -> bool {
        let state = self.state.lock();
        state.open == 0 && now.saturating_duration_since(state.used) >= idle
    }

    /// Forgets what has been shown.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        state.seen = None;
        // The long requests that are still open are of the time before.
        state.newest += 1;
    }

    /// A long request begins. It is open until the guard is dropped.
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

/// A long request of a session.
#[derive(Debug)]
pub struct Receiving {
    session: Arc<ReceiverSession>,
    number: u64,
    /// Where it begins; `None` for the beginning of the log.
    pub seen: Option<Seq>,
}

impl Receiving {
    /// All up to here has been shown.
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

    #[tokio::test(start_paused = true)]
    async fn a_session_is_forgotten_when_idle_but_not_while_it_receives() {
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
    async fn only_the_newest_long_request_moves_the_cursor() {
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
    async fn sessions_are_bounded() {
        let sessions = ReceiverSessions::new(IDLE);
        for _ in 0..limits::RECEIVER_SESSIONS_MAX + 10 {
            let _ = sessions.enter(None, Instant::now());
        }
        assert_eq!(sessions.known.lock().len(), limits::RECEIVER_SESSIONS_MAX);
    }
}
