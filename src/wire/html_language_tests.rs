//! The marks of `html` in a page that is not in English.

use super::testing::{closed, ended, gaps, opened_quiet};
use super::{Encoder, EndReason, HtmlStream};
use crate::translation::Language;

/// Every mark is in the language of the page, and what programs read of it is the same.
#[test]
fn html_marks_in_chinese() {
    let mut html = Encoder::Html(HtmlStream::new(true).in_language(Language::Chinese));
    let opened = opened_quiet(&mut html);
    let closed = closed(&mut html);
    let gaps = gaps(&mut html).concat();
    let reasons = [
        EndReason::Closed,
        EndReason::Stop,
        EndReason::Revoked,
        EndReason::Store,
        EndReason::Timeout,
    ];
    let ends = reasons.map(|reason| ended(&mut html, reason)).concat();
    let all = opened + &closed + &gaps + &ends;
    let mut sentences = 0;
    for line in all.lines().filter(|line| line.starts_with("<p ")) {
        let (_, text) = line.split_once('>').unwrap();
        let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        assert!(text.contains(is_han), "{line}");
        // No words of English are left but names and the markup of the link.
        assert!(!text.contains(" is ") && !text.contains("ends"), "{line}");
        sentences += 1;
    }
    assert_eq!(sentences, 2 + 3 + reasons.len(), "{all}");
    assert!(
        ends.contains(
            "data-reason=\"timeout\">这个流到此结束。<a href=\"?since=k3f9x2qa0b-9\">从这里继续</a>。它的游标是 \
             k3f9x2qa0b-9。</p>"
        ),
        "{ends}"
    );
}
