//! `forever-frame token`: makes a token for the access file.

use std::time::Duration;

use clap::Args;

use super::values::{ValueList, all, duration, list};
use crate::access::{ChannelSet, Scope, Secret, TokenLines, check_token_name};
use crate::message::Timestamp;

/// What the help says at its end.
const HELP: &str = "The server knows only the hash of the secret: put the lines into the file of --access, and \
    send the server SIGHUP. Give the secret to whoever is to have the rights: they send it as \
    Authorization: Bearer SECRET (curl -H), as the password of Basic (curl -u NAME:SECRET), or log in with it \
    at /login.";

/// The token that `forever-frame token` makes.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct TokenArgs {
    /// Name of the token in the access file
    #[arg(value_name = "NAME", value_parser = token_name)]
    name: String,

    /// Channel, or pattern of channels such as `news.*`, that may be read; may be given several times, or
    /// with commas
    #[arg(long, value_name = "P", value_parser = list(channels))]
    read: Vec<ValueList<ChannelSet>>,

    /// Channel, or pattern of channels, that may be written to; may be given several times, or with commas
    #[arg(long, value_name = "P", value_parser = list(channels))]
    write: Vec<ValueList<ChannelSet>>,

    /// Whether the metrics may be read
    #[arg(long)]
    metrics: bool,

    /// How long the token is valid from now on, such as 12h or 90d [default: until its lines are deleted]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    valid_for: Option<Duration>,
}

impl TokenArgs {
    /// The secret, and the lines for the access file of a token that is made at this moment.
    #[must_use]
    pub fn make(self, now: Timestamp) -> String {
        let secret = Secret::random();
        let lines = TokenLines {
            name: self.name,
            hash: secret.hash(),
            scope: Scope {
                read: joined(self.read),
                write: joined(self.write),
                metrics: self.metrics,
            },
            until: self.valid_for.map(|time| now.later(time)),
        };
        format!("{}\n\n{lines}", secret.as_str())
    }
}

fn joined(sets: Vec<ValueList<ChannelSet>>) -> ChannelSet {
    let sets = all(sets).into_iter();
    sets.fold(ChannelSet::default(), |sum, set| sum.join(&set))
}

fn channels(text: &str) -> Result<ChannelSet, String> {
    ChannelSet::read([text]).map_err(|(_, why)| why.to_string())
}

fn token_name(text: &str) -> Result<String, String> {
    let checked = check_token_name(text).map(|()| text.to_owned());
    checked.map_err(|why| why.to_string())
}
