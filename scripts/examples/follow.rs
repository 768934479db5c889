//! Follows a channel and goes on where it was, also after a break: follow HOST:PORT CHANNEL [FILE]
//!
//! FILE keeps the cursor. It needs nothing but Rust: rustc --edition 2024 follow.rs

use std::io::{BufRead, BufReader, Error, Result, Write};
use std::{env, fs, net::TcpStream, process, thread, time::Duration};

fn main() {
    let args: Vec<String> = env::args().collect();
    let [_, addr, channel, rest @ ..] = &args[..] else {
        eprintln!("follow HOST:PORT CHANNEL [FILE]");
        process::exit(2);
    };
    let file = rest.first().map_or("cursor", |file| file);
    loop {
        match follow(addr, channel, file) {
            Ok(is_closed) if is_closed => return,
            Ok(_) => {}
            Err(error) => eprintln!("the connection broke: {error}"),
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// Prints messages until the stream ends; returns whether the channel is closed.
fn follow(addr: &str, channel: &str, file: &str) -> Result<bool> {
    let mut stream = TcpStream::connect(addr)?;
    // A heartbeat comes every 15 s, so silence means that the connection is gone.
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    write!(stream, "GET /c/{channel}?as=sse HTTP/1.0\r\nHost: {addr}\r\n")?;
    if let Ok(cursor) = fs::read_to_string(file) {
        write!(stream, "Last-Event-ID: {cursor}\r\n")?;
    }
    write!(stream, "\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    match status.split(' ').nth(1) {
        Some("200") => {}
        Some("204") => return Ok(true),
        _ => return Err(Error::other(status)),
    }
    let (mut id, mut event, mut data) = (String::new(), String::new(), Vec::new());
    // After the header, whose lines look like none of an event.
    for line in lines.skip_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())) {
        match line?.split_once(": ") {
            Some(("id", text)) => id = text.to_owned(),
            Some(("event", text)) => event = text.to_owned(),
            Some(("data", text)) => data.push(text.to_owned()),
            Some(_) => {}
            None if data.is_empty() => {}
            None => {
                let text = std::mem::take(&mut data).join("\n");
                match &*std::mem::take(&mut event) {
                    "live" | "closed" => {}
                    "gap" => eprintln!("messages are missing: {text}"),
                    "end" if text.contains(r#""closed""#) => return Ok(true),
                    "end" => return Ok(false),
                    _ => println!("{text}"),
                }
                // When the message has been dealt with: what is interrupted comes once more.
                fs::write(file, &id)?;
            }
        }
    }
    Ok(false)
}
