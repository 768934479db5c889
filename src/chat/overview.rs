//! The overview of an account: its friends and requests, who is online, and what is unread.

use super::conversation::{ChatText, conversation_channel};
use super::{Account, Chat, Friend, Standing};
use crate::limits;
use crate::log::{Log, Since, StoreError, Stored};
use crate::message::{Channel, Cursor, Seq};

/// All that a page shows of an account's friends, as of a position in the log: later events are not
/// in it, and are to be followed from there.
#[derive(Debug)]
pub struct Overview {
    /// The position in the log.
    pub since: Cursor,
    /// The position in the log of the presence.
    pub presence: Cursor,
    /// The friends, the accounts with an open request to or from this one, and those that it has
    /// blocked, ordered by name.
    pub friends: Vec<Contact>,
}

/// A row of an [`Overview`].
#[derive(Debug)]
pub struct Contact {
    /// The other account, and how it stands to this one.
    pub friend: Friend,
    /// Whether the other account is online; false unless the two are friends.
    pub online: bool,
    /// How many messages of the friend are unread; at most
    /// [`limits::UNREAD_COUNTED_MAX`] are counted.
    pub unread: usize,
}

impl Chat {
    /// Returns the overview of an account.
    ///
    /// # Errors
    /// When the tables or the log cannot be read.
    pub async fn overview(&self, me: &Account) -> Result<Overview, StoreError> {
        let end = |log: &Log| log.cursor(log.bounds().1);
        // Taken before all else: what happens meanwhile is then seen twice rather than not at all.
        let (since, presence) = (end(&self.log), end(self.presence.log()));
        let mut friends = Vec::new();
        for friend in self.database.friends(me.id).await? {
            let is_friend = friend.standing == Standing::Friend;
            friends.push(Contact {
                online: is_friend && self.is_online(&friend.account),
                unread: if is_friend {
                    self.unread(me, &friend, since.seq).await?
                } else {
                    0
                },
                friend,
            });
        }
        Ok(Overview {
            since,
            presence,
            friends,
        })
    }

    /// Counts the friend's messages after my read position, up to a position.
    async fn unread(
        &self,
        me: &Account,
        friend: &Friend,
        through: Seq,
    ) -> Result<usize, StoreError> {
        let max = limits::UNREAD_COUNTED_MAX;
        let channel = conversation_channel(me.id, friend.account.id);
        let after = friend.read_through;
        let (unread, seen) = self.count(&channel, me, friend, after, through).await?;
        if seen < max {
            return Ok(unread);
        }
        // My own messages do not move my read position, so there may be any number of them after
        // it. The newest messages of the conversation are as many as are counted.
        let (subscription, since) = (channel.clone().into(), Since::Last(max as u64));
        let newest = self.log.start(&subscription, &since).await?.at;
        let after = after.max(newest);
        let (unread, _) = self.count(&channel, me, friend, after, through).await?;
        Ok(unread)
    }

    /// Reads the first messages of a conversation between two positions, as many as are counted as
    /// unread at most. Returns how many of them are unread messages of the friend's, and how many
    /// entries were read.
    async fn count(
        &self,
        channel: &Channel,
        me: &Account,
        friend: &Friend,
        after: Seq,
        through: Seq,
    ) -> Result<(usize, usize), StoreError> {
        let (mut unread, mut seen) = (0, 0);
        let count = |item| {
            seen += 1;
            if let Stored::Message(message) = item
                && let Some(text) = ChatText::from_message(&message)
            {
                if text.is_from(&friend.account) {
                    unread += 1;
                } else if text.is_from(me) {
                    // The sender has read what came before.
                    unread = 0;
                }
            }
        };
        let max = limits::UNREAD_COUNTED_MAX;
        self.log.visit(channel, after, through, max, count).await?;
        Ok((unread, seen))
    }
}
