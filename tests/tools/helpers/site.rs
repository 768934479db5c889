//! The pages of the server, for the tests that look at each of them.

use std::net::SocketAddr;

use super::browser::Browser;
use crate::support::client::{post, send};

/// Each page, and each kind of it; those of a channel show what [`fill`] puts there.
pub(crate) const PAGES: [&str; 26] = [
    "/",
    "/?class=1",
    "/receiver",
    "/receiver/live",
    "/sender",
    "/events",
    "/clock",
    "/mailbox",
    "/frame",
    "/wire",
    "/probe",
    "/docs/",
    "/docs/protocol",
    "/docs/run",
    "/example",
    "/c/",
    "/c/main",
    "/c/main,colors",
    "/c/closed",
    "/c/long",
    "/c/main?as=html",
    "/c/main?since=zz-9",
    "/nothing",
    "/c/!",
    "/chat/login",
    "/chat/register",
];

/// Puts something into the channels that the pages show.
pub(crate) async fn fill(addr: SocketAddr) {
    post(addr, "/c/main", "one").await;
    post(addr, "/c/colors", "\x1b[31mred \x1b[44mon blue\x1b[0m").await;
    post(addr, "/c/closed?close=1", "last").await;
    let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    send(addr, "PUT /c/long", lines.join("\n").as_bytes()).await;
}

/// What a page still waits for that has not come to rest, in words; nothing if it has.
const WAITS: &str = "
    const all = css => [...document.querySelectorAll(css)];
    const has = css => document.querySelector(css) !== null;
    // A page whose stream goes on is never loaded; then a quiet second is told by an element.
    if (document.readyState === 'loading' && !has('.lines i')) return 'what it is made of';
    if (all('[role=status], #state').some(e => e.dataset.state === 'connecting' || /^(connecting|正在连接|连接)/.test(e.textContent))) return 'its stream';
    if (has('[data-state=connecting]')) return 'a panel';
    if (has('#verdict:not([data-fine])')) return 'the verdict';
    if (document.fonts.status !== 'loaded') return 'a font';
    return ''";

/// Calls back when two more frames have been shown, so that what has changed is seen.
const TWO_FRAMES: &str = "
    const done = arguments[arguments.length - 1];
    requestAnimationFrame(() => requestAnimationFrame(() => done(true)))";

impl Browser {
    /// Waits until a page has come to rest: it is there, its stream is open, and all of it has been painted.
    pub(crate) async fn settles(&self, path: &str) {
        self.find("body").await;
        crate::support::eventually(&format!("{path} comes to rest"), async || {
            let waits = self.execute(WAITS).await;
            (waits == "")
                .then_some(())
                .ok_or(format!("it waits for {waits}"))
        })
        .await;
        self.execute_async(TWO_FRAMES).await;
    }
}
