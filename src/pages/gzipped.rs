//! Files and pages compressed by gzip, each once.

use std::io::Write as _;
use std::num::NonZeroUsize;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use lru::LruCache;
use parking_lot::Mutex;

use crate::limits;

/// The contents that were asked for last, by their tags. `None` stands for one that does not become
/// smaller.
#[derive(Debug)]
pub(super) struct Gzipped {
    by_tag: Mutex<LruCache<String, Option<Bytes>>>,
}

impl Gzipped {
    pub(super) fn new() -> Gzipped {
        let max = NonZeroUsize::new(limits::GZIPPED_CONTENTS_MAX).unwrap_or(NonZeroUsize::MIN);
        Gzipped {
            by_tag: Mutex::new(LruCache::new(max)),
        }
    }

    /// Returns the content with this tag compressed, if it is worth that.
    pub(super) fn get(&self, tag: &str, bytes: &Bytes) -> Option<Bytes> {
        if !limits::GZIPPED_BYTES.contains(&bytes.len()) {
            return None;
        }
        if let Some(known) = self.by_tag.lock().get(tag) {
            return known.clone();
        }
        let compressed = compress(bytes).filter(|compressed| compressed.len() < bytes.len());
        let mut by_tag = self.by_tag.lock();
        by_tag.put(tag.to_owned(), compressed.clone());
        compressed
    }
}

fn compress(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}
