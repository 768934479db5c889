//! Our values as `SQLite`'s.

pub(super) use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::message::{Channel, Epoch, IdempotencyKey, Seq, Timestamp};

/// A number that `SQLite` has a sign for, and we have not.
fn number(number: u64) -> rusqlite::Result<ToSqlOutput<'static>> {
    i64::try_from(number)
        .map(ToSqlOutput::from)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_number(value: ValueRef<'_>) -> FromSqlResult<u64> {
    let number = value.as_i64()?;
    u64::try_from(number).map_err(|_| FromSqlError::OutOfRange(number))
}

/// A number of things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(pub(super) u64);

macro_rules! is_a_number {
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

macro_rules! is_a_text {
    ($($type:ident),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }
    )*};
}

is_a_number!(Seq, Timestamp, Count);
is_a_text!(Channel, Epoch, IdempotencyKey);

impl FromSql for Epoch {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Epoch::new(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}
