//! What `forever-frame generate` prints, as man and the shells read it.

use std::fs;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use crate::helpers::programs::{MISSING, command, output};
use crate::support::binary::PROGRAM;
use crate::support::{directory, soon};

/// What the program prints for this word.
async fn generated(what: &str) -> String {
    output(command(PROGRAM, &["generate", what])).await
}

/// Runs a program on this input, and gives what it says on both outputs.
async fn said(program: &str, args: &[&str], input: &str) -> (bool, String) {
    let mut child = command(program, args)
        .env("LC_ALL", "C.UTF-8")
        .env("MANROFFSEQ", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect(MISSING);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = soon(child.wait_with_output()).await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// The manual page has each option and each command, and neither groff nor mandoc finds fault with it.
#[tokio::test]
async fn manual_page_is_sound() {
    let page = generated("man").await;
    let dir = directory();
    let file = dir.path().join("forever-frame.1");
    fs::write(&file, &page).unwrap();
    let file = file.to_str().unwrap();
    let warnings = ["--warnings=w", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file];
    let mut man = command("man", &warnings);
    man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
    let ran = man.output().await.expect(MISSING);
    let errors = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.success() && errors.is_empty(), "{errors}");
    let (_, lint) = said("mandoc", &["-T", "lint", "-W", "error", file], "").await;
    assert_eq!(lint, "");
    let (_, text) = said("mandoc", &["-T", "utf8", file], "").await;
    // Bold letters are written twice.
    let mut plain = String::new();
    for letter in text.chars() {
        match letter {
            '\u{8}' => drop(plain.pop()),
            letter => plain.push(letter),
        }
    }
    for words in [
        "forever-frame - A forever frame server",
        "--keep-bytes",
        "FOREVER_FRAME_STORE",
        "THE COMMAND BACKUP",
        "forever-frame restore",
        "forever-frame token",
    ] {
        assert!(plain.contains(words), "{words}: {plain}");
    }
}

/// bash completes commands and options, and names of files.
#[tokio::test]
async fn bash_completes() {
    let script = format!(
        "{}\nCOMP_WORDS=(forever-frame --keep-) COMP_CWORD=1\n_forever__frame forever-frame --keep- forever-frame\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n\
         COMP_WORDS=(forever-frame ba) COMP_CWORD=1\n_forever__frame forever-frame ba forever-frame\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\ncomplete -p forever-frame\n",
        generated("bash").await
    );
    let (done, text) = said("bash", &["--norc", "-eu", "-s"], &script).await;
    assert!(done, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.contains(&"--keep-alive") && lines.contains(&"backup"),
        "{text}"
    );
    assert!(text.contains("-F _forever__frame forever-frame"), "{text}");
}

/// zsh and fish load their completions.
#[tokio::test]
async fn zsh_and_fish_load_completions() {
    let dir = directory();
    fs::write(dir.path().join("_forever-frame"), generated("zsh").await).unwrap();
    let script = format!(
        "fpath=({} $fpath); autoload -Uz compinit && compinit -u -d {0}/dump\n\
         autoload +X _forever-frame && print ${{_comps[forever-frame]}}\n",
        dir.path().display()
    );
    let (done, text) = said("zsh", &["-f", "-s"], &script).await;
    assert!(done && text == "_forever-frame\n", "{text}");

    let script = format!(
        "{}\ncomplete -C 'forever-frame --keep-'\n",
        generated("fish").await
    );
    let (done, text) = said("fish", &["--no-config"], &script).await;
    assert!(done && text.contains("--keep-alive"), "{text}");
}
