//! The memory for answers that clients have not read yet: where it is reserved, and what is answered
//! when it is used up.

use std::net::IpAddr;

use hyper::Response;

use super::error::Error;
use super::reply::Body;
use super::{App, Call};
use crate::budget::{Budget, MemoryShare, Reservation};
use crate::limits;
use crate::network::Network;

impl Call<'_> {
    /// Whose share of the memory for answers the answer to this request takes.
    pub(super) fn answer_share(&self) -> MemoryShare {
        let is_for_operators = self.endpoint.is_for_operators();
        self.app.answer_share(self.client, is_for_operators)
    }

    /// Reserves memory of a budget for this request. If the budget is short it waits, but not for
    /// long: `None` says that the request is to be refused.
    ///
    /// # Errors
    /// [`Error::Stopping`] when the server stops meanwhile.
    pub(super) async fn reserve(
        &self,
        budget: &Budget,
        bytes: usize,
    ) -> Result<Option<Reservation>, Error> {
        let reserved = budget.reserve(self.network(), bytes);
        tokio::select! {
            biased;
            reserved = tokio::time::timeout(limits::MEMORY_TIMEOUT, reserved) => Ok(reserved.ok()),
            () = self.app.drain.begun() => Err(Error::Stopping),
        }
    }

    /// Reserves memory for what is read to make an answer of it.
    pub(super) async fn reserve_answer(&self, bytes: usize) -> Result<Reservation, Error> {
        let reserved = self.reserve(&self.app.answers, bytes).await?;
        reserved.ok_or(Error::NoAnswerMemory)
    }
}

/// Reserves memory for an answer until it has been sent. An answer that is small, or is covered
/// already, needs none.
///
/// # Errors
/// [`Error::NoAnswerMemory`] when the budget is short; then the answer is dropped.
pub(super) fn cover(
    mut response: Response<Body>,
    share: &MemoryShare,
) -> Result<Response<Body>, Error> {
    if let Body::Full { bytes, is_covered } = response.body_mut()
        && !*is_covered
        && bytes.len() > limits::SMALL_ANSWER_BYTES
    {
        let reserved = share.try_reserve(bytes.len());
        let reserved = reserved.ok_or(Error::NoAnswerMemory)?;
        *bytes = reserved.cover(std::mem::take(bytes));
        *is_covered = true;
    }
    Ok(response)
}

impl App {
    /// A client's share of the memory for answers. That of the answers to operators is apart.
    pub(super) fn answer_share(&self, client: IpAddr, is_for_operators: bool) -> MemoryShare {
        let budget = if is_for_operators {
            &self.operator_answers
        } else {
            &self.answers
        };
        MemoryShare {
            budget: budget.clone(),
            network: Network::of(client),
        }
    }
}
