//! Access as a file restricts it, and what is let in with the rights that it gives.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};

use super::access_file::{self, AccessFileError};
use super::{AccessRules, Denial, Holder, Needed};
use crate::limits;
use crate::message::Timestamp;
use crate::network::Network;
use crate::rate_limiter::{RateLimited, RateLimiter};
use crate::right::{Right, RightEnd, Rights};

/// Access as a file restricts it.
#[derive(Debug)]
pub struct Restricted {
    path: PathBuf,
    rules: RwLock<Arc<AccessRules>>,
    /// The rights that are in use: who has been let in, and for what.
    rights: Rights<(Holder, Needed)>,
    /// The tries with wrong tokens.
    tries: Mutex<RateLimiter<Network>>,
}

/// That a request has been let in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Who asked.
    pub holder: Holder,
    /// The right with which it was let in.
    pub right: Right,
}

impl Restricted {
    /// Access as this file restricts it.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is wrong.
    pub(super) fn load(path: &Path) -> Result<Restricted, AccessFileError> {
        Ok(Restricted {
            path: path.to_owned(),
            rules: RwLock::new(Arc::new(access_file::load(path)?)),
            rights: Rights::new(),
            tries: Mutex::new(RateLimiter::new(limits::WRONG_TOKENS_FROM_ADDRESS)),
        })
    }

    /// The rules that are in force.
    #[must_use]
    pub fn rules(&self) -> Arc<AccessRules> {
        Arc::clone(&self.rules.read())
    }

    /// Returns who shows this token, perhaps in an address. A wrong one counts as a try of its address; a right one is never
    /// refused.
    ///
    /// # Errors
    /// When the token is of no use.
    pub fn identify(
        &self,
        token: &str,
        is_in_url: bool,
        from: Network,
        now: Timestamp,
        at: Instant,
    ) -> Result<Holder, Denial> {
        self.rules().identify(token, is_in_url, now).map_err(|bad| {
            let charged = if bad.is_guess() {
                self.tries.lock().try_charge(from, at)
            } else {
                Ok(())
            };
            match charged {
                Ok(()) => Denial::BadToken(bad),
                Err(wait) => Denial::TooManyTries(RateLimited::new(wait)),
            }
        })
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// When its sender may not do all that it needs.
    pub fn admit(
        &self,
        holder: Holder,
        needed: &Needed,
        now: Timestamp,
    ) -> Result<Admission, Denial> {
        // Taken before the look: if the rules change meanwhile, the right has ended, too.
        let right = self.rights.right((holder.clone(), needed.clone()));
        self.rules().check(&holder, needed, now)?;
        Ok(Admission { holder, right })
    }

    /// Reads the file again, and ends the rights in use that it does not give any more. Returns how many
    /// those were. If the file is wrong all stays as it was.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is wrong.
    pub fn reload(&self, now: Timestamp) -> Result<usize, AccessFileError> {
        let rules = Arc::new(access_file::load(&self.path)?);
        *self.rules.write() = rules;
        Ok(self.look_again(now))
    }

    /// Ends the rights in use that the rules do not give any more, or whose time is over. Returns how many
    /// those were.
    pub fn look_again(&self, now: Timestamp) -> usize {
        let rules = self.rules();
        self.rights.end_where(|(holder, needed)| {
            let denial = rules.check(holder, needed, now).err()?;
            Some(match denial {
                Denial::BadToken(super::BadToken::Expired) => RightEnd::Expired,
                _ => RightEnd::Revoked,
            })
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
