//! Queries and forms (`application/x-www-form-urlencoded`, URL standard, section 5.1), read
//! strictly: a field that is not UTF-8 is refused, where a lenient reader would change the message.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::error::Error;
use crate::limits;

/// Returns the names and values of a query or a form, in their order. Of a field that is given
/// twice the last one counts: see [`last`].
///
/// # Errors
/// [`Error::TooManyFields`] and [`Error::FieldNotUtf8`].
pub(super) fn fields(text: &str) -> Result<Vec<(String, String)>, Error> {
    pairs(text)?
        .map(|(name, value)| Ok((decode(name)?, decode(value)?)))
        .collect()
}

/// Returns the names and values of a query or a form as they stand there, encoded.
///
/// # Errors
/// [`Error::TooManyFields`].
pub(super) fn pairs(text: &str) -> Result<impl Iterator<Item = (&str, &str)>, Error> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    if pairs.clone().nth(limits::FORM_FIELDS_MAX).is_some() {
        return Err(Error::TooManyFields);
    }
    Ok(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

/// Decodes a name or a value, with U+FFFD in the place of what is not UTF-8.
pub(super) fn decode_lossily(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Decodes a name or a value.
///
/// # Errors
/// [`Error::FieldNotUtf8`].
pub(super) fn decode(text: &str) -> Result<String, Error> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced)
        .decode_utf8()
        .map(Cow::into_owned);
    decoded.map_err(|_| Error::FieldNotUtf8)
}

/// Returns the value of the last field of this name, if there is one.
pub(super) fn last<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .rev()
        .find(|(field, _)| field == name)
        .map(|(_, value)| value.as_str())
}

/// Returns the value of the last field of this name.
///
/// # Errors
/// [`Error::NoField`] when there is none.
pub(super) fn field<'a>(
    fields: &'a [(String, String)],
    name: &'static str,
) -> Result<&'a str, Error> {
    last(fields, name).ok_or(Error::NoField(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_fields_are_decoded_strictly() {
        let read = fields("a=1+2&b=%E4%BD%A0&a=3&c&=x").unwrap();
        assert_eq!(last(&read, "a"), Some("3"));
        assert_eq!(last(&read, "b"), Some("你"));
        assert_eq!(last(&read, "c"), Some(""));
        assert_eq!(last(&read, "d"), None);
        assert!(matches!(fields("a=%FF"), Err(Error::FieldNotUtf8)));
    }

    /// Fields without names or values cost memory, too.
    #[test]
    fn form_fields_are_few() {
        let most = "a&".repeat(limits::FORM_FIELDS_MAX);
        assert_eq!(fields(&most).unwrap().len(), limits::FORM_FIELDS_MAX);
        assert!(matches!(fields(&(most + "a")), Err(Error::TooManyFields)));
    }
}
