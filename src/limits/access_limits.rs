//! The bounds of rights: of the access file, of tokens, and of tries with wrong ones; and of what pages of
//! other origins ask for.

use std::time::Duration;

use super::accounts::Rate;

/// Longest access file. Its tokens are looked at one by one by each request that shows one.
pub const ACCESS_FILE_BYTES_MAX: usize = 1024 * 1024;

/// Most tokens in an access file: a request compares its token with all of them, in about 30 ns each,
/// so that the time does not tell which one is like it.
pub const ACCESS_TOKENS_MAX: usize = 1000;

/// Most names and patterns in one list of rights: a request that asks for
/// [`STREAM_CHANNELS_MAX`](super::STREAM_CHANNELS_MAX) channels is compared with all of them.
pub const ACCESS_NAMES_MAX: usize = 256;

/// Longest token that a client may show. A JSON Web Token with a hundred names in its scope has 4 KiB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Wrong tokens from one address: as many as wrong passwords, since an address may be that of a whole
/// school. A right token is never refused.
pub const WRONG_TOKENS_FROM_ADDRESS: Rate = Rate {
    burst: 30,
    every: Duration::from_secs(3),
};

/// How often it is looked up whose time is over among the rights that are in use: a stream ends at most
/// this much later. To look costs about 20 ns a right.
pub const RIGHTS_EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// Most issuers of JSON Web Tokens in an access file.
pub const ISSUERS_MAX: usize = 32;

/// Most keys of an issuer: a token that names none of them is compared with all, at up to 0.1 ms each.
pub const ISSUER_KEYS_MAX: usize = 16;

/// Longest file with keys of an issuer.
pub const KEY_FILE_BYTES_MAX: usize = 256 * 1024;

/// The shortest secret of an issuer: as long as the hash that it signs with (RFC 7518, section 3.2).
pub const SECRET_KEY_BYTES_MIN: usize = 32;

/// By how much the clock of an issuer may differ.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(5);

/// Longest list of headers that a browser may ask for on behalf of a page: the answer repeats it.
pub const CORS_HEADERS_BYTES_MAX: usize = 1024;
