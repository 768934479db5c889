//! Friendship as those hear of it whom it concerns.

use super::news::{self, News};
use super::{Account, Change, Chat, Refused, Standing, conversation};
use crate::log::StoreError;
use crate::message::Channel;

/// What somebody wants of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To be friends.
    Ask,
    /// To say yes to that.
    Accept,
    /// To say no to that.
    Decline,
    /// That nothing is between them.
    Remove,
}

impl Chat {
    /// Does what somebody wants, and tells both.
    ///
    /// # Errors
    /// Outside when the store is not available, inside when it cannot be done.
    pub async fn wish(
        &self,
        me: &Account,
        other: &Account,
        wish: Wish,
    ) -> Result<Result<Change, Refused>, StoreError> {
        let (chat, me, other) = (self.clone(), me.clone(), other.clone());
        self.whole(async move { chat.grant(&me, &other, wish).await })
            .await
    }

    async fn grant(
        &self,
        me: &Account,
        other: &Account,
        wish: Wish,
    ) -> Result<Result<Change, Refused>, StoreError> {
        let database = &self.database;
        if matches!(wish, Wish::Ask | Wish::Accept) {
            self.introduce(me, other).await?;
        }
        let done = match wish {
            Wish::Ask => database.ask(me.id, other.id).await?,
            Wish::Accept => database.accept(me.id, other.id).await?,
            Wish::Decline => Ok(database.decline(me.id, other.id).await?),
            Wish::Remove => Ok(database.remove(me.id, other.id).await?),
        };
        if done == Ok(Change::Accepted) {
            // What they said when they were friends before is not new.
            let (_, last) = self.log.bounds();
            database.read_through(me.id, other.id, last).await?;
            database.read_through(other.id, me.id, last).await?;
        }
        if done.is_ok_and(|change| change != Change::None) {
            self.tell(me, other).await?;
        }
        Ok(done)
    }

    /// Who has asked is about to be a friend: from here on the open streams of both hear what the
    /// two say to each other. It is told before they can say anything, and after those streams that
    /// are opened meanwhile have the conversation by themselves ([`Chat::channels`]).
    async fn introduce(&self, me: &Account, other: &Account) -> Result<(), StoreError> {
        let standing = self.database.standing(me.id, other.id).await?;
        if standing.is_none_or(|friend| friend.standing != Standing::Asking) {
            return Ok(());
        }
        let hear = |one: &Account, of: &Account| News::Hear(of.id).draft(news::channel(one.id));
        let drafts = vec![hear(me, other), hear(other, me)];
        self.log.append_all(drafts).await.map(drop)
    }

    /// Tells both how they stand to each other now.
    async fn tell(&self, me: &Account, other: &Account) -> Result<(), StoreError> {
        let mut drafts = Vec::with_capacity(2);
        for (one, of) in [(me, other), (other, me)] {
            let standing = self.database.standing(one.id, of.id).await?;
            let friends = news::Friends {
                name: of.name.as_str().to_owned(),
                change: standing
                    .map_or("gone", |friend| friend.standing.as_str())
                    .to_owned(),
            };
            drafts.push(News::Friends(friends).draft(news::channel(one.id)));
        }
        self.log.append_all(drafts).await?;
        self.presence.introduce([me, other]);
        Ok(())
    }

    /// The channels whose messages concern somebody; the first is that of the news.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn channels(&self, me: &Account) -> Result<Vec<Channel>, StoreError> {
        let friends = self.database.friends(me.id).await?;
        let conversations = friends
            .iter()
            .map(|friend| conversation::channel([me.id, friend.account.id]));
        Ok(std::iter::once(news::channel(me.id))
            .chain(conversations)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::testing::person;
    use super::super::news::Friends;
    use super::super::testing::{chat, leave, news_of};
    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_told_also_when_nobody_waits_for_it() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let ben = person(&chat.database, "Ben").await;
        leave(chat.wish(&zoe, &ben, Wish::Ask)).await;
        // The next one comes behind it.
        let accepted = chat.wish(&ben, &zoe, Wish::Accept).await.unwrap();
        assert_eq!(accepted, Ok(Change::Accepted));
        let told = |name: &str, change: &str| {
            let (name, change) = (name.to_owned(), change.to_owned());
            News::Friends(Friends { name, change })
        };
        assert_eq!(
            news_of(&chat, &ben).await,
            [
                told("Zoë", "asking"),
                News::Hear(zoe.id),
                told("Zoë", "friend")
            ]
        );
    }
}
