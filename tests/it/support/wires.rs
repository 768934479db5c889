//! Readers of all six transports, written from their descriptions, not from the server's code.

use std::io;
use std::net::SocketAddr;

use super::client::{Response, send};
use super::{soon, text};
use serde_json::Value;

pub(crate) const ALL: [&str; 6] = ["text", "html", "script", "sse", "ndjson", "json"];

/// What a message is to those who get it; empty where the transport does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) cursor: String,
    pub(crate) channel: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// What a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Where it begins.
    Open(String),
    Message(Message),
    /// Why, how many if that is known, and from where it goes on.
    Gap(String, Option<u64>, String),
    Heartbeat,
    /// Where, and why if the transport says that.
    End(String, String),
}

/// Takes bytes in any pieces, gives what they say as soon as it is whole.
pub(crate) struct Reader {
    wire: &'static str,
    partial: Vec<u8>,
    text: text::Reader,
    sse: Sse,
}

/// What the interpretation of an event stream remembers (HTML standard, section 9.2.6).
#[derive(Default)]
struct Sse {
    id: String,
    event: String,
    data: Option<String>,
    /// Lines of the block so far.
    lines: usize,
    retry: Option<u32>,
}

impl Reader {
    pub(crate) fn new(wire: &'static str) -> Reader {
        Reader {
            wire,
            partial: Vec::new(),
            text: text::Reader::default(),
            sse: Sse::default(),
        }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        if self.wire == "text" {
            return self.read_text(bytes);
        }
        self.partial.extend_from_slice(bytes);
        match self.wire {
            "html" => self.read_html(),
            "script" => self.read_scripts(),
            "sse" => self.read_sse(),
            "ndjson" => self.read_lines(),
            _ => self.read_object(),
        }
    }

    fn read_text(&mut self, bytes: &[u8]) -> Vec<Said> {
        let dots = self.text.dots;
        let lines = self.text.read(bytes).into_iter().map(|said| match said {
            text::Said::Message(data) => Said::Message(Message {
                data,
                ..Message::default()
            }),
            text::Said::Gap(gap) => {
                let words = gap.split(' ').map(|pair| pair.split_once('=').unwrap());
                let words: Vec<_> = words.collect();
                let [("reason", reason), ("missed", missed), ("cursor", cursor)] = words[..] else {
                    panic!("{gap}")
                };
                assert!(missed == "unknown" || missed.parse::<u64>().is_ok());
                Said::Gap(reason.into(), missed.parse().ok(), cursor.into())
            }
            text::Said::End(cursor) => Said::End(cursor, String::new()),
        });
        let mut said: Vec<Said> = lines.collect();
        // Dots count when their line is over; where among the messages it was does not matter.
        said.extend((dots..self.text.dots).map(|_| Said::Heartbeat));
        said
    }

    /// Takes what stands before the first `end`, and that, too.
    fn take(&mut self, end: &[u8]) -> Option<String> {
        let at = self.partial.windows(end.len()).position(|w| w == end)?;
        let taken: Vec<u8> = self.partial.drain(..at + end.len()).collect();
        Some(String::from_utf8(taken).unwrap())
    }

    /// Elements with a cursor; dots are text that stands alone.
    fn read_html(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let text = self.partial.iter().take_while(|b| **b != b'<').count();
            let outside: Vec<u8> = self.partial.drain(..text).collect();
            let dots = outside.trim_ascii();
            if dots.iter().all(|b| *b == b'.') {
                said.extend(dots.iter().map(|_| Said::Heartbeat));
            }
            let is_paragraph = self.partial.starts_with(b"<p ");
            let end: &[u8] = if is_paragraph { b"</p>" } else { b">" };
            let Some(element) = self.take(end) else {
                return said;
            };
            if is_paragraph {
                said.push(paragraph(&element));
            }
        }
    }

    /// The argument of each script's call, as the parser of JavaScript would see it.
    fn read_scripts(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some(element) = self.take(b"</script>") {
            let (_, script) = element.split_once("<script nonce=\"").unwrap();
            let (_, script) = script.split_once("\">").unwrap();
            // The first defines what the others call.
            if let Some(call) = script.strip_prefix("f(") {
                let json = call.strip_suffix(")</script>").expect(call);
                let forbidden = ['<', '>', '&', '\u{2028}', '\u{2029}'];
                assert!(!json.contains(forbidden), "ends early somewhere: {json}");
                said.push(object(&serde_json::from_str(json).unwrap()));
            }
        }
        said
    }

    fn read_lines(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        while let Some(line) = self.take(b"\n") {
            said.push(object(&serde_json::from_str(&line).unwrap()));
        }
        said
    }

    /// A long poll's one object, when it is whole.
    fn read_object(&mut self) -> Vec<Said> {
        let whole = self.partial.trim_ascii_end().ends_with(b"}");
        let Some(value) = whole
            .then(|| serde_json::from_slice::<Value>(&self.partial).ok())
            .flatten()
        else {
            return Vec::new();
        };
        self.partial.clear();
        let mut said = Vec::new();
        let gap = value.get("gap").expect("null or a gap");
        if !gap.is_null() {
            said.push(told_gap(gap));
        }
        said.extend(value["messages"].as_array().unwrap().iter().map(told));
        said.push(Said::End(string(&value, "cursor"), String::new()));
        said
    }

    fn read_sse(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        // A CR at the end of what there is may be half of a CRLF.
        while let Some(end) = self.partial.iter().position(|b| b"\r\n".contains(b)) {
            let width = match &self.partial[end..] {
                [b'\r'] => break,
                [b'\r', b'\n', ..] => 2,
                _ => 1,
            };
            let line: Vec<u8> = self.partial.drain(..end + width).collect();
            said.extend(self.sse.line(std::str::from_utf8(&line[..end]).unwrap()));
        }
        said
    }
}

impl Sse {
    fn line(&mut self, line: &str) -> Option<Said> {
        if line.is_empty() {
            return self.block();
        }
        if line.starts_with(':') {
            assert_eq!(self.lines, 0, "a comment stands inside an event");
            return Some(Said::Heartbeat);
        }
        self.lines += 1;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                let data = self.data.get_or_insert_default();
                data.push_str(value);
                data.push('\n');
            }
            "event" => value.clone_into(&mut self.event),
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" => self.retry = Some(value.parse().unwrap()),
            _ => panic!("no field of an event stream: {line:?}"),
        }
        None
    }

    fn block(&mut self) -> Option<Said> {
        let lines = std::mem::take(&mut self.lines);
        let event = std::mem::take(&mut self.event);
        let Some(mut data) = self.data.take() else {
            // An id alone: where it begins.
            return (lines > 0).then(|| Said::Open(self.id.clone()));
        };
        data.pop();
        // What the server says by events of its own is JSON with a cursor that no sender makes.
        let own = || serde_json::from_str::<Value>(&data).unwrap();
        Some(match &*event {
            "gap" => told_gap(&own()),
            "end" => Said::End(string(&own(), "cursor"), string(&own(), "reason")),
            "heartbeat" => Said::Heartbeat,
            event => Said::Message(Message {
                cursor: self.id.clone(),
                channel: String::new(),
                event: if event.is_empty() { "message" } else { event }.to_owned(),
                data,
            }),
        })
    }
}

/// One `<p class="…" data-…="…">text</p>`.
fn paragraph(element: &str) -> Said {
    let (tag, rest) = element.split_once('>').unwrap();
    let shown = rest.strip_suffix("</p>").unwrap();
    assert!(!shown.contains('<'), "text only: {shown}");
    let attribute = |name: &str| {
        let (_, value) = tag.split_once(&format!(" {name}=\"")).expect(tag);
        value.split_once('"').unwrap().0.to_owned()
    };
    let cursor = attribute("data-cursor");
    match &*attribute("class") {
        "message" => Said::Message(Message {
            cursor,
            channel: attribute("data-channel"),
            event: attribute("data-event"),
            data: characters(shown),
        }),
        "gap" => {
            let missed = attribute("data-missed").parse().ok();
            Said::Gap(attribute("data-reason"), missed, cursor)
        }
        "end" => Said::End(cursor, String::new()),
        other => panic!("an element of class {other}"),
    }
}

/// HTML's text as its characters.
fn characters(shown: &str) -> String {
    // Line ends as such are normalised before anything else (HTML standard, 13.2.3.5).
    let shown = shown.replace("\r\n", "\n").replace('\r', "\n");
    let mut parts = shown.split('&');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (reference, behind) = part.split_once(';').expect(part);
        out.push(match reference {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => char::from_u32(number.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
        });
        out.push_str(behind);
    }
    out
}

fn string(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no {name}: {value}")).into()
}

/// An object with a `type`.
fn object(value: &Value) -> Said {
    match &*string(value, "type") {
        "open" => Said::Open(string(value, "cursor")),
        "message" => told(value),
        "gap" => told_gap(value),
        "heartbeat" => {
            assert!(string(value, "cursor").contains('-'));
            Said::Heartbeat
        }
        "end" => Said::End(string(value, "cursor"), string(value, "reason")),
        other => panic!("an object of type {other}"),
    }
}

fn told(value: &Value) -> Said {
    assert!(string(value, "time").ends_with('Z'), "{value}");
    Said::Message(Message {
        cursor: string(value, "cursor"),
        channel: string(value, "channel"),
        event: string(value, "event"),
        data: string(value, "data"),
    })
}

fn told_gap(value: &Value) -> Said {
    let missed = value.get("missed").expect("null or a number").as_u64();
    Said::Gap(string(value, "reason"), missed, string(value, "cursor"))
}

/// A stream and its reader.
pub(crate) struct Stream {
    pub(crate) response: Response,
    pub(crate) reader: Reader,
    /// All that it has said.
    pub(crate) said: Vec<Said>,
}

impl Stream {
    /// Opens `/c/CHANNELS?QUERY` on a transport; `query` may end with header lines.
    pub(crate) async fn open(
        addr: SocketAddr,
        wire: &'static str,
        channels: &str,
        query: &str,
    ) -> Stream {
        let request = format!("GET /c/{channels}?as={wire}&{query}");
        let response = soon(send(addr, &request, b"")).await;
        assert_eq!(response.status, 200, "{request}");
        Stream {
            response,
            reader: Reader::new(wire),
            said: Vec::new(),
        }
    }

    /// Reads a piece; is there more?
    pub(crate) async fn read(&mut self) -> io::Result<bool> {
        let chunk = soon(self.response.chunk()).await?;
        let said = chunk.as_deref().map(|chunk| self.reader.read(chunk));
        self.said.extend(said.into_iter().flatten());
        Ok(chunk.is_some())
    }

    /// Reads until it has had so many messages.
    pub(crate) async fn until(&mut self, count: usize) {
        while self.messages().count() < count {
            assert!(self.read().await.unwrap(), "it ended: {:?}", self.said);
        }
    }

    /// Reads to its end, which must be clean.
    pub(crate) async fn whole(mut self) -> Stream {
        while self.read().await.unwrap() {}
        self
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.said.iter().filter_map(|said| match said {
            Said::Message(message) => Some(message),
            _ => None,
        })
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.messages().map(|message| &*message.data).collect()
    }

    /// The gaps that it has said.
    pub(crate) fn gaps(&self) -> Vec<&Said> {
        let is_gap = |said: &&Said| matches!(said, Said::Gap(..));
        self.said.iter().filter(is_gap).collect()
    }

    /// The cursor and the reason of its end, if it has said that, and nothing behind it but dots
    /// that stood on the line before.
    pub(crate) fn end(&self) -> Option<(&str, &str)> {
        let is_heartbeat = |said: &Said| *said == Said::Heartbeat;
        let mut said = self.said.iter().rev().skip_while(|said| is_heartbeat(said));
        match said.next() {
            Some(Said::End(cursor, reason)) => Some((cursor, reason)),
            _ => None,
        }
    }

    pub(crate) fn heartbeats(&self) -> usize {
        let is_heartbeat = |said: &&Said| **said == Said::Heartbeat;
        self.said.iter().filter(is_heartbeat).count()
    }

    /// What an event stream said about coming back.
    pub(crate) fn retry(&self) -> Option<u32> {
        self.reader.sse.retry
    }
}
