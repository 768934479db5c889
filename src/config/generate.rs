//! `forever-frame generate`: the manual page, completions for shells, and the interface for programs.

use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;

use super::CommandLine;
use crate::openapi;

/// The name under which the program is installed.
const PROGRAM: &str = "forever-frame";

/// What `forever-frame generate` prints.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// What to print
    #[arg(value_name = "WHAT")]
    what: Generated,
}

/// A text that is made from the command line's own description.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Generated {
    /// The manual page, for man1/forever-frame.1
    Man,
    /// Completions for bash, for bash-completion/completions/forever-frame
    Bash,
    /// Completions for zsh, for site-functions/_forever-frame
    Zsh,
    /// Completions for fish, for completions/forever-frame.fish
    Fish,
    /// The interface of the server for programs, as `OpenAPI` 3.2; the server shows it at /openapi.json
    Openapi,
}

impl GenerateArgs {
    /// Makes the text.
    ///
    /// # Errors
    /// Never: a text in memory can be written.
    pub fn make(&self) -> io::Result<String> {
        let mut text = Vec::new();
        match self.what {
            Generated::Man => write_manual(&mut text)?,
            Generated::Bash => complete(Shell::Bash, &mut text),
            Generated::Zsh => complete(Shell::Zsh, &mut text),
            Generated::Fish => complete(Shell::Fish, &mut text),
            Generated::Openapi => text.extend(openapi::text().into_bytes()),
        }
        String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

fn complete(shell: Shell, text: &mut Vec<u8>) {
    clap_complete::generate(shell, &mut CommandLine::command(), PROGRAM, text);
}

/// Writes one page, with a section for each command.
fn write_manual(text: &mut Vec<u8>) -> io::Result<()> {
    // Of some forty options each would stand there.
    let usage = "forever-frame [OPTION]...\nforever-frame COMMAND [OPTION]...";
    let mut command = CommandLine::command().override_usage(usage);
    command.build();
    let man = Man::new(command.clone());
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    // Without a command the program serves: its options are above.
    for command in command
        .get_subcommands()
        .filter(|command| command.get_name() != "serve")
    {
        write_command(text, command)?;
    }
    man.render_version_section(text)
}

/// Writes the section of a command. What is a section of a page of its own is a part of it.
fn write_command(text: &mut Vec<u8>, command: &clap::Command) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    if command.get_after_help().is_some() {
        man.render_extra_section(&mut parts)?;
    }
    let parts = String::from_utf8_lossy(&parts);
    let parts = parts
        .replace(".SH EXTRA", ".SH NOTES")
        .replace(".SH ", ".SS ");
    writeln!(
        text,
        ".SH \"THE COMMAND {}\"",
        command.get_name().to_uppercase()
    )?;
    text.write_all(parts.as_bytes())
}
