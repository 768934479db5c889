//! Case `append`: appends a second to this server, compared with what `SQLite` does alone, with a
//! transaction and an fsync for each message.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::appends::{self, PUBLISHERS, Round, Row};
use crate::goals::Goal;
use crate::http;
use crate::micro::Inserts;
use crate::publish::publish;
use crate::run::Run;
use crate::server::Server;
use crate::targets::{self, Target};

const GROUPED: Goal = Goal::at_least(8.0, "×", "appends/s to one transaction after the other");

/// The publishers for whose appends there is a goal.
const JUDGED: usize = 64;

/// A server, and how many appends it has acknowledged.
struct Store {
    target: Target,
    server: Server,
    appended: Cell<usize>,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::named(&["ours, text, memory", "ours, text, sqlite"]);
    let stores = run.selected(targets).into_iter();
    let stores = stores.map(|target| Store::start(run, target));
    let stores: Vec<Store> = stores.collect::<Result<_>>()?;
    let mut floor = Inserts::new(&run.scratch)?;
    let mut rows = vec![floor.row()];
    for store in &stores {
        for publishers in PUBLISHERS {
            let append = move |time| store.append(publishers, time);
            let goal = Some((store.target, GROUPED));
            let is_judged = store.target.name.contains("sqlite") && publishers == JUDGED;
            let row = Row::new(store.target.to_string(), publishers, append);
            rows.push(row.with_goal(goal.filter(|_| is_judged)));
        }
    }
    appends::measure(run, rows)?;
    stores.into_iter().try_for_each(Store::check)
}

impl Store {
    fn start(run: &Run, target: Target) -> Result<Store> {
        Ok(Store {
            target,
            server: run.start(&target)?,
            appended: Cell::new(0),
        })
    }

    fn append(&self, publishers: usize, time: Duration) -> Result<Round> {
        let before = self.server.cpu()?;
        let request = http::append("append", 1);
        let began = Instant::now();
        let published = publish(&[self.server.addr], publishers, |_, next| {
            next.extend_from_slice(request.as_bytes());
            began.elapsed() < time
        })?;
        let cpu = Some(self.server.cpu_since(before)?.total());
        self.appended.update(|n| n + published.latencies.len());
        Ok(Round { published, cpu })
    }

    /// Checks that the log holds exactly the acknowledged messages: the next has the next number.
    fn check(self) -> Result<()> {
        let answer = http::ask(self.server.addr, &http::append("append", 1), 201)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let (target, appended, seq) = (self.target, self.appended.get(), &answer["seq"]);
        if *seq != appended + 1 {
            return Err(format!(
                "{target}: {appended} appends were acknowledged, but the next message is number {seq}"
            )
            .into());
        }
        self.server.stop()
    }
}
