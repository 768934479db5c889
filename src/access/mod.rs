//! Who may: the access file and a token go in, rights come out.
//!
//! Whatever a request needs is said by its route (`http/route.rs`), and what it shows is found by
//! `http/admission.rs`; whether that is enough is decided here, and nowhere else.
//!
//! | file | what it is |
//! |---|---|
//! | `access_file.rs` | reads the access file, and checks all of it. Pure, but for the reading |
//! | `rules.rs` | what it says: who somebody is, and what they may do. Pure |
//! | `channel_set.rs`, `scope.rs` | what somebody may do, and what a request needs. Pure |
//! | `issuer.rs`, `issuer_key.rs`, `jwt.rs` | JSON Web Tokens and who makes them, with the feature `secure`. Pure |
//! | `holder.rs`, `secret.rs` | who somebody is, by the token that they show. Pure |
//! | `denial.rs` | why a request is not let in |
//! | `restricted.rs` | the rules in force, and the rights that are in use by them |
//!
//! The end of a right is seen by all that goes on with it ([`Right`](crate::right::Right)): a stream
//! says so in-band. Rights end when the file is read again and does not give them any more, and when
//! their time is over. That is the wall clock's time, since those who give rights name it.

mod access_file;
mod channel_set;
mod denial;
mod holder;
#[cfg(feature = "secure")]
mod issuer;
#[cfg(feature = "secure")]
mod issuer_key;
#[cfg(feature = "secure")]
mod jwt;
mod restricted;
mod rules;
mod scope;
mod secret;
mod token_lines;

use std::path::Path;
use std::sync::{Arc, Weak};

pub use access_file::AccessFileError;
pub use channel_set::ChannelSet;
pub use denial::{BadToken, Denial};
pub use holder::Holder;
#[cfg(feature = "secure")]
pub use issuer::JwtHolder;
pub use restricted::{Admission, Restricted};
pub use rules::AccessRules;
pub use scope::{Needed, Scope};
pub use secret::{Secret, SecretHash};
pub use token_lines::{TokenLines, check_token_name};

use crate::limits;
use crate::message::Timestamp;

/// Who may read and write what. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody may all.
    Open,
    /// Nobody may anything but what a file says.
    Restricted(Arc<Restricted>),
}

impl Access {
    /// Access as this file restricts it.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Access, AccessFileError> {
        Ok(Access::Restricted(Arc::new(Restricted::load(path)?)))
    }

    /// The restrictions, if there are any.
    #[must_use]
    pub fn restricted(&self) -> Option<&Arc<Restricted>> {
        match self {
            Access::Open => None,
            Access::Restricted(restricted) => Some(restricted),
        }
    }

    /// Ends rights when their time is over, in a task of the current runtime, for as long as this is in
    /// use. `wall` reads the wall clock.
    pub fn expire_rights(&self, wall: impl Fn() -> Timestamp + Send + 'static) {
        if let Access::Restricted(restricted) = self {
            tokio::spawn(expire(Arc::downgrade(restricted), wall));
        }
    }
}

async fn expire(restricted: Weak<Restricted>, wall: impl Fn() -> Timestamp + Send) {
    loop {
        tokio::time::sleep(limits::RIGHTS_EXPIRY_INTERVAL).await;
        let Some(restricted) = restricted.upgrade() else {
            return;
        };
        restricted.look_again(wall());
    }
}
