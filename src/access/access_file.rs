//! Reads the access file, and checks all of it. What is wrong is said with its line, its key and its value,
//! but for what may be a secret.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[cfg(feature = "secure")]
use super::issuer::Issuer;
#[cfg(feature = "secure")]
use super::issuer_key::IssuerKey;
use super::rules::AccessToken;
use super::{AccessRules, ChannelSet, Scope, SecretHash, check_token_name};
use crate::limits;
use crate::message::Timestamp;

/// What is wrong with an access file.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", place(path, *line))]
pub struct AccessFileError {
    path: PathBuf,
    line: Option<usize>,
    what: String,
}

fn place(path: &Path, line: Option<usize>) -> String {
    let line = line.map_or_else(String::new, |line| format!(", line {line}"));
    format!("the access file {}{line}", path.display())
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read, or something in it is wrong.
pub(super) fn load(path: &Path) -> Result<AccessRules, AccessFileError> {
    let error = |line, what| AccessFileError {
        path: path.to_owned(),
        line,
        what,
    };
    let text = read(path, limits::ACCESS_FILE_BYTES_MAX).map_err(|what| error(None, what))?;
    let text = String::from_utf8(text).map_err(|_| error(None, "it is not UTF-8".to_owned()))?;
    // Relative to the access file.
    let directory = path.parent().unwrap_or(Path::new(""));
    let read_key = |name: &str| read(&directory.join(name), limits::KEY_FILE_BYTES_MAX);
    parse(&text, &read_key).map_err(|Wrong { at, what }| {
        let line = at.map(|at| 1 + text[..at.min(text.len())].matches('\n').count());
        error(line, what)
    })
}

/// Reads a file that may not be longer than `max`.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(max as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > max {
        return Err(format!("it is longer than {max} bytes"));
    }
    Ok(bytes)
}

/// What is wrong with a text, and where.
#[derive(Debug)]
struct Wrong {
    at: Option<usize>,
    what: String,
}

impl Wrong {
    fn at(span: Range<usize>, what: impl Into<String>) -> Wrong {
        Wrong {
            at: Some(span.start),
            what: what.into(),
        }
    }
}

/// A table of the file, with its name.
struct Section<'t> {
    name: String,
    span: Range<usize>,
    table: &'t DeTable<'t>,
}

/// A value of the file, with its name.
struct Setting<'t> {
    name: String,
    value: &'t Spanned<DeValue<'t>>,
}

/// Reads the file with this name, which a key is in.
type ReadKey<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// Reads the text of an access file.
fn parse(text: &str, read_key: ReadKey<'_>) -> Result<AccessRules, Wrong> {
    let table = DeTable::parse(text).map_err(|error| Wrong {
        at: error.span().map(|span| span.start),
        // Without the line itself, which may have a secret in it.
        what: error.message().to_owned(),
    })?;
    let root = Section {
        name: String::new(),
        span: table.span(),
        table: table.get_ref(),
    };
    root.check_keys(&["anyone", "demos", "token", "issuer"])?;
    let mut rules = AccessRules::default();
    if let Some(anyone) = root.section("anyone")? {
        anyone.check_keys(&["read", "write", "metrics"])?;
        rules.anyone = anyone.scope()?;
    }
    rules.demos = root.flag("demos")?;
    for token in root.sections("token", limits::ACCESS_TOKENS_MAX)? {
        let token = token.token(&rules.tokens)?;
        rules.tokens.push(token);
    }
    let issuers = root.sections("issuer", limits::ISSUERS_MAX)?;
    #[cfg(feature = "secure")]
    for issuer in issuers {
        rules.issuers.push(issuer.issuer(read_key)?);
    }
    #[cfg(not(feature = "secure"))]
    if let Some(issuer) = issuers.first() {
        let _ = read_key;
        return Err(
            issuer.wrong("this program was built without JSON Web Tokens (the feature secure)")
        );
    }
    Ok(rules)
}

impl<'t> Section<'t> {
    fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong::at(self.span.clone(), what)
    }

    /// The name of an entry, as people write it.
    fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    /// Checks that there are no keys but these.
    fn check_keys(&self, known: &[&str]) -> Result<(), Wrong> {
        for key in self.table.keys() {
            let name = key.get_ref();
            if !known.contains(&&**name) {
                let (path, known) = (self.path(name), known.join(", "));
                let what = format!("there is no {path:?} in an access file; there are {known}");
                return Err(Wrong::at(key.span(), what));
            }
        }
        Ok(())
    }

    fn entry(&self, key: &str) -> Option<Setting<'t>> {
        let value = self.table.get(key)?;
        let name = self.path(key);
        Some(Setting { name, value })
    }

    fn needed(&self, key: &str) -> Result<Setting<'t>, Wrong> {
        let missing = || self.wrong(format!("{} has no {key}", self.name));
        self.entry(key).ok_or_else(missing)
    }

    /// The table of this name, if there is one.
    fn section(&self, key: &str) -> Result<Option<Section<'t>>, Wrong> {
        self.entry(key).map(Setting::section).transpose()
    }

    /// The tables in the table of this name.
    fn sections(&self, key: &str, max: usize) -> Result<Vec<Section<'t>>, Wrong> {
        let Some(all) = self.section(key)? else {
            return Ok(Vec::new());
        };
        if all.table.len() > max {
            let count = all.table.len();
            return Err(all.wrong(format!(
                "there are {count} entries of {key}; the limit is {max}"
            )));
        }
        let mut sections = Vec::new();
        for (name, value) in all.table {
            check_token_name(name.get_ref())
                .map_err(|why| Wrong::at(name.span(), format!("the name of a {key} {why}")))?;
            let name = all.path(name.get_ref());
            sections.push(Setting { name, value }.section()?);
        }
        Ok(sections)
    }

    fn flag(&self, key: &str) -> Result<bool, Wrong> {
        let Some(entry) = self.entry(key) else {
            return Ok(false);
        };
        let flag = entry.value.get_ref().as_bool();
        flag.ok_or_else(|| entry.wrong("is neither true nor false"))
    }

    /// What is said to be given: `read`, `write` and `metrics`.
    fn scope(&self) -> Result<Scope, Wrong> {
        Ok(Scope {
            read: self.channels("read")?,
            write: self.channels("write")?,
            metrics: self.flag("metrics")?,
        })
    }

    fn channels(&self, key: &str) -> Result<ChannelSet, Wrong> {
        self.entry(key)
            .map_or(Ok(ChannelSet::default()), |entry| entry.channels())
    }

    /// An issuer, with its keys.
    #[cfg(feature = "secure")]
    fn issuer(&self, read_key: ReadKey<'_>) -> Result<Issuer, Wrong> {
        self.check_keys(&["iss", "aud", "key", "read", "write", "in_url"])?;
        let (iss, aud) = (self.needed("iss")?.text()?, self.needed("aud")?.text()?);
        let key = self.needed("key")?;
        let id = format!("{iss:?} {aud:?}");
        let keys = read_key(key.text()?).and_then(|bytes| IssuerKey::read(&bytes, &id));
        let name = self.name.strip_prefix("issuer.").unwrap_or(&self.name);
        Ok(Issuer {
            name: name.to_owned(),
            iss: iss.to_owned(),
            aud: aud.to_owned(),
            keys: keys.map_err(|why| key.wrong(&why))?,
            most: self.scope()?,
            in_url: self.flag("in_url")?,
        })
    }

    /// A token, which must be another one than those before it.
    fn token(&self, before: &[AccessToken]) -> Result<AccessToken, Wrong> {
        self.check_keys(&["sha256", "read", "write", "metrics", "until"])?;
        let entry = self.needed("sha256")?;
        // Not repeated: it may be the secret itself, by mistake.
        let form =
            "is not the SHA-256 of a secret, 64 hexadecimal digits; forever-frame token makes one";
        let no_hash = || Wrong::at(entry.value.span(), format!("{} {form}", entry.name));
        let hash = entry.value.get_ref().as_str().and_then(SecretHash::read);
        let hash = hash.ok_or_else(no_hash)?;
        if let Some(same) = before.iter().find(|token| token.hash == hash) {
            let what = format!("{} is that of token.{}, too", entry.name, same.name);
            return Err(Wrong::at(entry.value.span(), what));
        }
        let name = self.name.strip_prefix("token.").unwrap_or(&self.name);
        Ok(AccessToken {
            name: name.to_owned(),
            hash,
            scope: self.scope()?,
            until: self.entry("until").map(|entry| entry.time()).transpose()?,
        })
    }
}

impl<'t> Setting<'t> {
    /// The value as it stands in the file is in the error.
    fn wrong(&self, what: &str) -> Wrong {
        let value = shown(self.value.get_ref());
        Wrong::at(self.value.span(), format!("{} = {value} {what}", self.name))
    }

    fn section(self) -> Result<Section<'t>, Wrong> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(Section {
                name: self.name,
                span: self.value.span(),
                table,
            }),
            _ => Err(self.wrong("is no table")),
        }
    }

    #[cfg(feature = "secure")]
    fn text(&self) -> Result<&'t str, Wrong> {
        let text = self.value.get_ref().as_str();
        let text = text.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong("is no text, or an empty one"))
    }

    fn channels(&self) -> Result<ChannelSet, Wrong> {
        let form = "is no list of channels and patterns; write it like [\"main\", \"news.*\"]";
        let list = self.value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong(form))?;
        if list.len() > limits::ACCESS_NAMES_MAX {
            let (count, max) = (list.len(), limits::ACCESS_NAMES_MAX);
            let what = format!("{} has {count} names; the limit is {max}", self.name);
            return Err(Wrong::at(self.value.span(), what));
        }
        let mut names = Vec::new();
        for value in list {
            let name = self.name.clone();
            let item = Setting { name, value };
            let text = value.get_ref().as_str();
            let text = text.ok_or_else(|| item.wrong("is no text"))?;
            ChannelSet::read([text]).map_err(|(_, why)| item.wrong(&why.to_string()))?;
            names.push(text);
        }
        ChannelSet::read(names).map_err(|(_, why)| self.wrong(&why.to_string()))
    }

    fn time(&self) -> Result<Timestamp, Wrong> {
        let time = self.value.get_ref().as_datetime();
        let time = time.and_then(|time| time.to_string().parse().ok());
        time.ok_or_else(|| {
            self.wrong("is not a time with its offset; write it like 2027-01-01T00:00:00Z")
        })
    }
}

/// A value, as an error shows it.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "[…]".to_owned(),
        DeValue::Table(_) => "{…}".to_owned(),
    }
}
