//! A reader of `text` streams, written from the description, not from the server's code.

use super::wires::{Message, StreamEvent};

/// Takes the bytes of a `text` stream in any pieces, and gives what they say line by line.
pub(crate) struct TextReader {
    partial: Vec<u8>,
    /// Whether each line of a message begins with its channel.
    has_names: bool,
}

impl TextReader {
    pub(crate) fn new(has_names: bool) -> TextReader {
        TextReader {
            partial: Vec::new(),
            has_names,
        }
    }

    /// The events in these bytes. Dots count when their line ends, each as a heartbeat.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<StreamEvent> {
        let mut said = Vec::new();
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap();
            read_line(line.trim_end_matches('\n'), self.has_names, &mut said);
        }
        said
    }
}

fn read_line(line: &str, has_names: bool, said: &mut Vec<StreamEvent>) {
    if !line.is_empty() && line.bytes().all(|b| b == b'.') {
        said.extend(line.bytes().map(|_| StreamEvent::Heartbeat));
    } else if let Some(gap) = line.strip_prefix("# gap ") {
        said.push(read_gap(gap));
    } else if let Some(cursor) = line.strip_prefix("# live ") {
        assert!(cursor.contains('-'), "{line}");
        said.push(StreamEvent::Live(cursor.to_owned()));
    } else if let Some(channel) = line.strip_prefix("# closed ") {
        said.push(StreamEvent::Closed(channel.to_owned(), String::new()));
    } else if let Some(end) = line.strip_prefix("# end ") {
        let (cursor, reason) = end.split_once(" reason=").expect(end);
        said.push(StreamEvent::End(cursor.to_owned(), reason.to_owned()));
    } else {
        let named = has_names.then(|| line.split_once(": ").expect(line));
        let (channel, line) = named.unwrap_or(("", line));
        let guarded = line.starts_with("\\.") || line.starts_with("\\#");
        said.push(StreamEvent::Message(Message {
            data: unescape(if guarded { &line[1..] } else { line }),
            channel: channel.to_owned(),
            ..Message::default()
        }));
    }
}

fn read_gap(gap: &str) -> StreamEvent {
    let words = gap.split(' ').map(|pair| pair.split_once('=').unwrap());
    let words: Vec<_> = words.collect();
    let [("reason", reason), ("missed", missed), ("cursor", cursor)] = words[..] else {
        panic!("{gap}")
    };
    assert!(missed == "unknown" || missed.parse::<u64>().is_ok());
    StreamEvent::Gap(reason.into(), missed.parse().ok(), cursor.into())
}

fn unescape(mut text: &str) -> String {
    let mut out = String::new();
    let code = |digits: &str| {
        u32::from_str_radix(digits, 16)
            .ok()
            .and_then(char::from_u32)
            .unwrap()
    };
    while let Some(first) = text.chars().next() {
        let (c, width) = match text.get(..2) {
            Some("\\n") => ('\n', 2),
            Some("\\r") => ('\r', 2),
            Some("\\\\") => ('\\', 2),
            Some("\\x") => (code(&text[2..4]), 4),
            Some("\\u") => (code(&text[2..6]), 6),
            Some("\\U") => (code(&text[2..10]), 10),
            _ => (first, first.len_utf8()),
        };
        out.push(c);
        text = &text[width..];
    }
    out
}
