//! The bounds of idempotency keys.

use std::time::Duration;

/// Longest `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// `Idempotency-Key`s held: 1,600 appends with a key a second, for [`IDEMPOTENCY_WINDOW`]. Each costs
/// about 60 bytes in memory, with either store, and as many in a stored log's file: at most 60 MiB. One of
/// an upload, however many lines that has, costs about 150 bytes.
/// None is forgotten before its time; when so many are held, appends with a new key are refused.
pub const IDEMPOTENCY_KEYS_MAX: usize = 1_000_000;

/// How long an `Idempotency-Key` is remembered, by the time that has passed and not by the wall
/// clock.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_mins(10);
