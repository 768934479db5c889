//! How characters look that stand after SGR sequences (`sgr.rs`), as classes for the style sheet of the
//! pages. Pure.
//!
//! | parameter | what it does | class |
//! |---|---|---|
//! | 30 to 37, 90 to 97 | the colour of the characters: black, red, green, yellow, blue, magenta, cyan, white, then the bright ones | `fg0` to `fg15` |
//! | 40 to 47, 100 to 107 | the colour of the background | `bg0` to `bg15` |
//! | `38;5;N`, `48;5;N` | one of 256 colours: the 16, a cube of 6 × 6 × 6, and 24 greys | that of the 16 which is like it |
//! | `38;2;R;G;B`, `48;2;R;G;B` | any colour | that of the 16 which is like it |
//! | 1, 2, 3, 4 (and 21), 7, 9 | bold, faint, italic, underlined, inverse, struck out | `bold`, `faint`, `italic`, `underline`, `inverse`, `strike` |
//! | 22, 23, 24, 27, 29, 39, 49 | ends bold and faint, italic, …, the colour, that of the background | |
//! | 0 | ends all | |
//!
//! What a page has no use for does nothing: blinking, other fonts, and hiding, so that no text hides
//! itself. The pages have 16 colours and no more, because each is readable on each background, in a light
//! and in a dark page, which nobody can promise of a colour that a sender chooses.

use super::sgr;

/// How characters look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// The colour of the characters, one of 16.
    fore: Option<u8>,
    /// The colour of the background, one of 16.
    back: Option<u8>,
    /// Which of [`EFFECTS`] there are, a bit each.
    effects: u8,
}

/// The effects, each with its class, the parameter that begins it, and the one that ends it.
const EFFECTS: [(&str, u16, u16); 6] = [
    ("bold", 1, 22),
    ("faint", 2, 22),
    ("italic", 3, 23),
    ("underline", 4, 24),
    ("inverse", 7, 27),
    ("strike", 9, 29),
];

impl Style {
    /// The style of what follows a sequence.
    pub(super) fn after(mut self, sequence: &str) -> Style {
        let mut parameters = sgr::parameters(sequence);
        while let Some(parameter) = parameters.next() {
            match parameter {
                0 => self = Style::default(),
                // Underlined twice.
                21 => self.set_effects(4),
                30..=37 => self.fore = digit(parameter),
                39 => self.fore = None,
                40..=47 => self.back = digit(parameter),
                49 => self.back = None,
                90..=97 => self.fore = digit(parameter).map(|color| color + 8),
                100..=107 => self.back = digit(parameter - 10).map(|color| color + 8),
                38 | 48 | 58 => {
                    // What follows cannot be told from other parameters if this is none.
                    let Some(color) = chosen(&mut parameters) else {
                        break;
                    };
                    match parameter {
                        38 => self.fore = Some(color),
                        48 => self.back = Some(color),
                        // That of the underline alone.
                        _ => {}
                    }
                }
                effect => self.set_effects(effect),
            }
        }
        self
    }

    /// Begins or ends what this parameter begins or ends.
    fn set_effects(&mut self, parameter: u16) {
        for (bit, (_, begins, ends)) in EFFECTS.iter().enumerate() {
            if parameter == *begins {
                self.effects |= 1 << bit;
            } else if parameter == *ends {
                self.effects &= !(1 << bit);
            }
        }
    }

    /// Whether the characters look as they do without any sequence.
    pub(super) fn is_plain(self) -> bool {
        self == Style::default()
    }

    /// Puts the classes of these characters, with spaces between them.
    pub(super) fn classes(self, out: &mut String) {
        let effects = EFFECTS.iter().enumerate();
        let effects = effects.filter(|(bit, _)| self.effects & (1 << bit) != 0);
        let classes = [("fg", self.fore), ("bg", self.back)]
            .into_iter()
            .filter_map(|(kind, color)| color.map(|color| format!("{kind}{color}")))
            .chain(effects.map(|(_, (class, ..))| (*class).to_owned()));
        for (index, class) in classes.enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push_str(&class);
        }
    }
}

/// The last digit of a parameter, which is a colour.
fn digit(parameter: u16) -> Option<u8> {
    u8::try_from(parameter % 10).ok()
}

/// The colour that the parameters after 38 or 48 choose, as one of the 16.
fn chosen(parameters: &mut impl Iterator<Item = u16>) -> Option<u8> {
    let mut next = || u8::try_from(parameters.next()?).ok();
    match next()? {
        2 => Some(like(next()?, next()?, next()?)),
        5 => Some(of_256(next()?)),
        _ => None,
    }
}

/// One of the 256 colours, as one of the 16.
fn of_256(color: u8) -> u8 {
    match color {
        0..=15 => color,
        16..=231 => {
            let level =
                |place: u8| [0, 95, 135, 175, 215, 255][usize::from((color - 16) / place % 6)];
            like(level(36), level(6), level(1))
        }
        232.. => {
            let grey = 8 + 10 * (color - 232);
            like(grey, grey, grey)
        }
    }
}

/// The colour of the 16 that is like this one: of the same hue, which is told by which of its parts are
/// above the middle of the least and the greatest, or one of the four greys.
fn like(red: u8, green: u8, blue: u8) -> u8 {
    let parts = [red, green, blue];
    let (least, greatest) = (red.min(green).min(blue), red.max(green).max(blue));
    if greatest - least <= greatest / 4 {
        return match greatest {
            0..64 => 0,
            64..180 => 8,
            180..243 => 7,
            243.. => 15,
        };
    }
    let middle = least.midpoint(greatest);
    let hue = (0..3)
        .map(|bit| u8::from(parts[bit] > middle) << bit)
        .sum::<u8>();
    if greatest < 240 { hue } else { hue + 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(sequences: &[&str]) -> String {
        let style = sequences
            .iter()
            .fold(Style::default(), |style, sequence| style.after(sequence));
        let mut out = String::new();
        style.classes(&mut out);
        out
    }

    #[test]
    fn style_follows_parameters() {
        for (parameters, expected) in [
            ("", ""),
            ("31", "fg1"),
            ("97;40", "fg15 bg0"),
            ("30;107", "fg0 bg15"),
            ("1;2;3;4;7;9", "bold faint italic underline inverse strike"),
            ("1;2;22", ""),
            ("21", "underline"),
            ("3;4;7;9;23;24;27;29", ""),
            ("31;41;39;49", ""),
            ("31;1;0;4", "underline"),
            ("01;032", "fg2 bold"),
            ("5;8;11;53;999", ""),
            ("38;5;9", "fg9"),
            ("48;5;196;1", "bg9 bold"),
            ("38;5;244", "fg8"),
            ("38;2;205;0;0;48;2;0;0;0", "fg1 bg0"),
            ("58;5;1;1", "bold"),
            // What is no colour leaves the rest unread.
            ("1;38;5;256;4", "bold"),
            ("1;38;2;1;2", "bold"),
            ("38;7;31", ""),
            ("38", ""),
        ] {
            assert_eq!(
                classes(&[&format!("\x1b[{parameters}m")]),
                expected,
                "{parameters}"
            );
        }
        assert_eq!(classes(&["\x1b[1m", "\x1b[31m", "\x1b[22m"]), "fg1");
        assert_eq!(classes(&["\x1b[1;31m", "\x1b[m"]), "");
    }

    /// The 16 colours as xterm has them are themselves, and others are of the same hue.
    #[test]
    fn like_keeps_hues() {
        let xterm = [
            (0, 0, 0),
            (205, 0, 0),
            (0, 205, 0),
            (205, 205, 0),
            (0, 0, 238),
            (205, 0, 205),
            (0, 205, 205),
            (229, 229, 229),
            (127, 127, 127),
            (255, 0, 0),
            (0, 255, 0),
            (255, 255, 0),
            (92, 92, 255),
            (255, 0, 255),
            (0, 255, 255),
            (255, 255, 255),
        ];
        for (color, (red, green, blue)) in (0..).zip(xterm) {
            assert_eq!(like(red, green, blue), color, "{red} {green} {blue}");
        }
        assert_eq!(like(152, 195, 121), 2, "a pale green");
        assert_eq!(like(224, 108, 117), 1, "a pale red");
        assert_eq!(like(255, 165, 0), 11, "orange");
        assert_eq!(like(198, 120, 221), 5, "a pale purple");
        assert_eq!(like(86, 182, 194), 6, "teal");
        assert_eq!(of_256(208), 11);
        assert_eq!(of_256(27), 12);
        assert_eq!([232, 240, 250, 255].map(of_256), [0, 8, 7, 7]);
    }
}
