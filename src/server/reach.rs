//! The address under which other machines reach this one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use super::listeners::Listeners;

/// An address that nobody has (RFC 5737), for a question that sends nothing to it.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address from which this machine reaches others, under which those of its network reach it; `None` if it
/// has no way to others.
pub(super) fn own_address() -> Option<IpAddr> {
    // Such a socket sends nothing when it is connected; the system says from which address it would.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// Where other machines reach this server, as URLs, as far as that is known.
pub(super) fn urls(listeners: &Listeners) -> Vec<String> {
    let urls = listeners.urls().unwrap_or_default();
    let urls = urls.iter().filter_map(|url| reached(url, own_address));
    urls.collect()
}

/// The URL of a listener as others write it; `None` where none reaches it.
fn reached(url: &str, own: impl FnOnce() -> Option<IpAddr>) -> Option<String> {
    let (scheme, addr) = url.split_once("://")?;
    let addr: SocketAddr = addr.parse().ok()?;
    let ip = addr.ip().to_canonical();
    let ip = if ip.is_unspecified() { own()? } else { ip };
    let addr = SocketAddr::new(ip, addr.port());
    (!ip.is_loopback()).then(|| format!("{scheme}://{addr}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_tells_what_others_know() {
        let own = || Some(IpAddr::from([192, 168, 43, 7]));
        for (listens, expected) in [
            ("http://0.0.0.0:80", Some("http://192.168.43.7:80/")),
            ("https://[::]:443", Some("https://192.168.43.7:443/")),
            ("http://192.0.2.7:81", Some("http://192.0.2.7:81/")),
            ("http://127.0.0.1:81", None),
            ("unix:/run/push.sock", None),
        ] {
            assert_eq!(reached(listens, own).as_deref(), expected, "{listens}");
        }
        assert_eq!(reached("http://0.0.0.0:80", || None), None);
    }
}
