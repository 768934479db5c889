//! What to write into the configuration of what stands in between.

use super::intermediary::Intermediary;

/// What is wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Lines from the server are held back.
    DownHeld,
    /// Each line comes some time late.
    Late,
    /// Lines to the server are held back, or refused.
    UpHeld,
    /// A connection is given up.
    Cut,
    /// Answers are compressed.
    Compressed,
    /// Answers come from a cache.
    Cached,
}

/// What to do about it: a sentence, and the lines to write, if there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The sentence.
    pub say: &'static str,
    /// The lines.
    pub write: &'static str,
}

const fn write(say: &'static str, write: &'static str) -> Remedy {
    Remedy { say, write }
}

const fn say(say: &'static str) -> Remedy {
    Remedy { say, write: "" }
}

use Intermediary as Is;

impl Trouble {
    /// What to do about it where this stands in between, or nothing that shows.
    #[must_use]
    pub fn remedy(self, between: Option<Intermediary>) -> Remedy {
        match between {
            Some(Is::Nginx) => self.nginx(),
            Some(Is::Apache) => self.apache(),
            Some(Is::Varnish) => write(
                "Write this into Varnish’s VCL, and start varnishd with -p pipe_timeout=3600:",
                "sub vcl_recv { return (pipe); }\nsub vcl_pipe { set bereq.http.Connection = \"close\"; }",
            ),
            Some(Is::Squid) => self.squid(),
            Some(Is::Caddy) => self.caddy(),
            Some(Is::Lighttpd) => self.lighttpd(),
            Some(Is::Envoy) => self.envoy(),
            Some(
                cloud @ (Is::Cloudflare
                | Is::CloudFront
                | Is::Fastly
                | Is::Akamai
                | Is::AwsLoadBalancer
                | Is::GoogleCloud
                | Is::Azure
                | Is::Heroku
                | Is::Fly),
            ) => self.cloud(cloud),
            Some(Is::Nameless) | None => self.nameless(),
        }
    }

    fn nginx(self) -> Remedy {
        const INTO: &str = "Write this into the location of nginx’s configuration:";
        match self {
            Trouble::DownHeld | Trouble::Late => write(
                INTO,
                "proxy_http_version 1.1;\nproxy_buffering off;\ngzip off;",
            ),
            Trouble::UpHeld => write(
                INTO,
                "proxy_http_version 1.1;\nproxy_request_buffering off;\nclient_max_body_size 0;",
            ),
            Trouble::Cut => write(
                INTO,
                "proxy_read_timeout 1h;\nproxy_send_timeout 1h;\nclient_body_timeout 1h;",
            ),
            Trouble::Compressed => write(INTO, "gzip off;"),
            Trouble::Cached => write(INTO, "proxy_cache off;"),
        }
    }

    fn apache(self) -> Remedy {
        const INTO: &str = "Write this into Apache’s virtual host:";
        match self {
            Trouble::DownHeld | Trouble::Late => write(
                INTO,
                "ProxyPass / http://127.0.0.1:8080/ flushpackets=on\nSetEnv no-gzip 1",
            ),
            Trouble::UpHeld => write(
                INTO,
                "SetEnv proxy-prefetch-nonblocking 1\nRequestReadTimeout body=0",
            ),
            Trouble::Cut => write(INTO, "Timeout 3600\nRequestReadTimeout body=0"),
            Trouble::Compressed => write(INTO, "SetEnv no-gzip 1"),
            Trouble::Cached => write(INTO, "CacheDisable \"/\""),
        }
    }

    fn squid(self) -> Remedy {
        const INTO: &str = "Write this into squid.conf:";
        match self {
            Trouble::Cut => write(INTO, "read_timeout 1 hour\nrequest_timeout 1 hour"),
            Trouble::Cached => write(INTO, "cache deny all"),
            Trouble::DownHeld | Trouble::Late | Trouble::UpHeld | Trouble::Compressed => write(
                "Squid itself passes lines on. Filters in it (ICAP, eCAP) may not; squid.conf can leave \
                 this server out of them, by its name in the place of push.example:",
                "acl push dstdomain push.example\nadaptation_access all deny push",
            ),
        }
    }

    fn caddy(self) -> Remedy {
        match self {
            Trouble::DownHeld | Trouble::Late | Trouble::Compressed => write(
                "Let Caddy’s encode work on files alone, in the Caddyfile:",
                "@files path *.css *.js *.svg\nencode @files gzip",
            ),
            Trouble::UpHeld => say("Take request_buffers out of reverse_proxy in the Caddyfile."),
            Trouble::Cut => say(
                "Take read_timeout and write_timeout out of the Caddyfile, in servers and in transport http.",
            ),
            Trouble::Cached => {
                say("Take the module that caches out of the Caddyfile for this site.")
            }
        }
    }

    fn lighttpd(self) -> Remedy {
        const INTO: &str = "Write this into lighttpd’s configuration:";
        match self {
            Trouble::Cut => write(
                INTO,
                "server.max-read-idle = 3600\nserver.max-write-idle = 3600",
            ),
            Trouble::Compressed => write(INTO, "deflate.mimetypes = ()"),
            Trouble::DownHeld | Trouble::Late | Trouble::UpHeld | Trouble::Cached => write(
                INTO,
                "server.stream-request-body = 2\nserver.stream-response-body = 2",
            ),
        }
    }

    fn envoy(self) -> Remedy {
        match self {
            Trouble::Cut => write(
                "Write this into Envoy’s route, and set stream_idle_timeout of its connection manager to 0s, too:",
                "timeout: 0s\nidle_timeout: 0s",
            ),
            Trouble::Cached => say("Take the cache out of Envoy’s HTTP filters for this route."),
            Trouble::DownHeld | Trouble::Late | Trouble::UpHeld | Trouble::Compressed => say(
                "Take the filters buffer, file_system_buffer and compressor out of Envoy’s route.",
            ),
        }
    }

    fn cloud(self, cloud: Intermediary) -> Remedy {
        match (self, cloud) {
            (Trouble::DownHeld | Trouble::Late, Is::Cloudflare) => say(
                "A tunnel of Cloudflare (cloudflared) lets only text/event-stream through at once: follow by \
                 Server-Sent Events, with as=sse. forever-frame.js finds that out by itself.",
            ),
            (Trouble::DownHeld | Trouble::Late, _) => say(
                "Switch off buffering and compression for this server in its settings, or follow by long poll \
                 (as=json), which passes everywhere. forever-frame.js finds that out by itself.",
            ),
            (Trouble::UpHeld, _) => say(
                "It takes an upload whole before it passes it on. Send each line by a POST of its own instead.",
            ),
            (Trouble::Cut, _) => say(
                "It gives up connections that are quiet: raise its idle or response timeout, or let streams say \
                 more often that they live, by --heartbeat or heartbeat=10s. Followers come back with their \
                 cursor, and lose nothing.",
            ),
            (Trouble::Compressed, _) => say(
                "Switch off compression for this server in its settings: it may hold lines back.",
            ),
            (Trouble::Cached, _) => say(
                "Make a rule that nothing of this server is cached: it has ignored Cache-Control: no-store.",
            ),
        }
    }

    fn nameless(self) -> Remedy {
        match self {
            Trouble::Late => write(
                "If it is HAProxy, which gives no name, write this into its configuration:",
                "option http-no-delay",
            ),
            Trouble::Cut => write(
                "If it is HAProxy, which gives no name, write this into its configuration:",
                "timeout client 1h\ntimeout server 1h",
            ),
            Trouble::UpHeld => write(
                "It may be a proxy that takes the whole upload first. If it is HAProxy, write this into its \
                 configuration; of others, the README has the settings under Proxies:",
                "no option http-buffer-request",
            ),
            Trouble::DownHeld => say(
                "It may be a proxy, or a virus scanner or a filter on the machine of the reader or in its \
                 network. Run the probe on the server’s own machine, and then step by step farther away: the \
                 first place where lines are held back is next to what holds them. Over HTTPS the network \
                 cannot do it.",
            ),
            Trouble::Compressed => say(
                "Something compresses the answer although it may not (no-transform): switch compression off \
                 there, since it may hold lines back. Over HTTPS the network cannot do it.",
            ),
            Trouble::Cached => say(
                "Something answers from a cache although it may not (no-store). Over HTTPS the network cannot \
                 do it.",
            ),
        }
    }
}
