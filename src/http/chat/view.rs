//! Renders the chat's pages.

use std::sync::atomic::Ordering::Relaxed;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::chat::{self, Account, ChatText, Contact, Overview, Standing};
use crate::http::Call;
use crate::limits;
use crate::log::{History, Stored};
use crate::message::Seq;
use crate::pages::HtmlPage;
use crate::translation::Language;
use crate::wire::escape_html;

/// The path of the chat.
pub(super) const PATH: &str = "/chat";

/// Returns the path of the conversation with a friend.
pub(super) fn conversation_path(friend: &Account) -> String {
    path("with", friend)
}

fn path(what: &str, friend: &Account) -> String {
    let name = utf8_percent_encode(friend.name.as_str(), NON_ALPHANUMERIC);
    format!("/chat/{what}/{name}")
}

/// Renders the buttons of the demo accounts, which lead to `next`; empty if there are none.
pub(super) async fn demo_hint(call: &Call<'_>, next: &str) -> String {
    if !call.app.demo_accounts.load(Relaxed) {
        return String::new();
    }
    let [one, two] = chat::DEMO_NAMES;
    let values = [
        ("one", one),
        ("two", two),
        ("password", chat::DEMO_PASSWORD),
        ("next", next),
    ];
    let template = call.template("chat-demo.html").await;
    template.fill(&values)
}

/// Renders the page of the friends, with the conversation with one of them if one is open.
pub(super) async fn page(
    call: &Call<'_>,
    me: &Account,
    overview: &Overview,
    problem: &str,
    open: Option<(&Account, &History)>,
) -> HtmlPage {
    let with = open.map_or("", |(friend, _)| friend.name.as_str());
    let list = async |template, standing| {
        let template = call.template(template).await;
        let stands_so = |contact: &&Contact| contact.friend.standing == standing;
        let contacts = overview.friends.iter().filter(stands_so);
        contacts
            .map(|contact| ContactRow::new(call.language, contact, with))
            .map(|row| template.fill(&row.values()))
            .collect::<String>()
    };
    let conversation = match open {
        Some((friend, history)) => conversation(call, overview, friend, history).await,
        None => String::new(),
    };
    // Left blank: the page's script fills the same markup for friends and messages that come later.
    let blank = async |template| call.template(template).await.fill(&[]);
    let values = [
        ("me", escape_html(me.name.as_str())),
        ("problem", call.language.sentence(problem)),
        ("friends", list("chat-friend.html", Standing::Friend).await),
        ("asks", list("chat-asks.html", Standing::Asking).await),
        ("asked", list("chat-asked.html", Standing::Asked).await),
        (
            "blocked",
            list("chat-blocked.html", Standing::Blocked).await,
        ),
        ("conversation", conversation),
        ("with", escape_html(with)),
        ("friend_row", blank("chat-friend.html").await),
        ("asking_row", blank("chat-asks.html").await),
        ("asked_row", blank("chat-asked.html").await),
        ("blocked_row", blank("chat-blocked.html").await),
        ("message_row", blank("chat-message.html").await),
        ("conversation_pane", blank("chat-conversation.html").await),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, &**value));
    call.page_at(PATH, "chat.html", &values).await
}

/// A row of a list of friends, as text of its template.
struct ContactRow {
    name: String,
    href: String,
    state: &'static str,
    /// The state as it is shown.
    state_shown: String,
    unread: String,
    current: &'static str,
}

impl ContactRow {
    /// The row of a contact, on a page on which the conversation with the friend named `open` is
    /// open.
    fn new(language: Language, contact: &Contact, open: &str) -> ContactRow {
        let account = &contact.friend.account;
        let is_open = account.name.as_str() == open;
        ContactRow {
            name: escape_html(account.name.as_str()),
            href: conversation_path(account),
            state: state(contact.online),
            state_shown: language.sentence(state(contact.online)),
            unread: match contact.unread {
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

    fn values(&self) -> [(&str, &str); 6] {
        [
            ("name", &self.name),
            ("href", &self.href),
            ("state", self.state),
            ("state_shown", &self.state_shown),
            ("unread", &self.unread),
            ("current", self.current),
        ]
    }
}

fn state(online: bool) -> &'static str {
    if online { "online" } else { "offline" }
}

/// Renders the open conversation: a frame with what is said, and the form to say something.
async fn conversation(
    call: &Call<'_>,
    overview: &Overview,
    friend: &Account,
    history: &History,
) -> String {
    let chat = &call.app.chat;
    // The frame begins after the messages on the earlier pages.
    let first = history.items.first().map(|item| item.seq().before());
    let first = chat.log().cursor(first.unwrap_or(overview.since.seq));
    let earlier = earlier_link(call, friend, history).await;
    let state = state(chat.is_online(friend));
    let values = [
        ("name", escape_html(friend.name.as_str())),
        ("href", conversation_path(friend)),
        ("state", state.to_owned()),
        ("state_shown", call.language.sentence(state)),
        ("earlier", earlier),
        ("frame", format!("{}?since={first}", path("frame", friend))),
        // A form that is sent twice has the same key both times, and is one message.
        ("key", format!("{:032x}", rand::random::<u128>())),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, &**value));
    let template = call.template("chat-conversation.html").await;
    template.fill(&values)
}

/// Renders the link to the messages before a part of the history; empty if there are none.
async fn earlier_link(call: &Call<'_>, friend: &Account, history: &History) -> String {
    match history.items.first().filter(|_| history.more) {
        Some(item) => page_link(call, "chat-earlier.html", friend, item.seq()).await,
        None => String::new(),
    }
}

/// Renders the link to the messages after the page that ends before a position; empty if they are on
/// the page of the conversation, or cannot be read.
async fn later_link(call: &Call<'_>, me: &Account, friend: &Account, before: Seq) -> String {
    match call.app.chat.next_page(me, friend, before).await {
        Ok(Some(next)) => page_link(call, "chat-later.html", friend, next).await,
        Ok(None) | Err(_) => String::new(),
    }
}

/// Renders a link to the page of the messages before a position.
async fn page_link(
    call: &Call<'_>,
    template: &'static str,
    friend: &Account,
    before: Seq,
) -> String {
    let before = call.app.chat.log().cursor(before);
    let href = format!("{}?before={before}", conversation_path(friend));
    let template = call.template(template).await;
    template.fill(&[("href", &href)])
}

/// Renders a page of earlier messages, those before a position, for browsers without JavaScript; and of all
/// messages of a friendship that is over.
pub(super) async fn history_page(
    call: &Call<'_>,
    me: &Account,
    friend: &Account,
    before: Seq,
    history: &History,
    is_over: bool,
) -> HtmlPage {
    let template = call.template("chat-message.html").await;
    let log = call.app.chat.log();
    let message = |item: &Stored| {
        let Stored::Message(message) = item else {
            return None;
        };
        let text = ChatText::from_message(message)?;
        let who = if text.is_from(me) { "me" } else { "them" };
        let (name, text) = (escape_html(&text.from), escape_html(&text.text));
        let (time, cursor) = (
            message.time.to_string(),
            log.cursor(message.seq).to_string(),
        );
        Some(template.fill(&[
            ("name", &name),
            ("who", who),
            ("time", &time),
            ("when", &to_the_minute(&time)),
            ("cursor", &cursor),
            ("text", &text),
        ]))
    };
    let messages: String = history.items.iter().filter_map(message).collect();
    let earlier = earlier_link(call, friend, history).await;
    let later = later_link(call, me, friend, before).await;
    let name = escape_html(friend.name.as_str());
    let (title, href, back) = if is_over {
        (
            "What was said with",
            "/chat".to_owned(),
            "Back to your friends",
        )
    } else {
        (
            "Earlier messages with",
            conversation_path(friend),
            "Back to the conversation",
        )
    };
    let values = [
        ("name", &*name),
        ("title", &call.language.sentence(title)),
        ("href", &href),
        ("back", &call.language.sentence(back)),
        ("messages", &messages),
        ("earlier", &earlier),
        ("later", &later),
    ];
    call.page_at(PATH, "chat-older.html", &values).await
}

/// Renders a time for people, to the minute.
fn to_the_minute(time: &str) -> String {
    let minute = time.get(..16).unwrap_or(time);
    format!("{} UTC", minute.replace('T', " "))
}
