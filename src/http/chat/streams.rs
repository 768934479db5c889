//! The streams of the chat: to have one open is to be online.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use hyper::Response;

use super::super::Call;
use super::super::error::Error;
use super::super::form;
use super::super::negotiate;
use super::super::params::Params;
use super::super::reply::Body;
use super::super::stream::StreamSpec;
use super::{friend, session};
use crate::chat::{self, Account, Chat, ChatFilter, Presence, Session};
use crate::follow::FilterAction;
use crate::limits;
use crate::log::Since;
use crate::message::{Message, Seq};
use crate::pages::HtmlPage;
use crate::wire::{Dots, Encoder, Wire};

/// `/chat/stream`: what is said to one and by one, and the news.
pub(super) async fn stream(call: Call<'_>) -> Result<Response<Body>, Error> {
    let chat = &call.app.chat;
    // Before it is asked who follows: if that ends meanwhile, the stream hears of it.
    let (_, known) = chat.log.bounds();
    let session = follower(&call).await?;
    let params = Params::read(call.query())?;
    let wire = wire(&call, &params);
    let channels = chat.channels(&session.account).await?;
    let since = params.begins(&call.head)?.unwrap_or(Since::All);
    let lens = ChatFilter::all(session.clone(), wire.has_dots());
    let mut spec = StreamSpec::new(&chat.log, channels, since);
    spec.page = page(&call, wire, "your chat").await;
    spec.no_later_than = Some(known);
    spec.extras().filter = Some(Box::new(move |message| lens.look(message)));
    spec.extras().guard = online(&call, &session);
    let mut spec = spec.on(wire, &params, &call)?;
    if params.heartbeat.is_none() {
        // A line that has broken without a word is to be noticed soon.
        let soon = |heartbeat: Duration| heartbeat.min(limits::CHAT_HEARTBEAT);
        spec.options.heartbeat = spec.options.heartbeat.map(soon);
    }
    spec.respond(&call).await
}

/// `/chat/presence`: who of one's friends comes and goes.
pub(super) async fn presence(call: Call<'_>) -> Result<Response<Body>, Error> {
    let log = call.app.chat.presence.log();
    let (_, known) = log.bounds();
    let session = follower(&call).await?;
    let params = Params::read(call.query())?;
    let wire = wire(&call, &params);
    let channels = vec![Presence::channel(session.account.id)];
    let since = params.begins(&call.head)?.unwrap_or(Since::Now);
    let lens = ChatFilter::all(session, wire.has_dots());
    let mut spec = StreamSpec::new(log, channels, since);
    spec.page = page(&call, wire, "who comes and goes").await;
    spec.no_later_than = Some(known);
    spec.extras().filter = Some(Box::new(move |message| lens.look(message)));
    spec.on(wire, &params, &call)?.respond(&call).await
}

/// `/chat/frame/NAME`: a conversation for browsers without JavaScript. What it shows has been read.
pub(super) async fn frame(call: Call<'_>) -> Result<Response<Body>, Error> {
    let chat = &call.app.chat;
    let (_, known) = chat.log.bounds();
    let session = session(&call).await?;
    let friend = friend(&call, &session.account).await?.account;
    let params = Params::read(call.query())?;
    let since = params.begins(&call.head)?;
    let since = since.unwrap_or(Since::Last(limits::HISTORY_MESSAGES_DEFAULT as u64));
    let channels = vec![
        chat::news_channel(session.account.id),
        chat::conversation_channel([session.account.id, friend.id]),
    ];
    let lens = ChatFilter::conversation(session.clone());
    let newest = Arc::new(AtomicU64::new(0));
    let mut reading = Reading {
        chat: chat.clone(),
        me: session.account.clone(),
        friend,
        newest: Arc::clone(&newest),
        noted: Seq::START,
    };
    let look = move |message: &Message| {
        let sight = lens.look(message);
        if matches!(sight, FilterAction::Replace(_)) {
            newest.store(message.seq.0, Relaxed);
        }
        sight
    };
    let mut spec = StreamSpec::new(&chat.log, channels, since);
    spec.options.encoder = Encoder::Html(Dots::default());
    spec.page = Some(call.page("chat-frame.html", &[]).await);
    spec.no_later_than = Some(known);
    let extras = spec.extras();
    extras.filter = Some(Box::new(look));
    extras.on_progress = Some(Box::new(move |_| reading.note()));
    extras.guard = online(&call, &session);
    spec.respond(&call).await
}

/// Who follows. A page says whose stream it wants (`?of=NAME`): if somebody else has logged in
/// with the same browser meanwhile, it is not to get theirs.
async fn follower(call: &Call<'_>) -> Result<Session, Error> {
    let session = session(call).await?;
    let fields = form::fields(call.query())?;
    let of = form::last(&fields, "of");
    if of.is_some_and(|name| name != session.account.name.as_str()) {
        return Err(Error::NotLoggedIn);
    }
    Ok(session)
}

fn wire(call: &Call<'_>, params: &Params) -> Wire {
    let wanted = negotiate::wire(call.header("accept"));
    params.wire.unwrap_or(wanted)
}

/// For browsers that go there, the page around the stream.
async fn page(call: &Call<'_>, wire: Wire, what: &str) -> Option<HtmlPage> {
    let values = [("channels", what), ("kind", "one")];
    match wire {
        Wire::Html => Some(call.page("stream.html", &values).await),
        _ => None,
    }
}

/// They are online until the stream is over. Whoever asks only for its head does not come.
fn online(call: &Call<'_>, session: &Session) -> Option<crate::follow::DropGuard> {
    if call.is_head() {
        return None;
    }
    call.connection.request_liveness();
    Some(Box::new(call.app.chat.presence.arrive(&session.account)))
}

/// Who reads a conversation in a frame: what has been shown there is noted as read.
struct Reading {
    chat: Chat,
    me: Account,
    friend: Account,
    /// The newest message that has been shown.
    newest: Arc<AtomicU64>,
    noted: Seq,
}

impl Reading {
    fn note(&mut self) {
        let newest = Seq(self.newest.load(Relaxed));
        if newest <= self.noted {
            return;
        }
        self.noted = newest;
        let (chat, me, friend) = (self.chat.clone(), self.me.clone(), self.friend.clone());
        tokio::spawn(async move {
            if let Err(error) = chat.read_through(&me, &friend, newest).await {
                log::warn!("what was shown is not marked as read: {error}");
            }
        });
    }
}
