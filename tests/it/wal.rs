//! The write-ahead log next to the log file does not grow without bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use forever_frame::limits;
use forever_frame::log::{Keep, Moment, PageLimit, Selection, Sqlite, Store};
use forever_frame::message::{Channel, Draft, Seq};
use rusqlite::Connection;

const MIB: usize = 1 << 20;

struct Log {
    directory: tempfile::TempDir,
    store: Arc<Store>,
}

impl Log {
    fn new() -> Log {
        let directory = crate::support::directory();
        let keep = Keep {
            messages: 20,
            age: Duration::from_hours(1),
        };
        let store = Sqlite::open(&directory.path().join("log.db"), keep, u64::MAX).unwrap();
        Log {
            directory,
            store: Arc::new(Store::Sqlite(store)),
        }
    }

    async fn append(&self, mib: usize) {
        for _ in 0..mib {
            let draft = Draft::new(Channel::main(), "x".repeat(MIB));
            self.store
                .commit(vec![draft], &Moment::at(1))
                .await
                .unwrap();
        }
    }

    fn wal(&self) -> u64 {
        let path = self.directory.path().join("log.db-wal");
        std::fs::metadata(path).unwrap().len()
    }
}

/// The write-ahead log is truncated when another process that read for long has ended.
#[tokio::test]
async fn wal_shrinks_after_long_reader() {
    let most = u64::from(limits::WAL_BYTES);
    let log = Log::new();
    log.append(1).await;
    let other = Connection::open(log.directory.path().join("log.db")).unwrap();
    other.execute_batch("BEGIN; SELECT * FROM log").unwrap();
    log.append(limits::WAL_BYTES as usize / MIB + 10).await;
    assert!(log.wal() > most, "{}: the reader holds it", log.wal());
    other.execute_batch("COMMIT").unwrap();
    log.append(3).await;
    assert!(log.wal() <= most, "{}", log.wal());
}

/// The write-ahead log is emptied though some connection always reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wal_emptied_under_constant_readers() {
    let log = Log::new();
    log.append(20).await;
    let over = Arc::new(AtomicBool::new(false));
    let readers = (0..2 * limits::STORE_READERS_MAX).map(|_| {
        let (store, over) = (Arc::clone(&log.store), Arc::clone(&over));
        tokio::spawn(async move {
            let all = Selection::of_channel(Channel::main());
            while !over.load(Relaxed) {
                let room = PageLimit::new(usize::MAX, usize::MAX);
                store.read(&all, Seq::START, room).await.unwrap();
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    log.append(3 * limits::WAL_BYTES as usize / MIB).await;
    // A commit adds to it before the next commit finds it too long.
    assert!(
        log.wal() <= u64::from(limits::WAL_BYTES) + 3 * MIB as u64,
        "{}",
        log.wal()
    );
    over.store(true, Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}
