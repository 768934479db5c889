//! The names of channels and events, and how names are checked.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::limits;

/// The events that the server itself sends in Server-Sent Events, where a message with such a name
/// could not be told from it, and those that browsers fire at an `EventSource`.
const RESERVED_EVENTS: [&str; 7] = ["gap", "end", "heartbeat", "live", "closed", "open", "error"];

/// The error of a text that is not a name or a key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text is too long: how many characters it has, and how many are allowed.
    #[error("is {0} characters long; the limit is {1}")]
    TooLong(usize, usize),
    /// The text has a character that is not allowed: the character, and which are allowed.
    #[error("has the character {0:?}; only {1} can be used")]
    Character(char, &'static str),
    /// The text is a pattern, where a name is wanted.
    #[error("is a pattern (it has a *), which can only be followed; name one channel")]
    Pattern,
    /// The text is no pattern, where one is wanted.
    #[error("is no pattern: a * stands at its end, and only there, such as build.*")]
    NoPattern,
    /// The text begins with `~`, as only the names of the server's own channels do.
    #[error("begins with ~; such channels are the server's own")]
    Reserved,
    /// The text is a dot or two, or their compatibility forms: as a segment of a path it would mean a
    /// directory, and clients would leave it out.
    #[error("is . or .., which no URL can name; choose another name")]
    Dots,
    /// The text is the name of an event that only the server sends, or a browser fires.
    #[error("is one of the events of the server or of browsers ({list}); choose another name", list = RESERVED_EVENTS.join(", "))]
    ReservedEvent,
}

/// Checks a name or a key: one to `chars_max` characters, each of them allowed.
///
/// # Errors
/// The first of: the text is empty, has a character that `is_allowed` refuses (`allowed` says in
/// the error which characters are), or is too long.
pub(crate) fn check_name(
    text: &str,
    chars_max: usize,
    allowed: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(c) = text.chars().find(|&c| !is_allowed(c)) {
        return Err(NameError::Character(c, allowed));
    }
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(NameError::TooLong(chars, chars_max));
    }
    Ok(())
}

/// Whether a text is `.` or `..`, or becomes that in normal form (NFKC): no URL has such a segment in
/// its path, percent-encoded or not (RFC 3986, section 5.2.4, and the URL standard).
pub(crate) fn is_dots(text: &str) -> bool {
    // No spelling of two dots has more characters.
    text.chars().nth(2).is_none() && [".", ".."].contains(&&*text.nfkc().collect::<String>())
}

/// Checks a channel's name, or the beginning of one.
fn check_channel(text: &str) -> Result<(), NameError> {
    check_name(text, limits::NAME_BYTES_MAX, "A-Z a-z 0-9 . _ ~ -", |c| {
        c.is_ascii_alphanumeric() || "._~-".contains(c)
    })?;
    if text.starts_with('~') {
        return Err(NameError::Reserved);
    }
    Ok(())
}

/// A channel's name: `[A-Za-z0-9._~-]{1,64}`, but not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(Arc<str>);

impl Channel {
    /// Returns the channel that a client names.
    ///
    /// # Errors
    /// When the text is no channel name, or names one of the server's own channels (`~…`).
    pub fn new(text: &str) -> Result<Channel, NameError> {
        if text.contains('*') {
            return Err(NameError::Pattern);
        }
        check_channel(text)?;
        if is_dots(text) {
            return Err(NameError::Dots);
        }
        Ok(Channel(text.into()))
    }

    /// Returns the channel of a name that a store has kept.
    pub(crate) fn from_own(name: &str) -> Channel {
        Channel(name.into())
    }

    /// Returns a channel of the server's own, `~{name}`, which no client can name.
    pub(crate) fn of_server(name: &str) -> Channel {
        Channel(format!("~{name}").into())
    }

    /// Returns `main`, the channel of `/stream`, `/send`, `/sender` and `/receiver`.
    #[must_use]
    pub fn main() -> Channel {
        Channel("main".into())
    }

    /// Whether the channel is one of the server's own.
    #[must_use]
    pub fn is_of_server(&self) -> bool {
        self.0.starts_with('~')
    }

    /// Returns the channel's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names are found by their text.
impl Borrow<str> for Channel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern of channel names: a beginning and `*`, or `*` alone. It has all channels that begin so, those
/// that come later too, but none of the server's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// Returns the pattern that a client writes.
    ///
    /// # Errors
    /// When the text is not the beginning of a channel's name and one `*` after it.
    pub fn new(text: &str) -> Result<Pattern, NameError> {
        let Some(prefix) = text.strip_suffix('*') else {
            return Err(NameError::NoPattern);
        };
        if prefix.contains('*') {
            return Err(NameError::NoPattern);
        }
        if !prefix.is_empty() {
            check_channel(prefix)?;
        }
        Ok(Pattern(prefix.into()))
    }

    /// Returns what the names of its channels begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// Whether a channel is one of the pattern's.
    #[must_use]
    pub fn has(&self, channel: &Channel) -> bool {
        channel.as_str().starts_with(&*self.0) && !channel.is_of_server()
    }

    /// Whether all channels of another pattern are this one's.
    #[must_use]
    pub fn has_pattern(&self, other: &Pattern) -> bool {
        other.0.starts_with(&*self.0)
    }

    /// Returns the first text that is greater than all names of its channels, which are no less than the
    /// prefix. `~` is the greatest character of a name, and those of the server's own begin with it.
    #[must_use]
    pub fn end(&self) -> String {
        let mut end = self.0.to_string();
        // After a `~` the text before it has to be raised, which cannot be the first character.
        while end.ends_with('~') {
            end.pop();
        }
        match end.pop() {
            Some(last) => end.push(char::from_u32(u32::from(last) + 1).unwrap_or('~')),
            None => end.push('~'),
        }
        end
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.0)
    }
}

/// A message's event name: `[A-Za-z0-9._:-]{1,64}`; `message` unless the sender says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(Option<Box<str>>);

impl EventName {
    /// The event name of a message whose sender gave none: `message`.
    pub const DEFAULT: EventName = EventName(None);

    /// Returns the event name that a sender gave.
    ///
    /// # Errors
    /// When the text is no event name, or is reserved for an event of the server or of browsers.
    pub fn new(text: &str) -> Result<EventName, NameError> {
        check_name(text, limits::NAME_BYTES_MAX, "A-Z a-z 0-9 . _ : -", |c| {
            c.is_ascii_alphanumeric() || "._:-".contains(c)
        })?;
        if RESERVED_EVENTS.contains(&text) {
            return Err(NameError::ReservedEvent);
        }
        Ok(EventName((text != "message").then(|| text.into())))
    }

    /// Returns the event name as text, `message` by default.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.own().unwrap_or("message")
    }

    /// Returns an event name that the server gives. It is a name that a sender could give, too.
    pub(crate) fn of_server(name: &'static str) -> EventName {
        EventName(Some(name.into()))
    }

    /// Returns the event name if it is not the default.
    pub(crate) fn own(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns the event name from what [`EventName::own`] returned, as a store has kept it.
    pub(crate) fn from_own(own: Option<Box<str>>) -> EventName {
        EventName(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern has the channels that begin so, and lies between its prefix and its end.
    #[test]
    fn patterns_have_what_begins_so() {
        let names = ["-", "0", "a", "a.b", "a~", "a~z", "b", "zzz", "z~"].map(Channel::from_own);
        let server = Channel::of_server("chat");
        for text in ["*", "a*", "a.*", "a~*", "a~~*", "z*", "z~*", "b.*"] {
            let pattern = Pattern::new(text).unwrap();
            assert_eq!(pattern.to_string(), text);
            assert!(!pattern.has(&server));
            for name in names.iter().chain([&server]) {
                let is_within = (pattern.prefix()..&*pattern.end()).contains(&name.as_str());
                let begins = name.as_str().starts_with(pattern.prefix());
                assert_eq!(
                    pattern.has(name),
                    begins && name != &server,
                    "{text} {name}"
                );
                assert_eq!(pattern.has(name), is_within, "{text} {name}");
            }
        }
        for text in ["", "a", "a*b", "**", "~*", "a b*"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        assert!(
            Pattern::new("a*")
                .unwrap()
                .has_pattern(&Pattern::new("a.b*").unwrap())
        );
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(Channel::new("a.B_9~-").unwrap().as_str(), "a.B_9~-");
        assert_eq!(Channel::new(""), Err(NameError::Empty));
        assert_eq!(Channel::new("."), Err(NameError::Dots));
        assert_eq!(Channel::new(".."), Err(NameError::Dots));
        assert_eq!(Channel::new("...").unwrap().as_str(), "...");
        assert_eq!(Channel::new("~own"), Err(NameError::Reserved));
        assert_eq!(
            Channel::new(&"x".repeat(65)),
            Err(NameError::TooLong(65, 64))
        );
        assert!(matches!(
            Channel::new("ä"),
            Err(NameError::Character('ä', _))
        ));
        assert!(matches!(
            EventName::new("a\nb"),
            Err(NameError::Character('\n', _))
        ));
        assert_eq!(EventName::new("message"), Ok(EventName::DEFAULT));
        assert_eq!(Channel::new("build.*"), Err(NameError::Pattern));
        for reserved in RESERVED_EVENTS {
            assert_eq!(EventName::new(reserved), Err(NameError::ReservedEvent));
        }
    }
}
