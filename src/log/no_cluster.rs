//! In the place of `cluster`, in a program that is built without it.

use std::path::PathBuf;

use super::{DraftAnswer, Keep, Log, Moment, Store, StoreError};
use crate::message::{Draft, Seq};
use crate::metrics::ClusterReadings;

/// There is none.
#[derive(Debug)]
pub enum NoCluster {}

pub use self::ClusterOptionsUnused as ClusterOptions;
pub use self::NoCluster as Cluster;
pub use self::NoClusterError as ClusterError;
pub use self::ReachedNothing as Reached;
pub use self::StreamWishesUnused as StreamWishes;

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
#[error(
    "this program was built without clusters: build it with `cargo build --release --features cluster`, or \
     start it without --cluster"
)]
pub struct NoClusterError;

/// Where the engine would be, and what would be wanted of it.
#[derive(Clone, Debug)]
pub struct ClusterOptionsUnused {
    /// Its servers.
    pub urls: Vec<String>,
    /// A file with credentials.
    pub creds: Option<PathBuf>,
    /// What the stream would be like.
    pub wishes: StreamWishes,
}

/// What would be wanted of a stream.
#[derive(Clone, Debug)]
pub struct StreamWishesUnused {
    /// The stream's name.
    pub name: String,
    /// How many servers of the engine have each message.
    pub replicas: usize,
    /// How much is kept.
    pub keep: Keep,
    /// How many bytes all messages may take.
    pub keep_bytes: u64,
    /// The longest message.
    pub max_message: usize,
}

/// Whether a copy has come to a position: there is no copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachedNothing {
    /// It has not.
    Lags,
}

impl NoCluster {
    /// Fails.
    ///
    /// # Errors
    /// Always.
    pub fn connect(_: ClusterOptions) -> Result<NoCluster, NoClusterError> {
        Err(NoClusterError)
    }

    /// There is nothing to do it with.
    ///
    /// # Errors
    /// Never.
    pub fn prepare(&self, _: &mut Store, _: &Moment) -> Result<(), NoClusterError> {
        match *self {}
    }

    /// There is nothing to check.
    ///
    /// # Errors
    /// Never.
    pub fn check(&self) -> Result<Vec<String>, NoClusterError> {
        match *self {}
    }

    pub(super) fn follow(&self, _: &Log) {
        match *self {}
    }

    /// There is nothing to be ready.
    ///
    /// # Errors
    /// Never.
    pub fn ready(&self) -> Result<(), StoreError> {
        match *self {}
    }

    #[expect(clippy::unused_async, reason = "with a cluster it waits")]
    pub(super) async fn append(&self, _: Vec<Draft>) -> Result<Vec<DraftAnswer>, StoreError> {
        match *self {}
    }

    /// There is nothing to be reached.
    #[expect(clippy::unused_async, reason = "with a cluster it waits")]
    pub async fn reach(&self, _: Seq) -> Reached {
        match *self {}
    }

    /// There is nothing to fail.
    #[expect(clippy::unused_async, reason = "with a cluster it waits")]
    pub async fn failed(&self) -> String {
        match *self {}
    }

    /// There is no state.
    #[must_use]
    pub fn readings(&self) -> ClusterReadings {
        match *self {}
    }
}
