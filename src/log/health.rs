//! Does the log take messages?

use parking_lot::Mutex;

use super::StoreError;

/// What the last commit has come to, or the last probe since.
#[derive(Debug)]
pub(super) struct Health(Mutex<Result<(), StoreError>>);

impl Default for Health {
    fn default() -> Health {
        Health(Mutex::new(Ok(())))
    }
}

impl Health {
    pub(super) fn get(&self) -> Result<(), StoreError> {
        self.0.lock().clone()
    }

    /// Says in the server's log what has changed, and only that: under load the same is found
    /// a thousand times a second.
    pub(super) fn set(&self, now: Result<(), StoreError>) {
        let before = std::mem::replace(&mut *self.0.lock(), now.clone());
        match (before, now) {
            (Err(_), Ok(())) => log::info!("messages are taken again"),
            (before, Err(now)) if before.as_ref() != Err(&now) => {
                log::error!("messages are refused: {now}");
            }
            _ => {}
        }
    }
}
