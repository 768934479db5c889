//! `forever-frame backup` and `forever-frame restore`.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use super::values::store_file;
use crate::log::{self, BackupError, WholeCopy};

/// What the help of `restore` says at its end.
const RESTORE_HELP: &str = "The log gets a new epoch: whoever comes back with a cursor of before is told by a gap that \
    messages are gone. Accounts, logins and letters are those of the back-up, too.\n\nNot for the copy of a server \
    with --cluster, which is built anew from the NATS servers: their log is brought back by `nats stream restore`.";

/// The back-up that `forever-frame backup` makes.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// Where to put the back-up. It is there when it is whole
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write over a file that is there already
    #[arg(long)]
    replace: bool,

    /// The log, as the server's --store names it
    #[arg(long, value_name = "STORE", env = "FOREVER_FRAME_STORE", default_value = "sqlite:forever-frame.db", value_parser = store_file)]
    store: PathBuf,
}

/// The back-up that `forever-frame restore` puts back.
#[derive(Args, Debug)]
#[command(after_help = RESTORE_HELP)]
pub struct RestoreArgs {
    /// The back-up, which stays as it is
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Put it in the place of a log that is there already, which is gone then
    #[arg(long)]
    replace: bool,

    /// The log, as the server's --store names it
    #[arg(long, value_name = "STORE", env = "FOREVER_FRAME_STORE", default_value = "sqlite:forever-frame.db", value_parser = store_file)]
    store: PathBuf,
}

impl BackupArgs {
    /// Makes the back-up, and says so in a line.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn run(self) -> Result<String, BackupError> {
        let WholeCopy { end, bytes } = log::back_up(&self.store, &self.file, self.replace)?;
        let (file, size) = (self.file.display(), ByteSize(bytes));
        Ok(format!("{file} has the log up to {end} ({size})\n"))
    }
}

impl RestoreArgs {
    /// Puts the back-up in the place of the log, and says so in a line.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn run(self) -> Result<String, BackupError> {
        let WholeCopy { end, bytes } = log::restore(&self.file, &self.store, self.replace)?;
        let (store, size) = (self.store.display(), ByteSize(bytes));
        Ok(format!(
            "{store} is restored, and goes on from {end}, in a new epoch ({size})\n"
        ))
    }
}
