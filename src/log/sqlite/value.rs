//! The log's values as values of `SQLite`.

use std::num::NonZeroU64;

pub(super) use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::log::LogTime;
use crate::message::{Channel, Epoch, Seq, Timestamp};

/// Returns an unsigned number as one of `SQLite`'s, which are signed.
fn number(number: u64) -> rusqlite::Result<ToSqlOutput<'static>> {
    i64::try_from(number)
        .map(ToSqlOutput::from)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Returns one of `SQLite`'s numbers as an unsigned number.
fn from_number(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

/// A number of rows or bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(pub(super) u64);

/// A hash of 64 bits, as a signed number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hash(pub(super) NonZeroU64);

impl ToSql for Hash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.get().cast_signed().into())
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let hash = NonZeroU64::new(number.cast_unsigned());
        hash.map(Hash).ok_or(FromSqlError::OutOfRange(number))
    }
}

macro_rules! impl_number {
    ($($type:ident),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                number(self.0)
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                from_number(value).map($type)
            }
        }
    )*};
}

macro_rules! impl_text {
    ($($type:ident),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }
    )*};
}

impl_number!(Seq, Timestamp, LogTime, Count);
impl_text!(Channel, Epoch);

impl FromSql for Epoch {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Epoch::new(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}
