//! The messages: each carries its publisher, its number and when it was sent, so that a message that
//! is lost, late or out of order is noticed, whatever stands around it on the wire.

use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The length of a message, unless a case says otherwise.
pub(crate) const BYTES: usize = 100;

/// Publishers whose messages one follower can tell apart.
pub(crate) const PUBLISHERS: usize = 8;

/// The first byte of a message, which nothing else on any transport contains.
pub(crate) const MARK: u8 = b'@';

/// The last byte of a message. The filling before it is not checked.
const END: u8 = b'!';

/// The length of `@P NNNNNNNNNNNN TTTTTTTTTTTTTTT `, a message's publisher, number and time.
const HEAD: usize = 32;

/// Where its number is.
const NUMBER: std::ops::Range<usize> = 3..15;

/// What a message carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) publisher: usize,
    pub(crate) number: u64,
    /// The time by [`now`]; zero if the message's latency is not measured.
    pub(crate) sent: Duration,
}

/// The time since the first call, which messages carry.
pub(crate) fn now() -> Duration {
    static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    ORIGIN.elapsed()
}

/// The message with a number, of the usual length, and its newline.
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
    /// Writes the message with this length, and its newline.
    pub(crate) fn write(&self, bytes: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        let Message {
            publisher, number, ..
        } = self;
        let nanos = self.sent.as_nanos();
        // Writing to memory cannot fail.
        let _ = write!(out, "@{publisher} {number:012} {nanos:015} ");
        out.resize(begin + bytes - 1, b'x');
        out.extend_from_slice(&[END, b'\n']);
    }

    /// Reads a message that is complete from its mark to its end.
    pub(crate) fn read(text: &[u8]) -> Option<Message> {
        let head = text.get(..HEAD)?;
        let publisher = usize::try_from(digits(&head[1..2])?).ok()?;
        let whole = head[0] == MARK && *text.last()? == END && publisher < PUBLISHERS;
        whole.then_some(Message {
            publisher,
            number: digits(&head[NUMBER])?,
            sent: Duration::from_nanos(digits(&head[16..31])?),
        })
    }
}

/// Makes a line that of the next message, which is cheaper than to write that one.
pub(crate) fn count_up(line: &mut [u8]) {
    for digit in line[NUMBER].iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            break;
        }
        *digit = b'0';
    }
}

/// The number that decimal digits are, at most 15 of them: without a branch a digit, since a client
/// reads millions of messages a second.
fn digits(text: &[u8]) -> Option<u64> {
    let (mut number, mut all_digits) = (0, true);
    for digit in text.iter().map(|digit| digit.wrapping_sub(b'0')) {
        all_digits &= digit <= 9;
        number = number * 10 + u64::from(digit);
    }
    all_digits.then_some(number)
}
