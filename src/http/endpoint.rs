//! What answers the requests for the paths of `route.rs`.

use super::chat::ChatEndpoint;

/// What answers the requests for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Home,
    Receiver,
    ReceiverLive,
    Sender,
    Stream,
    Send,
    /// The way to the list of channels.
    ToChannelList,
    /// Whether something on the way holds bytes back.
    Probe,
    /// The form with which browsers show a token, and the way back.
    Login,
    Logout,
    /// The list of channels.
    ChannelList,
    /// The channels that the path names, to follow or to append to.
    Channels,
    Clock,
    Chat(ChatEndpoint),
    Mailbox,
    /// All transports side by side.
    Wire,
    /// What is written to the sockets of a page's own streams.
    Tap,
    /// A page that is the same for every browser; the name of its file.
    Page(&'static str),
    /// Whether the process works.
    Live,
    /// Whether the server is ready for requests.
    Ready,
    Metrics,
    /// The description of all this for programs.
    OpenApi,
    /// A file of `pages/`.
    File,
    /// A built-in file of `pages/`, under the revision of them all.
    RevisedFile,
    /// The page of the docs that follows a channel.
    Example,
    /// A page of the docs, or the way to them.
    Doc,
}

impl Endpoint {
    /// Whether the endpoint is of one server alone: what it keeps besides the log is not shared.
    pub(super) fn is_of_one_server(self) -> bool {
        matches!(self, Endpoint::Chat(_) | Endpoint::Mailbox)
    }

    /// Whether answers of the endpoint can be pages in the language that their address names. Files have
    /// parameters of their own.
    pub(super) fn has_pages(self) -> bool {
        !self.is_for_operators()
            && !matches!(
                self,
                Endpoint::File
                    | Endpoint::RevisedFile
                    | Endpoint::Example
                    | Endpoint::OpenApi
                    | Endpoint::Tap
            )
    }

    /// Whether the endpoint is for operators, and answers while the server stops, too.
    pub(super) fn is_for_operators(self) -> bool {
        matches!(self, Endpoint::Live | Endpoint::Ready | Endpoint::Metrics)
    }
}
