//! `html`: the forever frame, a page that never ends, with an element per message and nothing that
//! needs JavaScript.
//!
//! # Grammar
//!
//! ```abnf
//! stream  = head *( dots / message / gap / closed ) [ live *( dots / message / gap / closed ) ] [ end ] foot
//! dots    = 1*( [ "<i></i>" ] "." ) LF   ; the LF comes only with what follows the dots
//! message = '<p class="message" data-cursor="' cursor '" data-channel="' channel
//!           '" data-event="' event '" data-time="' time '" dir="auto">' text '</p>' LF
//! gap     = '<p class="gap" data-reason="' reason '" data-missed="' [ missed ]
//!           '" data-cursor="' cursor '">' sentence '</p>' LF
//! live    = [ '<p class="live" data-cursor="' cursor '">What comes from here on is new.</p>' LF ]
//!           '<div class="new">' LF         ; the paragraph with `marks=1`
//! closed  = '<p class="closed" data-channel="' channel '" data-cursor="' cursor '">The channel '
//!           channel ' is closed.</p>' LF           ; with `marks=1`
//! end     = '<p class="end" data-cursor="' cursor '" data-reason="' end-reason
//!           '">' sentence [ ' <a href="?' [ "as=html&amp;" ] 'since=' cursor '">Go on from here</a>.' ]
//!           ' Its cursor is ' cursor '.</p>' LF [ '</div>' LF ]     ; what `live` has opened
//! text    = chars / "<span>" *( chars / '<span class="' class *( " " class ) '">' chars "</span>" ) "</span>"
//! class   = ( "fg" / "bg" ) 1*2DIGIT / "bold" / "faint" / "italic" / "underline" / "inverse" / "strike"
//! chars   = *( plain / "&amp;" / "&lt;" / "&gt;" / "&quot;" / "&#" 1*3DIGIT ";" )
//! plain   = any character but "&", "<", ">", '"', "'", controls except TAB and LF
//! ```
//!
//! The colours of a text (SGR sequences, `sgr.rs`) become elements with the classes of `style.rs`, in one
//! element around them; nothing else in the text does anything. A text without colours has none of these
//! elements. In a text with more than [`COLORED_RUNS_MAX`](limits::COLORED_RUNS_MAX) of them the rest has
//! no colours.
//!
//! `head` and `foot` are the page around the stream, a file of `pages/` that is cut in two at its
//! `{{stream}}`. They are put around these bytes by `http`, which pads the head to 1 KiB for
//! browsers, some of which paint nothing before. The sentences of gaps and marks are in the language of that
//! page; the grammar has them in English. The escapes
//! are those of the HTML standard for attribute values and text (sections 13.1.2.3, 13.1.3 and
//! 13.1.4). A CR is a character reference because a written one would be read as LF (13.2.3.5), and so
//! are the other controls, because the page may be shown by a terminal. NUL and the controls from U+0080
//! to U+009F cannot be said by references (13.2.5): U+FFFD stands for each. Channel and event names have no
//! character that means something in HTML. `dir="auto"` takes the direction of a text from the text,
//! and shuts it in: none turns what stands around its element (HTML standard, 3.2.6.4).
//!
//! # What a client does with it
//!
//! A browser shows each element when it comes; that is the whole client. An empty element comes with the
//! first of the dots and with every fourth after it, so that in a page whose connection is alive the last
//! element of what is new is never old: a rule of the style sheet shows after the last element, when that has become
//! old, that nothing comes any more. So a page notices without a script that its stream has died. The
//! client keeps no cursor: for
//! the demonstration, `/receiver` remembers the position of its session. A program takes the
//! elements by their `class` and the cursor from `data-cursor`; what stands between elements is
//! dots. An empty `data-missed` says that the number is unknown.
//!
//! A stream that begins quiet begins, after its head, with a dot. A page that has all it was asked
//! for (`/sender`) has no end mark: its foot follows.

use bytes::Bytes;

use super::style::Style;
use super::{EndReason, escape, sgr};
use crate::limits;
use crate::message::{Channel, Cursor, Epoch, Gap, GapReason, Message};
use crate::translation::Language;

/// What a page that never ends remembers: its dots, and what its follower chose.
#[derive(Clone, Debug, Default)]
pub struct HtmlStream {
    pub(super) dots: HtmlDots,
    /// Whether the stream says that its follower has caught up, and which channels are closed.
    has_marks: bool,
    /// Whether the page was asked for by `as=html`, which leads on to another of its kind.
    is_bare: bool,
    /// Whether the element of what is new has been opened.
    is_live: bool,
    /// The language of the page around.
    language: Language,
}

/// What a page remembers of its dots.
#[derive(Clone, Debug, Default)]
pub(super) struct HtmlDots {
    /// The dots since the last empty element; 0 when the line of dots has ended.
    since_element: u8,
}

/// An empty element comes with one of so many dots: each costs a browser some memory, for as long as the
/// page is open.
const DOTS_PER_ELEMENT: u8 = 4;

impl HtmlDots {
    /// Whether the stream is in the middle of a line of dots.
    pub(super) fn are_unended(&self) -> bool {
        self.since_element > 0
    }

    /// Shows one more dot.
    pub(super) fn idle(&mut self, out: &mut Vec<u8>) {
        if self.since_element.is_multiple_of(DOTS_PER_ELEMENT) {
            self.since_element = 0;
            out.extend_from_slice(b"<i></i>");
        }
        self.since_element += 1;
        out.push(b'.');
    }

    /// Ends the line of dots, if there is one, so that the next line can begin.
    pub(super) fn lead(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.since_element) > 0 {
            out.push(b'\n');
        }
    }
}

impl HtmlStream {
    /// A page that has all marks, or only those that every page has.
    #[must_use]
    pub fn new(has_marks: bool) -> HtmlStream {
        HtmlStream {
            has_marks,
            ..HtmlStream::default()
        }
    }

    /// The page that `as=html` asks for, or another one around the same elements.
    #[must_use]
    pub fn bare(self, is_bare: bool) -> HtmlStream {
        HtmlStream { is_bare, ..self }
    }

    /// Puts the elements into a page of this language.
    #[must_use]
    pub fn in_language(self, language: Language) -> HtmlStream {
        HtmlStream { language, ..self }
    }

    /// A sentence in the language of the page.
    fn say(&self, english: &str) -> String {
        let said = self.language.translate(english);
        said.unwrap_or_else(|| english.to_owned())
    }

    /// Puts the element that says that the follower has caught up, at `cursor`, and opens the one in which
    /// what is new stands: a browser then lays out that alone for each line, however long the past is.
    pub(super) fn live(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        self.dots.lead(out);
        if self.has_marks {
            let sentence = self.say("What comes from here on is new.");
            let element = format!("<p class=\"live\" data-cursor=\"{cursor}\">{sentence}</p>\n");
            out.extend_from_slice(element.as_bytes());
        }
        out.extend_from_slice(b"<div class=\"new\">\n");
        self.is_live = true;
    }

    /// Puts the element that says that a channel is closed, to a follower at `cursor`.
    pub(super) fn closed(&mut self, channel: &Channel, cursor: &Cursor, out: &mut Vec<u8>) {
        if self.has_marks {
            self.dots.lead(out);
            let sentence = self.say(&format!("The channel {channel} is closed."));
            let element = format!(
                "<p class=\"closed\" data-channel=\"{channel}\" data-cursor=\"{cursor}\">{sentence}</p>\n"
            );
            out.extend_from_slice(element.as_bytes());
        }
    }
}

/// The element of a message.
pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    let Message {
        seq,
        time,
        channel,
        event,
        data,
    } = message;
    let element = format!(
        "<p class=\"message\" data-cursor=\"{epoch}-{seq}\" data-channel=\"{channel}\" data-event=\"{}\" data-time=\"{time}\" dir=\"auto\">{}</p>\n",
        event.as_str(),
        text(data),
    );
    Bytes::from(element.into_bytes())
}

/// The text of a message, its colours as elements.
fn text(data: &str) -> String {
    if !sgr::may_have_sequence(data) {
        return escape::html(data);
    }
    let mut out = String::with_capacity(data.len() * 2);
    let (mut style, mut colored) = (Style::default(), 0);
    for run in sgr::runs(data) {
        style = style.after(run.sequence);
        let text = escape::html(run.text);
        if text.is_empty() || style.is_plain() || colored == limits::COLORED_RUNS_MAX {
            out.push_str(&text);
            continue;
        }
        colored += 1;
        out.push_str("<span class=\"");
        style.classes(&mut out);
        out.push_str("\">");
        out.push_str(&text);
        out.push_str("</span>");
    }
    if colored == 0 {
        return out;
    }
    format!("<span>{out}</span>")
}

/// Puts the element of a gap, after which the stream goes on from `resumes`.
pub(super) fn gap(html: &mut HtmlStream, gap: &Gap, resumes: &Cursor, out: &mut Vec<u8>) {
    // An element begins its own line; the newline keeps the source readable.
    html.dots.lead(out);
    let missed = gap.missed.map_or_else(String::new, |n| n.to_string());
    let element = format!(
        "<p class=\"gap\" data-reason=\"{}\" data-missed=\"{missed}\" data-cursor=\"{resumes}\">{}</p>\n",
        gap.reason.as_str(),
        html.say(&sentence(gap)),
    );
    out.extend_from_slice(element.as_bytes());
}

/// What a gap is to a person who reads the page.
fn sentence(gap: &Gap) -> String {
    match gap.reason {
        GapReason::Expired => match gap.missed {
            Some(1) => "1 message has expired.".to_owned(),
            Some(n) => format!("{n} messages have expired."),
            None => "Some messages have expired.".to_owned(),
        },
        GapReason::Epoch => {
            "This cursor is from another log; the stream starts with the oldest message of this \
             one."
                .to_owned()
        }
        GapReason::Future => "This cursor is past the end of the log; the stream continues with \
                              the next message."
            .to_owned(),
    }
}

/// Puts the element that ends the stream at `cursor`.
pub(super) fn end(html: &mut HtmlStream, cursor: &Cursor, reason: EndReason, out: &mut Vec<u8>) {
    html.dots.lead(out);
    let sentence = match reason {
        EndReason::Closed => "Nothing more comes: what this stream follows is closed.",
        EndReason::Stop => "The server is stopping, and this stream ends here.",
        EndReason::Revoked | EndReason::Expired => {
            "This stream ends here: the right to read it is over."
        }
        EndReason::Store => "This stream ends here: the log cannot be read.",
        _ => "This stream ends here.",
    };
    let sentence = html.say(sentence);
    let wire = if html.is_bare { "as=html&amp;" } else { "" };
    // In Chinese the full stop has the space after it in itself.
    let (blank, stop) = match html.language {
        Language::English => (" ", "."),
        Language::Chinese => ("", "。"),
    };
    let way = if reason == EndReason::Closed {
        String::new()
    } else {
        let go_on = html.say("Go on from here");
        format!("{blank}<a href=\"?{wire}since={cursor}\">{go_on}</a>{stop}")
    };
    let place = html.say(&format!("Its cursor is {cursor}."));
    let reason = reason.as_str();
    let element = format!(
        "<p class=\"end\" data-cursor=\"{cursor}\" data-reason=\"{reason}\">{sentence}{way}{blank}{place}</p>\n"
    );
    out.extend_from_slice(element.as_bytes());
    if html.is_live {
        out.extend_from_slice(b"</div>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::super::testing::{self, AWKWARD, delivered, ended, gaps, idled, opened_quiet};
    use super::*;
    use proptest::prelude::*;

    /// The characters of an element's text. It must be as the grammar says.
    fn read(text: &str) -> String {
        let Some(inner) = text.strip_prefix("<span>") else {
            return characters(text);
        };
        let mut rest = inner.strip_suffix("</span>").unwrap();
        let mut out = String::new();
        while let Some((before, tail)) = rest.split_once("<span class=\"") {
            let (classes, tail) = tail.split_once("\">").unwrap();
            assert!(
                classes
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b' '),
                "{classes}"
            );
            let (colored, after) = tail.split_once("</span>").unwrap();
            out += &(characters(before) + &characters(colored));
            rest = after;
        }
        out + &characters(rest)
    }

    /// The characters of a text without elements.
    fn characters(text: &str) -> String {
        assert!(!text.contains(['<', '>']), "{text}");
        assert!(
            !text
                .chars()
                .any(|c| c.is_control() && c != '\t' && c != '\n'),
            "{text:?}"
        );
        let mut parts = text.split('&');
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let (reference, rest) = part.split_once(';').unwrap();
            out.push(match reference {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                code => char::from_u32(code[1..].parse().unwrap()).unwrap(),
            });
            out.push_str(rest);
        }
        out
    }

    /// Colours become elements, which end with their message.
    #[test]
    fn html_has_colors() {
        for (data, expected) in [
            ("plain", "plain"),
            (
                "\x1b[1;31mred",
                "<span><span class=\"fg1 bold\">red</span></span>",
            ),
            (
                "<\x1b[32mo\x1b[4mk\x1b[m>",
                "<span>&lt;<span class=\"fg2\">o</span><span class=\"fg2 underline\">k</span>&gt;</span>",
            ),
            (
                "\x1b[1mno\x1b[0m",
                "<span><span class=\"bold\">no</span></span>",
            ),
            // These change nothing.
            ("a\x1b[mb\x1b[31m", "ab"),
            ("\x1b[2J", "&#27;[2J"),
        ] {
            assert_eq!(text(data), expected, "{data:?}");
        }
    }

    /// The elements of a message have a bound, and so has what a text can grow by them.
    #[test]
    fn html_has_few_elements() {
        let most = "\x1b[1;2;3;4;7;9;97;107m \x1b[m\x1b[1;2;3;4;7;9;97;107m "
            .repeat(limits::COLORED_RUNS_MAX);
        let text = text(&most);
        assert_eq!(
            text.matches("<span class").count(),
            limits::COLORED_RUNS_MAX
        );
        assert_eq!(read(&text), sgr::visible(&most));
        assert!(text.len() < 90 * limits::COLORED_RUNS_MAX + 2 * limits::COLORED_RUNS_MAX);
    }

    proptest! {
        /// Whatever a text has in it, its element is as the grammar says, and shows its characters.
        #[test]
        fn html_shows_every_character(data in testing::escapes()) {
            let lost = |c| matches!(c, '\0' | '\u{80}'..='\u{9f}');
            prop_assert_eq!(read(&text(&data)), sgr::visible(&data).replace(lost, "\u{fffd}"));
        }
    }

    /// Every moment of a stream, byte for byte.
    #[test]
    fn html_golden_bytes() {
        let mut html = Encoder::Html(HtmlStream::default());
        assert_eq!(opened_quiet(&mut html), "<div class=\"new\">\n<i></i>.");
        assert_eq!(
            delivered(&mut html, &testing::message(7, AWKWARD)),
            "\n<p class=\"message\" data-cursor=\"k3f9x2qa0b-7\" data-channel=\"build\" \
             data-event=\"message\" data-time=\"2025-11-20T11:03:27.042Z\" dir=\"auto\"><span>&lt;/script&gt; \
             &quot;你&quot; &amp; &#39;x&#39;\t<span class=\"bold\">\u{fffd}&#13;\ntwo\u{2028}C:\\new&#127;\u{fffd}</span></span></p>\n"
        );
        let dots: String = (0..6).map(|_| idled(&mut html)).collect();
        assert_eq!(dots, "<i></i>....<i></i>..");
        assert_eq!(
            gaps(&mut html),
            [
                "\n<p class=\"gap\" data-reason=\"expired\" data-missed=\"2\" \
                 data-cursor=\"k3f9x2qa0b-9\">2 messages have expired.</p>\n",
                "<p class=\"gap\" data-reason=\"epoch\" data-missed=\"\" \
                 data-cursor=\"k3f9x2qa0b-9\">This cursor is from another log; the stream starts with \
                 the oldest message of this one.</p>\n",
                "<p class=\"gap\" data-reason=\"future\" data-missed=\"\" \
                 data-cursor=\"k3f9x2qa0b-9\">This cursor is past the end of the log; the stream \
                 continues with the next message.</p>\n",
            ]
        );
        assert_eq!(idled(&mut html), "<i></i>.");
        assert_eq!(
            ended(&mut html, EndReason::Stop),
            "\n<p class=\"end\" data-cursor=\"k3f9x2qa0b-9\" data-reason=\"stop\">The server is stopping, and this stream ends here. \
             <a href=\"?since=k3f9x2qa0b-9\">Go on from here</a>. Its cursor is k3f9x2qa0b-9.</p>\n</div>\n"
        );
        assert!(
            ended(&mut html, EndReason::Closed).contains("is closed. Its cursor is k3f9x2qa0b-9.")
        );
        let mut bare = Encoder::Html(HtmlStream::default().bare(true));
        let led = ended(&mut bare, EndReason::Timeout);
        assert!(
            led.contains("<a href=\"?as=html&amp;since=k3f9x2qa0b-9\">"),
            "{led}"
        );
    }

    /// With marks, a page says that its follower has caught up.
    #[test]
    fn html_with_marks() {
        let mut html = Encoder::Html(HtmlStream::new(true));
        assert_eq!(
            opened_quiet(&mut html),
            "<p class=\"live\" data-cursor=\"k3f9x2qa0b-6\">What comes from here on is new.</p>\n\
             <div class=\"new\">\n<i></i>."
        );
        assert_eq!(
            testing::closed(&mut html),
            "\n<p class=\"closed\" data-channel=\"build\" data-cursor=\"k3f9x2qa0b-9\">The channel build \
             is closed.</p>\n"
        );
    }
}
