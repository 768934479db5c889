//! A catalogue: texts in English, and what stands for each in another language.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// The texts of a catalogue by their English.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<String, String>);

/// A file is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file is not TOML.
    #[error("it is no TOML: {0}")]
    NotToml(String),
    /// An entry is not what it should be.
    #[error("the entry {0:?} is not a text")]
    NotText(String),
    /// The file has texts and tables of texts.
    #[error("the entry {0:?} is not a table of texts")]
    NotTable(String),
}

impl Catalogue {
    /// Reads a catalogue whose lines are `"English" = "…"`.
    ///
    /// # Errors
    /// When the file is not TOML, or has anything but texts.
    pub fn read(text: &str) -> Result<Catalogue, CatalogueError> {
        Catalogue::of(&parse(text)?)
    }

    /// Reads a file of several catalogues, each a table with a name.
    ///
    /// # Errors
    /// When the file is not TOML, or has anything but tables of texts.
    pub fn read_tables(text: &str) -> Result<BTreeMap<String, Catalogue>, CatalogueError> {
        let table = |(name, value): (String, &DeValue<'_>)| match value {
            DeValue::Table(table) => Ok((name, Catalogue::of(table)?)),
            _ => Err(CatalogueError::NotTable(name)),
        };
        entries(&parse(text)?).map(table).collect()
    }

    fn of(table: &DeTable<'_>) -> Result<Catalogue, CatalogueError> {
        let text = |(english, value): (String, &DeValue<'_>)| match value {
            DeValue::String(text) => Ok((english, text.clone().into_owned())),
            _ => Err(CatalogueError::NotText(english)),
        };
        entries(table)
            .map(text)
            .collect::<Result<_, _>>()
            .map(Catalogue)
    }

    /// Returns what stands for an English text.
    #[must_use]
    pub fn get(&self, english: &str) -> Option<&str> {
        self.0.get(english).map(String::as_str)
    }

    /// Returns all texts, each with what stands for it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(english, text)| (&**english, &**text))
    }

    /// Takes the entries of another catalogue over; they count where both have one.
    pub fn extend(&mut self, other: Catalogue) {
        self.0.extend(other.0);
    }
}

fn parse(text: &str) -> Result<DeTable<'_>, CatalogueError> {
    DeTable::parse(text)
        .map(toml::Spanned::into_inner)
        .map_err(|error| CatalogueError::NotToml(error.to_string()))
}

fn entries<'t, 'i>(
    table: &'t DeTable<'i>,
) -> impl Iterator<Item = (String, &'t DeValue<'i>)> + use<'t, 'i> {
    table
        .iter()
        .map(|(name, value)| (name.get_ref().to_string(), value.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_has_texts() {
        let read = Catalogue::read("'a \"b\"' = '甲'\n\"c\" = \"乙\"\n").unwrap();
        assert_eq!(read.get("a \"b\""), Some("甲"));
        assert_eq!(read.iter().count(), 2);
        let tables = Catalogue::read_tables("[page]\na = 'b'\n[chat]\n").unwrap();
        assert_eq!(tables["page"].get("a"), Some("b"));
        assert_eq!(tables["chat"], Catalogue::default());
        for bad in ["a = 1", "a", "a = 'b'\na = 'c'", "[t]\na = 'b'"] {
            assert!(Catalogue::read(bad).is_err(), "{bad}");
        }
        assert!(Catalogue::read_tables("a = 'b'").is_err());
    }
}
