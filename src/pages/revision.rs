//! What tells one content of a file or a page from another: hashes that stand in addresses and `ETag`s.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use super::BUILT_IN;

/// The address under which the built-in files are found whatever their revision.
pub const FILES: &str = "/files/";

/// The bytes of a hash that stand in an address or a tag: nobody gains by making two contents that have
/// the same.
const HASH_BYTES: usize = 8;

/// Returns the tag of a content.
#[must_use]
pub fn content_tag(bytes: &[u8]) -> String {
    short_hex(&Sha256::digest(bytes))
}

/// Returns the address of the directory of the built-in files, in which the hash of them all stands. So
/// a module finds the files that it imports in the same revision.
pub(super) fn address() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| {
        let mut hash = Sha256::new();
        for (name, bytes) in BUILT_IN {
            hash.update(name.as_bytes());
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        }
        format!("{FILES}{}/", short_hex(&hash.finalize()))
    });
    &ADDRESS
}

fn short_hex(hash: &[u8]) -> String {
    hash.iter()
        .take(HASH_BYTES)
        .fold(String::new(), |mut hex, byte| {
            // Writing into a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
