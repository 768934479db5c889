//! Access files, and the tokens in them.

use std::fmt::Write as _;
use std::path::PathBuf;

use forever_frame::access::SecretHash;
use forever_frame::config::AccessOption;
use tempfile::TempDir;

use super::{TestServer, directory};

/// An access file, in a directory of its own.
pub(crate) struct AccessFile {
    directory: TempDir,
}

/// The secret of a token, by the token's name.
pub(crate) fn secret(name: &str) -> String {
    format!("ff_secret-of-{name}")
}

/// The lines of an access file for a token with this name.
pub(crate) fn token(name: &str, lines: &str) -> String {
    let hash = SecretHash::of(&secret(name));
    format!("[token.{name}]\nsha256 = \"{hash}\"\n{lines}\n")
}

impl AccessFile {
    /// A file with this text.
    pub(crate) fn new(text: &str) -> AccessFile {
        let file = AccessFile {
            directory: directory(),
        };
        file.write(text);
        file
    }

    /// A file that says `head`, and has tokens with these names and lines.
    pub(crate) fn with_tokens(head: &str, tokens: &[(&str, &str)]) -> AccessFile {
        let mut text = format!("{head}\n");
        for (name, lines) in tokens {
            write!(text, "{}", token(name, lines)).unwrap();
        }
        AccessFile::new(&text)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("access.toml")
    }

    /// The directory, where keys may stand too.
    #[cfg(feature = "secure")]
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.path(), text).unwrap();
    }

    /// Starts a server that this file restricts.
    pub(crate) fn serve(&self) -> TestServer {
        TestServer::with(|config| config.access = Some(AccessOption::File(self.path())))
    }
}

/// The header that shows a token.
pub(crate) fn bearer(name: &str) -> String {
    format!("Authorization: Bearer {}", secret(name))
}
