//! The structure of the program: what `lib.rs` calls its invariants, as far as text can show them.

use super::source::{File, exists, read};
use super::{program, refuse, written};

/// Files longer than this want a split.
const LINES: usize = 450;

/// The files that may be longer, each with its reason.
const LONG: [(&str, &str); 1] = [(
    "pages/forever-frame.js",
    "a library that other sites take as one file, without a build",
)];

/// The modules in the order of the map in `lib.rs`.
fn map() -> Vec<String> {
    let lib = read("src/lib.rs");
    let rows = lib
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`")?.split('`').next());
    rows.map(str::to_owned).collect()
}

/// The module of a file in `src`: the first part of its path.
fn module(file: &File) -> &str {
    let inside = file.path.strip_prefix("src/").unwrap();
    inside.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Findings for the words in code, outside tests, in the files that `may_not` have them.
fn words_in_code(words: &[&str], may_not: impl Fn(&File) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for file in program()
        .iter()
        .filter(|file| may_not(file) && !is_for_tests(file))
    {
        for line in file.lines().iter().filter(|line| !line.in_test) {
            for word in words.iter().filter(|word| line.code.contains(**word)) {
                findings.push(file.finding(line.number, format!("`{word}` does not belong here")));
            }
        }
    }
    findings
}

/// Whether a whole file of `src` is compiled only for tests.
pub(super) fn is_for_tests(file: &File) -> bool {
    let dir = file.path.rsplit_once('/').unwrap().0;
    let parents = [
        format!("{dir}/mod.rs"),
        format!("{dir}.rs"),
        format!("{dir}/lib.rs"),
    ];
    let declared = format!("#[cfg(test)]\nmod {};", file.stem());
    let mut parents = parents.iter().filter(|parent| exists(parent));
    parents.any(|parent| read(parent).contains(&declared))
}

fn is_below(file: &File, dirs: &[&str]) -> bool {
    dirs.iter().any(|dir| {
        let rest = file.path.strip_prefix(dir);
        rest.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    })
}

/// The map in `lib.rs` has each module once.
#[test]
fn map_has_each_module_once() {
    let lib = read("src/lib.rs");
    let mut declared: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let mut mapped = map();
    declared.sort_unstable();
    mapped.sort_unstable();
    assert_eq!(declared, mapped);
}

/// "A module uses only modules that stand above it in the map."
#[test]
fn imports_point_one_way() {
    let map = map();
    let rank = |name: &str| map.iter().position(|module| module == name);
    let (mut seen, mut findings) = (0, Vec::new());
    for file in program() {
        let Some(own) = rank(module(&file)) else {
            continue;
        };
        for line in file.lines() {
            for used in line.code.split("crate::").skip(1) {
                let end = used.find(|c: char| !c.is_ascii_lowercase() && c != '_');
                let name = &used[..end.unwrap_or(used.len())];
                let Some(other) = rank(name) else { continue };
                seen += 1;
                if other > own {
                    let what = format!("uses `{name}`, which stands below it in the map of lib.rs");
                    findings.push(file.finding(line.number, what));
                }
            }
        }
    }
    assert!(seen > 50, "the test looks at something: {seen}");
    refuse(findings);
}

/// "Only `log/sqlite` and `chat/database` know SQL."
#[test]
fn sql_stays_in_two_directories() {
    const STATEMENTS: [&str; 6] = [
        "SELECT ",
        "INSERT ",
        "UPDATE ",
        "DELETE FROM ",
        "CREATE TABLE ",
        "PRAGMA ",
    ];
    let is_outside = |file: &File| !is_below(file, &["src/log/sqlite", "src/chat/database"]);
    let mut findings = words_in_code(&["rusqlite"], is_outside);
    for file in program().iter().filter(|file| is_outside(file)) {
        for line in file.lines().iter().filter(|line| !line.in_test) {
            if STATEMENTS
                .iter()
                .any(|begin| line.strings.starts_with(begin))
            {
                findings.push(file.finding(line.number, "an SQL statement"));
            }
        }
    }
    refuse(findings);
}

/// "Only `http` knows requests and responses"; hyper is what they are made of, and `server` runs it.
#[test]
fn hyper_stays_in_http_and_server() {
    let is_outside = |file: &File| !is_below(file, &["src/http", "src/server"]);
    refuse(words_in_code(
        &["hyper::", "hyper_util::", "http_body_util::"],
        is_outside,
    ));
}

/// "Only `server` knows sockets."
#[test]
fn sockets_stay_in_server() {
    let is_outside = |file: &File| !is_below(file, &["src/server"]);
    let sockets = [
        "TcpStream",
        "TcpListener",
        "TcpSocket",
        "UdpSocket",
        "socket2",
    ];
    refuse(words_in_code(&sockets, is_outside));
}

/// "Only `config` parses flags"; `main` asks it to.
#[test]
fn flags_are_parsed_in_config() {
    let is_outside = |file: &File| !is_below(file, &["src/config", "src/main"]);
    refuse(words_in_code(
        &["clap", "env::args", "env::var"],
        is_outside,
    ));
}

/// "The encoders, the tail, positions, the follower, the policy of batches and the routes do no IO and
/// read no clock: the time is an argument."
#[test]
fn pure_modules_read_no_clock() {
    const PURE: &[&str] = &[
        "src/wire",
        "src/message",
        "src/log/tail",
        "src/log/batch",
        "src/log/clock_state",
        "src/log/cluster/contiguous",
        "src/log/cluster/envelope",
        "src/log/cluster/fills",
        "src/log/cluster/publish_reply",
        "src/log/cluster/stream_settings",
        "src/log/cluster/subject",
        "src/log/falls",
        "src/log/moment",
        "src/log/cursor",
        "src/log/merge",
        "src/log/position",
        "src/log/page_limit",
        "src/log/trimmed",
        "src/log/recent_keys",
        "src/chat/online",
        "src/rate_limiter",
        "src/chat/account_name",
        "src/chat/name_rules",
        "src/mailbox/deliveries",
        "src/connection/handover",
        "src/connection/phase",
        "src/connection/unconfirmed",
        "src/follow/ends",
        "src/access/channel_set",
        "src/access/rules",
        "src/access/scope",
        "src/follow/filter",
        "src/follow/follower",
        "src/follow/timers",
        "src/http/route",
        "src/http/negotiate",
        "src/http/form",
    ];
    const CLOCKS: [&str; 6] = [
        "Instant::now",
        "SystemTime",
        "Timestamp::now",
        "Zoned::now",
        "time::sleep",
        "time::interval",
    ];
    const IO: [&str; 5] = [
        "std::fs",
        "tokio::fs",
        "std::net",
        "tokio::net",
        "std::process",
    ];
    let missing = PURE
        .iter()
        .filter(|path| !exists(path) && !exists(&format!("{path}.rs")))
        .map(|path| format!("{path} does not exist: is it another file now?"));
    let words = [&CLOCKS[..], &IO].concat();
    let findings = words_in_code(&words, |file| is_below(file, PURE));
    // `Timestamp::now` itself, which the other modules call.
    let own =
        |finding: &String| finding.starts_with("src/message") && finding.contains("`SystemTime`");
    refuse(missing.chain(findings.into_iter().filter(|finding| !own(finding))));
}

/// Every file fits a reader's head.
#[test]
fn files_fit_a_reader() {
    let is_long = |file: &File| file.text.lines().count() > LINES;
    let is_listed = |file: &File| LONG.iter().any(|(path, _)| *path == file.path);
    let files = written();
    let findings = files
        .iter()
        .filter(|file| is_long(file) != is_listed(file))
        .map(|file| {
            let (lines, listed) = (file.text.lines().count(), is_listed(file));
            format!(
                "{}:{lines}: {LINES} lines are the most; listed as long: {listed}",
                file.path
            )
        });
    let gone = LONG
        .iter()
        .filter(|(path, _)| !exists(path))
        .map(|(path, _)| format!("{path} is listed as long, and does not exist"));
    refuse(findings.chain(gone));
}
