//! The options of a server with a proxy in front.

use ipnet::IpNet;

use super::values::{ValueList, host, list, proxy};
use crate::authority::HostName;
use crate::pages::BasePath;

/// What a proxy in front passes on, on the command line.
#[derive(clap::Args, Debug)]
pub(super) struct ProxyArgs {
    /// Name under which a server on a loopback address may be asked, besides localhost and addresses,
    /// such as the public name that a proxy passes on; may be given several times (in the
    /// environment: separated by commas). Any other name is answered 421, since a page on the web
    /// can let its own name lead to this machine [default: none]
    #[arg(long = "host", value_name = "NAME", env = "FOREVER_FRAME_HOST", value_parser = list(host))]
    pub(super) hosts: Vec<ValueList<HostName>>,

    /// Address of a proxy, such as `192.0.2.7` or `10.0.0.0/8`, whose X-Forwarded-For and
    /// X-Forwarded-Proto are believed; may be given several times (in the environment: separated by
    /// commas). Limits are then counted for its clients one by one, and not for the proxy
    /// [default: the loopback addresses; given, it replaces them]
    #[arg(long = "trusted-proxy", value_name = "ADDR[/BITS]", env = "FOREVER_FRAME_TRUSTED_PROXY", value_parser = list(proxy))]
    pub(super) trusted_proxies: Vec<ValueList<IpNet>>,

    /// Path below which a proxy has the server, such as `/push` for `https://example.org/push/`: pages link what
    /// is below it. The proxy may pass it on or leave it out [default: none]
    #[arg(
        long,
        value_name = "PATH",
        env = "FOREVER_FRAME_BASE_PATH",
        default_value_t,
        hide_default_value = true
    )]
    pub(super) base_path: BasePath,
}
