//! The messages: each says who published it, its number and when it was sent, so that one that is
//! lost, late or out of place shows, whatever stands around it on the wire.

use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The length of each, unless a case says otherwise.
pub(crate) const BYTES: usize = 100;

/// Publishers whose messages one follower can tell apart.
pub(crate) const PUBLISHERS: usize = 8;

/// What a message begins with, and nothing else on any wire has in it.
pub(crate) const MARK: u8 = b'@';

/// What a message ends with: what comes in between is not looked at.
const END: u8 = b'!';

/// `@P NNNNNNNNNNNN TTTTTTTTTTTTTTT `
const HEAD: usize = 32;

/// What a message says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) publisher: usize,
    pub(crate) number: u64,
    /// By [`now`]; zero for one that nobody waits for.
    pub(crate) sent: Duration,
}

/// The time that messages are sent by.
pub(crate) fn now() -> Duration {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}

/// The message of a number, of the usual length, and the newline behind it.
pub(crate) fn line(number: u64) -> String {
    let mut line = Vec::new();
    let message = Message {
        publisher: 0,
        number,
        sent: Duration::ZERO,
    };
    message.write(BYTES, &mut line);
    String::from_utf8_lossy(&line).into_owned()
}

impl Message {
    /// Writes it so that it has this length, and the newline behind it.
    pub(crate) fn write(&self, bytes: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        let Message {
            publisher, number, ..
        } = self;
        let nanos = self.sent.as_nanos();
        // Nothing fails that is written to memory.
        let _ = write!(out, "@{publisher} {number:012} {nanos:015} ");
        out.resize(begin + bytes - 1, b'x');
        out.extend_from_slice(&[END, b'\n']);
    }

    /// Reads one that is there from its mark to its end.
    pub(crate) fn read(text: &[u8]) -> Option<Message> {
        let head = text.get(..HEAD)?;
        let publisher = usize::try_from(digits(&head[1..2])?).ok()?;
        let whole = head[0] == MARK && *text.last()? == END && publisher < PUBLISHERS;
        whole.then_some(Message {
            publisher,
            number: digits(&head[3..15])?,
            sent: Duration::from_nanos(digits(&head[16..31])?),
        })
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + u64::from(digit))
    })
}
