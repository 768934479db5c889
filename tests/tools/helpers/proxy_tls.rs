//! Reverse proxies that speak TLS and HTTP/2 with their clients.

use std::net::SocketAddr;
use std::path::Path;

use super::proxy::Kind;

/// The files of a certificate for `localhost`, of its key, and of the authority.
pub(crate) struct TlsFiles {
    pub(crate) cert: String,
    pub(crate) key: String,
    pub(crate) root: String,
}

/// A configuration with TLS, made of one without.
pub(super) fn configuration(
    kind: Kind,
    plain: &str,
    listen: SocketAddr,
    dir: &Path,
    tls: &TlsFiles,
) -> String {
    let (TlsFiles { cert, key, .. }, port, dir) = (tls, listen.port(), dir.display());
    let (from, to) = match kind {
        Kind::Nginx => (
            format!("listen {listen};"),
            format!(
                "listen {listen} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key};"
            ),
        ),
        Kind::Caddy => (
            format!("auto_https off\n}}\nhttp://push.example:{port}, http://{listen} {{"),
            format!(
                "auto_https disable_redirects\n}}\nhttps://localhost:{port} {{\ntls {cert} {key}"
            ),
        ),
        Kind::HaProxy => {
            let both = [cert, key].map(|file| std::fs::read_to_string(file).unwrap());
            std::fs::write(format!("{dir}/both.pem"), both.concat()).unwrap();
            (
                format!("bind {listen}"),
                format!("bind {listen} ssl crt {dir}/both.pem alpn h2,http/1.1"),
            )
        }
        Kind::Apache => {
            let modules = ["ssl", "http2"].map(|name| {
                format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
            });
            let site = "<VirtualHost *>\n";
            (
                site.to_owned(),
                format!(
                    "{}{site}Protocols h2 http/1.1\nSSLEngine on\nSSLCertificateFile {cert}\n\
                     SSLCertificateKeyFile {key}\n",
                    modules.concat()
                ),
            )
        }
        Kind::Varnish | Kind::Lighttpd | Kind::Squid => unreachable!("{kind:?} has no TLS here"),
    };
    assert!(plain.contains(&from), "{plain}");
    plain.replace(&from, &to)
}
