//! The turn of a stream that lags. Thousands of them would otherwise keep their thread from all that is new.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::OwnedSemaphorePermit;

use super::crowd::CrowdHandle;

/// The turn of a stream among those of its lane that lag.
pub(super) enum CatchUpTurn {
    Awaited(Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>),
    /// The permit is given back when the turn is over.
    Come(#[expect(dead_code, reason = "held until it is dropped")] Option<OwnedSemaphorePermit>),
}

impl CatchUpTurn {
    /// A turn that has not come yet.
    pub(super) fn of(lane: &CrowdHandle) -> CatchUpTurn {
        let turns = Arc::clone(&lane.turns);
        CatchUpTurn::Awaited(Box::pin(async { turns.acquire_owned().await.ok() }))
    }

    /// Whether the turn has come.
    pub(super) fn has_come(&self) -> bool {
        matches!(self, CatchUpTurn::Come(_))
    }

    /// Ready when the turn has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let CatchUpTurn::Awaited(awaited) = self {
            let permit = ready!(awaited.as_mut().poll(cx));
            *self = CatchUpTurn::Come(permit);
        }
        Poll::Ready(())
    }
}
