//! The lines of the access file for a new token. Pure.

use std::fmt;

use super::{ChannelSet, Scope, SecretHash};
use crate::limits;
use crate::message::{NameError, Timestamp, check_name};

/// A token of the access file, as it stands there.
#[derive(Debug)]
pub struct TokenLines {
    /// Its name.
    pub name: String,
    /// The hash of its secret.
    pub hash: SecretHash,
    /// What its holder may do.
    pub scope: Scope,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// Checks the name of a token or an issuer.
///
/// # Errors
/// What is wrong with it.
pub fn check_token_name(text: &str) -> Result<(), NameError> {
    check_name(text, limits::NAME_BYTES_MAX, "A-Z a-z 0-9 . _ -", |c| {
        c.is_ascii_alphanumeric() || "._-".contains(c)
    })
}

impl fmt::Display for TokenLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A dot would part a name into two.
        let is_bare = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
        if self.name.bytes().all(is_bare) {
            writeln!(f, "[token.{}]", self.name)?;
        } else {
            writeln!(f, "[token.\"{}\"]", self.name)?;
        }
        writeln!(f, "sha256 = \"{}\"", self.hash)?;
        let list = |channels: &ChannelSet| {
            let quoted = channels.names().map(|name| format!("\"{name}\""));
            quoted.collect::<Vec<_>>().join(", ")
        };
        for (key, channels) in [("read", &self.scope.read), ("write", &self.scope.write)] {
            if !channels.is_empty() {
                writeln!(f, "{key} = [{}]", list(channels))?;
            }
        }
        if self.scope.metrics {
            writeln!(f, "metrics = true")?;
        }
        if let Some(until) = self.until {
            // Whole seconds, as people write them: a token is valid a little longer then.
            let until = Timestamp(until.0.next_multiple_of(1000)).to_string();
            writeln!(f, "until = {}", until.replace(".000Z", "Z"))?;
        }
        Ok(())
    }
}
