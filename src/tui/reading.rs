//! Reads rows on threads of their own, so that a slow disk never holds up the screen. Latest wins, per sort of query.
//!
//! There are two: what may take a moment, as a search does, holds up nothing but its like.

mod files;

mod run;

mod timeline;

pub mod problems;

use std::mem::discriminant;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::event::{Msg, Query, RepositoryRows, Rows};
use crate::domain::repository::RepositoryId;
use crate::index::{IndexError, Reader, RunFilter};

/// How much of a history is at hand; older runs are for `watchkeeper history`.
pub const RUNS: usize = 500;
/// How many lines of a run's log are at hand.
pub const LOG_LINES: usize = 1_000;
/// How many runs of each repository the list draws.
pub const RECENT: usize = 12;
/// How many of the newest runs of all repositories are at hand.
const LATEST: u64 = 50;

/// Asks the reading threads. Dropping it ends them.
#[derive(Debug, Default)]
pub struct Reading {
    quick: Arc<Waiting>,
    slow: Arc<Waiting>,
}

/// One replaceable query of each sort, in the order in which the sorts were asked for.
#[derive(Debug, Default)]
struct Slots {
    queries: Vec<Query>,
    /// What is being read.
    current: Option<Query>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Waiting {
    slots: Mutex<Slots>,
    news: Condvar,
}

impl Reading {
    /// Starts the threads. What they read comes out of `replies`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(index_path: PathBuf, replies: mpsc::Sender<Msg>) -> std::io::Result<Reading> {
        let reading = Reading::default();
        for (name, waiting) in [("tui-reader", &reading.quick), ("tui-searcher", &reading.slow)] {
            let (there, replies, index_path) = (Arc::clone(waiting), replies.clone(), index_path.clone());
            std::thread::Builder::new().name(name.to_owned()).spawn(move || serve(&index_path, &there, &replies))?;
        }
        Ok(reading)
    }

    /// Asks for rows. They replace those of a query of the same sort that has not begun; what a person has decided is
    /// never replaced.
    pub fn ask(&self, query: Query) {
        let waiting = if matches!(query, Query::Files(_)) { &self.slow } else { &self.quick };
        let mut slots = waiting.lock();
        let is_same =
            |waiting: &Query| discriminant(waiting) == discriminant(&query) && !matches!(query, Query::Decided(_));
        match slots.queries.iter_mut().find(|waiting| is_same(waiting)) {
            Some(waiting) => *waiting = query,
            None if query == Query::Overview => slots.queries.insert(0, query),
            None => slots.queries.push(query),
        }
        waiting.news.notify_one();
    }
}

impl Slots {
    fn is_pressing(&self) -> bool {
        // The same search once more waits for the end of this one: else one in a busy repository would never end.
        let is_same = |query: &Query| match (query, &self.current) {
            (Query::Files(ask), Some(Query::Files(current))) => ask.is_same_search(current),
            _ => false,
        };
        self.ended || !self.queries.iter().all(is_same)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        for waiting in [&self.quick, &self.slow] {
            // Not joined: a thread may hang in a dead mount, and only reads.
            waiting.lock().ended = true;
            waiting.news.notify_one();
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        // Slots are valid in any state: a panic while they were held does not matter.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next query; `None` at the end.
    fn next(&self) -> Option<Query> {
        let mut slots = self.lock();
        loop {
            if slots.ended {
                return None;
            }
            if !slots.queries.is_empty() {
                let query = slots.queries.remove(0);
                slots.current = Some(query.clone());
                return Some(query);
            }
            slots = self.news.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells whether there is something newer to do than what is being read.
    fn is_pressing(&self) -> bool {
        self.lock().is_pressing()
    }

    /// Waits for this long, or until there is something newer to do.
    fn rest(&self, time: Duration) {
        // What ended it does not matter: whoever rested looks for itself.
        drop(self.news.wait_timeout_while(self.lock(), time, |slots| !slots.is_pressing()));
    }
}

/// What a long reading looks at and tells before its end.
struct Turn<'a> {
    is_stale: &'a dyn Fn() -> bool,
    tell: &'a dyn Fn(Rows),
    /// Waits, but not longer than until something newer is there to do.
    rest: &'a dyn Fn(Duration),
}

fn serve(index_path: &Path, waiting: &Waiting, replies: &mpsc::Sender<Msg>) {
    let mut reader = None;
    let turn = Turn {
        is_stale: &|| waiting.is_pressing(),
        // Nobody listens any more: the answer to come will end this thread.
        tell: &|rows| drop(replies.blocking_send(Msg::Rows(rows))),
        rest: &|time| waiting.rest(time),
    };
    while let Some(query) = waiting.next() {
        let reply = match read(&mut reader, index_path, &query, &turn) {
            Ok(rows) => Msg::Rows(rows),
            Err(error) => {
                reader = None;
                Msg::Unread(error.to_string())
            }
        };
        if replies.blocking_send(reply).is_err() {
            return;
        }
    }
}

fn read(reader: &mut Option<Reader>, index_path: &Path, query: &Query, turn: &Turn<'_>) -> Result<Rows, IndexError> {
    if reader.as_ref().is_none_or(|reader| !reader.is_current()) {
        *reader = Reader::open(index_path)?;
    }
    let Some(reader) = reader else {
        // No index yet: nothing is configured.
        return Ok(Rows::Overview { statuses: Vec::new(), latest: Vec::new() });
    };
    match query {
        Query::Overview => Ok(Rows::Overview {
            statuses: reader.statuses()?,
            latest: reader.runs(&RunFilter { limit: Some(LATEST), ..RunFilter::default() })?,
        }),
        Query::Recent => Ok(Rows::Recent(reader.recent_runs(RECENT)?)),
        Query::Repository(id) => Ok(Rows::Repository(Box::new(read_repository(reader, *id)?))),
        Query::Run { repository, number } => Ok(Rows::Run(Box::new(run::read(reader, *repository, *number)?))),
        Query::Files(ask) => Ok(Rows::Files(Box::new(files::read(reader, ask, turn)?))),
        Query::File { repository, path } => Ok(Rows::File(Box::new(files::read_file(reader, *repository, path)?))),
        Query::Changes(wanted) => Ok(Rows::Changes(timeline::pages(reader, *wanted)?)),
        Query::Group(wanted) => Ok(Rows::Group(wanted.clone(), timeline::group(reader, wanted)?)),
        Query::Away(since) => Ok(Rows::Away(*since, reader.away(*since)?)),
        Query::Problems(ask) => Ok(Rows::Problems(Box::new(problems::read(reader, ask)?))),
        Query::Decided(decision) => Ok(Rows::Decided(decision.clone(), problems::read_decided(reader, decision)?)),
    }
}

fn read_repository(reader: &Reader, id: RepositoryId) -> Result<RepositoryRows, IndexError> {
    let runs = RunFilter { repository: Some(id), limit: Some(RUNS as u64), ..RunFilter::default() };
    Ok(RepositoryRows { id, runs: reader.runs(&runs)?, causes: reader.causes(id)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::pane::files::Ask;

    #[test]
    fn a_newer_query_of_the_same_sort_replaces_the_one_that_waits() {
        let reading = Reading::default();
        let waiting = Arc::clone(&reading.quick);
        for id in 1..=9 {
            reading.ask(Query::Repository(RepositoryId(id)));
        }
        reading.ask(Query::Overview);
        assert_eq!(waiting.next(), Some(Query::Overview));
        assert_eq!(waiting.next(), Some(Query::Repository(RepositoryId(9))));
        drop(reading);
        assert_eq!(waiting.next(), None);
    }

    #[test]
    fn the_same_search_again_ends_none_and_another_ends_the_rest_before_it() {
        let search = |words: &str, is_again| {
            let (repository, below) = (RepositoryId(1), crate::domain::path::RelPath::root());
            Query::Files(Ask::Search { repository, below, words: words.to_owned(), is_again })
        };
        let reading = Reading::default();
        let waiting = Arc::clone(&reading.slow);
        reading.ask(search("a", false));
        assert_eq!(waiting.next(), Some(search("a", false)));
        reading.ask(search("a", true));
        assert!(!waiting.is_pressing());
        assert_eq!(waiting.next(), Some(search("a", true)));
        assert!(!waiting.is_pressing());
        reading.ask(search("ab", false));
        assert!(waiting.is_pressing());
        waiting.rest(Duration::from_secs(3_600));
        assert_eq!(waiting.next(), Some(search("ab", false)));
    }

    #[test]
    fn an_index_that_is_not_there_yet_is_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let turn = Turn { is_stale: &|| false, tell: &|_| {}, rest: &|_| {} };
        let found = read(&mut None, &dir.path().join("index.db"), &Query::Overview, &turn).unwrap();
        assert!(matches!(found, Rows::Overview { statuses, .. } if statuses.is_empty()));
    }
}
