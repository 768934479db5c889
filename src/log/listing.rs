//! The channels of the log, for those who look for one.

use super::{Log, StoreError};
use crate::message::{Channel, Pattern, Seq, Timestamp};

/// What a store knows of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// The channel.
    pub channel: Channel,
    /// The position of its last entry: of its newest message, which may have been trimmed, or of a close.
    pub last: Seq,
    /// The time of its newest message, if it is kept.
    pub time: Option<Timestamp>,
    /// How many of its messages are kept.
    pub kept: u64,
    /// Whether its last entry closes it.
    pub is_closed: bool,
}

/// A channel of the log, and who follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedChannel {
    /// What the store knows of it.
    pub info: ChannelInfo,
    /// How many follow it now, those who do so by a pattern among them.
    pub followers: usize,
}

impl Log {
    /// Lists the channels of a pattern whose names come after `after`, in the order of their names, at
    /// most `limit` of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn channels(
        &self,
        pattern: &Pattern,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ListedChannel>, StoreError> {
        let infos = self.shared.list(pattern, after, limit).await?;
        let wake = &self.shared.wake;
        let followers = wake.followers(infos.iter().map(|info| &info.channel));
        let listed = infos.into_iter().zip(followers);
        Ok(listed
            .map(|(info, followers)| ListedChannel { info, followers })
            .collect())
    }
}
