//! How an endless response gets out of hyper's hands.
//!
//! hyper writes the head of a response, and then keeps buffers and a state of many kilobytes for as
//! long as the body goes on. An endless response needs none of that. So its body is given to hyper
//! as one that never has a frame; when the head has been written, the connection takes the socket
//! back from hyper, with the TLS that is spoken on it, and the stream writes its own chunks to it.
//! Where that cannot be (HTTP/1.0 and HTTP/2, a response that ends soon), hyper polls the stream as
//! any body.
//!
//! ```text
//!  http handler        hyper               MonitoredIo          server::conn
//!      │ give(stream)    │                     │                     │
//!      │  Given          │                     │                     │
//!      ├── response ────▶│                     │                     │
//!      │                 │ polls the body:     │                     │
//!      │   Headed ◀──────┤ body_polled()       │                     │
//!      │                 ├── write(head) ─────▶│                     │
//!      │                 ├── flush ───────────▶│ flushed()           │
//!      │   Written ◀─────┼─────────────────────┤                     │
//!      │                 │                     │   take() ◀──────────┤ after each poll
//!      │                 │◀── into_parts() ────┼─────────────────────┤
//!      │                 ✕                     └── socket ──────────▶│ StreamConn::run
//! ```
//!
//! The order rests on two habits of hyper (1.12): it polls a body only when the head is among the
//! bytes that it has for the socket, and it flushes only when all bytes that it had were taken. It
//! may poll the body once more after the flush, so a step never goes back.

use parking_lot::Mutex;

/// A stream `S` on its way from hyper to the connection. See the module for the sequence.
#[derive(Debug)]
pub struct Handover<S>(Mutex<HandoverState<S>>);

#[derive(Debug)]
enum HandoverState<S> {
    /// No response of this connection is to be taken over.
    Idle,
    /// The response has been made.
    Given(Box<S>),
    /// The head of the response is among the bytes that hyper has for the socket.
    Headed(Box<S>),
    /// The head has been written, and hyper will write nothing else of the response.
    Written(Box<S>),
}

impl<S> Default for Handover<S> {
    fn default() -> Handover<S> {
        Handover(Mutex::new(HandoverState::Idle))
    }
}

impl<S> Handover<S> {
    /// Announces that the next response on the connection is this stream's.
    pub fn give(&self, stream: Box<S>) {
        *self.0.lock() = HandoverState::Given(stream);
    }

    /// hyper has polled the body of the response, so its head is among the bytes to be written.
    pub fn body_polled(&self) {
        self.step(|state| match state {
            HandoverState::Given(stream) => HandoverState::Headed(stream),
            state => state,
        });
    }

    /// hyper has flushed: all bytes that it had for the socket have been written.
    pub fn flushed(&self) {
        self.step(|state| match state {
            HandoverState::Headed(stream) => HandoverState::Written(stream),
            state => state,
        });
    }

    /// Takes the stream, once the head of its response has been written.
    #[must_use]
    pub fn take(&self) -> Option<Box<S>> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut *state, HandoverState::Idle) {
            HandoverState::Written(stream) => Some(stream),
            earlier => {
                *state = earlier;
                None
            }
        }
    }

    fn step(&self, step: impl FnOnce(HandoverState<S>) -> HandoverState<S>) {
        let mut state = self.0.lock();
        let before = std::mem::replace(&mut *state, HandoverState::Idle);
        *state = step(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream is taken after give, poll and flush in this order, and only once.
    #[test]
    fn handover_needs_every_step_in_order() {
        let handover = Handover::default();
        handover.flushed();
        handover.body_polled();
        assert_eq!(handover.take(), None::<Box<u8>>);
        handover.give(Box::new(7));
        handover.flushed();
        assert_eq!(handover.take(), None, "the head was not asked for yet");
        handover.body_polled();
        assert_eq!(handover.take(), None, "the head was not written yet");
        handover.flushed();
        handover.body_polled();
        assert_eq!(handover.take(), Some(Box::new(7)));
        assert_eq!(handover.take(), None);
    }
}
