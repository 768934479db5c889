//! Deliveries of a connection that are not known to have arrived.

use super::Client;

/// Called when a delivery is known to have arrived at its client; dropped when it is known that it
/// did not, or when nothing more will be known.
pub type OnDelivered = Box<dyn FnOnce() + Send>;

/// Something that an answer on this connection delivers, such as a letter of a mailbox.
struct UnconfirmedDelivery {
    client: Client,
    on_delivered: OnDelivered,
}

/// The deliveries of a connection that are not confirmed. There is more than one only where a client
/// sends requests before it has the answers to earlier ones, and those fit into a buffer.
#[derive(Default)]
pub(super) struct UnconfirmedDeliveries(Vec<UnconfirmedDelivery>);

impl UnconfirmedDeliveries {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, client: Client, on_delivered: OnDelivered) {
        self.0.push(UnconfirmedDelivery {
            client,
            on_delivered,
        });
    }

    /// Adds those of a stream.
    pub(super) fn append(&mut self, mut others: UnconfirmedDeliveries) {
        self.0.append(&mut others.0);
    }

    /// Takes out the deliveries for whose client `belongs` returns true, in their order.
    pub(super) fn take(&mut self, belongs: impl Fn(&Client) -> bool) -> Vec<OnDelivered> {
        let matching = self.0.extract_if(.., |delivery| belongs(&delivery.client));
        matching.map(|delivery| delivery.on_delivered).collect()
    }
}
