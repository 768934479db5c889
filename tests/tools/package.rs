//! The Debian package, in a fresh Debian: it is installed, upgraded, removed and purged; and what cannot be
//! run here, read: the units by systemd's own programs, the container file by this test.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::helpers::programs::{command, output};
use crate::support::binary::{self, Binary, PROGRAM};
use crate::support::client::append;
use crate::support::directory;
use crate::support::wires::Stream;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// An account that is nobody's, as systemd gives one to the service.
const UID: u32 = 64123;

/// A command of root, who runs the tests or whom sudo lets act.
fn as_root(words: &[&str]) -> tokio::process::Command {
    let uid = fs::metadata("/proc/self").unwrap().uid();
    if uid == 0 {
        command(words[0], &words[1..])
    } else {
        command("sudo", &[&["-n"], words].concat())
    }
}

/// A minimal Debian, which is made once, copied to a directory.
async fn fresh_root(dir: &Path) -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
    let mut lock = OpenOptions::new();
    let lock = lock
        .create(true)
        .append(true)
        .open(made.with_extension("lock"))
        .unwrap();
    lock.lock().unwrap();
    if !made.join("made").exists() {
        let made = made.to_str().unwrap();
        output(as_root(&["rm", "-rf", made])).await;
        let include = "--include=init-system-helpers";
        let script = format!(
            "debootstrap --variant=minbase {include} bookworm {made} >&2 && touch {made}/made"
        );
        let mut debootstrap = as_root(&["sh", "-c", &script]);
        let made = debootstrap.status().await.unwrap();
        assert!(made.success(), "debootstrap: {made}");
    }
    let root = dir.join("root");
    let (made, copy) = (made.to_str().unwrap(), root.to_str().unwrap());
    output(as_root(&["cp", "-a", made, copy])).await;
    root
}

/// A Debian in a directory.
struct Root(PathBuf);

impl Root {
    /// Runs a command in it, which must succeed.
    async fn run(&self, words: &[&str]) -> String {
        let chroot = [
            "env",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL=C",
            "chroot",
        ];
        let root = self.0.to_str().unwrap();
        output(as_root(&[&chroot, &[root][..], words].concat())).await
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Starts the installed server as the unit would: as nobody, with a directory of its own.
    async fn serve(&self) -> Binary {
        let state = self.at("/var/lib/forever-frame");
        if !state.exists() {
            self.run(&["install", "-d", "-m", "700", "/var/lib/forever-frame"])
                .await;
            let owner = format!("{UID}:{UID}");
            self.run(&["chown", &owner, "/var/lib/forever-frame"]).await;
        }
        let spec = format!("--userspec={UID}:{UID}");
        let root = self.0.to_str().unwrap();
        let store = "sqlite:/var/lib/forever-frame/log.db";
        let args = [
            &spec,
            root,
            "/usr/bin/forever-frame",
            "--listen",
            "127.0.0.1:0",
            "--store",
            store,
        ];
        Binary::spawn(binary::command_by("chroot", &args)).await
    }
}

/// Builds the package from the binary that these tests have.
async fn package(dir: &Path, version: &str) -> String {
    let file = dir.join(format!("forever-frame_{version}.deb"));
    let file = file.to_str().unwrap();
    let script = format!("{TREE}/scripts/package/deb");
    output(command(script, &["--debug", file, version])).await;
    file.to_owned()
}

/// The package installs what it should; an upgrade and a removal keep the log and what was changed in
/// `/etc`, and a purge leaves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn package_is_installed_upgraded_and_purged() {
    let dir = directory();
    let (old, new) = (
        package(dir.path(), "0.1.0-1").await,
        package(dir.path(), "0.1.0-2").await,
    );
    let root = Root(fresh_root(dir.path()).await);
    for file in [&old, &new] {
        fs::copy(
            file,
            root.at("/tmp").join(Path::new(file).file_name().unwrap()),
        )
        .unwrap();
    }
    root.run(&["dpkg", "-i", "/tmp/forever-frame_0.1.0-1.deb"])
        .await;
    for file in [
        "/usr/bin/forever-frame",
        "/usr/share/man/man1/forever-frame.1.gz",
        "/usr/share/bash-completion/completions/forever-frame",
        "/usr/share/zsh/vendor-completions/_forever-frame",
        "/usr/share/fish/vendor_completions.d/forever-frame.fish",
        "/usr/share/doc/forever-frame/copyright",
        "/etc/forever-frame/access.toml",
        "/etc/forever-frame/environment",
        // The sockets and the service begin with the machine.
        "/etc/systemd/system/sockets.target.wants/forever-frame.socket",
        "/etc/systemd/system/multi-user.target.wants/forever-frame.service",
    ] {
        assert!(root.at(file).symlink_metadata().is_ok(), "{file}");
    }
    let mut environment = OpenOptions::new();
    let mut environment = environment
        .append(true)
        .open(root.at("/etc/forever-frame/environment"))
        .unwrap();
    environment.write_all(b"FOREVER_FRAME_KEEP=7\n").unwrap();

    let server = root.serve().await;
    let log = root.at("/var/lib/forever-frame/log.db");
    let stream = Stream::open(server.addr, "ndjson", "a", "limit=1").await;
    let cursor = append(server.addr, "a", "hello").await["cursor"].clone();
    assert_eq!(stream.whole().await.texts(), ["hello"]);
    root.run(&["dpkg", "-i", "/tmp/forever-frame_0.1.0-2.deb"])
        .await;
    server.end("-TERM").await;
    let version = root
        .run(&["dpkg-query", "-f", "${Version}", "-W", "forever-frame"])
        .await;
    assert_eq!(version, "0.1.0-2");
    assert_eq!(log.metadata().unwrap().uid(), UID);
    let text = fs::read_to_string(root.at("/etc/forever-frame/environment")).unwrap();
    assert!(text.ends_with("FOREVER_FRAME_KEEP=7\n"), "{text}");
    let server = root.serve().await;
    assert_eq!(append(server.addr, "a", "again").await["seq"], 2);
    let since = format!("since={}&limit=1", cursor.as_str().unwrap());
    let stream = Stream::open(server.addr, "ndjson", "a", &since).await;
    assert_eq!(stream.whole().await.texts(), ["again"]);
    server.end("-TERM").await;

    root.run(&["dpkg", "-r", "forever-frame"]).await;
    assert!(!root.at("/usr/bin/forever-frame").exists());
    assert!(log.exists() && root.at("/etc/forever-frame/environment").exists());
    root.run(&["dpkg", "-P", "forever-frame"]).await;
    let left = root
        .run(&[
            "find",
            "/",
            "-xdev",
            "-name",
            "*forever*frame*",
            "-not",
            "-path",
            "/tmp/*",
        ])
        .await;
    assert_eq!(left, "", "nothing is left");
    output(as_root(&["rm", "-rf", root.0.to_str().unwrap()])).await;
}

/// systemd finds no fault with the units, and little that the service may do without need.
#[tokio::test]
async fn units_are_sound_and_hardened() {
    let dir = directory();
    let units = ["forever-frame.service", "forever-frame.socket"].map(|name| {
        let unit = fs::read_to_string(format!("{TREE}/scripts/package/debian/{name}")).unwrap();
        let file = dir.path().join(name);
        // The package puts the program there.
        fs::write(
            &file,
            unit.replace("=/usr/bin/forever-frame\n", &format!("={PROGRAM}\n")),
        )
        .unwrap();
        file.to_str().unwrap().to_owned()
    });
    let verify = ["verify", "--man=no", &units[0], &units[1]];
    let said = command("systemd-analyze", &verify).output().await.unwrap();
    let errors = String::from_utf8(said.stderr).unwrap();
    let ours: Vec<&str> = errors
        .lines()
        .filter(|line| line.contains("forever-frame"))
        .collect();
    assert!(said.status.success() && ours.is_empty(), "{errors}");
    // In tenths; systemd calls up to 20 OK.
    let security = ["security", "--offline=true", "--threshold=15", &units[0]];
    output(command("systemd-analyze", &security)).await;
}

/// The container file has two stages; what it leaves runs without root, has its log in a volume, is asked
/// whether it is ready, and stops by the signal that drains.
#[test]
fn container_file_is_as_it_should_be() {
    let file = fs::read_to_string(format!("{TREE}/scripts/package/Containerfile")).unwrap();
    let instructions: Vec<(&str, &str)> = file
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    let stages: Vec<usize> = (0..instructions.len())
        .filter(|at| instructions[*at].0 == "FROM")
        .collect();
    assert_eq!(stages.len(), 2);
    let last = &instructions[stages[1]..];
    let value = |name: &str| {
        let mut found = last.iter().filter(|(instruction, _)| *instruction == name);
        let value = found.next().unwrap_or_else(|| panic!("no {name}")).1;
        assert!(found.next().is_none(), "{name} twice");
        value
    };
    let (uid, _) = value("USER").split_once(':').unwrap();
    assert_ne!(
        uid.parse::<u32>().unwrap(),
        0,
        "a number, so that it is known not to be root"
    );
    let store = format!("FOREVER_FRAME_STORE=sqlite:{}/", value("VOLUME"));
    assert!(value("ENV").contains(&store), "{store}");
    assert!(value("HEALTHCHECK").ends_with("CMD [\"forever-frame\", \"check\"]"));
    assert_eq!(value("STOPSIGNAL"), "SIGTERM");
    assert_eq!(
        value("ENTRYPOINT"),
        "[\"forever-frame\"]",
        "no shell stands before it"
    );
}
