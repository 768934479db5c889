//! Fills the log of this server by one `PUT`, with a line for each message.

use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::{Result, http, message};

/// Appends the messages with these numbers to a channel.
pub(crate) fn upload(addr: SocketAddr, channel: &str, numbers: RangeInclusive<u64>) -> Result<()> {
    let count = numbers.end() + 1 - numbers.start();
    let bytes = count * (message::BYTES as u64 + 1);
    let mut socket = http::connect(addr)?;
    let mut writer = BufWriter::with_capacity(1 << 16, &socket);
    let head = http::head("PUT", &format!("/c/{channel}"), "", bytes);
    writer.write_all(head.as_bytes())?;
    for number in numbers {
        writer.write_all(message::line(number).as_bytes())?;
    }
    writer.flush()?;
    drop(writer);
    let answer: Value = serde_json::from_slice(&http::exchange(&mut socket, b"", 201)?)?;
    if answer["count"] == count {
        Ok(())
    } else {
        Err(format!("{count} messages were uploaded, but the answer is {answer}").into())
    }
}
