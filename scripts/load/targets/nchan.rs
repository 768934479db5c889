//! nchan, a module of nginx that Debian has: `apt-get install libnginx-mod-nchan`.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Kind, Target};
use crate::Result;
use crate::http;
use crate::scratch::Scratch;
use crate::server::{Server, free_addr};

/// Where Debian puts it.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// nchan, followed in one of its ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nchan(pub(crate) Way);

/// How a follower gets its messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Chunked,
    EventSource,
}

/// Can it be started here?
pub(super) fn check() -> std::result::Result<(), String> {
    if Path::new(MODULE).exists() {
        return Ok(());
    }
    Err(format!(
        "nchan is left out: there is no {MODULE}; apt-get install libnginx-mod-nchan"
    ))
}

impl fmt::Display for Nchan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Way::Chunked => "nchan, chunked",
            Way::EventSource => "nchan, sse",
        })
    }
}

impl Target for Nchan {
    fn kind(&self) -> Kind {
        Kind::Nchan
    }

    /// With as many workers as there are processors, as Debian has it, and room for all that the
    /// cases ask for.
    fn start(&self, scratch: &Scratch) -> Result<Server> {
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
        Server::that_listens_on(addr, &mut command)
    }

    fn follow(&self, channel: &str) -> String {
        let way = match self.0 {
            Way::Chunked => "chunked",
            Way::EventSource => "sse",
        };
        format!(
            "GET /{way}/{channel} HTTP/1.1\r\nHost: bench\r\nTE: chunked\r\n\
             Accept: */*, text/event-stream\r\n\r\n"
        )
    }

    fn append(&self, channel: &str, length: usize) -> String {
        http::post(&format!("/append/{channel}"), "", length)
    }
}
