//! The scripts that stand in a file of HTML itself, as a `Content-Security-Policy` names them.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

/// Returns a source for each script in a page, by which a policy allows that script and no other: its
/// hash (CSP 3, section 2.3.1). The page must be a file as its author wrote it, in which nothing is
/// filled in.
#[must_use]
pub fn sources_of_inline_scripts(page: &str) -> String {
    let mut sources = String::new();
    let mut rest = page;
    while let Some((_, tail)) = rest.split_once("<script") {
        let Some((attributes, tail)) = tail.split_once('>') else {
            break;
        };
        let Some((script, tail)) = tail.split_once("</script>") else {
            break;
        };
        if !attributes.contains("src=") && !script.is_empty() {
            let hash = Base64::encode_string(&Sha256::digest(script.as_bytes()));
            // Writing into a string cannot fail.
            let _ = write!(sources, " 'sha256-{hash}'");
        }
        rest = tail;
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_by_their_hashes() {
        let page = "<script src=\"a.js\"></script><p><script>alert('Hello, world.');</script>";
        // The example of the specification.
        assert_eq!(
            sources_of_inline_scripts(page),
            " 'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
        );
        assert_eq!(sources_of_inline_scripts("<p>none</p><script>open"), "");
    }
}
