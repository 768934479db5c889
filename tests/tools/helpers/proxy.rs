//! Reverse proxies from Debian, each as the docs set it up.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::programs::MISSING;
use super::proxy_defaults;
#[cfg(feature = "secure")]
use super::proxy_tls::{self, TlsFiles};
use crate::support::client::try_send;
use crate::support::port::Port;
use crate::support::soon;

/// The address of the server in each recipe.
const UPSTREAM: [&str; 4] = [
    "127.0.0.1:8080",
    ".host = \"127.0.0.1\"; .port = \"8080\"",
    "\"host\" => \"127.0.0.1\", \"port\" => 8080",
    "127.0.0.1 parent 8080",
];

/// The program of a proxy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    HaProxy,
    Apache,
    Varnish,
    Lighttpd,
    /// The docs have no recipe for it: it needs none.
    Squid,
}

impl Kind {
    /// The program, and the file of its recipe.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Nginx => ("nginx", "nginx.conf"),
            Kind::Caddy => ("caddy", "Caddyfile"),
            Kind::HaProxy => ("haproxy", "haproxy.cfg"),
            Kind::Apache => ("apache2", "apache.conf"),
            Kind::Varnish => ("varnishd", "varnish.vcl"),
            Kind::Lighttpd => ("lighttpd", "lighttpd.conf"),
            Kind::Squid => ("squid", "squid.conf"),
        }
    }

    /// The recipe, a file of `scripts/proxies`, which the docs print.
    pub(crate) fn recipe(self) -> String {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/proxies");
        std::fs::read_to_string(format!("{directory}/{}", self.names().1)).unwrap()
    }

    /// A whole configuration around a recipe. Debian's configurations give up what is quiet for 20 to
    /// 60 s; this one does after 2 s, which a recipe has to change. They also compress.
    fn configuration(self, recipe: &str, listen: SocketAddr, dir: &Path) -> String {
        let dir = dir.display();
        match self {
            Kind::Nginx => {
                let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
                    .concat();
                format!(
                    "daemon off; pid {dir}/pid; error_log {dir}/error.log; events {{}}
                     http {{ access_log off; {temp}
                     gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any;
                     client_body_timeout 2s; send_timeout 2s;
                     proxy_read_timeout 2s; proxy_send_timeout 2s;
                     server {{ listen {listen};\n{recipe}\n}} }}"
                )
            }
            Kind::Caddy => format!(
                "{{\nadmin off\nauto_https off\n}}\n{}",
                recipe.replace(
                    "push.example",
                    &format!("http://push.example:{}, http://{listen}", listen.port())
                )
            ),
            Kind::HaProxy => format!(
                "defaults\nmode http\ntimeout connect 5s\ntimeout client 2s\ntimeout server 2s\n{}",
                recipe.replace("bind :80", &format!("bind {listen}"))
            ),
            Kind::Apache => {
                let names = [
                    "mpm_event",
                    "authz_core",
                    "reqtimeout",
                    "headers",
                    "proxy",
                    "proxy_http",
                    "filter",
                    "deflate",
                    "env",
                ];
                let modules = "/usr/lib/apache2/modules";
                let modules = names
                    .map(|name| format!("LoadModule {name}_module {modules}/mod_{name}.so\n"))
                    .concat();
                format!(
                    "{modules}ServerName push.example\nServerRoot {dir}\nPidFile {dir}/pid\n\
                     DefaultRuntimeDir {dir}\nMutex file:{dir} default\nErrorLog {dir}/error.log\n\
                     User www-data\nGroup www-data\nListen {listen}\nTimeout 2\n\
                     RequestReadTimeout header=20-40,minrate=500 body=2,minrate=500\n\
                     AddOutputFilterByType DEFLATE text/html text/plain\n\
                     <VirtualHost *>\n{recipe}\n</VirtualHost>\n"
                )
            }
            Kind::Varnish => recipe.to_owned(),
            Kind::Squid => unreachable!("it has no recipe"),
            Kind::Lighttpd => format!(
                "server.document-root = \"{dir}\"\nserver.bind = \"{}\"\nserver.port = {}\n\
                 server.modules = (\"mod_proxy\", \"mod_deflate\")\n\
                 deflate.mimetypes = (\"text/\", \"application/\")\n\
                 server.max-read-idle = 2\nserver.max-write-idle = 2\n{recipe}",
                listen.ip(),
                listen.port()
            ),
        }
    }

    /// The arguments with which the program stays in the foreground, with this file.
    fn arguments(self, recipe: &str, listen: SocketAddr, dir: &Path, file: &str) -> Vec<String> {
        let dir = dir.to_str().unwrap();
        // What is quiet is given up after 2 s, unless the recipe says otherwise.
        let own = recipe.split_once("# varnishd ");
        let own = own.map(|(_, own)| own.lines().next().unwrap());
        let own = own.map_or(String::new(), |own| format!("-p pipe_timeout=2 {own}"));
        let own = own.split_whitespace();
        let state = format!("{dir}/state");
        // Squids of one name would share their memory.
        let name = format!("push{}", listen.port());
        let listen = listen.to_string();
        let log = format!("{dir}/error.log");
        let arguments: Vec<&str> = match self {
            Kind::Nginx => vec!["-p", dir, "-e", &log, "-c", file],
            Kind::Caddy => vec!["run", "--adapter", "caddyfile", "--config", file],
            Kind::HaProxy => vec!["-db", "-f", file],
            Kind::Apache => vec!["-DFOREGROUND", "-f", file],
            Kind::Lighttpd => vec!["-D", "-f", file],
            Kind::Squid => vec!["-N", "-n", &name, "-f", file],
            Kind::Varnish => {
                let started = "-F -j none -T none -s malloc,16m".split(' ');
                let files = ["-n", &state, "-a", &listen, "-f", file];
                started.chain(files).chain(own).collect()
            }
        };
        arguments.into_iter().map(str::to_owned).collect()
    }
}

/// A running proxy, with a directory of its own.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    child: Child,
    dir: TempDir,
    _port: Port,
}

impl Proxy {
    /// The proxy in front of a server that runs, as the docs set it up.
    pub(crate) async fn start(kind: Kind, upstream: SocketAddr) -> Proxy {
        Proxy::with(kind, &kind.recipe(), upstream).await
    }

    /// The proxy by another recipe.
    pub(crate) async fn with(kind: Kind, recipe: &str, upstream: SocketAddr) -> Proxy {
        Proxy::configured(kind, recipe, upstream, None, |recipe, addr, dir| {
            kind.configuration(recipe, addr, dir)
        })
        .await
    }

    /// The proxy as the docs set it up, and with TLS.
    #[cfg(feature = "secure")]
    pub(crate) async fn with_tls(kind: Kind, upstream: SocketAddr, tls: &TlsFiles) -> Proxy {
        let root = Some(&*tls.root);
        Proxy::configured(kind, &kind.recipe(), upstream, root, |recipe, addr, dir| {
            let plain = kind.configuration(recipe, addr, dir);
            proxy_tls::configuration(kind, &plain, addr, dir, tls)
        })
        .await
    }

    /// The proxy as Debian sets it up, with the address of the server, and these lines more.
    pub(crate) async fn by_default(kind: Kind, more: &str, upstream: SocketAddr) -> Proxy {
        let recipe = proxy_defaults::recipe(kind, more);
        Proxy::configured(kind, &recipe, upstream, None, |recipe, addr, dir| {
            proxy_defaults::configuration(kind, recipe, addr, dir)
        })
        .await
    }

    async fn configured(
        kind: Kind,
        recipe: &str,
        upstream: SocketAddr,
        root: Option<&str>,
        configuration: impl Fn(&str, SocketAddr, &Path) -> String,
    ) -> Proxy {
        let (ip, port) = (upstream.ip(), upstream.port());
        let upstreams = [
            upstream.to_string(),
            format!(".host = \"{ip}\"; .port = \"{port}\""),
            format!("\"host\" => \"{ip}\", \"port\" => {port}"),
            format!("{ip} parent {port}"),
        ];
        let ours = UPSTREAM.iter().zip(&upstreams);
        let recipe = ours.fold(recipe.to_owned(), |recipe, (from, to)| {
            recipe.replace(from, to)
        });
        assert!(
            upstreams.iter().any(|upstream| recipe.contains(upstream)),
            "{recipe}"
        );
        Proxy::run(kind, &recipe, root, configuration).await
    }

    /// The proxy by a recipe as it stands.
    pub(crate) async fn by(kind: Kind, recipe: &str) -> Proxy {
        Proxy::run(kind, recipe, None, |recipe, addr, dir| {
            kind.configuration(recipe, addr, dir)
        })
        .await
    }

    async fn run(
        kind: Kind,
        recipe: &str,
        root: Option<&str>,
        configuration: impl Fn(&str, SocketAddr, &Path) -> String,
    ) -> Proxy {
        let port = Port::reserve();
        let addr = port.addr;
        let dir = tempfile::tempdir().unwrap();
        proxy_defaults::open_directory(kind, dir.path());
        let file = dir.path().join("configuration");
        std::fs::write(&file, configuration(recipe, addr, dir.path())).unwrap();
        let file = file.to_str().unwrap();
        let output = std::fs::File::create(dir.path().join("output")).unwrap();
        // When the tests are killed, they cannot end the proxy: then the kernel does.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", kind.names().0])
            .args(kind.arguments(recipe, addr, dir.path(), file))
            .env("HOME", dir.path())
            .env("XDG_DATA_HOME", dir.path())
            .env("XDG_CONFIG_HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("setpriv, which is part of util-linux");
        let mut proxy = Proxy {
            addr,
            child,
            dir,
            _port: port,
        };
        proxy.answers(kind, root).await;
        proxy
    }

    /// Whether the server answers through the proxy; with TLS, where there is an authority.
    async fn is_answering(&self, root: Option<&str>) -> bool {
        let Some(root) = root else {
            let answer = soon(try_send(self.addr, "GET /healthz", b"")).await;
            return answer.is_ok_and(|answer| answer.status == 200);
        };
        let url = format!("https://localhost:{}/healthz", self.addr.port());
        let mut curl = Command::new("curl");
        curl.args(["-sf", "--noproxy", "*", "--cacert", root, &url]);
        soon(curl.output())
            .await
            .is_ok_and(|said| said.stdout == b"ok")
    }

    /// Waits until the server answers through the proxy.
    async fn answers(&mut self, kind: Kind, root: Option<&str>) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if self.is_answering(root).await {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{kind:?} does not serve ({ended:?}): {}; {MISSING}",
                self.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the proxy has said.
    fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        read("output") + &read("error.log")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A proxy ends its workers only if it is asked to end, not if it is killed.
        if let Some(pid) = self.child.id() {
            let _ = std::process::Command::new("kill")
                .args(["-TERM", &pid.to_string()])
                .status();
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                eprintln!("the proxy does not end: {}", self.log());
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
