//! The channels' messages and gaps, merged into one page.

use std::iter::Peekable;

use super::{Page, PageLimit, Stored};
use crate::message::Seq;

/// A page out of a run of items a channel, each run in seq order, with as much as there is room
/// for; `last` is the newest message's place, `lost` that of the newest that was let go.
///
/// # Errors
/// The first that a run has.
pub(super) fn merge<E>(
    mut runs: Vec<Peekable<impl Iterator<Item = Result<Stored, E>>>>,
    mut room: PageLimit,
    last: Seq,
    trimmed_through: Seq,
) -> Result<Page, E> {
    let mut items = Vec::new();
    loop {
        // An error is found by whoever takes it.
        let place = |item: &Result<Stored, E>| item.as_ref().map_or(Seq::START, Stored::seq);
        let first = runs
            .iter_mut()
            .filter_map(|run| Some((place(run.peek()?), run)))
            .min_by_key(|(place, _)| *place);
        let Some((place, run)) = first else {
            return Ok(Page {
                items,
                through: last,
                trimmed_through,
            });
        };
        let fits = |item: &Result<Stored, E>| match item {
            Ok(Stored::Message(message)) => room.try_take(message.data.len()),
            Ok(Stored::Gap(_)) | Err(_) => true,
        };
        match run.next_if(fits) {
            Some(item) => items.push(item?),
            None => {
                return Ok(Page {
                    items,
                    through: place.before(),
                    trimmed_through,
                });
            }
        }
    }
}
