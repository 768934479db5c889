//! Proxies as Debian sets them up, with the address of the server and nothing else.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::proxy::Kind;

/// Lets a program write into its directory that does so as another user, if root starts it.
pub(crate) fn open_directory(kind: Kind, dir: &Path) {
    if kind == Kind::Squid {
        std::fs::set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
    }
}

/// What has the address of the server, and these lines more.
pub(crate) fn recipe(kind: Kind, more: &str) -> String {
    match kind {
        Kind::Nginx => format!("location / {{ proxy_pass http://127.0.0.1:8080;\n{more} }}"),
        Kind::Caddy => format!("reverse_proxy 127.0.0.1:8080\n{more}"),
        Kind::HaProxy => format!("server push 127.0.0.1:8080\n{more}"),
        Kind::Apache => format!("ProxyPass / http://127.0.0.1:8080/\n{more}"),
        Kind::Varnish => format!(
            "vcl 4.1;\nbackend default {{ .host = \"127.0.0.1\"; .port = \"8080\"; }}\n{more}"
        ),
        Kind::Lighttpd => format!(
            "proxy.server = (\"\" => ((\"host\" => \"127.0.0.1\", \"port\" => 8080)))\n{more}"
        ),
        Kind::Squid => {
            format!("cache_peer 127.0.0.1 parent 8080 0 no-query originserver\n{more}")
        }
    }
}

/// The whole configuration, as far as it says something of how answers and bodies pass.
pub(crate) fn configuration(kind: Kind, recipe: &str, listen: SocketAddr, dir: &Path) -> String {
    let dir = dir.display();
    match kind {
        Kind::Nginx => {
            let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
                .concat();
            format!(
                "daemon off; pid {dir}/pid; error_log {dir}/error.log; events {{}}
                 http {{ access_log off; {temp} sendfile on; tcp_nopush on; gzip on;
                 server {{ listen {listen};\n{recipe}\n}} }}"
            )
        }
        Kind::Caddy => format!("{{\nadmin off\n}}\nhttp://{listen} {{\n{recipe}\n}}\n"),
        Kind::HaProxy => format!(
            "defaults\nmode http\noption httplog\noption dontlognull\ntimeout connect 5000\n\
             timeout client 50000\ntimeout server 50000\nlisten push\nbind {listen}\n{recipe}\n"
        ),
        Kind::Apache => {
            let modules = "/usr/lib/apache2/modules";
            let modules = [
                "mpm_event",
                "authz_core",
                "reqtimeout",
                "proxy",
                "proxy_http",
                "filter",
                "deflate",
                "env",
            ]
            .map(|name| format!("LoadModule {name}_module {modules}/mod_{name}.so\n"))
            .concat();
            format!(
                "{modules}ServerName push.example\nServerRoot {dir}\nPidFile {dir}/pid\n\
                 DefaultRuntimeDir {dir}\nMutex file:{dir} default\nErrorLog {dir}/error.log\n\
                 User www-data\nGroup www-data\nListen {listen}\nTimeout 300\n\
                 RequestReadTimeout header=20-40,minrate=500 body=20,minrate=500\n\
                 AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css\n\
                 <VirtualHost *>\n{recipe}\n</VirtualHost>\n"
            )
        }
        Kind::Varnish => recipe.to_owned(),
        Kind::Lighttpd => format!(
            "server.document-root = \"{dir}\"\nserver.bind = \"{}\"\nserver.port = {}\n\
             server.modules = (\"mod_proxy\")\n{recipe}",
            listen.ip(),
            listen.port()
        ),
        Kind::Squid => format!(
            "http_port {listen} accel defaultsite=push.example\n{recipe}\n\
             http_access allow localhost\nhttp_access deny all\n\
             pid_filename {dir}/pid\ncache_log {dir}/error.log\naccess_log none\ncoredump_dir {dir}\n\
             shutdown_lifetime 0 seconds\ncache_effective_user proxy\n\
             refresh_pattern -i (/cgi-bin/|\\?) 0 0% 0\nrefresh_pattern . 0 20% 4320\n"
        ),
    }
}
