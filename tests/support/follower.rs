//! A follower that comes back whenever its stream ends.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

use super::client::try_send;
use super::soon;
use super::wires::{Stream, StreamEvent, StreamReader};

/// Follows some channels, and goes on with its cursor when its stream ends or breaks.
pub(crate) struct Follower {
    addr: SocketAddr,
    pub(crate) wire: &'static str,
    pub(crate) channels: Vec<&'static str>,
    pub(crate) cursor: String,
    /// A further part of the query of each request.
    pub(crate) query: String,
    /// The pause between two requests.
    pub(crate) rest: Duration,
    /// The messages and gaps that count, which are all up to the cursor.
    pub(crate) said: Vec<StreamEvent>,
    /// Every epoch of the log that a stream has told.
    pub(crate) epochs: Vec<String>,
    /// The text for which the follower waits in each of its channels.
    last: String,
    /// The number of channels in which that text has come.
    lasts: usize,
    /// The number of streams that broke off.
    pub(crate) breaks: usize,
    /// What a `text` stream said before it broke off, without telling a cursor.
    unsure: Vec<StreamEvent>,
}

impl Follower {
    /// A follower that begins at the beginning of the log.
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

    /// Follows until this text has come in each channel.
    pub(crate) async fn until(mut self, last: &str) -> Follower {
        last.clone_into(&mut self.last);
        while !self.is_done() {
            if self.stream().await.is_err() {
                // No server is there, or the stream broke off.
                sleep(Duration::from_millis(5)).await;
            }
            sleep(self.rest).await;
        }
        self
    }

    fn is_done(&self) -> bool {
        self.lasts == self.channels.len()
    }

    /// Reads one stream to its end.
    async fn stream(&mut self) -> io::Result<()> {
        // Lines of text have no cursor: only the end of a stream has, so it must end.
        let ends = match self.wire {
            "text" => "&timeout=250ms&names=0",
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
        let Some((epoch, _)) = response.header("log-cursor").split_once('-') else {
            // This answer only says when to come back, with a status that an EventSource survives.
            assert_eq!(self.wire, "sse");
            return Err(io::Error::other("the server is stopping"));
        };
        if self.epochs.last().is_none_or(|last| last != epoch) {
            self.epochs.push(epoch.to_owned());
        }
        let mut stream = Stream {
            response,
            reader: StreamReader::new(self.wire),
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
                    // The stream has told its cursor, so all of it counts.
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

    /// Checks that what a `text` stream once said after this cursor is said again in the same way,
    /// unless it has expired by now.
    fn same_text_again(&self, said: &[StreamEvent]) {
        let is_gap = |said: &StreamEvent| matches!(said, StreamEvent::Gap(..));
        let is_message = |said: &&StreamEvent| matches!(said, StreamEvent::Message(_));
        if said.iter().any(is_gap) || self.unsure.iter().any(is_gap) {
            return;
        }
        let before = self.unsure.iter().filter(is_message);
        for (before, now) in before.zip(said.iter().filter(is_message)) {
            assert_eq!(before, now, "{} changed", self.cursor);
        }
    }

    fn take(&mut self, said: StreamEvent) {
        match &said {
            StreamEvent::Message(message) if !message.cursor.is_empty() => {
                self.cursor.clone_from(&message.cursor);
            }
            StreamEvent::Gap(_, _, cursor) | StreamEvent::End(cursor, _) => {
                self.cursor.clone_from(cursor);
            }
            _ => {}
        }
        let is_last = matches!(&said, StreamEvent::Message(message) if message.data == self.last);
        self.lasts += usize::from(is_last);
        if matches!(said, StreamEvent::Message(_) | StreamEvent::Gap(..)) {
            self.said.push(said);
        }
    }

    pub(crate) fn gaps(&self) -> usize {
        let is_gap = |said: &&StreamEvent| matches!(said, StreamEvent::Gap(..));
        self.said.iter().filter(is_gap).count()
    }
}
