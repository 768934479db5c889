//! Splits the bytes of an upload into lines. Pure.
//!
//! What stands in front of a line's LF is dropped if it is a CR: programs on Windows, and many protocols,
//! end lines so.

use super::body;
use super::error::Error;

/// Splits bytes into lines.
pub(super) struct LineSplitter {
    /// The unfinished line.
    partial: Vec<u8>,
    /// The longest line, in bytes.
    max: usize,
}

impl LineSplitter {
    pub(super) fn new(max: usize) -> LineSplitter {
        LineSplitter {
            partial: Vec::new(),
            max,
        }
    }

    /// Returns how many bytes of the unfinished line there are.
    pub(super) fn partial(&self) -> usize {
        self.partial.len()
    }

    /// Takes at most `count` whole lines from the front of `rest`. The lines that were found are
    /// valid even if the bytes after them are refused.
    pub(super) fn take(
        &mut self,
        rest: &mut &[u8],
        count: usize,
    ) -> (Vec<Box<str>>, Result<(), Error>) {
        let mut found = Vec::new();
        while found.len() < count && !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n');
            let part = &rest[..end.unwrap_or(rest.len())];
            let last = part.last().or(self.partial.last());
            // A CR is no part of the line if its LF follows, which may be in the next piece.
            let text = self.partial.len() + part.len() - usize::from(last == Some(&b'\r'));
            if text > self.max {
                return (found, Err(Error::TooLarge(self.max)));
            }
            self.partial.extend_from_slice(part);
            *rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            if end.is_some() {
                self.partial.truncate(text);
                match body::text(std::mem::take(&mut self.partial)) {
                    Ok(line) => found.push(line.into_boxed_str()),
                    Err(error) => return (found, Err(error)),
                }
            }
        }
        (found, Ok(()))
    }

    /// Returns the last line, if it has no newline. A CR at its end is a part of it.
    pub(super) fn finish(&mut self) -> Result<Option<Box<str>>, Error> {
        if self.partial.is_empty() {
            Ok(None)
        } else if self.partial.len() > self.max {
            Err(Error::TooLarge(self.max))
        } else {
            let line = std::mem::take(&mut self.partial);
            body::text(line).map(|line| Some(line.into_boxed_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of an upload that arrives in pieces of this size.
    fn split(text: &[u8], size: usize) -> Vec<String> {
        let mut lines = LineSplitter::new(10);
        let mut all = Vec::new();
        for piece in text.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (found, result) = lines.take(&mut rest, 2);
                result.unwrap();
                all.extend(found);
            }
        }
        all.extend(lines.finish().unwrap());
        all.into_iter().map(String::from).collect()
    }

    /// The lines are the same, whatever the pieces in which they arrive.
    #[test]
    fn upload_lines_in_pieces_of_any_size() {
        for size in 1..20 {
            assert_eq!(
                split("one\n\ntwo\r\n你好\nlast".as_bytes(), size),
                ["one", "", "two", "你好", "last"]
            );
            // One CR goes with its LF; any other is a part of the line. A line may be as long as the
            // longest message, and its CR does not count.
            assert_eq!(
                split(b"\r\n\r\r\na\rb\r\n0123456789\r\nlast\r", size),
                ["", "\r", "a\rb", "0123456789", "last\r"]
            );
            assert_eq!(split(b"\n\n", size), ["", ""]);
        }
    }

    /// A CR that is a part of a line counts, wherever it stands.
    #[test]
    fn upload_line_too_long_by_a_cr() {
        for text in ["0123456789\r\r\n", "0123456789\rx\n", "0123456789\r"] {
            for size in 1..=text.len() {
                let mut lines = LineSplitter::new(10);
                let taken = text.as_bytes().chunks(size).try_for_each(|mut piece| {
                    let (found, result) = lines.take(&mut piece, 9);
                    assert!(found.is_empty(), "{text:?} in pieces of {size}");
                    result
                });
                let ended = taken.and_then(|()| lines.finish());
                assert!(
                    matches!(ended, Err(Error::TooLarge(10))),
                    "{text:?} in pieces of {size}"
                );
            }
        }
    }

    /// The lines before one that is too long or not UTF-8 are kept.
    #[test]
    fn upload_fault_keeps_leading_lines() {
        let mut lines = LineSplitter::new(3);
        let (found, result) = lines.take(&mut &b"one\nfour\n"[..], 9);
        assert_eq!(
            (found, matches!(result, Err(Error::TooLarge(3)))),
            (vec!["one".into()], true)
        );
        let (found, result) = LineSplitter::new(9).take(&mut &b"a\n\xff\nb\n"[..], 9);
        assert_eq!(
            (found, matches!(result, Err(Error::NotUtf8(0)))),
            (vec!["a".into()], true)
        );
    }
}
