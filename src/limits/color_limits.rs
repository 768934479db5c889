//! Bounds of the colours in messages.

/// Most parameters of a sequence that sets colours: terminals take 16 to 32, and all that there are at
/// once are 12.
pub const SGR_PARAMETERS_MAX: usize = 16;

/// Most digits of one of these parameters: none means anything above 255.
pub const SGR_DIGITS_MAX: usize = 3;

/// Most elements that the colours of a message become in a page. Each takes up to 90 bytes, ten times
/// as much as the sequence that made it; the text after the last has no colours.
pub const COLORED_RUNS_MAX: usize = 1000;
