//! Writing to a standard stream that may take its time.

use std::io::{self, ErrorKind, Write};
use std::thread;

use crate::limits;

/// What is left when a standard stream has refused a write.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unwritten {
    /// Why the write was refused.
    pub error: io::Error,
    /// The number of bytes at the end that were not written.
    pub rest: usize,
}

/// Writes all bytes, and waits for as long as that takes. Also a stream that another program has made
/// non-blocking is waited for: a terminal or a pipe may be shared with one.
///
/// # Errors
/// When the stream refuses the bytes: nobody can read them any more, or a disk is full.
pub fn write_all(out: &mut impl Write, bytes: &[u8]) -> Result<(), Unwritten> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => {
                let error = ErrorKind::WriteZero.into();
                return Err(Unwritten {
                    error,
                    rest: rest.len(),
                });
            }
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(limits::STANDARD_STREAM_PAUSE);
            }
            Err(error) => {
                return Err(Unwritten {
                    error,
                    rest: rest.len(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that answers each write with the next of these.
    struct Scripted(Vec<io::Result<usize>>, Vec<u8>);

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let written = self.0.remove(0)?.min(bytes.len());
            self.1.extend(&bytes[..written]);
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Interruptions, full pipes and partial writes lose nothing; a refusal says what is left.
    #[test]
    fn write_all_waits_and_says_what_is_left() {
        let later = || Err(ErrorKind::WouldBlock.into());
        let mut out = Scripted(
            vec![
                Ok(1),
                later(),
                Err(ErrorKind::Interrupted.into()),
                later(),
                Ok(9),
            ],
            Vec::new(),
        );
        write_all(&mut out, b"line\n").unwrap();
        assert_eq!(out.1, b"line\n");
        let mut out = Scripted(vec![Ok(2), Err(ErrorKind::BrokenPipe.into())], Vec::new());
        assert_eq!(write_all(&mut out, b"line\n").unwrap_err().rest, 3);
    }
}
