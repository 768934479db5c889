//! Reads a stream's bytes: finds the messages in it, and checks their order. Does no IO.
//!
//! The code knows the chunks of HTTP and the messages, and ignores what stands around these: so it is
//! the same for every transport and every server.

use memchr::memchr;

use crate::Result;
use crate::http::Head;
use crate::message::{MARK, Message, PUBLISHERS};

/// The state of reading one stream.
#[derive(Debug)]
pub(crate) struct Feed {
    part: Part,
    /// The part of a head, or of a chunk's size, that has come so far.
    held: Vec<u8>,
    /// The part of a message that has come so far.
    text: Vec<u8>,
    /// The length of a message.
    bytes: usize,
    /// The number that each publisher's next message must have.
    next: [u64; PUBLISHERS],
    /// A hash of the order in which the messages of several publishers came.
    pub(crate) order: u64,
    /// The number of messages so far.
    pub(crate) messages: u64,
    /// The number of HTTP chunks so far.
    pub(crate) chunks: u64,
}

/// The part of an answer that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    Size,
    Chunk {
        left: usize,
    },
    /// The lines after the last chunk, of which the last is empty.
    Trailer,
    /// A body of a length that was said before.
    Sized {
        left: usize,
    },
    /// A body that ends when the connection is closed.
    Rest,
    Nothing,
}

impl Feed {
    /// Starts a stream of messages of this length, of which each publisher's first has the number 1.
    pub(crate) fn new(bytes: usize) -> Feed {
        Feed {
            part: Part::Head,
            held: Vec::new(),
            text: Vec::new(),
            bytes,
            next: [1; PUBLISHERS],
            order: 0,
            messages: 0,
            chunks: 0,
        }
    }

    /// Begins with the head of another answer, in which the messages go on.
    pub(crate) fn reopen(&mut self) {
        self.part = Part::Head;
        self.held.clear();
        self.text.clear();
    }

    /// The messages of a publisher so far.
    pub(crate) fn had(&self, publisher: usize) -> u64 {
        self.next[publisher] - 1
    }

    /// Begins with the body of an answer whose head has been read by somebody else.
    pub(crate) fn begin_body(&mut self) {
        self.part = Part::Rest;
    }

    /// Notes that the body has ended.
    pub(crate) fn end_body(&mut self) {
        self.part = Part::Nothing;
    }

    /// Whether the head of the answer has come.
    pub(crate) fn is_open(&self) -> bool {
        self.part != Part::Head
    }

    /// Whether the stream has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.part == Part::Nothing
    }

    /// Reads the bytes that have come, and passes each message in them to `got`.
    pub(crate) fn read(&mut self, mut bytes: &[u8], got: &mut impl FnMut(Message)) -> Result<()> {
        while !bytes.is_empty() {
            let used = match self.part {
                Part::Head => self.head(bytes)?,
                Part::Size | Part::Trailer => self.size(bytes)?,
                Part::Chunk { left } => {
                    let used = left.min(bytes.len());
                    self.body(&bytes[..used], got)?;
                    self.part = if used < left {
                        Part::Chunk { left: left - used }
                    } else {
                        Part::Size
                    };
                    used
                }
                Part::Sized { left } => {
                    let used = left.min(bytes.len());
                    self.body(&bytes[..used], got)?;
                    self.part = match left - used {
                        0 => Part::Nothing,
                        left => Part::Sized { left },
                    };
                    used
                }
                Part::Rest => {
                    self.body(bytes, got)?;
                    bytes.len()
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
        // Memory is freed rather than kept: streams are many, and each has one head.
        self.held = Vec::new();
        self.part = match (head.chunked, head.content_length) {
            (true, _) => Part::Size,
            (false, 0) => Part::Rest,
            (false, left) => Part::Sized { left },
        };
        Ok(head.len - before)
    }

    fn size(&mut self, bytes: &[u8]) -> Result<usize> {
        let end = memchr(b'\n', bytes);
        let used = end.map_or(bytes.len(), |end| end + 1);
        self.held.extend_from_slice(&bytes[..used]);
        if end.is_some() {
            let size = str::from_utf8(self.held.trim_ascii())?;
            self.part = match (self.part, size) {
                (Part::Trailer, "") => Part::Nothing,
                (Part::Trailer, _) => Part::Trailer,
                // An empty line ends the previous chunk.
                (_, "") => Part::Size,
                (_, size) => match usize::from_str_radix(size, 16)? {
                    0 => Part::Trailer,
                    left => {
                        self.chunks += 1;
                        Part::Chunk { left }
                    }
                },
            };
            self.held.clear();
        }
        Ok(used)
    }

    fn body(&mut self, mut bytes: &[u8], got: &mut impl FnMut(Message)) -> Result<()> {
        if !self.text.is_empty() {
            let used = (self.bytes - self.text.len()).min(bytes.len());
            self.text.extend_from_slice(&bytes[..used]);
            bytes = &bytes[used..];
            if self.text.len() < self.bytes {
                return Ok(());
            }
            let mut text = std::mem::take(&mut self.text);
            got(self.message(&text)?);
            text.clear();
            self.text = text;
        }
        while let Some(at) = memchr(MARK, bytes) {
            bytes = &bytes[at..];
            let Some((text, rest)) = bytes.split_at_checked(self.bytes) else {
                self.text.extend_from_slice(bytes);
                break;
            };
            got(self.message(text)?);
            bytes = rest;
        }
        Ok(())
    }

    fn message(&mut self, text: &[u8]) -> Result<Message> {
        let Some(message) = Message::read(text) else {
            let text = String::from_utf8_lossy(text);
            return Err(format!("{text:?} came where a message was expected").into());
        };
        let Message {
            publisher, number, ..
        } = message;
        let next = &mut self.next[publisher];
        if number != *next {
            return Err(format!("message {number} came where {next} was expected").into());
        }
        *next += 1;
        self.messages += 1;
        self.order = self.order.wrapping_mul(31).wrapping_add(publisher as u64);
        Ok(message)
    }
}
