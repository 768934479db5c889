//! How often each place in the program may log. Pure: the time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use log::{Level, Record};

use crate::limits;

/// How long the lines of a place are counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// What becomes of a line that is logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LineFate {
    /// It is put into the queue.
    Put,
    /// It is put into the queue after a line that says what was left out before it.
    PutAfter(LeftOut),
    /// It is counted only.
    LeaveOut,
}

/// Lines of one place that were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) count: u64,
    pub(super) level: Level,
    pub(super) target: Box<str>,
    pub(super) file: &'static str,
    pub(super) line: u32,
}

/// The places that have logged. There are as many as the program has lines that log.
#[derive(Debug, Default)]
pub(super) struct CallSites(HashMap<(&'static str, u32), CallSite>);

/// One place, and the lines of its current window.
#[derive(Debug)]
struct CallSite {
    began: Instant,
    put: u32,
    left_out: u64,
    level: Level,
    target: Box<str>,
}

impl CallSites {
    /// Decides about a line that is to be logged now.
    pub(super) fn admit(&mut self, record: &Record<'_>, now: Instant) -> LineFate {
        // A line without a file is one that a panic has made; they share one place.
        let at = (
            record.file_static().unwrap_or("panic"),
            record.line().unwrap_or(0),
        );
        let site = self.0.entry(at).or_insert_with(|| CallSite {
            began: now,
            put: 0,
            left_out: 0,
            level: record.level(),
            target: record.target().into(),
        });
        let left_out = site.renew(at, now);
        if site.put >= limits::DIAGNOSTICS_PER_SECOND_MAX {
            site.left_out += 1;
            return LineFate::LeaveOut;
        }
        site.put += 1;
        left_out.map_or(LineFate::Put, LineFate::PutAfter)
    }

    /// Returns when the next window is over in which a place has used up its share.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let used_up = |site: &&CallSite| site.put >= limits::DIAGNOSTICS_PER_SECOND_MAX;
        let ends = self
            .0
            .values()
            .filter(used_up)
            .map(|site| site.began + WINDOW);
        ends.min()
    }

    /// Takes what was left out in the windows that are over.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<LeftOut> {
        let sites = self.0.iter_mut();
        sites
            .filter_map(|(at, site)| site.renew(*at, now))
            .collect()
    }

    /// Takes all that was left out and not said yet.
    pub(super) fn take_all(&mut self) -> Vec<LeftOut> {
        let sites = self.0.iter_mut();
        sites.filter_map(|(at, site)| site.take(*at)).collect()
    }
}

impl CallSite {
    /// Begins a new window if the current one is over, and returns what was left out in it.
    fn renew(&mut self, at: (&'static str, u32), now: Instant) -> Option<LeftOut> {
        if now.saturating_duration_since(self.began) < WINDOW {
            return None;
        }
        (self.began, self.put) = (now, 0);
        self.take(at)
    }

    fn take(&mut self, (file, line): (&'static str, u32)) -> Option<LeftOut> {
        let count = std::mem::take(&mut self.left_out);
        (count > 0).then(|| LeftOut {
            count,
            level: self.level,
            target: self.target.clone(),
            file,
            line,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: u32 = limits::DIAGNOSTICS_PER_SECOND_MAX;

    fn admit(sites: &mut CallSites, line: u32, now: Instant) -> LineFate {
        let mut record = Record::builder();
        let record = record.file_static(Some("x.rs")).line(Some(line));
        sites.admit(&record.build(), now)
    }

    /// Each place has its share in each second, and says what is left out of it.
    #[test]
    fn each_place_has_its_share() {
        let (mut sites, now) = (CallSites::default(), Instant::now());
        for _ in 0..SHARE {
            assert_eq!(admit(&mut sites, 1, now), LineFate::Put);
        }
        for _ in 0..3 {
            assert_eq!(admit(&mut sites, 1, now), LineFate::LeaveOut);
        }
        assert_eq!(admit(&mut sites, 2, now), LineFate::Put, "another place");
        assert_eq!(sites.next_due(), Some(now + WINDOW));
        assert_eq!(sites.take_due(now), []);
        let LineFate::PutAfter(left_out) = admit(&mut sites, 1, now + WINDOW) else {
            panic!("the next second");
        };
        assert_eq!(
            (left_out.count, left_out.file, left_out.line),
            (3, "x.rs", 1)
        );
        assert_eq!(sites.next_due(), None);
    }

    /// What is left out is said also when the place is quiet afterwards.
    #[test]
    fn what_is_left_out_is_due_after_its_second() {
        let (mut sites, now) = (CallSites::default(), Instant::now());
        for _ in 0..SHARE + 2 {
            admit(&mut sites, 1, now);
        }
        assert_eq!(sites.take_due(now + WINDOW)[0].count, 2);
        assert_eq!((sites.next_due(), sites.take_all()), (None, vec![]));
    }
}
