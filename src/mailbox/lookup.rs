//! Point reads of a channel: what the log holds now, without waiting for more.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::ack_state::AckState;
use super::expired::Expired;
use crate::limits;
use crate::log::{Entry, Item, Log, PageLimit, Reader, Since, StoreError};
use crate::message::{Channel, Seq};

/// Letters are read one at a time, since each goes to another receiver.
pub(super) const ONE_LETTER: PageLimit = PageLimit::new(1, limits::FRAME_BYTES);

/// Returns a reader of one channel that begins at `since`.
pub(super) async fn reader(
    log: &Log,
    channel: &Channel,
    since: Since,
) -> Result<Reader, StoreError> {
    let start = log.start(&channel.clone().into(), &since).await?;
    Ok(log.reader(start))
}

/// Reads the next item, or nothing if the reader would have to wait for an append.
async fn read_now(reader: &mut Reader) -> Result<Vec<Item>, StoreError> {
    poll_fn(|cx| match reader.poll_read(cx, ONE_LETTER) {
        // The store is being read: the item exists already, but has not been loaded yet.
        Poll::Pending if reader.is_fetching() => Poll::Pending,
        Poll::Pending => Poll::Ready(Ok(Vec::new())),
        Poll::Ready(items) => Poll::Ready(items),
    })
    .await
}

/// Returns the message at position `seq`; `None` if it is not one of this channel, or has expired.
pub(super) async fn message(
    log: &Log,
    channel: &Channel,
    seq: Seq,
) -> Result<Option<Arc<Entry>>, StoreError> {
    let mut reader = reader(log, channel, Since::Seq(seq.before())).await?;
    let items = read_now(&mut reader).await?.into_iter();
    Ok(items
        .filter_map(entry)
        .find(|entry| entry.message().seq == seq))
}

/// Returns the message of an item, if it is one.
fn entry(item: Item) -> Option<Arc<Entry>> {
    match item {
        Item::Message(entry) => Some(entry),
        Item::Gap(_) | Item::Close(_) => None,
    }
}

/// Returns the channel's messages that retention has deleted; `None` if there are none.
pub(super) async fn expired(log: &Log, channel: &Channel) -> Result<Option<Expired>, StoreError> {
    let mut reader = reader(log, channel, Since::Seq(Seq::START)).await?;
    let gap = |item| match item {
        Item::Gap(gap) => Some(Expired {
            through: gap.resumes,
            count: gap.missed,
        }),
        Item::Message(_) | Item::Close(_) => None,
    };
    Ok(read_now(&mut reader).await?.into_iter().find_map(gap))
}

/// Returns a mailbox's newest ack state.
///
/// An ack record is younger than all letters it speaks of, and retention deletes the oldest
/// messages first: when the newest record has expired, so have those letters. Then only the number
/// of acknowledged letters is still known: there is one record for each of them, and the log knows
/// how many records it had. That number stands in the returned state, whose ack floor is 0.
pub(super) async fn ack_state(log: &Log, ack_records: &Channel) -> Result<AckState, StoreError> {
    let mut reader = reader(log, ack_records, Since::Last(1)).await?;
    let mut newest = None;
    loop {
        let items = read_now(&mut reader).await?;
        if items.is_empty() {
            break;
        }
        newest = items.into_iter().filter_map(entry).last().or(newest);
    }
    let Some(newest) = newest else {
        let expired = expired(log, ack_records).await?;
        return Ok(AckState {
            floor_count: expired.and_then(|expired| expired.count).unwrap_or(0),
            ..AckState::default()
        });
    };
    let message = newest.message();
    AckState::decode(&message.data).map_err(|error| {
        let (seq, data) = (message.seq, &message.data);
        StoreError(format!(
            "the mailbox's ack state {data:?} (seq {seq}) cannot be read: {error}"
        ))
    })
}
