//! A reader of `text` streams, written from the description, not from the server's code.

/// What a stream said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Message(String),
    Gap(String),
    End(String),
}

/// Takes bytes in any pieces, gives what they say line by line.
#[derive(Default)]
pub(crate) struct Reader {
    partial: Vec<u8>,
    pub(crate) dots: usize,
}

impl Reader {
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap();
            said.extend(self.line(line.trim_end_matches('\n')));
        }
        said
    }

    fn line(&mut self, line: &str) -> Option<Said> {
        if !line.is_empty() && line.bytes().all(|b| b == b'.') {
            self.dots += line.len();
            None
        } else if let Some(gap) = line.strip_prefix("# gap ") {
            Some(Said::Gap(gap.to_owned()))
        } else if let Some(cursor) = line.strip_prefix("# end ") {
            Some(Said::End(cursor.to_owned()))
        } else {
            let guarded = line.starts_with("\\.") || line.starts_with("\\#");
            Some(Said::Message(unescape(if guarded {
                &line[1..]
            } else {
                line
            })))
        }
    }
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
            _ => (first, first.len_utf8()),
        };
        out.push(c);
        text = &text[width..];
    }
    out
}
