//! Reading the command line and the environment: what is refused, and how that is said.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory, Error, FromArgMatches};

use super::Args;

impl Args {
    /// Reads the command line and the environment of this process. What is wrong with them is said on
    /// standard error, and the process ends.
    #[must_use]
    pub fn read() -> Args {
        Args::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, of which the first word is the program's name.
    ///
    /// # Errors
    /// What is wrong, and with which value of which option or variable; also a request for help.
    pub fn try_read(words: impl IntoIterator<Item = OsString>) -> Result<Args, Error> {
        let mut words: Vec<OsString> = words.into_iter().collect();
        // The one command that there is needs no name.
        if words.get(1).is_some_and(|word| word == "serve") {
            words.remove(1);
        }
        let mut command = Args::command().mut_args(unset_if_empty);
        let read = command.try_get_matches_from_mut(&words);
        let args = read.and_then(|matches| Args::from_arg_matches(&matches));
        let args = args.map_err(|error| name_variable(error, &command, &words))?;
        if args.no_demos && args.demo_accounts {
            let message = "--demo-accounts makes accounts of the chat, which --no-demos leaves out; \
                           give one of the two (or of FOREVER_FRAME_DEMO_ACCOUNTS and \
                           FOREVER_FRAME_NO_DEMOS)";
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        Ok(args)
    }
}

/// A variable that is empty counts as one that is not set: a compose file has no other way to unset it.
fn unset_if_empty(arg: Arg) -> Arg {
    let variable = arg.get_env().map(std::env::var_os);
    let is_empty = variable
        .flatten()
        .is_some_and(|value| value.to_str().is_some_and(|value| value.trim().is_empty()));
    if is_empty {
        arg.env(None::<&'static str>)
    } else {
        arg
    }
}

/// Adds to the error of a bad value the name of the variable that it comes from, if it does not come
/// from the command line.
fn name_variable(mut error: Error, command: &Command, words: &[OsString]) -> Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let option = option.split([' ', '=']).next().unwrap_or("").to_owned();
    let is_given = words.iter().any(|word| {
        let word = word.to_string_lossy();
        word.strip_prefix(&option)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let is_this = |arg: &&Arg| {
        arg.get_long()
            .is_some_and(|long| option == format!("--{long}"))
    };
    let variable = command.get_arguments().find(is_this).and_then(Arg::get_env);
    if let Some(variable) = variable.filter(|name| !is_given && std::env::var_os(name).is_some()) {
        let tip = format!(
            "the environment variable {} has this value",
            variable.display()
        );
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}
