//! What goes into one commit. Pure: sizes go in, a number comes out.

use crate::limits;

/// How many of the waiting messages, given by the sizes of their texts in bytes and in their order,
/// make one commit: as many as [`limits::BATCH_MESSAGES`] and [`limits::BATCH_BYTES`] allow, and
/// at least one if any waits.
#[must_use]
pub(super) fn size(waiting: impl IntoIterator<Item = usize>) -> usize {
    let mut bytes = 0;
    waiting
        .into_iter()
        .take(limits::BATCH_MESSAGES)
        .enumerate()
        .take_while(|&(index, size)| {
            bytes += size;
            index == 0 || bytes <= limits::BATCH_BYTES
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_bounded_and_never_empty_while_any_waits() {
        assert_eq!(size([]), 0);
        assert_eq!(size([10, 10]), 2);
        assert_eq!(size([limits::BATCH_BYTES * 2, 1]), 1);
        assert_eq!(size([limits::BATCH_BYTES / 2; 5]), 2);
        assert_eq!(
            size(std::iter::repeat_n(1, 1_000_000)),
            limits::BATCH_MESSAGES
        );
    }
}
