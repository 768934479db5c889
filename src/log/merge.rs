//! Merges the messages and gaps of several channels into one page.

use std::iter::Peekable;

use super::{Page, PageLimit, Stored};
use crate::message::Seq;

/// Merges one run of items per channel, each in seq order, into a page with as many messages as
/// `limit` allows. `last` is the position of the log's newest message, `trimmed_through` that of
/// the newest message that has been trimmed.
///
/// # Errors
/// The first error that a run yields.
pub(super) fn merge<E>(
    mut runs: Vec<Peekable<impl Iterator<Item = Result<Stored, E>>>>,
    mut limit: PageLimit,
    last: Seq,
    trimmed_through: Seq,
) -> Result<Page, E> {
    let mut items = Vec::new();
    loop {
        // An error comes before all else, so that it is taken and returned at once.
        let seq_of = |item: &Result<Stored, E>| item.as_ref().map_or(Seq::START, Stored::seq);
        let first = runs
            .iter_mut()
            .filter_map(|run| Some((seq_of(run.peek()?), run)))
            .min_by_key(|(seq, _)| *seq);
        let Some((seq, run)) = first else {
            return Ok(Page {
                items,
                through: last,
                trimmed_through,
            });
        };
        let fits = |item: &Result<Stored, E>| match item {
            Ok(Stored::Message(message)) => limit.try_take(message.data.len()),
            Ok(Stored::Gap(_) | Stored::Close(_)) | Err(_) => true,
        };
        match run.next_if(fits) {
            Some(item) => items.push(item?),
            None => {
                return Ok(Page {
                    items,
                    through: seq.before(),
                    trimmed_through,
                });
            }
        }
    }
}
