//! The subjects of channels: a channel is one token after the prefix. Pure.

use crate::message::Channel;

/// The character of a token in the place of the dot, which parts tokens. No channel has it in its name.
const DOT: &str = "/";

/// Returns the subject of a channel.
pub(super) fn of_channel(prefix: &str, channel: &Channel) -> String {
    format!("{prefix}.{}", channel.as_str().replace('.', DOT))
}

/// Returns the channel of a subject; `None` if no channel has it.
pub(super) fn channel(prefix: &str, subject: &str) -> Option<Channel> {
    let token = subject.strip_prefix(prefix)?.strip_prefix('.')?;
    if token.contains('.') {
        return None;
    }
    Channel::new(&token.replace(DOT, ".")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every channel has a subject of its own, with one literal token after the prefix.
        #[test]
        fn subjects_name_channels(name in "[A-Za-z0-9._-][A-Za-z0-9._~-]{0,63}") {
            prop_assume!(name != "." && name != "..");
            let name = Channel::new(&name).unwrap();
            let subject = of_channel("log", &name);
            prop_assert_eq!(channel("log", &subject), Some(name));
            let tokens: Vec<&str> = subject.split('.').collect();
            prop_assert_eq!(tokens.len(), 2);
            prop_assert!(!tokens[1].is_empty() && !tokens[1].contains(['*', '>', ' ', '\t']));
        }

        /// What is no channel's subject has no channel, and two subjects never have the same.
        #[test]
        fn other_subjects_have_no_channel(token in "\\PC{0,70}") {
            let subject = format!("log.{token}");
            if let Some(found) = channel("log", &subject) {
                prop_assert_eq!(of_channel("log", &found), subject);
            }
            prop_assert_eq!(channel("log", &token), None);
        }
    }
}
