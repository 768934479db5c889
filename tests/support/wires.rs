//! Readers of all six transports, written from their descriptions, not from the server's code.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use super::client::{Response, send};
use super::text::TextReader;
use super::{at_last, soon};
use serde_json::Value;

pub(crate) const ALL: [&str; 6] = ["text", "html", "script", "sse", "ndjson", "json"];

/// A message as a follower receives it; a field that the transport does not carry is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) cursor: String,
    pub(crate) channel: String,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// One thing that a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    /// The beginning of the stream, and the cursor where it begins.
    Open(String),
    Message(Message),
    /// Messages are missing: the reason, their number if it is known, and the cursor from which the
    /// stream goes on.
    Gap(String, Option<u64>, String),
    Heartbeat,
    /// All that was in the log when the stream began has been told, up to this cursor.
    Live(String),
    /// A channel is closed: its name, and the cursor where the follower stands, if the transport carries
    /// it.
    Closed(String, String),
    /// The end of the stream: its cursor, and the reason if the transport carries it.
    End(String, String),
}

/// Takes the bytes of a stream in any pieces, and gives each event as soon as all of it is there.
pub(crate) struct StreamReader {
    wire: &'static str,
    partial: Vec<u8>,
    text: TextReader,
    sse: Sse,
}

/// The state of the interpretation of an event stream (HTML standard, section 9.2.6).
#[derive(Default)]
struct Sse {
    id: String,
    event: String,
    data: Option<String>,
    /// The number of lines of the block so far.
    lines: usize,
    retry: Option<u32>,
}

impl StreamReader {
    pub(crate) fn new(wire: &'static str) -> StreamReader {
        StreamReader::with_names(wire, false)
    }

    /// A reader of a stream whose lines of `text` begin with their channel, or do not.
    pub(crate) fn with_names(wire: &'static str, has_names: bool) -> StreamReader {
        StreamReader {
            wire,
            partial: Vec::new(),
            text: TextReader::new(has_names),
            sse: Sse::default(),
        }
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<StreamEvent> {
        if self.wire == "text" {
            return self.text.read(bytes);
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

    /// The pause before a new connection, in milliseconds, if an event stream has told it.
    pub(crate) fn retry(&self) -> Option<u32> {
        self.sse.retry
    }

    /// Takes the bytes up to the first `end`, and that `end`.
    fn take(&mut self, end: &[u8]) -> Option<String> {
        let at = self.partial.windows(end.len()).position(|w| w == end)?;
        let taken: Vec<u8> = self.partial.drain(..at + end.len()).collect();
        Some(String::from_utf8(taken).unwrap())
    }

    /// Reads elements that have a cursor; dots are text that stands alone.
    fn read_html(&mut self) -> Vec<StreamEvent> {
        let mut said = Vec::new();
        loop {
            let text = self.partial.iter().take_while(|b| **b != b'<').count();
            let outside: Vec<u8> = self.partial.drain(..text).collect();
            let dots = outside.trim_ascii();
            if dots.iter().all(|b| *b == b'.') {
                said.extend(dots.iter().map(|_| StreamEvent::Heartbeat));
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

    /// Reads the argument of each script's call, as the parser of JavaScript would see it.
    fn read_scripts(&mut self) -> Vec<StreamEvent> {
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

    fn read_lines(&mut self) -> Vec<StreamEvent> {
        let mut said = Vec::new();
        while let Some(line) = self.take(b"\n") {
            said.push(object(&serde_json::from_str(&line).unwrap()));
        }
        said
    }

    /// Reads the one object of a long poll, when it is whole.
    fn read_object(&mut self) -> Vec<StreamEvent> {
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
        for channel in value["closed"].as_array().expect("a list") {
            said.push(StreamEvent::Closed(
                channel.as_str().unwrap().to_owned(),
                String::new(),
            ));
        }
        if value["live"].as_bool().expect("true or false") {
            said.push(StreamEvent::Live(string(&value, "cursor")));
        }
        said.push(StreamEvent::End(string(&value, "cursor"), String::new()));
        said
    }

    fn read_sse(&mut self) -> Vec<StreamEvent> {
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
    fn line(&mut self, line: &str) -> Option<StreamEvent> {
        if line.is_empty() {
            return Some(self.block());
        }
        if line.starts_with(':') {
            assert_eq!(self.lines, 0, "a comment stands inside an event");
            return Some(StreamEvent::Heartbeat);
        }
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
            "retry" => {
                // It takes effect at once, whatever event follows.
                self.retry = Some(value.parse().unwrap());
                return None;
            }
            _ => panic!("no field of an event stream: {line:?}"),
        }
        self.lines += 1;
        None
    }

    fn block(&mut self) -> StreamEvent {
        self.lines = 0;
        let event = std::mem::take(&mut self.event);
        // Some clients hand a block without data to their program, as an empty message.
        let mut data = self.data.take().expect("a blank line ends data");
        data.pop();
        // The server's own events are JSON with a cursor, which no sender writes.
        let own = || serde_json::from_str::<Value>(&data).unwrap();
        match &*event {
            "gap" => told_gap(&own()),
            "live" => {
                assert_eq!(string(&own(), "cursor"), self.id);
                StreamEvent::Live(self.id.clone())
            }
            "closed" => {
                assert_eq!(string(&own(), "cursor"), self.id);
                StreamEvent::Closed(string(&own(), "channel"), self.id.clone())
            }
            "end" => StreamEvent::End(string(&own(), "cursor"), string(&own(), "reason")),
            "heartbeat" => StreamEvent::Heartbeat,
            event => StreamEvent::Message(Message {
                cursor: self.id.clone(),
                channel: String::new(),
                event: if event.is_empty() { "message" } else { event }.to_owned(),
                data,
            }),
        }
    }
}

/// Reads one `<p class="…" data-…="…">text</p>`.
fn paragraph(element: &str) -> StreamEvent {
    let (tag, rest) = element.split_once('>').unwrap();
    let shown = uncolored(rest.strip_suffix("</p>").unwrap());
    let is_end = tag.contains("class=\"end\"");
    assert!(is_end || !shown.contains('<'), "text only: {shown}");
    let attribute = |name: &str| {
        let (_, value) = tag.split_once(&format!(" {name}=\"")).expect(tag);
        value.split_once('"').unwrap().0.to_owned()
    };
    let cursor = attribute("data-cursor");
    match &*attribute("class") {
        "message" => StreamEvent::Message(Message {
            cursor,
            channel: attribute("data-channel"),
            event: attribute("data-event"),
            data: characters(&shown),
        }),
        "gap" => {
            let missed = attribute("data-missed").parse().ok();
            StreamEvent::Gap(attribute("data-reason"), missed, cursor)
        }
        "live" => StreamEvent::Live(cursor),
        "closed" => StreamEvent::Closed(attribute("data-channel"), cursor),
        "end" => StreamEvent::End(cursor, attribute("data-reason")),
        other => panic!("an element of class {other}"),
    }
}

/// The text of an element without the elements of its colours.
fn uncolored(shown: &str) -> String {
    let Some(shown) = shown.strip_prefix("<span>") else {
        return shown.to_owned();
    };
    let mut parts = shown
        .strip_suffix("</span>")
        .unwrap()
        .split("<span class=\"");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (_, colored) = part.split_once("\">").expect(part);
        let (colored, rest) = colored.split_once("</span>").expect(part);
        out += colored;
        out += rest;
    }
    out
}

/// The characters that this text of HTML stands for.
fn characters(shown: &str) -> String {
    // Line ends as such are normalised before anything else (HTML standard, 13.2.3.5).
    let shown = shown.replace("\r\n", "\n").replace('\r', "\n");
    let mut parts = shown.split('&');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (reference, rest) = part.split_once(';').expect(part);
        out.push(match reference {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            number => char::from_u32(number.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
        });
        out.push_str(rest);
    }
    out
}

fn string(value: &Value, name: &str) -> String {
    let text = value[name].as_str();
    text.unwrap_or_else(|| panic!("no {name}: {value}")).into()
}

/// Reads an object with a `type`.
fn object(value: &Value) -> StreamEvent {
    match &*string(value, "type") {
        "open" => StreamEvent::Open(string(value, "cursor")),
        "message" => told(value),
        "gap" => told_gap(value),
        "heartbeat" => {
            assert!(string(value, "cursor").contains('-'));
            StreamEvent::Heartbeat
        }
        "live" => StreamEvent::Live(string(value, "cursor")),
        "closed" => StreamEvent::Closed(string(value, "channel"), string(value, "cursor")),
        "end" => StreamEvent::End(string(value, "cursor"), string(value, "reason")),
        other => panic!("an object of type {other}"),
    }
}

fn told(value: &Value) -> StreamEvent {
    assert!(string(value, "time").ends_with('Z'), "{value}");
    StreamEvent::Message(Message {
        cursor: string(value, "cursor"),
        channel: string(value, "channel"),
        event: string(value, "event"),
        data: string(value, "data"),
    })
}

fn told_gap(value: &Value) -> StreamEvent {
    let missed = value.get("missed").expect("null or a number").as_u64();
    StreamEvent::Gap(string(value, "reason"), missed, string(value, "cursor"))
}

/// A stream and its reader.
pub(crate) struct Stream {
    pub(crate) response: Response,
    pub(crate) reader: StreamReader,
    /// All events of the stream so far.
    pub(crate) said: Vec<StreamEvent>,
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
        let is_pattern = channels.contains('*') || channels.contains("%2A");
        let is_one = channels.split(',').collect::<HashSet<_>>().len() == 1 && !is_pattern;
        let has_names = query.contains("names=1") || !is_one && !query.contains("names=0");
        Stream {
            response,
            reader: StreamReader::with_names(wire, has_names),
            said: Vec::new(),
        }
    }

    /// Reads a piece of the stream, and returns false at its end.
    pub(crate) async fn read(&mut self) -> io::Result<bool> {
        let chunk = soon(self.response.chunk()).await?;
        let said = chunk.as_deref().map(|chunk| self.reader.read(chunk));
        self.said.extend(said.into_iter().flatten());
        Ok(chunk.is_some())
    }

    /// Reads until the stream has had this many messages. Patience ends also where heartbeats go on.
    pub(crate) async fn until(&mut self, count: usize) {
        let read = async {
            while self.messages().count() < count {
                assert!(self.read().await.unwrap(), "it ended: {:?}", self.said);
            }
        };
        at_last(read).await;
    }

    /// Reads the stream to its end, which must be clean.
    pub(crate) async fn whole(mut self) -> Stream {
        while self.read().await.unwrap() {}
        self
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.said.iter().filter_map(|said| match said {
            StreamEvent::Message(message) => Some(message),
            _ => None,
        })
    }

    pub(crate) fn texts(&self) -> Vec<&str> {
        self.messages().map(|message| &*message.data).collect()
    }

    /// The gaps so far.
    pub(crate) fn gaps(&self) -> Vec<&StreamEvent> {
        let is_gap = |said: &&StreamEvent| matches!(said, StreamEvent::Gap(..));
        self.said.iter().filter(is_gap).collect()
    }

    /// The cursor and the reason of the end, if the stream has said it as its last word.
    pub(crate) fn end(&self) -> Option<(&str, &str)> {
        match self.said.last() {
            Some(StreamEvent::End(cursor, reason)) => Some((cursor, reason)),
            _ => None,
        }
    }

    pub(crate) fn heartbeats(&self) -> usize {
        let is_heartbeat = |said: &&StreamEvent| **said == StreamEvent::Heartbeat;
        self.said.iter().filter(is_heartbeat).count()
    }
}
