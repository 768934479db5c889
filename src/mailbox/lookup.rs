//! What of a channel is in the log now, without waiting for more.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::ack_state::AckState;
use super::deliveries::Expired;
use crate::limits;
use crate::log::{Entry, Item, Log, PageLimit, Reader, Since, StoreError};
use crate::message::{Channel, Seq, Timestamp};

/// Letters are read one at a time: each goes to somebody else.
pub(super) const ROOM: PageLimit = PageLimit::new(1, limits::FRAME_BYTES);

/// A reader of one channel.
pub(super) async fn reader(
    log: &Log,
    channel: &Channel,
    since: Since,
) -> Result<Reader, StoreError> {
    let channels = [channel.clone()];
    let start = log.start(&channels, &since, Timestamp::now()).await?;
    Ok(log.reader(start))
}

/// What is there; nothing if the reader would have to wait.
async fn at_once(reader: &mut Reader) -> Result<Vec<Item>, StoreError> {
    poll_fn(|cx| match reader.poll_read(cx, ROOM) {
        // It is there, if not yet here.
        Poll::Pending if reader.is_fetching() => Poll::Pending,
        Poll::Pending => Poll::Ready(Ok(Vec::new())),
        Poll::Ready(items) => Poll::Ready(items),
    })
    .await
}

/// The message that stands there, if it is one of this channel and is still kept.
pub(super) async fn message(
    log: &Log,
    channel: &Channel,
    seq: Seq,
) -> Result<Option<Arc<Entry>>, StoreError> {
    let mut reader = reader(log, channel, Since::Seq(seq.before())).await?;
    let items = at_once(&mut reader).await?.into_iter();
    Ok(items
        .filter_map(entry)
        .find(|entry| entry.message().seq == seq))
}

fn entry(item: Item) -> Option<Arc<Entry>> {
    match item {
        Item::Message(entry) => Some(entry),
        Item::Gap(_) => None,
    }
}

/// The messages that the channel had and has no more, if there are any.
pub(super) async fn lost(log: &Log, channel: &Channel) -> Result<Option<Expired>, StoreError> {
    let mut reader = reader(log, channel, Since::Seq(Seq::START)).await?;
    let gap = |item| match item {
        Item::Gap(gap) => Some(Expired {
            through: gap.resumes,
            count: gap.missed,
        }),
        Item::Message(_) => None,
    };
    Ok(at_once(&mut reader).await?.into_iter().find_map(gap))
}

/// What was noted of a mailbox last.
///
/// A note is younger than all letters it speaks of, and the log lets go of the oldest first: when
/// the last note is gone, so are they. Then only their number is still known, since there is a note
/// for each letter received: how many notes there were.
pub(super) async fn note(log: &Log, notes: &Channel) -> Result<AckState, StoreError> {
    let mut reader = reader(log, notes, Since::Last(1)).await?;
    let mut last = None;
    loop {
        let items = at_once(&mut reader).await?;
        if items.is_empty() {
            break;
        }
        last = items.into_iter().filter_map(entry).last().or(last);
    }
    let Some(last) = last else {
        let count = lost(log, notes).await?.and_then(|lost| lost.count);
        return Ok(AckState {
            count: count.unwrap_or(0),
            ..AckState::default()
        });
    };
    let message = last.message();
    AckState::read(&message.data).map_err(|error| {
        let (seq, data) = (message.seq, &message.data);
        StoreError(format!(
            "the mailbox's note {data:?} (seq {seq}) cannot be read: {error}"
        ))
    })
}
