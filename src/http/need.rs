//! What a request needs the right to do.

/// What a request needs the right to, where the access file says who may: `admission.rs` decides by it.
/// Each method of a route has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: everybody may.
    Nothing,
    /// That the demonstrations are open.
    Demos,
    /// To read `main`.
    ReadMain,
    /// To write to `main`.
    WriteMain,
    /// To read the channels that the path names.
    ReadChannels,
    /// To write to the channel that the path names.
    WriteChannel,
    /// To read any channel; the answer has those alone that may be read.
    ReadAny,
    /// To read the metrics.
    Metrics,
}
