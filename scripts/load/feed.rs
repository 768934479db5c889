//! A stream of `as=text` as its bytes come in: counted, and checked for order. Does no IO.

use memchr::memchr;

use crate::http::Head;
use crate::{Result, message};

/// One stream.
#[derive(Debug)]
pub(crate) struct Feed {
    part: Part,
    /// A head, or the size of a chunk, of which there is more to come.
    held: Vec<u8>,
    /// A line of which there is more to come.
    line: Vec<u8>,
    /// The number that the next message must have.
    next: u64,
    /// Messages so far.
    pub(crate) messages: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Size,
    Chunk { left: usize },
    Nothing,
}

impl Feed {
    /// A stream whose first message must have the number `first`.
    pub(crate) fn new(first: u64) -> Feed {
        Feed {
            part: Part::Head,
            held: Vec::new(),
            line: Vec::new(),
            next: first,
            messages: 0,
        }
    }

    /// Has the answer begun?
    pub(crate) fn is_open(&self) -> bool {
        self.part != Part::Head
    }

    /// Has it come to its end?
    pub(crate) fn is_over(&self) -> bool {
        self.part == Part::Nothing
    }

    /// Takes what has come.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() && self.part != Part::Nothing {
            let used = match self.part {
                Part::Head => self.head(bytes)?,
                Part::Size => self.size(bytes)?,
                Part::Chunk { left } => {
                    let used = left.min(bytes.len());
                    self.lines(&bytes[..used])?;
                    self.part = if used < left {
                        Part::Chunk { left: left - used }
                    } else {
                        Part::Size
                    };
                    used
                }
                Part::Nothing => bytes.len(),
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }

    fn head(&mut self, bytes: &[u8]) -> Result<usize> {
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let Some(head) = Head::read(&self.held)? else {
            return Ok(bytes.len());
        };
        head.expect(200, &self.held[head.len..])?;
        self.held.clear();
        self.part = Part::Size;
        Ok(head.len - before)
    }

    fn size(&mut self, bytes: &[u8]) -> Result<usize> {
        let end = memchr(b'\n', bytes);
        let used = end.map_or(bytes.len(), |end| end + 1);
        self.held.extend_from_slice(&bytes[..used]);
        if end.is_some() {
            let size = str::from_utf8(self.held.trim_ascii())?;
            // An empty line is what ended the chunk before.
            if !size.is_empty() {
                self.part = match usize::from_str_radix(size, 16)? {
                    0 => Part::Nothing,
                    left => Part::Chunk { left },
                };
            }
            self.held.clear();
        }
        Ok(used)
    }

    fn lines(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let Some(end) = memchr(b'\n', bytes) {
            if self.line.is_empty() {
                self.whole(&bytes[..end])?;
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.whole(&line)?;
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn whole(&mut self, line: &[u8]) -> Result<()> {
        if let Some(number) = message::number(line) {
            if number != self.next {
                let next = self.next;
                return Err(format!("message {number} came where {next} was due").into());
            }
            self.next += 1;
            self.messages += 1;
            return Ok(());
        }
        let quiet = line.iter().all(|byte| *byte == b'.');
        if quiet || line.starts_with(b"# end ") {
            return Ok(());
        }
        Err(format!(
            "{:?} came where {} was due",
            String::from_utf8_lossy(line),
            self.next
        )
        .into())
    }
}
