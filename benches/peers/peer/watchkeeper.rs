//! How watchkeeper itself is driven, and what can be seen of its index from outside: only what the contract promises.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use rusqlite::{Connection, OpenFlags};

use super::Site;
use crate::measure::run_unmeasured;

/// The name of the repository in the index.
const NAME: &str = "bench";

/// Adds the tree to a new index, without its first run.
pub fn add_repository(site: Site) -> io::Result<()> {
    let mut add = watchkeeper(site);
    add.args(["repo", "add"]).arg(site.tree).args(["--name", NAME, "--no-sync", "--yes"]);
    run_unmeasured(&mut add).map(drop)
}

/// Returns the command for a full run; the first one is the first index.
pub fn sync(site: Site) -> Command {
    let mut sync = watchkeeper(site);
    sync.args(["sync", NAME, "--quiet"]);
    sync
}

/// Returns how many files the newest run looked at, if it tells.
///
/// A run that did nothing would win every race, so the bench asks.
pub fn last_run_scanned(site: Site) -> Option<u64> {
    let output = run_unmeasured(watchkeeper(site).args(["history", NAME, "-n", "1", "--json"])).ok()?;
    let line = String::from_utf8(output).ok()?;
    let run: serde_json::Value = serde_json::from_str(line.lines().next()?).ok()?;
    run.get("files_scanned")?.as_u64()
}

fn watchkeeper(site: Site) -> Command {
    let mut watchkeeper = Command::new(site.binary);
    watchkeeper.arg("--data-dir").arg(site.store);
    // The user's own config and data directory are not ours to measure, or to touch.
    for variable in ["WATCHKEEPER_DATA_DIR", "WATCHKEEPER_CONFIG", "WATCHKEEPER_LOG"] {
        watchkeeper.env_remove(variable);
    }
    watchkeeper.env("XDG_CONFIG_HOME", site.store);
    watchkeeper
}

/// The size of an index on disk.
#[derive(Clone, Copy, Debug)]
pub struct IndexSize {
    /// `index.db` and its write-ahead log.
    pub total_bytes: u64,
    /// The pages of the table `changes` and its indexes within it; `None` if the database cannot be asked.
    pub changes_bytes: Option<u64>,
}

impl IndexSize {
    /// Returns the bytes of the database file and its log. Costs no more than two `stat`.
    pub fn total_bytes(store: &Path) -> u64 {
        ["index.db", "index.db-wal"]
            .iter()
            .filter_map(|name| fs::metadata(store.join(name)).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// Looks at the index in `store`. Opening it may fold its log into it, so it is never done between two rounds.
    pub fn of(store: &Path) -> Self {
        let total_bytes = Self::total_bytes(store);
        IndexSize { total_bytes, changes_bytes: pages_of_changes(&store.join("index.db")) }
    }
}

fn pages_of_changes(database: &Path) -> Option<u64> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let sql = "SELECT coalesce(sum(pages.pgsize), 0) FROM dbstat AS pages
               JOIN sqlite_schema AS thing ON thing.name = pages.name WHERE thing.tbl_name = 'changes'";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
}
