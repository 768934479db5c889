//! What clients share: memory, how long one of them may hold it while others need it, and appends.

use std::time::Duration;

use super::{BATCH_MESSAGES_MAX, KIB, MIB};

/// Memory for request bodies, all together, of which each client address has a share
/// ([`Budget`](crate::budget::Budget)): 20,000 senders of 48 KiB each would be a GiB. When it is used
/// up an upload is not read on, and another request is refused after [`MEMORY_TIMEOUT`].
pub const BODIES_BYTES: usize = 64 * MIB;

/// Most fields of a form or a query: more than any page or program here has, and few enough that
/// empty ones cost little.
pub const FORM_FIELDS_MAX: usize = 64;

/// As much of a request's body is a part of what its connection costs, and not counted: an append of
/// a few bytes, a letter or a login never waits for the large bodies of others. It is half of what
/// hyper reads with the head of a request at once.
pub const SMALL_BODY_BYTES: usize = 4 * KIB;

/// How long a request waits for memory, for its body or its answer, before it is refused. A busy server
/// has some in a moment; a client that waits longer is better off trying again.
pub const MEMORY_TIMEOUT: Duration = Duration::from_secs(5);

/// Networks that are looked at for what they wait for when a part of a budget is given back: a bound
/// on the time for which the budget is locked. The others have their turn next.
pub const BUDGET_TURNS_AT_ONCE: usize = 64;

/// Text of the lines of an upload after which no more of them gather while others are being appended:
/// enough that a fast upload has few commits, and little enough that each is short.
pub const UPLOAD_BATCH_BYTES: usize = 256 * KIB;

/// The part of [`BODIES_BYTES`] that an upload holds while lines gather: those that are being appended,
/// and those that gather, with what each line costs besides its text.
pub const UPLOAD_AHEAD_BYTES: usize = 2 * (UPLOAD_BATCH_BYTES + BATCH_MESSAGES_MAX * 128);

/// How long the client of an upload may leave a line unfinished that is longer than
/// [`SMALL_BODY_BYTES`] while others need its memory. The time begins anew when so many bytes have
/// come: a byte now and then does not hold the memory.
pub const LINE_TIMEOUT: Duration = Duration::from_mins(1);

/// How often it is looked whether others need the memory of a line whose time is over.
pub const LINE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Memory for what clients have not read yet, of all answers and streams together, of which each
/// address has a share: 6,000 clients that do not read would otherwise keep an encoded message each,
/// of up to six times [`MESSAGE_BYTES_MAX`](super::MESSAGE_BYTES_MAX). When it is used up a stream keeps
/// its cursor and makes the bytes again later; a long poll waits; another answer becomes a refusal.
pub const UNSENT_BYTES: usize = 64 * MIB;

/// An answer, or the unsent part of a stream, of this size is a part of what its connection costs, and
/// not counted.
pub const SMALL_ANSWER_BYTES: usize = 4 * KIB;

/// The part of a large chunk that is kept for a client that does not read, when the rest is given up:
/// something must be there to be written, to see whether the client reads again.
pub const UNSENT_PIECE_BYTES: usize = KIB;

/// Memory for what operators have not read yet of the answers to them. It is apart, so that a server
/// whose other memory is used up can still be looked at.
pub const OPERATOR_UNSENT_BYTES: usize = 4 * MIB;

/// Files of `--pages DIR` that are read at the same time, each of which may have
/// [`PAGE_FILE_BYTES_MAX`](super::PAGE_FILE_BYTES_MAX).
pub const PAGE_READERS_MAX: usize = 4;

/// Appends a second that an address or a token may make, unless `--appends-per-address` and
/// `--appends-per-token` say otherwise: a tenth of what a disk takes, and more than people and most
/// programs make.
pub const APPENDS_PER_CLIENT_DEFAULT: u32 = 5_000;

/// Appends that an address or a token may make at once, in seconds of its rate.
pub const APPENDS_BURST_SECONDS: u32 = 2;

/// Highest `--appends-per-address` and `--appends-per-token`.
pub const APPENDS_PER_CLIENT_MAX: u32 = 1_000_000;

/// Connections of clients beyond their own bound that are answered at the same time. They do not take the
/// places of the others ([`REFUSALS_MAX`](super::REFUSALS_MAX)): a client that comes again and again keeps no operator out.
pub const CLIENT_REFUSALS_MAX: usize = 16;

/// Files and pages of this size are compressed: what is smaller fits into a packet anyhow, and what is
/// larger is a file of `--pages DIR` whose owner knows better.
pub const GZIPPED_BYTES: std::ops::RangeInclusive<usize> = KIB..=256 * KIB;

/// Compressed files and pages that are kept: all the built-in ones, as one browser sees them in each language,
/// and some more. Each is smaller than what it was made of.
pub const GZIPPED_CONTENTS_MAX: usize = 144;
