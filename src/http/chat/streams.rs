//! The streams of the chat: an account is online while it has one open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::Response;

use super::friend;
use crate::chat::{Account, Chat, ChatFilter, ChatText, Session};
use crate::follow::{DropGuard, FilterAction};
use crate::http::error::Error;
use crate::http::params::Params;
use crate::http::query::{self, Query};
use crate::http::reply::Body;
use crate::http::stream::StreamSpec;
use crate::http::{Call, follow};
use crate::limits;
use crate::log::Since;
use crate::message::{Message, Seq};
use crate::pages::HtmlPage;
use crate::right::RightHold;
use crate::wire::{Encoder, HtmlStream, Wire};

/// `/chat/stream`: all that concerns an account, which is its conversations and its events.
pub(super) async fn stream(call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let chat = &call.app.chat;
    // Taken before the friends are looked up: if there is a new one meanwhile, the stream gets that
    // event, too.
    let (_, last) = chat.log().bounds();
    let params = own_params(&call, &session)?;
    let wire = params.wire_or_accepted(&call.head);
    let channels = chat.channels(&session.account).await?;
    let since = params.begins(&call.head).unwrap_or(Since::All);
    let filter = ChatFilter::all(session.account.id, wire.has_dots());
    let mut spec = StreamSpec::new(chat.log(), channels, since);
    spec.page = page(&call, wire, "your chat", &params).await;
    spec.no_later_than = Some(last);
    spec.extras().filter = Some(Box::new(move |message| filter.apply(message)));
    spec.extras().grows = true;
    spec.extras().guard = arrive(&call, &session);
    spec.extras().rights = vec![RightHold::new(session.right)];
    let mut spec = spec.with_transport(wire, &params, &call)?;
    if params.heartbeat.is_none() {
        // A connection that has broken silently is to be noticed soon.
        let shortened = |heartbeat: Duration| heartbeat.min(limits::CHAT_HEARTBEAT_INTERVAL);
        let heartbeat = spec.options.heartbeat().map(shortened);
        spec.options.set_heartbeat(heartbeat);
    }
    spec.respond(&call).await
}

/// `/chat/presence`: which friends of an account come online and go offline.
pub(super) async fn presence(call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let log = call.app.chat.presence_log();
    let params = own_params(&call, &session)?;
    let wire = params.wire_or_accepted(&call.head);
    let channels = Chat::presence_channels(&session.account);
    let since = params.begins(&call.head).unwrap_or(Since::Now);
    let filter = ChatFilter::all(session.account.id, wire.has_dots());
    let mut spec = StreamSpec::new(log, channels, since);
    spec.page = page(&call, wire, "who comes and goes", &params).await;
    spec.extras().filter = Some(Box::new(move |message| filter.apply(message)));
    spec.extras().rights = vec![RightHold::new(session.right)];
    spec.with_transport(wire, &params, &call)?
        .respond(&call)
        .await
}

/// `/chat/frame/NAME`: a conversation for browsers without JavaScript. The messages that it shows
/// are marked as read.
pub(super) async fn frame(call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let chat = &call.app.chat;
    let (friend, right) = friend(&call, &session.account).await?;
    let params = Params::read(&call)?;
    let since = params.begins(&call.head);
    let since = since.unwrap_or(Since::Last(limits::HISTORY_MESSAGES_DEFAULT as u64));
    let channel = Chat::conversation_channel(&session.account, &friend);
    let filter = ChatFilter::conversation(session.account.id);
    let newest = Arc::new(AtomicU64::new(0));
    let mut marker = ReadMarker {
        chat: chat.clone(),
        me: session.account.clone(),
        friend: friend.clone(),
        newest: Arc::clone(&newest),
        marked: Seq::START,
    };
    let filter_and_note = move |message: &Message| {
        let action = filter.apply(message);
        // Only the friend's messages can be unread.
        if matches!(action, FilterAction::Replace(_))
            && ChatText::from_message(message).is_some_and(|text| text.is_from(&friend))
        {
            newest.store(message.seq.0, Relaxed);
        }
        action
    };
    let mut spec = StreamSpec::new(chat.log(), channel, since);
    spec.options.encoder = Encoder::Html(HtmlStream::default().in_language(call.language));
    spec.page = Some(call.page("chat-frame.html", &[]).await);
    let extras = spec.extras();
    extras.rights = [session.right.clone(), right].map(RightHold::new).into();
    extras.filter = Some(Box::new(filter_and_note));
    extras.on_progress = Some(Box::new(move |_| marker.mark()));
    extras.guard = arrive(&call, &session);
    spec.respond(&call).await
}

/// Returns the parameters of a stream. A page says whose stream it wants (`?of=NAME`): if another
/// account has logged in with the same browser meanwhile, the page does not get that account's stream.
fn own_params(call: &Call<'_>, session: &Session) -> Result<Params, Error> {
    let query = Query::read(
        call.query(),
        &[query::FOLLOW, &[query::OF], call.page_params()],
    )?;
    let of = query.get(query::OF);
    if of.is_some_and(|name| name != session.account.name.as_str()) {
        return Err(Error::NotLoggedIn);
    }
    Params::of(&query)
}

/// The page around an HTML stream, which a browser gets that goes to the stream's address.
async fn page(call: &Call<'_>, wire: Wire, what: &str, params: &Params) -> Option<HtmlPage> {
    match wire {
        Wire::Html => {
            let title = call.language.sentence(what);
            Some(follow::frame(call, &title, "one", params).await)
        }
        _ => None,
    }
}

/// Keeps the account online until the stream is over. A HEAD request opens no stream.
fn arrive(call: &Call<'_>, session: &Session) -> Option<DropGuard> {
    if call.is_head() {
        return None;
    }
    call.connection.request_liveness();
    Some(Box::new(call.app.chat.arrive(&session.account)))
}

/// Marks as read what a frame has shown of a conversation.
struct ReadMarker {
    chat: Chat,
    me: Account,
    friend: Account,
    /// The newest message of the friend's that has been shown.
    newest: Arc<AtomicU64>,
    marked: Seq,
}

impl ReadMarker {
    fn mark(&mut self) {
        let newest = Seq(self.newest.load(Relaxed));
        if newest <= self.marked {
            return;
        }
        self.marked = newest;
        let (chat, me, friend) = (self.chat.clone(), self.me.clone(), self.friend.clone());
        tokio::spawn(async move {
            if let Err(error) = chat.mark_read(&me, &friend, newest).await {
                log::warn!("cannot mark a conversation as read: {error}");
            }
        });
    }
}
