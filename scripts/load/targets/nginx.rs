//! nginx with TLS in front of this server in clear text: `apt-get install nginx-light`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::ours;
use crate::scratch::Scratch;
use crate::server::{Server, free_addr};
use crate::{Result, line};

pub(super) const PROGRAM: &str = "nginx";

/// Starts this server and the proxy, which passes on at once what comes.
pub(super) fn start(scratch: &Scratch, program: &Path) -> Result<Server> {
    let server = ours::in_memory(scratch, program)?;
    let dir = scratch.dir("nginx")?;
    let addr = free_addr()?;
    let [cert, key] = line::certificate(scratch)?;
    let (files, _) = rlimit::getrlimit(rlimit::Resource::NOFILE)?;
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .concat();
    let config = format!(
        "daemon off; pid pid; worker_processes auto; worker_rlimit_nofile {files};
         events {{ worker_connections {files}; }}
         http {{
           access_log off; {temp}
           server {{
             listen {addr} ssl backlog=4096;
             ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
             location / {{ proxy_pass http://{}; proxy_http_version 1.1; proxy_set_header Connection '';
               proxy_set_header Host localhost; proxy_buffering off; proxy_read_timeout 1h; }}
           }}
         }}",
        server.addr
    );
    fs::write(dir.join("nginx.conf"), config)?;
    let mut command = Command::new(PROGRAM);
    command.arg("-p").arg(&dir);
    command.args(["-e", "error.log", "-c", "nginx.conf"]);
    let proxy = Server::start_on(addr, &mut command)?;
    Ok(server.with_proxy(proxy))
}
