//! The values of options, as people write them on a command line or in the environment.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::{IpNet, Ipv4Net};

use super::{AccessOption, StoreKind};
use crate::authority::{Authority, HostName};
use crate::limits;

/// The values of an option that is a list.
#[derive(Clone, Debug)]
pub(super) struct ValueList<T>(Vec<T>);

/// The values of an option that was given several times, each time a list.
pub(super) fn all<T>(lists: Vec<ValueList<T>>) -> Vec<T> {
    lists
        .into_iter()
        .flat_map(|ValueList(values)| values)
        .collect()
}

/// Reads a list: its values are separated by commas, spaces or line ends.
pub(super) fn list<T: Clone>(
    read: impl Fn(&str) -> Result<T, String> + Clone,
) -> impl Fn(&str) -> Result<ValueList<T>, String> + Clone {
    move |text| {
        let items = text.split([',', ' ', '\t', '\n', '\r']);
        let items = items.filter(|item| !item.is_empty());
        let read = |item: &str| read(item).map_err(|why| format!("{item:?}: {why}"));
        items.map(read).collect::<Result<_, _>>().map(ValueList)
    }
}

/// Reads a switch from the environment. (On the command line a switch has no value.)
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "y" | "t" => Ok(true),
        "0" | "false" | "no" | "off" | "n" | "f" | "" => Ok(false),
        _ => Err(
            "is neither on nor off; write it like 1, true, yes, on, 0, false, no or off".to_owned(),
        ),
    }
}

/// Reads `--store`.
pub(super) fn store(text: &str) -> Result<StoreKind, String> {
    match text.strip_prefix("sqlite:") {
        None if text == "memory" => Ok(StoreKind::Memory),
        Some(path) if !path.is_empty() => Ok(StoreKind::Sqlite(path.into())),
        _ => Err("write it like sqlite:forever-frame.db, or memory".to_owned()),
    }
}

/// Reads `--cluster`: the URL of a NATS server.
pub(super) fn nats_url(text: &str) -> Result<String, String> {
    let host = match text.split_once("://") {
        Some(("nats" | "tls", host)) => Some(host),
        Some(_) => None,
        None => Some(text),
    };
    let is_url = host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
    is_url
        .then(|| text.to_owned())
        .ok_or_else(|| "write it like nats://10.0.0.1:4222 or tls://nats.example:4222".to_owned())
}

/// Reads `--cluster-stream`: a name that is a token of subjects and a part of a file's name.
pub(super) fn nats_stream(text: &str) -> Result<String, String> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_name = (1..=limits::NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(is_fit);
    is_name
        .then(|| text.to_owned())
        .ok_or_else(|| "is no name of 1 to 64 of A-Z a-z 0-9 - _".to_owned())
}

/// Reads `--cluster-replicas`.
pub(super) fn replicas(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| [1, 3, 5].contains(n));
    number.ok_or_else(|| "is none of 1, 3 and 5".to_owned())
}

/// Reads `--store` where only a file will do.
pub(super) fn store_file(text: &str) -> Result<PathBuf, String> {
    match store(text)? {
        StoreKind::Sqlite(path) => Ok(path),
        StoreKind::Memory => {
            Err("has no file; write it like sqlite:forever-frame.db, as the server does".to_owned())
        }
    }
}

/// Reads `--access`.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
pub(super) fn access(text: &str) -> Result<AccessOption, String> {
    Ok(match text {
        "open" => AccessOption::Open,
        path => AccessOption::File(path.into()),
    })
}

/// Reads a duration such as 500ms, 15s, 10m or 7d.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "is not a duration; write it like 500ms, 15s, 10m or 7d".to_owned())
}

/// Reads a size such as 500MB, 64MiB or a number of bytes, which must not be 0.
pub(super) fn size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .ok()
        .map(|size| size.as_u64())
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "is not a size above 0; write it like 500MB, 64MiB or 4GiB".to_owned())
}

/// Reads a heartbeat interval, which must lie within [`limits::HEARTBEAT_INTERVAL_RANGE`].
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn heartbeat(text: &str) -> Result<Duration, String> {
    let (least, most) = (
        limits::HEARTBEAT_INTERVAL_RANGE.start().as_secs(),
        limits::HEARTBEAT_INTERVAL_RANGE.end().as_secs(),
    );
    let outside = || format!("is not between {least}s and {most}s");
    duration(text).and_then(|heartbeat| {
        limits::HEARTBEAT_INTERVAL_RANGE
            .contains(&heartbeat)
            .then_some(heartbeat)
            .ok_or_else(outside)
    })
}

/// Reads `--rotate`, which must not be shorter than [`limits::ROTATE_MIN`].
pub(super) fn rotate(text: &str) -> Result<Duration, String> {
    let least = limits::ROTATE_MIN;
    let short = || format!("is shorter than {}s, the least", least.as_secs());
    duration(text).and_then(|life| (life >= least).then_some(life).ok_or_else(short))
}

/// Reads `*`, or an origin as browsers send it: scheme, host and perhaps a port (RFC 6454,
/// section 6.2).
pub(super) fn origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host);
    let is_origin =
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', ',']));
    let sound = text == "*" || (is_origin && text.bytes().all(|b| b.is_ascii_graphic()));
    sound
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "write it like https://example.org, without a path, or *".to_owned())
}

/// Reads `--trusted-proxy`: an address, or a network. An IPv4 network that is written as an IPv6 one
/// is that IPv4 network.
pub(super) fn proxy(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    let network =
        network.map_err(|_| "write it like 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32".to_owned())?;
    match network {
        IpNet::V6(mapped) if mapped.prefix_len() >= 96 => {
            let v4 = mapped.addr().to_ipv4_mapped();
            let v4 = v4.and_then(|v4| Ipv4Net::new(v4, mapped.prefix_len() - 96).ok());
            Ok(v4.map_or(network, IpNet::from))
        }
        _ => Ok(network),
    }
}

/// Reads `--host`. A port counts for nothing.
pub(super) fn host(text: &str) -> Result<HostName, String> {
    let authority: Result<Authority, _> = text.trim().parse();
    authority
        .map(|authority| authority.host)
        .map_err(|_| "write it as browsers send it in Host, like push.example.org".to_owned())
}

/// Reads `--acme`: a name, for which the authority gives a certificate.
#[cfg(feature = "secure")]
pub(super) fn acme_host(text: &str) -> Result<String, String> {
    match text.trim().parse() {
        Ok(Authority {
            host: HostName::Name(name),
            port: None,
        }) if !name.contains('*') => Ok(name.into()),
        _ => Err("write the name alone, like push.example.org".to_owned()),
    }
}

/// Reads `--acme-contact`: an address of mail, with `mailto:` in front or without.
#[cfg(feature = "secure")]
pub(super) fn contact(text: &str) -> Result<String, String> {
    let address = text.trim();
    let address = address.strip_prefix("mailto:").unwrap_or(address);
    address
        .contains('@')
        .then(|| format!("mailto:{address}"))
        .ok_or_else(|| "write it like admin@example.org".to_owned())
}

/// Reads a number that must not be 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| *n >= 1)
        .ok_or_else(|| "must be a whole number of at least 1".to_owned())
}

/// Reads `--max-message`.
pub(super) fn message_bytes(text: &str) -> Result<usize, String> {
    let most = limits::MESSAGE_BYTES_MAX;
    text.parse()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| format!("must be a number of bytes from 1 to {most}"))
}

/// Reads `--pages`, which must exist.
pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err("is not a directory, or cannot be opened; give one with pages in it".to_owned())
    }
}
