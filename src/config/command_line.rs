//! Reading the command line and the environment: the commands, what is refused, and how that is said.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, CommandFactory, Error, FromArgMatches, Parser, Subcommand};

use super::health_url::HealthUrl;
use super::{Args, BackupArgs, GenerateArgs, Listen, ProbeArgs, RestoreArgs, TokenArgs};

/// A forever frame server: HTTP responses that never end, over one message log.
///
/// Without a command it serves. An option that is given neither here nor in the environment, or there
/// with an empty value, has its default.
///
/// Watch with `curl -N http://HOST/stream`, send with `curl -d hello http://HOST/send`,
/// or open `http://HOST/` in a browser.
#[derive(Parser, Debug)]
#[command(
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    serve: Args,
}

/// What the program is to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve, which is what happens without a command, too
    Serve(Box<Args>),
    /// Ask a server whether it is ready: exit 0 if it is, and else 1 with the reason
    Check(CheckArgs),
    /// Tell whether something between here and a server holds lines back, compresses, cuts or caches, what it
    /// looks like, and what to write into its configuration
    Probe(ProbeArgs),
    /// What is to be done with a log that several servers share
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Make a token for the file of --access: print its secret, once, and the lines for the file
    Token(TokenArgs),
    /// Copy all of the log and of its side tables to a file, also while a server has it open
    Backup(BackupArgs),
    /// Put a back-up in the place of the log; the server must be stopped
    Restore(RestoreArgs),
    /// Print the manual page, completions for a shell, or the interface for programs
    Generate(GenerateArgs),
}

/// What is to be done with a log that several servers share.
#[derive(Subcommand, Debug)]
pub enum ClusterCommand {
    /// Say what the NATS servers and the stream are like, which is made if there is none: exit 0 if a server
    /// with these options can share its log, and else 1 with what is wrong
    Check(Box<Args>),
}

/// Whom `forever-frame check` asks.
#[derive(clap::Args, Debug)]
pub struct CheckArgs {
    /// The server, such as `https://push.example` or `http://127.0.0.1:8080`. A URL with a path is asked as
    /// it is, one without is asked for /healthz/ready [default: the server on this machine that
    /// --listen-plain, or else --listen, names]
    #[arg(value_name = "URL")]
    url: Option<HealthUrl>,

    /// Where the server on this machine listens
    #[arg(
        long,
        value_name = "ADDR",
        env = "FOREVER_FRAME_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    listen: Listen,

    /// Where it listens without TLS besides
    #[arg(long, value_name = "ADDR", env = "FOREVER_FRAME_LISTEN_PLAIN")]
    listen_plain: Option<Listen>,
}

impl From<CheckArgs> for HealthUrl {
    fn from(args: CheckArgs) -> HealthUrl {
        let here = args.listen_plain.unwrap_or(args.listen);
        args.url.unwrap_or_else(|| here.into())
    }
}

impl CommandLine {
    /// Reads the command line and the environment of this process. What is wrong with them is said on
    /// standard error, and the process ends.
    #[must_use]
    pub fn read() -> Command {
        CommandLine::try_read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, of which the first word is the program's name.
    ///
    /// # Errors
    /// What is wrong, and with which value of which option or variable; also a request for help.
    pub fn try_read(words: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let mut command = CommandLine::command().mut_args(unset_if_empty);
        command = command.mut_subcommands(|command| command.mut_args(unset_if_empty));
        let is_command = |word: &OsString| {
            let mut commands = command.get_subcommands();
            commands.any(|command| word == command.get_name())
        };
        if words.get(1).is_some_and(is_command) {
            // The options of the command count, and not those that are there without one.
            command = command.mut_args(|arg| arg.env(None::<&'static str>));
        }
        let read = command.try_get_matches_from_mut(&words);
        let line = read.and_then(|matches: ArgMatches| CommandLine::from_arg_matches(&matches));
        let line = line.map_err(|error| name_variable(error, &command, &words))?;
        let asked = line
            .command
            .unwrap_or_else(|| Command::Serve(Box::new(line.serve)));
        if let Command::Serve(args) = &asked
            && args.no_demos
            && args.demo_accounts
        {
            let message = "--demo-accounts makes accounts of the chat, which --no-demos leaves out; \
                           give one of the two (or of FOREVER_FRAME_DEMO_ACCOUNTS and \
                           FOREVER_FRAME_NO_DEMOS)";
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        Ok(asked)
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
fn name_variable(mut error: Error, command: &clap::Command, words: &[OsString]) -> Error {
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
    let commands = std::iter::once(command).chain(command.get_subcommands());
    let mut args = commands.flat_map(clap::Command::get_arguments);
    // An option has one variable, whichever command it belongs to.
    let variable = args.find_map(|arg| Some(arg).filter(is_this).and_then(Arg::get_env));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command, Error> {
        let words = std::iter::once("x").chain(words.iter().copied());
        CommandLine::try_read(words.map(OsString::from))
    }

    #[test]
    fn command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    /// Without a command the program serves, with the same options.
    #[test]
    fn commands_have_their_options() {
        for words in [&["--keep", "7"][..], &["serve", "--keep", "7"]] {
            let Ok(Command::Serve(args)) = read(words) else {
                panic!("{words:?}");
            };
            assert_eq!(args.keep, 7);
        }
        let asks = |words: &[&str]| match read(words) {
            Ok(Command::Check(args)) => HealthUrl::from(args).to_string(),
            other => panic!("{words:?}: {other:?}"),
        };
        assert_eq!(asks(&["check"]), "http://127.0.0.1:8080/healthz/ready");
        let listen = ["check", "--listen", ":81"];
        assert_eq!(asks(&listen), "http://127.0.0.1:81/healthz/ready");
        let plain = ["check", "--listen", ":443", "--listen-plain", ":81"];
        assert_eq!(asks(&plain), "http://127.0.0.1:81/healthz/ready");
        assert_eq!(asks(&["check", "http://a"]), "http://a/healthz/ready");
        for bad in [
            &["--keep", "7", "serve"][..],
            &["check", "--keep", "7"],
            &["check", "ftp://a"],
            &["ask"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
