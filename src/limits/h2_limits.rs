//! Bounds of HTTP/2.

use super::{HEAD_BYTES_MAX, KIB};

/// Requests of a connection that are open at the same time, streams included: as many as RFC 9113 (section
/// 6.5.2) wants at least. Each counts among `--max-connections` besides.
pub const H2_STREAMS_MAX: u32 = 100;

/// What a client may send of one body before it is read here: the most that is held for one upload.
pub const H2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;

/// What a client may send of all bodies of a connection before they are read here.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// Longest head of a request as HTTP/2 counts it, with 32 bytes for each line (RFC 9113, section 6.5.2):
/// one of [`HEAD_BYTES_MAX`] in lines of more than 32 bytes fits.
pub const H2_HEAD_BYTES_MAX: u32 = 40 * 1024;

/// The most of an answer that is written in one piece: a client that reads slowly shows between two
/// pieces that it does.
pub const H2_PIECE_BYTES: usize = 16 * KIB;

const _: () = assert!(2 * HEAD_BYTES_MAX <= H2_HEAD_BYTES_MAX as usize);
