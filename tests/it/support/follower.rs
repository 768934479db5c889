//! A follower that comes back.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use super::client::try_send;
use super::soon;
use super::wires::{Reader, Said, Stream};

/// Follows some channels, and goes on with its cursor when its stream ends or breaks.
pub(crate) struct Follower {
    addr: SocketAddr,
    pub(crate) wire: &'static str,
    pub(crate) channels: Vec<&'static str>,
    pub(crate) cursor: String,
    /// What its requests say on top, and how long it rests between them.
    pub(crate) query: String,
    pub(crate) rest: Duration,
    /// The messages and gaps that count: all up to the cursor.
    pub(crate) said: Vec<Said>,
    /// Every life of the log that it was told of.
    pub(crate) epochs: Vec<String>,
    /// What it waits for in each of its channels, and in how many it has come.
    last: String,
    lasts: usize,
    /// How often its stream broke off.
    pub(crate) breaks: usize,
    /// What a stream of text said before it broke off, without telling a cursor.
    unsure: Vec<Said>,
}

impl Follower {
    /// From the beginning.
    pub(crate) fn new(addr: SocketAddr, wire: &'static str, channels: &[&'static str]) -> Follower {
        Follower {
            addr,
            wire,
            channels: channels.to_vec(),
            cursor: "0".to_owned(),
            query: String::new(),
            rest: Duration::ZERO,
            said: Vec::new(),
            epochs: Vec::new(),
            last: String::new(),
            lasts: 0,
            breaks: 0,
            unsure: Vec::new(),
        }
    }

    /// Follows until this has come in each of its channels.
    pub(crate) async fn until(mut self, last: &str) -> Follower {
        last.clone_into(&mut self.last);
        while !self.is_done() {
            if self.stream().await.is_err() {
                // Nobody is there, or it broke off.
                sleep(Duration::from_millis(5)).await;
            }
            sleep(self.rest).await;
        }
        self
    }

    fn is_done(&self) -> bool {
        self.lasts == self.channels.len()
    }

    /// One stream to its end.
    async fn stream(&mut self) -> io::Result<()> {
        // Lines of text have no cursor: only the end of a stream has, so it must end.
        let ends = match self.wire {
            "text" => "&timeout=250ms",
            _ => "&heartbeat=1s",
        };
        let Follower {
            wire,
            cursor,
            query,
            ..
        } = &*self;
        let channels = self.channels.join(",");
        let request = format!("GET /c/{channels}?as={wire}&since={cursor}{ends}{query}");
        let response = soon(try_send(self.addr, &request, b"")).await?;
        if response.status == 503 {
            return Err(io::Error::other("not now"));
        }
        assert_eq!(response.status, 200, "{request}");
        let (epoch, _) = response.header("stream-cursor").split_once('-').unwrap();
        if self.epochs.last().is_none_or(|last| last != epoch) {
            self.epochs.push(epoch.to_owned());
        }
        let mut stream = Stream {
            response,
            reader: Reader::new(self.wire),
            said: Vec::new(),
        };
        loop {
            let more = stream.read().await;
            if self.wire != "text" {
                for said in stream.said.drain(..) {
                    self.take(said);
                }
            }
            match more {
                Ok(true) if self.is_done() => return Ok(()),
                Ok(true) => {}
                Ok(false) => {
                    // It has said its cursor: all of it counts.
                    self.same_text_again(&stream.said);
                    self.unsure.clear();
                    stream.said.into_iter().for_each(|said| self.take(said));
                    return Ok(());
                }
                Err(error) => {
                    self.breaks += 1;
                    if self.wire == "text" {
                        self.same_text_again(&stream.said);
                        if stream.said.len() > self.unsure.len() {
                            self.unsure = stream.said;
                        }
                    }
                    return Err(error);
                }
            }
        }
    }

    /// What has been said once behind this cursor is said again in the same way, unless it is gone
    /// by now.
    fn same_text_again(&self, said: &[Said]) {
        let is_gap = |said: &Said| matches!(said, Said::Gap(..));
        let is_message = |said: &&Said| matches!(said, Said::Message(_));
        if said.iter().any(is_gap) || self.unsure.iter().any(is_gap) {
            return;
        }
        let before = self.unsure.iter().filter(is_message);
        for (before, now) in before.zip(said.iter().filter(is_message)) {
            assert_eq!(before, now, "{} changed", self.cursor);
        }
    }

    fn take(&mut self, said: Said) {
        match &said {
            Said::Message(message) if !message.cursor.is_empty() => {
                self.cursor.clone_from(&message.cursor);
            }
            Said::Gap(_, _, cursor) | Said::End(cursor, _) => self.cursor.clone_from(cursor),
            _ => {}
        }
        let is_last = matches!(&said, Said::Message(message) if message.data == self.last);
        self.lasts += usize::from(is_last);
        if matches!(said, Said::Message(_) | Said::Gap(..)) {
            self.said.push(said);
        }
    }

    pub(crate) fn gaps(&self) -> usize {
        let is_gap = |said: &&Said| matches!(said, Said::Gap(..));
        self.said.iter().filter(is_gap).count()
    }
}
