//! nchan, a module of nginx that Debian has: `apt-get install libnginx-mod-nchan`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::scratch::Scratch;
use crate::server::{Server, free_addr};

/// The module's file in Debian.
pub(super) const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// Starts it with a worker for each processor, which is Debian's default, and with bounds that hold
/// all that the cases ask for.
pub(super) fn start(scratch: &Scratch, _program: &Path) -> Result<Server> {
    let dir = scratch.dir("nchan")?;
    let addr = free_addr()?;
    let (files, _) = rlimit::getrlimit(rlimit::Resource::NOFILE)?;
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .concat();
    let locations = [("chunked", "http-chunked"), ("sse", "eventsource")]
        .map(|(path, subscriber)| {
            format!(
                "location ~ ^/{path}/(.+)$ {{ nchan_channel_id $1; nchan_subscriber {subscriber};
                 nchan_subscriber_first_message oldest; }}"
            )
        })
        .concat();
    let config = format!(
        "daemon off; pid pid; worker_processes auto; worker_rlimit_nofile {files};
         load_module {MODULE};
         events {{ worker_connections {files}; }}
         http {{
           access_log off; {temp} keepalive_requests 1000000000; keepalive_timeout 1h;
           client_body_buffer_size 128k; nchan_shared_memory_size 512m;
           server {{
             listen {addr} backlog=4096;
             location ~ ^/append/(.+)$ {{ nchan_channel_id $1; nchan_publisher;
               nchan_message_buffer_length 100000; nchan_message_timeout 1h; }}
             {locations}
           }}
         }}"
    );
    fs::write(dir.join("nginx.conf"), config)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&dir);
    command.args(["-e", "error.log", "-c", "nginx.conf"]);
    Server::start_on(addr, &mut command)
}
