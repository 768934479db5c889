//! Bounds of TLS.

use std::time::Duration;

use super::{KIB, SMALL_ANSWER_BYTES};

/// How long a client may take for the handshake: a few round trips, and a moment of work.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Handshakes that go on at the same time. Each takes about 10 KiB, and up to 80 KiB for a client that
/// sends a long one slowly. When there are more, the one that began first makes room, so that those who
/// say nothing keep nobody out.
pub const HANDSHAKES_MAX: usize = 1024;

/// What is read at once from a client that speaks TLS: most records of requests, and a quarter of the
/// longest.
pub const TLS_READ_BYTES: usize = 4 * KIB;

/// The most text of a record that a stream writes. What its socket does not take of a record is kept,
/// since it cannot be made again, and not counted, as a small answer is ([`SMALL_ANSWER_BYTES`]). Each
/// record takes 22 to 29 bytes and a call of the system besides: a history is sent with a quarter more CPU
/// time than in records of 16 KiB.
pub const TLS_RECORD_BYTES: usize = 4 * KIB;

/// How often the files of the certificate are looked at, to see whether they have changed. They are a
/// few KiB, and a certificate is renewed days before it expires.
pub const CERTIFICATE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The authority that is asked for certificates unless `--acme-directory` says otherwise: Let's Encrypt.
pub const ACME_DIRECTORY_DEFAULT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Longest file of a certificate or key: a chain of many certificates is far shorter.
pub const CERTIFICATE_FILE_BYTES_MAX: u64 = 1024 * 1024;

const _: () = assert!(
    TLS_RECORD_BYTES <= SMALL_ANSWER_BYTES,
    "what is unsent of a record is not counted"
);
