//! Bytes of a stream in the framing of HTTP/1.1 (RFC 9112, section 7.1), so that a message that
//! goes to thousands is framed once.

use std::io::Write;

use bytes::Bytes;

/// A chunk: its size, its data, and the line ends around them.
#[derive(Clone, Debug)]
pub struct Chunk {
    framed: Bytes,
    /// Where its data begins.
    start: usize,
}

/// What stands behind the data.
const END: &[u8] = b"\r\n";

impl Chunk {
    /// What stands behind the last chunk.
    pub const LAST: &[u8] = b"0\r\n\r\n";

    /// The chunk with this data, of which there must be some.
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

    /// It as it goes over the wire.
    #[must_use]
    pub fn into_framed(self) -> Bytes {
        self.framed
    }

    /// How much data it has, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.framed.len() - END.len() - self.start
    }

    /// Its data alone.
    #[must_use]
    pub fn data(&self) -> Bytes {
        self.framed.slice(self.start..self.framed.len() - END.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_says_its_size() {
        let chunk = Chunk::new(&[b'x'; 26]);
        assert_eq!(chunk.data(), [b'x'; 26][..]);
        assert_eq!(chunk.size(), 26);
        assert_eq!(
            chunk.into_framed()[..],
            *b"1A\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
        );
    }
}
