//! The chat's pages, filled in.

use std::sync::atomic::Ordering::Relaxed;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::Call;
use crate::chat::{self, Account, ChatText, Contact, Overview, Standing};
use crate::limits;
use crate::log::{History, PageLimit, Stored};
use crate::message::Seq;
use crate::wire::escape_html;

/// Where the conversation with somebody is.
pub(super) fn with(friend: &Account) -> String {
    path("with", friend)
}

fn path(what: &str, friend: &Account) -> String {
    let name = utf8_percent_encode(friend.name.as_str(), NON_ALPHANUMERIC);
    format!("/chat/{what}/{name}")
}

/// What is said of the accounts for a look around, where there are any.
pub(super) async fn demo(call: &Call<'_>) -> String {
    if !call.app.demo_accounts.load(Relaxed) {
        return String::new();
    }
    let [one, two] = chat::DEMO_NAMES;
    let values = [
        ("one", one),
        ("two", two),
        ("password", chat::DEMO_PASSWORD),
    ];
    let template = call.app.pages.template("chat-demo.html").await;
    template.fill(&values)
}

/// The friends, and the conversation with one of them, if one is open.
pub(super) async fn page(
    call: &Call<'_>,
    me: &Account,
    overview: &Overview,
    problem: &str,
    open: Option<(&Account, &History)>,
) -> String {
    let with = open.map_or("", |(friend, _)| friend.name.as_str());
    let list = async |template, standing| {
        let template = call.app.pages.template(template).await;
        let those = |one: &&Contact| one.friend.standing == standing;
        let rows = overview.friends.iter().filter(those);
        rows.map(|one| template.fill(&row(one, with).each()))
            .collect::<String>()
    };
    let conversation = match open {
        Some((friend, span)) => conversation(call, overview, friend, span).await,
        None => String::new(),
    };
    // Unfilled: the page's script fills the same markup for whoever comes later.
    let blank = async |template| call.app.pages.template(template).await.fill(&[]);
    let values = [
        ("me", escape_html(me.name.as_str())),
        ("problem", escape_html(problem)),
        ("friends", list("chat-friend.html", Standing::Friend).await),
        ("asks", list("chat-asks.html", Standing::Asking).await),
        ("asked", list("chat-asked.html", Standing::Asked).await),
        ("conversation", conversation),
        ("with", escape_html(with)),
        ("friend_row", blank("chat-friend.html").await),
        ("asking_row", blank("chat-asks.html").await),
        ("asked_row", blank("chat-asked.html").await),
        ("message_row", blank("chat-message.html").await),
        ("conversation_pane", blank("chat-conversation.html").await),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, &**value));
    call.app.page("chat.html", "/chat", &values).await.before
}

/// Somebody in a list.
struct Row {
    name: String,
    href: String,
    state: &'static str,
    unread: String,
    current: &'static str,
}

fn row(one: &Contact, with: &str) -> Row {
    let account = &one.friend.account;
    let is_open = account.name.as_str() == with;
    Row {
        name: escape_html(account.name.as_str()),
        href: self::with(account),
        state: state(one.online),
        unread: match one.unread {
            _ if is_open => String::new(),
            0 => String::new(),
            limits::UNREAD_COUNTED_MAX.. => format!("{}+", limits::UNREAD_COUNTED_MAX - 1),
            some => some.to_string(),
        },
        current: if is_open {
            " aria-current=\"page\""
        } else {
            ""
        },
    }
}

impl Row {
    fn each(&self) -> [(&str, &str); 5] {
        [
            ("name", &self.name),
            ("href", &self.href),
            ("state", self.state),
            ("unread", &self.unread),
            ("current", self.current),
        ]
    }
}

fn state(online: bool) -> &'static str {
    if online { "online" } else { "offline" }
}

/// A conversation that goes on.
async fn conversation(
    call: &Call<'_>,
    overview: &Overview,
    friend: &Account,
    span: &History,
) -> String {
    let log = &call.app.chat.log;
    let online = call.app.chat.presence.is_online(friend.id);
    // The frame begins where what is earlier ends.
    let first = span.items.first().map(|item| item.seq().before());
    let first = log.cursor(first.unwrap_or(overview.since.seq));
    let earlier = earlier(call, friend, span).await;
    let values = [
        ("name", escape_html(friend.name.as_str())),
        ("href", with(friend)),
        ("state", state(online).to_owned()),
        ("earlier", earlier),
        ("frame", format!("{}?since={first}", path("frame", friend))),
        // What is sent twice with the same key is said once.
        ("key", format!("{:032x}", rand::random::<u128>())),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, &**value));
    let template = call.app.pages.template("chat-conversation.html").await;
    template.fill(&values)
}

/// A link to what was said before that, if there is more.
async fn earlier(call: &Call<'_>, friend: &Account, span: &History) -> String {
    match span.items.first().filter(|_| span.more) {
        Some(item) => turn(call, "chat-earlier.html", friend, item.seq()).await,
        None => String::new(),
    }
}

/// A link to what was said before a place.
async fn turn(call: &Call<'_>, template: &'static str, friend: &Account, before: Seq) -> String {
    let before = call.app.chat.log.cursor(before);
    let href = format!("{}?before={before}", with(friend));
    let template = call.app.pages.template(template).await;
    template.fill(&[("href", &href)])
}

/// What was said before a place, for those who turn pages.
pub(super) async fn older(
    call: &Call<'_>,
    me: &Account,
    friend: &Account,
    before: Seq,
    span: &History,
) -> String {
    let template = call.app.pages.template("chat-message.html").await;
    let log = &call.app.chat.log;
    let message = |item: &Stored| {
        let Stored::Message(message) = item else {
            return None;
        };
        let ChatText { from, text, .. } = ChatText::read(message)?;
        let who = if from == me.name.as_str() {
            "me"
        } else {
            "them"
        };
        let (name, text) = (escape_html(&from), escape_html(&text));
        let (time, cursor) = (
            message.time.to_string(),
            log.cursor(message.seq).to_string(),
        );
        Some(template.fill(&[
            ("name", &name),
            ("who", who),
            ("time", &time),
            ("when", &when(&time)),
            ("cursor", &cursor),
            ("text", &text),
        ]))
    };
    let messages: String = span.items.iter().filter_map(message).collect();
    let earlier = earlier(call, friend, span).await;
    let later = later(call, me, friend, before).await;
    let (name, href) = (escape_html(friend.name.as_str()), with(friend));
    let values = [
        ("name", &*name),
        ("href", &href),
        ("messages", &messages),
        ("earlier", &earlier),
        ("later", &later),
    ];
    call.app
        .page("chat-older.html", "/chat", &values)
        .await
        .before
}

/// A time as one reads it: to the minute.
fn when(time: &str) -> String {
    let minute = time.get(..16).unwrap_or(time);
    format!("{} UTC", minute.replace('T', " "))
}

/// A link to what was said after that, where it is not on the page of the conversation.
async fn later(call: &Call<'_>, me: &Account, friend: &Account, before: Seq) -> String {
    let chat = &call.app.chat;
    let (_, last) = chat.log.bounds();
    let channel = chat::conversation_channel([me.id, friend.id]);
    let mut page = PageLimit::new(limits::HISTORY_MESSAGES_DEFAULT, limits::HISTORY_BYTES);
    let mut next = None;
    let fit = |item: Stored| {
        if next.is_none() && !page.try_take(item.bytes()) {
            next = Some(item.seq());
        }
    };
    let (from, most) = (before.before(), limits::HISTORY_MESSAGES_DEFAULT + 1);
    let read = chat.log.visit(&channel, from, last, most, fit).await;
    match next.filter(|_| read.is_ok()) {
        Some(next) => turn(call, "chat-later.html", friend, next).await,
        None => String::new(),
    }
}
