//! Appends to the engine's log.
//!
//! The engine decides, in its own order, and no copy does: whether an entry with the same key is there
//! already (by the entry's id), and whether the last entry of a channel is the expected one. A copy could
//! decide the same in that order only if all copies had the same past, and one that was built later, when
//! the head had been cut already, does not.
//!
//! So an append is sent with its id until its outcome is known, and is done when it comes back to this
//! server's own copy: whoever appends reads what it has appended. What the engine refuses as a duplicate
//! came from somebody else, or from an earlier try; the copy tells which, when it has come so far. An upload
//! goes as batches, each of which is stored as a whole, in its order, or not at all.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use async_nats::HeaderMap;
use tokio::time::Instant as Deadline;

use super::engine::Sending;
use super::publish_reply::TryOutcome;
use super::{Cluster, envelope, subject};
use crate::limits;
use crate::log::{DraftAnswer, DraftRefusal, Known, StoreError};
use crate::message::{Cursor, Draft, Epoch, Precondition, Receipt, Seq};

/// What is to be done with drafts of which this is known.
#[derive(Debug, PartialEq)]
enum SendPlan {
    /// Each has its answer.
    Answered(Vec<DraftAnswer>),
    /// The drafts from this one on are to be sent. The last entry of the channel has to be the one at
    /// this position, if there is one; 0 is none.
    Send(usize, Option<Seq>),
}

/// How an append ended that was sent.
enum SendEnd {
    /// Its entries have come back.
    Returned(Vec<Receipt>),
    /// It was not stored, since something else was before it; the copy has come so far that it knows.
    /// With the last entry of the channel, as the engine knows it, if that was wrong.
    Elsewhere(Option<Seq>),
}

impl Cluster {
    /// Appends drafts, and returns the answers to them when this server's copy has them.
    ///
    /// # Errors
    /// When they could not be appended, or it is not known whether they were.
    pub(in crate::log) async fn append(
        &self,
        mut drafts: Vec<Draft>,
    ) -> Result<Vec<DraftAnswer>, StoreError> {
        let deadline = Deadline::now() + limits::CLUSTER_APPEND_TIMEOUT;
        let following = self.following()?;
        let epoch = following.epoch.clone();
        let is_plain = |draft: &Draft| draft.key.is_none() && draft.precondition.is_none();
        let (are_plain, mut engine_last) = (drafts.iter().all(is_plain), None);
        let mut answers = Vec::with_capacity(drafts.len());
        loop {
            let mut known = Vec::new();
            if !are_plain {
                (drafts, known) = following.copy.known(drafts).await?;
            }
            let (from, expected) = match plan(&drafts, &known, &epoch, engine_last) {
                SendPlan::Answered(rest) => {
                    answers.extend(rest);
                    return Ok(answers);
                }
                SendPlan::Send(from, expected) => (from, expected),
            };
            let known = known.into_iter().take(from);
            answers.extend(known.filter_map(|known| known.answer));
            let mut sent = from;
            for batch in drafts[from..].chunks(limits::CLUSTER_BATCH_MESSAGES_MAX) {
                match self.send(batch, expected, deadline).await? {
                    SendEnd::Returned(receipts) => {
                        sent += batch.len();
                        answers.extend(receipts.into_iter().map(Ok));
                    }
                    SendEnd::Elsewhere(last) => {
                        engine_last = last;
                        break;
                    }
                }
            }
            if sent == drafts.len() {
                return Ok(answers);
            }
            // What has come back is not asked for again: it would be there already.
            drafts.drain(..sent);
            if Deadline::now() >= deadline {
                return Err(StoreError(
                    "other appends to the channel come first again and again: nothing was appended; try \
                     again"
                        .to_owned(),
                ));
            }
        }
    }

    /// Sends drafts until it is known what became of them.
    async fn send(
        &self,
        drafts: &[Draft],
        expected: Option<Seq>,
        deadline: Deadline,
    ) -> Result<SendEnd, StoreError> {
        let sent_by = rand::random();
        let messages = self.messages(drafts, sent_by, expected);
        let _place = if messages.len() > 1 {
            self.batches.acquire().await.ok()
        } else {
            None
        };
        let following = self.following()?;
        let mut returned = following.shared.sent.expect(sent_by, drafts.len());
        let mut tries = SendTries::default();
        loop {
            if !tries.may_be_stored {
                self.status.check_connection()?;
            }
            if tries.count > 0 {
                self.status.tries.fetch_add(1, Relaxed);
            }
            tries.count += 1;
            let outcome = tokio::select! {
                biased;
                receipts = &mut returned.receipts => return gathered(receipts),
                () = tokio::time::sleep_until(deadline) => return Err(tries.error()),
                outcome = self.engine.send(&messages) => outcome,
            };
            let began = Instant::now();
            let has_come = async {
                match outcome {
                    TryOutcome::Stored(seq) => {
                        self.status.note_known(seq);
                        // It comes back, and not by a look at the copy.
                        std::future::pending().await
                    }
                    TryOutcome::Duplicate(Some(seq)) | TryOutcome::OtherLast(Some(seq)) => {
                        self.status.note_known(seq);
                        following.copy.reached(seq).await;
                        true
                    }
                    TryOutcome::Duplicate(None) | TryOutcome::OtherLast(None) => {
                        let extent = self.status.extent_after(began).await;
                        following.copy.reached(extent.last).await;
                        true
                    }
                    _ => false,
                }
            };
            let has_come = tokio::select! {
                biased;
                receipts = &mut returned.receipts => return gathered(receipts),
                () = tokio::time::sleep_until(deadline) => return Err(tries.ended(&outcome)),
                has_come = has_come => has_come,
            };
            if has_come {
                // Of entries that the copy has, those of this append have come back.
                return Ok(match returned.receipts.try_recv() {
                    Ok(receipts) => SendEnd::Returned(receipts),
                    Err(_) => SendEnd::Elsewhere(match outcome {
                        TryOutcome::OtherLast(last) => last,
                        _ => None,
                    }),
                });
            }
            tries.note(outcome)?;
            tokio::select! {
                biased;
                receipts = &mut returned.receipts => return gathered(receipts),
                () = tokio::time::sleep(limits::CLUSTER_TRY_PAUSE) => {}
            }
        }
    }

    fn messages(&self, drafts: &[Draft], sent_by: u64, expected: Option<Seq>) -> Vec<Sending> {
        let prefix = &self.options.wishes.name;
        let message = |(index, draft): (usize, &Draft)| {
            let mut headers = HeaderMap::new();
            for (name, value) in envelope::headers(draft, sent_by, index) {
                headers.insert(name, value);
            }
            if let Some(seq) = expected {
                headers.insert("Nats-Expected-Last-Subject-Sequence", seq.to_string());
            }
            Sending {
                subject: subject::of_channel(prefix, &draft.channel),
                headers,
                payload: draft.data.as_bytes().to_vec().into(),
            }
        };
        drafts.iter().enumerate().map(message).collect()
    }
}

fn gathered<E>(receipts: Result<Vec<Receipt>, E>) -> Result<SendEnd, StoreError> {
    let receipts = receipts.map_err(|_| StoreError("the log has been closed".to_owned()))?;
    Ok(SendEnd::Returned(receipts))
}

/// What came of the tries of an append.
#[derive(Debug, Default)]
struct SendTries {
    count: u64,
    /// Whether one may have been stored.
    may_be_stored: bool,
    /// Why the last one that was answered was not stored.
    reason: Option<String>,
}

impl SendTries {
    /// Notes a try that did not succeed.
    ///
    /// # Errors
    /// When no other try would.
    fn note(&mut self, outcome: TryOutcome) -> Result<(), StoreError> {
        match outcome {
            TryOutcome::Refused(why) => {
                return Err(StoreError(format!("the cluster does not take it: {why}")));
            }
            TryOutcome::NoLeader
                if !self.may_be_stored && self.count > limits::CLUSTER_LEADER_TRIES =>
            {
                return Err(StoreError(
                    "the cluster has no leader at present, so nothing was appended; try again"
                        .to_owned(),
                ));
            }
            TryOutcome::NotStored(why) => self.reason = Some(why),
            TryOutcome::NoLeader => {}
            _ => self.may_be_stored = true,
        }
        Ok(())
    }

    /// The error of an append for which there is no more time, after this try.
    fn ended(&mut self, outcome: &TryOutcome) -> StoreError {
        if let TryOutcome::Stored(seq) = outcome {
            return StoreError(format!(
                "it was appended (seq {seq}), but this server's copy of the log lags and does not have it \
                 yet"
            ));
        }
        self.error()
    }

    /// The error of an append for which there is no more time.
    fn error(&self) -> StoreError {
        let seconds = limits::CLUSTER_APPEND_TIMEOUT.as_secs();
        StoreError(match &self.reason {
            Some(why) if !self.may_be_stored => {
                format!(
                    "the cluster did not take it for {seconds} s, and nothing was appended: {why}"
                )
            }
            _ => format!(
                "the outcome is unknown: the cluster did not say within {seconds} s whether it was \
                 appended; with an Idempotency-Key it can be tried again and is appended once"
            ),
        })
    }
}

/// Says what is to be done with drafts, of which this is known in a log of this epoch, or nothing if they
/// have neither keys nor preconditions. `engine_last` is what the engine said last of the channel's last
/// entry.
fn plan(drafts: &[Draft], known: &[Known], epoch: &Epoch, engine_last: Option<Seq>) -> SendPlan {
    let answers = known.iter().map_while(|known| known.answer.clone());
    let mut answers: Vec<DraftAnswer> = answers.collect();
    if let Some(refused) = answers.iter().position(Result::is_err) {
        // Nothing is appended after a line that was refused.
        let refusal = answers[refused].clone();
        answers.truncate(refused);
        answers.resize(drafts.len(), refusal);
    }
    if answers.len() == drafts.len() {
        return SendPlan::Answered(answers);
    }
    let from = answers.len();
    // Only an append of one draft has a precondition.
    let (draft, last) = (&drafts[from], known.get(from).and_then(|known| known.last));
    let refused = || {
        let last = last.map(|seq| Cursor {
            epoch: epoch.clone(),
            seq,
        });
        SendPlan::Answered(vec![Err(DraftRefusal::OtherLast(last))])
    };
    match &draft.precondition {
        None => SendPlan::Send(from, None),
        Some(Precondition::NoEntry) if last.is_some() => refused(),
        Some(Precondition::NoEntry) => SendPlan::Send(from, Some(Seq::START)),
        Some(Precondition::LastIs(cursor)) if cursor.epoch != *epoch => refused(),
        Some(Precondition::LastIs(cursor)) => match (last, engine_last) {
            (Some(last), _) if last > cursor.seq => refused(),
            // The copy remembers an entry that the engine has deleted.
            (Some(last), Some(Seq::START)) if last == cursor.seq => {
                SendPlan::Send(from, Some(Seq::START))
            }
            (_, Some(other)) if other != cursor.seq => refused(),
            _ => SendPlan::Send(from, Some(cursor.seq)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Channel;

    fn known(last: Option<u64>) -> Vec<Known> {
        vec![Known {
            answer: None,
            last: last.map(Seq),
        }]
    }

    /// A precondition is the engine's to decide, unless the copy knows already that it does not hold.
    #[test]
    fn preconditions_are_sent_or_refused() {
        let epoch = Epoch::random();
        let draft = |precondition| Draft {
            precondition: Some(precondition),
            ..Draft::new(Channel::main(), "x")
        };
        let last_is = |seq| {
            let epoch = epoch.clone();
            [draft(Precondition::LastIs(Cursor {
                epoch,
                seq: Seq(seq),
            }))]
        };
        let none = [draft(Precondition::NoEntry)];
        let send = |seq| SendPlan::Send(0, Some(Seq(seq)));
        let is_refused = |plan| matches!(plan, SendPlan::Answered(answers) if answers[0].is_err());
        assert_eq!(plan(&none, &known(None), &epoch, None), send(0));
        assert!(is_refused(plan(&none, &known(Some(3)), &epoch, None)));
        assert_eq!(plan(&last_is(5), &known(Some(5)), &epoch, None), send(5));
        // The copy lags: the engine knows.
        assert_eq!(plan(&last_is(5), &known(Some(3)), &epoch, None), send(5));
        assert_eq!(plan(&last_is(5), &known(None), &epoch, None), send(5));
        assert!(is_refused(plan(&last_is(5), &known(Some(6)), &epoch, None)));
        // What the engine has deleted.
        let (copied, deleted) = (known(Some(5)), Some(Seq(0)));
        assert_eq!(plan(&last_is(5), &copied, &epoch, deleted), send(0));
        assert!(is_refused(plan(
            &last_is(5),
            &known(None),
            &epoch,
            Some(Seq(8))
        )));
        let other = Epoch::random();
        assert!(is_refused(plan(&last_is(5), &known(Some(5)), &other, None)));
    }
}
