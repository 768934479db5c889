//! How many appends go into one commit. Pure: sizes go in, a number comes out.

use crate::limits;

/// The size of an append.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) messages: usize,
    /// Bytes of text.
    pub(super) bytes: usize,
}

/// Returns how many of the waiting appends, given by their sizes and in their order, make one
/// commit: as many as [`limits::BATCH_MESSAGES_MAX`] and [`limits::BATCH_BYTES_MAX`] allow, and at
/// least one if any waits.
#[must_use]
pub(super) fn fit(waiting: impl IntoIterator<Item = Size>) -> usize {
    let (mut messages, mut bytes) = (0, 0);
    let fits = |(index, size): &(usize, Size)| {
        messages += size.messages;
        bytes += size.bytes;
        *index == 0 || (messages <= limits::BATCH_MESSAGES_MAX && bytes <= limits::BATCH_BYTES_MAX)
    };
    waiting.into_iter().enumerate().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A commit is bounded, and has at least one append while any waits.
    #[test]
    fn batch_is_bounded_and_not_empty() {
        let one = |bytes| Size { messages: 1, bytes };
        assert_eq!(fit([]), 0);
        assert_eq!(fit([one(10), one(10)]), 2);
        assert_eq!(fit([one(limits::BATCH_BYTES_MAX * 2), one(1)]), 1);
        assert_eq!(fit([one(limits::BATCH_BYTES_MAX / 2); 5]), 2);
        assert_eq!(
            fit(std::iter::repeat_n(one(1), 1_000_000)),
            limits::BATCH_MESSAGES_MAX
        );
        let half = Size {
            messages: limits::BATCH_MESSAGES_MAX / 2,
            bytes: 0,
        };
        assert_eq!(fit([half; 5]), 2);
    }
}
