//! The messages: each carries its number, so that one that is lost or out of place shows.

/// The length of each.
pub(crate) const BYTES: usize = 100;

/// Digits of a number.
const DIGITS: usize = 12;

/// The message of a number: 100 bytes, and the newline behind them.
pub(crate) fn line(number: u64) -> String {
    format!("{number:0DIGITS$} {:x<1$}\n", "", BYTES - DIGITS - 1)
}

/// The number of a line, if it is a message.
pub(crate) fn number(line: &[u8]) -> Option<u64> {
    if line.len() != BYTES {
        return None;
    }
    let digits = &line[..DIGITS];
    digits.iter().try_fold(0, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + u64::from(digit))
    })
}
