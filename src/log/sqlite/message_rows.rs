//! The rows of a commit's messages, inserted many at a time: to run a statement costs more than the row
//! that it inserts.

use std::sync::Arc;

use rusqlite::Connection;

use crate::log::LogTime;
use crate::message::Message;

/// How many rows a statement inserts, the largest number first. What is left over for one goes to the
/// next.
const SIZES: [usize; 3] = [64, 8, 1];

/// Inserts the messages of a commit, each with the row of its channel. The log's clock said `committed` at
/// the commit.
pub(super) fn insert(
    connection: &Connection,
    messages: &[(i64, Arc<Message>)],
    committed: LogTime,
) -> rusqlite::Result<()> {
    let mut rest = messages;
    for size in SIZES {
        if rest.len() < size {
            continue;
        }
        let mut statement = connection.prepare_cached(&sql(size))?;
        while let Some((rows, others)) = rest.split_at_checked(size) {
            statement.raw_bind_parameter(1, committed)?;
            for ((channel, message), at) in rows.iter().zip((2..).step_by(5)) {
                statement.raw_bind_parameter(at, message.seq)?;
                statement.raw_bind_parameter(at + 1, channel)?;
                statement.raw_bind_parameter(at + 2, message.event.own())?;
                statement.raw_bind_parameter(at + 3, &message.data)?;
                statement.raw_bind_parameter(at + 4, message.time)?;
            }
            statement.raw_execute()?;
            rest = others;
        }
    }
    Ok(())
}

/// Returns the statement that inserts this many rows. All have the moment of the commit; each has five
/// values of its own.
fn sql(rows: usize) -> String {
    let values = vec!["(?1, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!("INSERT INTO messages (committed, seq, channel, event, data, time) VALUES {values}")
}
