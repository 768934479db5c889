//! TLS without sockets: records in, text out, and the other way round.
//!
//! rustls' unbuffered API leaves all buffers to its caller. Each is here as long as there is something in
//! it: a connection that is idle has none. (rustls' own buffers take 4 KiB of each idle connection.)
//!
//! A session does not know its socket. Whoever has that, hyper's connection or a crowd, lends it a way to read
//! or to write, and a session goes from the one to the other as it is.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic,
};

use crate::limits;

/// The most text that fits a record (RFC 8446, section 5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// What a record is longer than its text, at most: header, content type, tag and nonce of the suites
/// that there are.
pub(super) const RECORD_OVERHEAD: usize = 5 + 1 + 16 + 8;

/// The size of an alert (RFC 8446, section 6).
const ALERT_BYTES: usize = 2;

/// The server's side of one TLS connection.
pub(in crate::server) struct TlsSession {
    rustls: UnbufferedServerConnection,
    /// What has come and is no whole record yet.
    incoming: Vec<u8>,
    /// The text that has come and has not been read, from `read` on.
    text: Vec<u8>,
    read: usize,
    /// The records that have not been sent, from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// Whether the client sends nothing more: it has said so, or left without a word, as many do.
    has_ended: bool,
    /// Whether this side has said so.
    has_closed: bool,
}

impl TlsSession {
    /// A connection that has just been accepted.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<TlsSession, rustls::Error> {
        Ok(TlsSession {
            rustls: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            text: Vec::new(),
            read: 0,
            outgoing: Vec::new(),
            sent: 0,
            has_ended: false,
            has_closed: false,
        })
    }

    /// Reads once from the client, and takes in what has come. Returns the number of bytes that have.
    ///
    /// # Errors
    /// That of `read`; or [`io::ErrorKind::InvalidData`] when that is no TLS: then an alert is to be sent.
    pub(super) fn receive(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut piece = [0; limits::TLS_READ_BYTES];
        let came = read(&mut piece)?;
        if came == 0 {
            self.has_ended = true;
            return Ok(0);
        }
        self.incoming.extend_from_slice(&piece[..came]);
        self.advance(|_, _| ())?;
        if self.incoming.is_empty() {
            self.incoming = Vec::new();
        }
        Ok(came)
    }

    /// Reads once from a client that is not listened to any more, and throws away what it says. Returns
    /// the number of bytes that have come; 0 when it sends nothing more.
    ///
    /// # Errors
    /// Those of [`TlsSession::receive`].
    pub(in crate::server) fn ignore(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.has_ended {
            return Ok(0);
        }
        let came = self.receive(read)?;
        self.forget_text();
        Ok(if self.has_ended { 0 } else { came })
    }

    /// Whether the handshake is over: text may be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.rustls.is_handshaking()
    }

    /// The protocol inside that both sides have agreed on, if they have.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.rustls.alpn_protocol()
    }

    /// Whether the client sends nothing more.
    pub(in crate::server) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The text that has come and has not been read.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[self.read..]
    }

    /// So much of the text has been read.
    pub(super) fn consume(&mut self, bytes: usize) {
        consume(&mut self.text, &mut self.read, bytes);
    }

    /// The text that has come and has not been read will not be.
    pub(in crate::server) fn forget_text(&mut self) {
        (self.text, self.read) = (Vec::new(), 0);
    }

    /// Sends what has not been sent, and then `text`, a short record at a time, until `send` takes no
    /// more. Returns how much of the text is in records, the last of which may be unsent.
    ///
    /// # Errors
    /// That of `send`, [`io::ErrorKind::WouldBlock`] only while nothing of the text is in a record; or
    /// when the connection cannot be written to any more.
    pub(in crate::server) fn write(
        &mut self,
        text: &[u8],
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut written = 0;
        loop {
            match self.flush(&mut send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && written > 0 => break,
                flushed => flushed?,
            }
            let rest = &text[written..];
            if rest.is_empty() {
                break;
            }
            written += self.encrypt(&rest[..rest.len().min(limits::TLS_RECORD_BYTES)])?;
        }
        Ok(written)
    }

    /// Sends what has not been sent.
    fn flush(&mut self, send: &mut impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while self.has_unsent() {
            match send(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => consume(&mut self.outgoing, &mut self.sent, sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes a record of the beginning of `text`. Returns how much of it that is.
    ///
    /// # Errors
    /// When the connection cannot be written to any more.
    pub(super) fn encrypt(&mut self, text: &[u8]) -> io::Result<usize> {
        let text = &text[..text.len().min(RECORD_BYTES)];
        let mut sent = Err(io::ErrorKind::NotConnected.into());
        self.advance(|traffic, outgoing| {
            let room = text.len() + RECORD_OVERHEAD;
            sent = append(outgoing, room, |records| traffic.encrypt(text, records));
        })?;
        sent.map(|()| text.len())
    }

    /// Says that this side sends nothing more.
    ///
    /// # Errors
    /// When the connection cannot be written to any more.
    pub(in crate::server) fn close(&mut self) -> io::Result<()> {
        if self.has_closed || self.rustls.is_handshaking() {
            return Ok(());
        }
        self.has_closed = true;
        let mut said = Ok(());
        self.advance(|traffic, outgoing| {
            let room = ALERT_BYTES + RECORD_OVERHEAD;
            said = append(outgoing, room, |records| {
                traffic.queue_close_notify(records)
            });
        })?;
        said
    }

    /// Whether there are records that have not been sent.
    pub(in crate::server) fn has_unsent(&self) -> bool {
        self.sent < self.outgoing.len()
    }

    /// The size of all buffers.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.incoming.capacity() + self.text.capacity() + self.outgoing.capacity()
    }

    /// Takes in what has come, as far as it is whole, and then does `with` if text may be sent.
    fn advance(
        &mut self,
        with: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>, &mut Vec<u8>),
    ) -> io::Result<()> {
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.rustls.process_tls_records(&mut self.incoming);
            let is_done = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        discard += record.discard;
                        self.text.extend_from_slice(record.payload);
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.outgoing, 0, |records| data.encode(records))?;
                    false
                }
                // It is sent before everything that comes later.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.has_ended = true;
                    false
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    with(&mut traffic, &mut self.outgoing);
                    self.incoming.drain(..discard);
                    return Ok(());
                }
                // More has to come, or nothing comes. (A server that takes no early data has no other
                // state.)
                Ok(_) => true,
                Err(error) => {
                    self.incoming.clear();
                    self.take_alert();
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            };
            self.incoming.drain(..discard);
            if is_done {
                return Ok(());
            }
        }
    }

    /// What is to be said to the client after an error.
    fn take_alert(&mut self) {
        while let Ok(ConnectionState::EncodeTlsData(mut data)) =
            self.rustls.process_tls_records(&mut []).state
        {
            if append(&mut self.outgoing, 0, |records| data.encode(records)).is_err() {
                return;
            }
        }
    }
}

/// Appends what `write` writes, in as much room as that needs.
fn append<E: Into<Refused>>(
    records: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> io::Result<()> {
    let before = records.len();
    loop {
        records.resize(before + room, 0);
        let (written, again) = match write(&mut records[before..]).map_err(Into::into) {
            Ok(written) => (written, None),
            Err(refused) => (0, Some(refused)),
        };
        records.truncate(before + written);
        match again {
            None => return Ok(()),
            Some(Refused::Room(needed)) if needed > room => room = needed,
            Some(_) => return Err(io::Error::other("the keys of the connection are used up")),
        }
    }
}

/// Why nothing was written.
enum Refused {
    /// So much room is needed.
    Room(usize),
    Exhausted,
}

impl From<EncodeError> for Refused {
    fn from(error: EncodeError) -> Refused {
        match error {
            EncodeError::InsufficientSize(size) => Refused::Room(size.required_size),
            EncodeError::AlreadyEncoded => Refused::Exhausted,
        }
    }
}

impl From<EncryptError> for Refused {
    fn from(error: EncryptError) -> Refused {
        match error {
            EncryptError::InsufficientSize(size) => Refused::Room(size.required_size),
            EncryptError::EncryptExhausted => Refused::Exhausted,
        }
    }
}

/// So many bytes of a buffer are done with, which begins at `done`.
fn consume(buffer: &mut Vec<u8>, done: &mut usize, bytes: usize) {
    *done += bytes;
    if *done >= buffer.len() {
        (*buffer, *done) = (Vec::new(), 0);
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}
