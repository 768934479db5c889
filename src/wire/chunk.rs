//! Bytes of a stream in the chunked framing of HTTP/1.1 (RFC 9112, section 7.1), so that a message
//! that goes to thousands of followers is framed once.

use std::io::Write;

use bytes::Bytes;

/// A chunk: its size as a hexadecimal number, its data, and the line ends around them.
#[derive(Clone, Debug)]
pub struct Chunk {
    framed: Bytes,
    /// The offset in `framed` at which the data begins.
    start: usize,
}

/// The line end after the data.
const END: &[u8] = b"\r\n";

impl Chunk {
    /// The bytes that end a chunked body: the last chunk, which is empty, and no trailers.
    pub const LAST: &[u8] = b"0\r\n\r\n";

    /// A chunk with this data, which must not be empty.
    #[must_use]
    pub fn new(data: &[u8]) -> Chunk {
        debug_assert!(!data.is_empty(), "an empty chunk would be the last");
        let mut framed = Vec::with_capacity(data.len() + 12);
        // Writing to memory cannot fail.
        let _ = write!(framed, "{:X}\r\n", data.len());
        let start = framed.len();
        framed.extend_from_slice(data);
        framed.extend_from_slice(END);
        Chunk {
            framed: framed.into(),
            start,
        }
    }

    /// The framed bytes, as they go over the wire.
    #[must_use]
    pub fn framed(&self) -> &Bytes {
        &self.framed
    }

    /// The framed bytes, as they go over the wire.
    #[must_use]
    pub fn into_framed(self) -> Bytes {
        self.framed
    }

    /// The size of the data, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.framed.len() - END.len() - self.start
    }

    /// The data without its framing.
    #[must_use]
    pub fn data(&self) -> Bytes {
        self.framed.slice(self.start..self.framed.len() - END.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_says_its_size() {
        let chunk = Chunk::new(&[b'x'; 26]);
        assert_eq!(chunk.data(), [b'x'; 26][..]);
        assert_eq!(chunk.size(), 26);
        assert_eq!(
            chunk.into_framed()[..],
            *b"1A\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
        );
    }
}
