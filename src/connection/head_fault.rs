//! Why no request came to be.

/// Why the head of a request is not waited for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// Nothing came for the time that a connection may be idle.
    Idle,
    /// A part of the head came, and not the rest of it in its time.
    Slow,
    /// The first line is longer than a request's target may be.
    UrlTooLong,
    /// The head is longer than it may be.
    TooLarge,
}
