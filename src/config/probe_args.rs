//! `forever-frame probe`: what stands between here and a server.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::HealthUrl;
use super::values::duration;
use crate::limits;

/// The path at which a server is probed.
const PATH: &str = "/probe";

/// What the help says at its end.
const HELP: &str = "It takes some seconds. The exit status is 0 if nothing is wrong, and 1 otherwise. \
    To see a hold with your own eyes: curl -N URL/probe, whose lines say when they were sent.";

/// The server that `forever-frame probe` asks.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct ProbeArgs {
    /// The server as its clients reach it, such as `https://push.example`. A URL with a path is asked as it
    /// is, one without is asked for /probe
    #[arg(value_name = "URL")]
    pub url: ProbeUrl,

    /// Silence before the last line (at most 2m): longer than the time after which something on the way
    /// may give up what is quiet, such as 65s
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = quiet)]
    pub quiet: Duration,
}

/// The URL at which a server is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeUrl(pub HealthUrl);

impl FromStr for ProbeUrl {
    type Err = String;

    /// Reads a URL, or a host and a port. What is asked is the probe unless there is another path.
    fn from_str(text: &str) -> Result<ProbeUrl, String> {
        let mut url: HealthUrl = text.parse()?;
        if url.socket.is_some() {
            return Err("is a socket, to which there is no way that could be probed".to_owned());
        }
        // The probe has a query of its own.
        let path = url.path.split('?').next().unwrap_or("");
        url.path = match path {
            HealthUrl::USUAL_PATH => PATH.to_owned(),
            path => path.to_owned(),
        };
        Ok(ProbeUrl(url))
    }
}

fn quiet(text: &str) -> Result<Duration, String> {
    let max = limits::PROBE_QUIET_MAX;
    let outside = || format!("is longer than {}s, the maximum", max.as_secs());
    duration(text).and_then(|quiet| (quiet <= max).then_some(quiet).ok_or_else(outside))
}
