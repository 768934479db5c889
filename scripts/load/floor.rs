//! The floor of fan-out: one thread, one epoll, and one `write` of the framed message to each
//! socket, with only as much HTTP as tells followers from publishers.
//!
//! A channel is its bytes as they go over the wire, and a follower is an offset in them: so a follower
//! whose socket is full misses nothing, and continues when there is room.

use std::collections::HashMap;
use std::env::current_exe;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::Command;

use memchr::{memchr_iter, memmem};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::scratch::Scratch;
use crate::server::Server;
use crate::{Result, http};

const LISTENER: Token = Token(usize::MAX);
const BUFFER: usize = 256 * 1024;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";

/// The framed messages of a channel, and the keys of the connections that follow it.
#[derive(Default)]
struct Channel {
    bytes: Vec<u8>,
    followers: Vec<usize>,
}

struct Connection {
    socket: TcpStream,
    /// The part of a request that has come so far.
    held: Vec<u8>,
    /// The channel that the connection follows, if it follows one.
    follows: Option<String>,
    /// How many of the channel's bytes have been written.
    written: usize,
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
    channels: HashMap<String, Channel>,
    buffer: Vec<u8>,
}

/// Starts the floor: this program again, as another process.
pub(crate) fn start(_scratch: &Scratch, _program: &Path) -> Result<Server> {
    Server::start(Command::new(current_exe()?).arg("--as-floor"))
}

/// Prints where it listens, and serves until it is killed.
pub(crate) fn serve() -> Result<()> {
    let poll = Poll::new()?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("floor listening on http://{}", listener.local_addr()?);
    let mut floor = Floor {
        poll,
        listener,
        connections: Slab::new(),
        channels: HashMap::new(),
        buffer: vec![0; BUFFER],
    };
    let mut events = Events::with_capacity(1024);
    loop {
        floor.poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => floor.accept()?,
                Token(key) if event.is_readable() => floor.read(key),
                Token(key) => floor.write(key),
            }
        }
    }
}

impl Floor {
    fn accept(&mut self) -> Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            socket.set_nodelay(true)?;
            let entry = self.connections.vacant_entry();
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut socket, Token(entry.key()), both)?;
            entry.insert(Connection {
                socket,
                held: Vec::new(),
                follows: None,
                written: 0,
            });
        }
    }

    /// Reads what has come; closes a connection that has ended or whose request is wrong.
    fn read(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        loop {
            match connection.socket.read(&mut self.buffer) {
                Ok(n @ 1..) => connection.held.extend_from_slice(&self.buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => return self.close(key),
            }
        }
        let request = std::mem::take(&mut connection.held);
        match self.request(key, &request) {
            Ok(true) => {}
            Ok(false) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.held = request;
                }
            }
            Err(_) => self.close(key),
        }
    }

    /// Answers a request; returns false if more of it is to come.
    fn request(&mut self, key: usize, request: &[u8]) -> Result<bool> {
        let Some(end) = memmem::find(request, b"\r\n\r\n") else {
            return Ok(false);
        };
        let (head, body) = request.split_at(end + 4);
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let mut parts = str::from_utf8(path)?.splitn(3, '/').skip(1);
        let (Some(act), Some(name)) = (parts.next(), parts.next()) else {
            return Err("no such path".into());
        };
        if act == "append" {
            if body.len() < length(head)? {
                return Ok(false);
            }
            self.append(key, name, body)?;
        } else {
            self.follow(key, name)?;
        }
        Ok(true)
    }

    fn follow(&mut self, key: usize, name: &str) -> Result<()> {
        let channel = self.channels.entry(name.to_owned()).or_default();
        channel.followers.push(key);
        let connection = &mut self.connections[key];
        connection.follows = Some(name.to_owned());
        connection.socket.write_all(HEAD)?;
        self.write(key);
        Ok(())
    }

    fn append(&mut self, key: usize, name: &str, body: &[u8]) -> Result<()> {
        self.connections[key].socket.write_all(CREATED)?;
        let channel = self.channels.entry(name.to_owned()).or_default();
        write!(channel.bytes, "{:x}\r\n", body.len())?;
        channel.bytes.extend_from_slice(body);
        channel.bytes.extend_from_slice(b"\r\n");
        for key in &channel.followers {
            self.connections[*key].write(&channel.bytes);
        }
        Ok(())
    }

    fn write(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key)
            && let Some(name) = &connection.follows
            && let Some(channel) = self.channels.get(name)
        {
            connection.write(&channel.bytes);
        }
    }

    fn close(&mut self, key: usize) {
        if let Some(connection) = self.connections.try_remove(key)
            && let Some(name) = connection.follows
            && let Some(channel) = self.channels.get_mut(&name)
        {
            channel.followers.retain(|follower| *follower != key);
        }
    }
}

impl Connection {
    /// Writes the bytes that are not written yet, as far as there is room. An error shows again when
    /// the socket is read.
    fn write(&mut self, bytes: &[u8]) {
        while self.written < bytes.len() {
            match self.socket.write(&bytes[self.written..]) {
                Ok(n) => self.written += n,
                Err(_) => return,
            }
        }
    }
}

/// The length of a request's body.
fn length(head: &[u8]) -> Result<usize> {
    let mut from = 0;
    for end in memchr_iter(b'\n', head) {
        if let Some(length) = http::content_length_of(head[from..end].trim_ascii())? {
            return Ok(length);
        }
        from = end + 1;
    }
    Ok(0)
}
