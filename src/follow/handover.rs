//! How a stream gets out of hyper's hands.
//!
//! hyper writes a response's head, and keeps buffers and a state of many kilobytes for as long as
//! its body goes on. A stream needs none of that: when its head is out, its connection takes the
//! socket back, and the stream writes its own chunks.

use parking_lot::Mutex;

use super::Follower;

/// A stream on its way from hyper to its connection.
#[derive(Debug, Default)]
pub struct Handover(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Nothing,
    /// Its response has been made.
    Made(Box<Follower>),
    /// Its head is among the bytes that hyper has for the socket.
    Begun(Box<Follower>),
    /// Its head has been written, and nothing else of the response ever will be.
    Written(Box<Follower>),
}

impl Handover {
    /// The next response on the connection is this stream's.
    pub fn give(&self, follow: Box<Follower>) {
        *self.0.lock() = State::Made(follow);
    }

    /// The response's body has been asked for, so its head is behind all that was to be written.
    pub fn begin(&self) {
        self.step(|state| match state {
            State::Made(follow) => State::Begun(follow),
            state => state,
        });
    }

    /// All that was to be written has been.
    pub fn flush(&self) {
        self.step(|state| match state {
            State::Begun(follow) => State::Written(follow),
            state => state,
        });
    }

    /// The stream, once its head has been written.
    #[must_use]
    pub fn take(&self) -> Option<Box<Follower>> {
        let mut state = self.0.lock();
        if !matches!(*state, State::Written(_)) {
            return None;
        }
        match std::mem::take(&mut *state) {
            State::Written(follow) => Some(follow),
            _ => None,
        }
    }

    fn step(&self, step: impl FnOnce(State) -> State) {
        let mut state = self.0.lock();
        let before = std::mem::take(&mut *state);
        *state = step(before);
    }
}
