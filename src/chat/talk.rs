//! Talking: what is said, what is read, and what there is to be read.

use super::account_event::{self, AccountEvent};
use super::conversation::{ChatText, channel};
use super::{Account, Chat, Friend, Standing};
use crate::limits;
use crate::log::{History, Log, StoreError, Stored};
use crate::message::{Cursor, IdempotencyKey, Receipt, Seq};

/// All that a page shows of somebody's friends, as of a place in the log: what comes behind it is
/// not in it.
#[derive(Debug)]
pub struct Overview {
    /// The place in the log.
    pub since: Cursor,
    /// The place in the log of the presence.
    pub presence: Cursor,
    /// The friends, and those who may become friends.
    pub friends: Vec<Contact>,
}

/// One of them.
#[derive(Debug)]
pub struct Contact {
    /// Who.
    pub friend: Friend,
    /// Are they online? Only friends are told.
    pub online: bool,
    /// How much they have said that has not been read; no more are counted than
    /// [`limits::UNREAD_COUNTED_MAX`].
    pub unread: usize,
}

impl Chat {
    /// Says something to a friend; whoever says something has read what was said before.
    ///
    /// # Errors
    /// When it cannot be said.
    pub async fn say(
        &self,
        from: &Account,
        to: &Account,
        text: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, StoreError> {
        let draft = ChatText::draft(from, to, text, key);
        let receipt = self.log.append(draft).await?;
        if let Err(error) = self.read_through(from, to, receipt.seq).await {
            // It has been said; to be asked to say it again would be worse.
            log::warn!("what was said is not marked as read: {error}");
        }
        Ok(receipt)
    }

    /// Somebody has read what a friend said up to a place.
    ///
    /// # Errors
    /// When it cannot be noted.
    pub async fn read_through(
        &self,
        me: &Account,
        friend: &Account,
        seq: Seq,
    ) -> Result<(), StoreError> {
        let (_, last) = self.log.bounds();
        let seq = seq.min(last);
        if self.database.read_through(me.id, friend.id, seq).await? {
            let read = account_event::Read {
                name: friend.name.as_str().to_owned(),
                through: self.log.cursor(seq).to_string(),
            };
            let draft = AccountEvent::Read(read).draft(account_event::channel(me.id));
            self.log.append(draft).await?;
        }
        Ok(())
    }

    /// What two people said, up to a place.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn said(
        &self,
        me: &Account,
        friend: &Account,
        through: Seq,
        most: usize,
    ) -> Result<History, StoreError> {
        let channel = channel([me.id, friend.id]);
        self.log.up_to(&channel, through, most).await
    }

    /// See [`Overview`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn overview(&self, me: &Account) -> Result<Overview, StoreError> {
        let end = |log: &Log| log.cursor(log.bounds().1);
        // Before all else: what comes meanwhile is seen twice rather than not at all.
        let (since, presence) = (end(&self.log), end(self.presence.log()));
        let mut friends = Vec::new();
        for friend in self.database.friends(me.id).await? {
            let is_friend = friend.standing == Standing::Friend;
            friends.push(Contact {
                online: is_friend && self.presence.is_online(friend.account.id),
                unread: self.unread(me, &friend, since.seq).await?,
                friend,
            });
        }
        Ok(Overview {
            since,
            presence,
            friends,
        })
    }

    async fn unread(
        &self,
        me: &Account,
        friend: &Friend,
        through: Seq,
    ) -> Result<usize, StoreError> {
        let channel = channel([me.id, friend.account.id]);
        let mut unread = 0;
        let count = |item| {
            if let Stored::Message(message) = item
                && ChatText::read(&message)
                    .is_some_and(|said| said.from == friend.account.name.as_str())
            {
                unread += 1;
            }
        };
        let (from, most) = (friend.read, limits::UNREAD_COUNTED_MAX);
        self.log.visit(&channel, from, through, most, count).await?;
        Ok(unread)
    }
}
