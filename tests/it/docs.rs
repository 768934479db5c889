//! The docs: that each page is served, as a page and as its file, that what they link is there, and that the
//! protocol's grammars are those of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::TestServer;
use crate::support::client::get;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// The names of the pages.
fn names() -> BTreeSet<String> {
    let files = Path::new(TREE).join("pages/docs").read_dir().unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    files
        .map(|file| file.strip_suffix(".md").unwrap().to_owned())
        .collect()
}

/// What stands between `before` and `after`, each time.
fn between<'a>(text: &'a str, before: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before)
        .skip(1)
        .map(move |rest| rest.split(after).next().unwrap())
}

/// Where a link of a page leads on this server: the path, and the anchor there. `None` for other servers, and
/// for the one that readers start on their machine.
fn target(link: &str) -> Option<(String, Option<&str>)> {
    if link.contains("://") {
        return None;
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (link, None),
    };
    let path = path.trim_start_matches("./");
    let path = match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None => format!("/docs/{path}"),
    };
    Some((path, anchor))
}

/// Each page is there in both forms, with its title, and each of its links leads to a page that has what it
/// names.
#[tokio::test]
async fn docs_are_served_and_linked() {
    let server = TestServer::start();
    let mut links = 0;
    for name in names() {
        let path = format!("/docs/{name}");
        let file = fs::read_to_string(format!("{TREE}/pages{path}.md")).unwrap();
        let mut answer = get(server.addr, &format!("{path}.md")).await;
        assert_eq!(
            answer.header("content-type"),
            "text/markdown; charset=utf-8"
        );
        assert_eq!(answer.text().await, file);
        let title = file.lines().next().unwrap().strip_prefix("# ").unwrap();
        let page = get(server.addr, &path).await.text().await;
        assert!(
            page.contains(&format!("<title>{title} · forever-frame")),
            "{page}"
        );
        assert!(!page.contains("{{"), "{path}");
        let main = page.split_once("<main").unwrap().1;
        for link in between(main, "<a href=\"", "\"") {
            let link = link.replace("&amp;", "&");
            let Some((to, anchor)) = target(&link) else {
                continue;
            };
            let to = if link.starts_with('#') { &path } else { &to };
            let mut there = get(server.addr, to).await;
            assert_eq!(there.status, 200, "{link} of {path}");
            if let Some(anchor) = anchor {
                let text = there.text().await;
                assert!(
                    text.contains(&format!("id=\"{anchor}\"")),
                    "{link} of {path}"
                );
            }
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
    let index = get(server.addr, "/docs/").await.text().await;
    for name in names().iter().filter(|name| *name != "index") {
        assert!(index.contains(&format!("href=\"{name}\"")), "{name}");
    }
    assert_eq!(get(server.addr, "/docs").await.header("location"), "/docs/");
    assert_eq!(get(server.addr, "/docs/missing").await.status, 404);
    server.stop().await;
}

/// What `/llms.txt` and the README link is there.
#[tokio::test]
async fn llms_txt_and_readme_lead_to_the_docs() {
    let server = TestServer::start();
    let text = get(server.addr, "/llms.txt").await.text().await;
    assert!(text.starts_with("# forever-frame\n\n> "), "{text}");
    let links: Vec<&str> = between(&text, "](", ")").collect();
    assert!(links.len() > 8, "{links:?}");
    for link in links {
        assert_eq!(get(server.addr, link).await.status, 200, "{link}");
    }
    server.stop().await;
    let readme = fs::read_to_string(format!("{TREE}/README.md")).unwrap();
    let linked: BTreeSet<String> = between(&readme, "](pages/docs/", ".md")
        .map(str::to_owned)
        .chain(["index".to_owned()])
        .collect();
    assert_eq!(linked, names());
}

/// The page of proxies prints the files of `scripts/proxies`.
#[test]
fn docs_have_the_files_of_proxies() {
    let page = fs::read_to_string(format!("{TREE}/pages/docs/proxies.md")).unwrap();
    let printed: BTreeSet<String> = page
        .split("\n```")
        .skip(1)
        .step_by(2)
        .filter(|block| !block.starts_with("sh\n"))
        .map(|block| block.split_once('\n').unwrap().1.to_owned() + "\n")
        .collect();
    let files = Path::new(TREE).join("scripts/proxies").read_dir().unwrap();
    let files = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    assert_eq!(printed, files.collect());
}

/// The page of the protocol has the grammar at the head of each file of `src/wire`.
#[test]
fn docs_have_the_grammars_of_the_code() {
    let page = fs::read_to_string(format!("{TREE}/pages/docs/protocol.md")).unwrap();
    let in_page: BTreeSet<&str> = between(&page, "```abnf\n", "```").collect();
    let mut in_code = BTreeSet::new();
    for file in Path::new(TREE).join("src/wire").read_dir().unwrap() {
        let file = file.unwrap().path();
        // That of the colours is the standard's.
        if file.ends_with("sgr.rs") {
            continue;
        }
        let code = fs::read_to_string(file).unwrap();
        for block in between(&code, "//! ```abnf\n", "//! ```") {
            let lines = block.lines().map(|line| line.trim_start_matches("//!"));
            let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n");
            in_code.insert(lines.collect::<String>());
        }
    }
    assert_eq!(in_page, in_code.iter().map(String::as_str).collect());
}
