//! What the unit tests of the encoders share: a message with awkward text, and each moment of a
//! stream as text.

use std::time::Duration;

use proptest::prelude::*;

use super::{Encoder, EndReason};
use crate::message::{Channel, Cursor, Epoch, EventName, Gap, GapReason, Message, Seq, Timestamp};

/// A text with characters that some transport has to escape: markup, quotes, an escape sequence of
/// a terminal, NUL, CRLF, a line separator, a backslash that could be read as an escape.
pub(super) const AWKWARD: &str =
    "</script> \"你\" & 'x'\t\u{1b}[1m\0\r\ntwo\u{2028}C:\\new\u{7f}\u{85}";

/// A message of the channel `build` with this position and text, and the default event name.
pub(super) fn message(seq: u64, data: &str) -> Message {
    Message {
        seq: Seq(seq),
        time: Timestamp(1_763_636_607_042),
        channel: Channel::new("build").unwrap(),
        event: EventName::DEFAULT,
        data: data.into(),
    }
}

/// Some epoch.
pub(super) fn epoch() -> Epoch {
    Epoch::new("k3f9x2qa0b").unwrap()
}

/// The cursor of a position in [`epoch`].
pub(super) fn cursor(seq: u64) -> Cursor {
    Cursor {
        epoch: epoch(),
        seq: Seq(seq),
    }
}

/// A gap that resumes at position 9.
pub(super) fn gap(reason: GapReason, missed: Option<u64>) -> Gap {
    Gap {
        reason,
        missed,
        resumes: Seq(9),
    }
}

/// What a stream says of the channel `build` that is closed, to a follower at position 9.
pub(super) fn closed(encoder: &mut Encoder) -> String {
    let channel = Channel::new("build").unwrap();
    written(|out| encoder.closed(&channel, &cursor(9), out))
}

/// Texts with many controls and many sequences that terminals read, whole and broken.
pub(super) fn escapes() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "\x1b",
        "\x1b[",
        "\u{9b}",
        "m",
        "1",
        ";",
        "31",
        "\x1b[m",
        "\x1b[1;31m",
        "\x1b[0m",
        "\x1b[38;5;208m",
        "\x1b[48;2;1;2;3m",
        "\x1b[2J",
        "\x1b]0;t\x07",
        "\x1b[?25l",
        "\\",
        "n",
        "x1b",
        "\n",
        "\r",
        "\0",
        "\t",
        "&",
        "<",
        "</span>",
        "</p>",
        ".",
        "# end x",
        "\u{202e}",
    ]);
    let piece = prop_oneof![
        8 => special.prop_map(str::to_owned),
        1 => "\\PC{0,3}",
        1 => "[\\p{Cc}\\p{Cf}]{1,2}",
        1 => "\x1b\\[[0-9;]{0,24}m",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// The bytes that `put` makes an encoder write, as text.
pub(super) fn written(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    String::from_utf8(out).unwrap()
}

/// The opening of a stream at position 6 that finds no message.
pub(super) fn opened_quiet(encoder: &mut Encoder) -> String {
    written(|out| {
        encoder.open(&cursor(6), out);
        encoder.live(&cursor(6), out);
        encoder.opened(&cursor(6), true, out);
    })
}

/// A message as its follower gets it: what leads it in, then its shared bytes.
pub(super) fn delivered(encoder: &mut Encoder, message: &Message) -> String {
    written(|out| {
        encoder.lead(message, &epoch(), out);
        out.extend_from_slice(&encoder.encoding().message(message, &epoch()));
        encoder.trail(out);
    })
}

/// A moment of quiet at position 7.
pub(super) fn idled(encoder: &mut Encoder) -> String {
    written(|out| encoder.idle(&cursor(7), out))
}

/// The three kinds of gap, one after the other.
pub(super) fn gaps(encoder: &mut Encoder) -> [String; 3] {
    [
        gap(GapReason::Expired, Some(2)),
        gap(GapReason::Epoch, None),
        gap(GapReason::Future, None),
    ]
    .map(|gap| written(|out| encoder.gap(&gap, &epoch(), out)))
}

/// The end at position 9.
pub(super) fn ended(encoder: &mut Encoder, reason: EndReason) -> String {
    let retry = (reason == EndReason::Stop).then_some(Duration::from_secs(8));
    written(|out| encoder.end(&cursor(9), reason, retry, out))
}
