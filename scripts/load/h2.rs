//! As much of HTTP/2 as it takes to follow one stream on a connection (RFC 9113). Does no IO.

use crate::Result;

/// The frames that are read (section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// The flags of a frame.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The largest window (section 6.9.1): more than a follower reads.
const WINDOW: u32 = (1 << 31) - 1;

/// `:status: 200` in the static table of HPACK (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;

/// What the server says.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// The head of the answer, which is 200.
    Head,
    /// A part of the body; whether a frame begins with it.
    Data(&'a [u8], bool),
    /// The end of the body.
    End,
}

/// The state of reading one connection.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The part of a frame's head that has come so far, or of the payload of one that is no data.
    held: Vec<u8>,
    /// The kind and the flags of the frame whose payload comes now, and how much of that is to come.
    payload: Option<(u8, u8, usize)>,
}

/// What a client sends first: the preface, its settings, and the request for a path.
pub(crate) fn request(path: &str) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE
    let settings = [&[0, 4][..], &WINDOW.to_be_bytes()].concat();
    bytes.extend(frame(SETTINGS, 0, 0, &settings));
    let more = WINDOW - 65_535;
    bytes.extend(frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes()));
    // The method GET and the scheme https are in the static table; :path and :authority are its names.
    let mut head = vec![0x82, 0x87];
    for (name, value) in [(0x04, path), (0x01, "localhost")] {
        head.push(name);
        // A length of seven bits, without Huffman's code.
        head.push(u8::try_from(value.len()).unwrap_or(0x7e).min(0x7e));
        head.extend_from_slice(value.as_bytes());
    }
    bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &head));
    bytes
}

/// The first field of an answer's head, after changes of the table's size (RFC 7541, section 6.3).
fn status(head: &[u8]) -> Option<u8> {
    head.iter().copied().find(|byte| byte & 0xe0 != 0x20)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

impl Frames {
    /// Reads the bytes that have come, and passes what they say to `said`. Returns what is to be answered.
    pub(crate) fn read(
        &mut self,
        mut bytes: &[u8],
        mut said: impl FnMut(Said<'_>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        const HEAD: usize = 9;
        let mut answers = Vec::new();
        while !bytes.is_empty() {
            let Some((kind, flags, left)) = self.payload else {
                let used = (HEAD - self.held.len()).min(bytes.len());
                self.held.extend_from_slice(&bytes[..used]);
                bytes = &bytes[used..];
                if let [a, b, c, kind, flags, ..] = self.held[..]
                    && self.held.len() == HEAD
                {
                    self.held.clear();
                    let length = u32::from_be_bytes([0, a, b, c]) as usize;
                    if kind == DATA {
                        said(Said::Data(&[], true))?;
                    }
                    self.advance(kind, flags, length, &mut answers, &mut said)?;
                }
                continue;
            };
            let used = left.min(bytes.len());
            let (part, rest) = bytes.split_at(used);
            bytes = rest;
            if kind == DATA {
                said(Said::Data(part, false))?;
            } else {
                self.held.extend_from_slice(part);
            }
            self.advance(kind, flags, left - used, &mut answers, &mut said)?;
        }
        Ok(answers)
    }

    /// Goes on with a frame of which so much is to come; one that is whole is done.
    fn advance(
        &mut self,
        kind: u8,
        flags: u8,
        left: usize,
        answers: &mut Vec<u8>,
        said: &mut impl FnMut(Said<'_>) -> Result<()>,
    ) -> Result<()> {
        if left > 0 {
            self.payload = Some((kind, flags, left));
            return Ok(());
        }
        self.payload = None;
        let payload = std::mem::take(&mut self.held);
        match kind {
            HEADERS if status(&payload) == Some(STATUS_200) => said(Said::Head)?,
            HEADERS => return Err("a request over HTTP/2 was not answered 200".into()),
            SETTINGS if flags & ACK == 0 => answers.extend(frame(SETTINGS, ACK, 0, &[])),
            PING if flags & ACK == 0 => answers.extend(frame(PING, ACK, 0, &payload)),
            RST_STREAM | GOAWAY => {
                return Err(format!("the server has ended a stream of HTTP/2: {payload:?}").into());
            }
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            said(Said::End)?;
        }
        Ok(())
    }
}
