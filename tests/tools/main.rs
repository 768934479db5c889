//! The server with other people's programs: browsers, curl, proxies, jq, and parsers from npm and pip.
//!
//! `scripts/test` installs what these tests need, and runs them. With that installed,
//! `cargo test --features tools --test tools mailbox` runs those with that word in their name.
//!
//! | modules | what they test |
//! |---|---|
//! | `pages`, `pages_live`, `wire_page`, `mailbox_page` | the pages in Chromium |
//! | `wire_view`, `wire_faults`, `wire_labels` | what `/wire` has around its panels; what breaks them; its labels, against other parsers |
//! | `accessibility` | all pages and their states, by axe-core, in light and in dark, and in Chinese |
//! | `languages_page` | the pages in Chinese, and the switch of the language |
//! | `log_page` | the page of a channel |
//! | `first_paint` | how soon pages are painted |
//! | `class_page` | the page of a class |
//! | `page_tabs` | all pages in one browser, tabs that are hidden, Back and Reload |
//! | `page_states` | what pages say of a server that is gone |
//! | `follow_element` | a channel in a page of another site |
//! | `colored_pages` | colours in messages |
//! | `token_page` | pages that show a token |
//! | `closed_streams` | channels that are closed, for pages and for curl |
//! | `twenty_tabs` | HTTP/2 in Chromium |
//! | `hidden_frame` | the hidden iframe and its library, `forever-frame.js` |
//! | `chat_…` | the chat in Chromium, with and without scripts; a network that is cut (iproute2) |
//! | `parsers` | streams as they are read by parsers that others wrote |
//! | `firefox` | how Firefox comes back |
//! | `foreign_clients` | clients that others wrote, over a cut and a restart |
//! | `html_libraries` | libraries for pages without JavaScript of their own |
//! | `lost_packets` | a network that is down for a moment (iproute2) |
//! | `many_addresses` | clients with addresses of their own (iproute2) |
//! | `curl` | a terminal |
//! | `package` | the Debian package in a fresh Debian (debootstrap), the units, the container file |
//! | `monitoring` | the alerts and the dashboard (promtool) |
//! | `examples` | the examples in Python and Rust |
//! | `npm_package` | the package for npm, in Node and in Chromium, and its types (tsc) |
//! | `openapi` | the description for programs, by a validator |
//! | `generated` | the manual page and completions, as man and shells read them |
//! | `acme` | certificates by ACME (pebble) |
//! | `openssl` | TLS, and that nothing weak is spoken |
//! | `proxies` | reverse proxies: nginx, Caddy, HAProxy, Apache, Varnish, lighttpd |
//! | `unix_socket` | a Unix socket, by curl and through nginx |
//! | `probe_page` | the page of the probe |
//! | `probes` | what the probe says of them, and of Squid, in their defaults |
//! | `proxies_with_tls` | those that speak TLS with browsers, and HTTP/2 |
//! | `proxy_below_path` | a server below a path, in Chromium through nginx |
//! | `service` | systemd's own programs |
//! | `wrong_clock` | a wall clock that is set (faketime) |
//! | `permissions` | a log that may not be opened (setpriv, for root) |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

mod accessibility;
#[cfg(feature = "secure")]
mod acme;
mod channels_page;
mod chat_basics;
mod chat_breaks;
mod chat_browser;
mod chat_page;
mod chat_plain;
mod chat_silence;
mod class_page;
mod closed_streams;
mod colored_pages;
mod curl;
mod examples;
mod firefox;
mod first_paint;
mod follow_element;
mod foreign_clients;
mod generated;
mod helpers;
mod hidden_frame;
mod html_libraries;
mod languages_page;
mod log_page;
mod lost_packets;
mod mailbox_page;
mod many_addresses;
mod monitoring;
mod npm_package;
mod openapi;
#[cfg(feature = "secure")]
mod openssl;
mod package;
mod page_states;
mod page_tabs;
mod pages;
mod pages_live;
mod parsers;
mod permissions;
mod probe_page;
mod probes;
mod proxies;
#[cfg(feature = "secure")]
mod proxies_with_tls;
mod proxy_below_path;
mod service;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "tests/it uses all of it, and would warn")]
mod support;
#[cfg(feature = "secure")]
mod token_page;
#[cfg(feature = "secure")]
mod twenty_tabs;
mod unix_socket;
mod wire_faults;
mod wire_labels;
mod wire_page;
mod wire_view;
mod wrong_clock;
