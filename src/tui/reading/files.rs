//! Reads for the Files tab: a page of a directory, or what of a million paths matches, the first of it as soon as it is
//! found. A search ends when something newer is asked for; one that was done already rests before it begins again.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::time::Duration;

use super::super::event::Rows;
use super::super::filter::Filter;
use super::super::pane::files::{Ask, FileRows, Found, PAGE, Told};
use super::Turn;
use crate::domain::path::{RelPath, join};
use crate::domain::repository::RepositoryId;
use crate::engine::selects::PathPattern;
use crate::engine::why::why;
use crate::index::{IndexError, Listed, Reader};

/// How many paths a search gives.
const MOST: usize = 1_000;
/// How many of them before its end.
const MOST_EARLY: usize = 200;
/// After so many paths a search looks whether it is still wanted.
const STEP: u64 = 4_096;
/// A busy repository changes all the time: so long a search rests before it is done again.
const REST: Duration = Duration::from_secs(2);

/// Reads what was asked for; what is told before the end goes to `turn`.
pub fn read(reader: &Reader, ask: &Ask, turn: &Turn<'_>) -> Result<Told, IndexError> {
    match ask {
        Ask::Page { repository, directory, seek, is_counted } => {
            let page = reader.page(*repository, directory, seek, PAGE)?;
            let first = page.as_ref().and_then(|page| page.rows.first()).map(Listed::key);
            let (repository, directory) = (*repository, directory.clone());
            let told = Told::Page { repository, directory: directory.clone(), seek: seek.clone(), page };
            let Some(first) = first.filter(|_| *is_counted) else { return Ok(told) };
            // A million rows take a moment to count; nobody is to wait for their names.
            (turn.tell)(Rows::Files(Box::new(told)));
            let (total, before) = reader.count_rows(repository, &directory, &first)?;
            Ok(Told::Counted { repository, directory, first, before, total })
        }
        Ask::Search { repository, below, words, is_again } => {
            if *is_again {
                (turn.rest)(REST);
            }
            let (repository, is_whole) = (*repository, *is_again);
            let (best, sum) = (Vec::new(), Found::default());
            Search { reader, repository, below, words, is_whole, turn, best, sum }.run()
        }
    }
}

/// Reads all of one file.
pub fn read_file(reader: &Reader, id: RepositoryId, path: &RelPath) -> Result<FileRows, IndexError> {
    let repository = reader.repositories()?.into_iter().find(|repository| repository.id == id);
    let repository = repository.ok_or_else(|| IndexError::Invalid("the repository is gone".to_owned()))?;
    let mark = reader.listed(id, path)?.map(|row| row.mark);
    Ok(FileRows { repository: id, path: path.clone(), mark, why: why(reader, &repository, path)? })
}

/// What is looked for.
enum Wanted {
    Glob(PathPattern),
    Text(Filter),
}

impl Wanted {
    fn parse(words: &str) -> Result<Wanted, String> {
        let is_glob = !words.starts_with(['~', '!']) && words.contains(['*', '?', '[']);
        match is_glob {
            true => PathPattern::parse(words).map(Wanted::Glob).map_err(|error| error.to_string()),
            false => Ok(Wanted::Text(Filter::new(words))),
        }
    }

    fn score(&mut self, path: &[u8]) -> Option<u32> {
        match self {
            Wanted::Glob(pattern) => pattern.matches(path).then_some(0),
            Wanted::Text(filter) => filter.score(&String::from_utf8_lossy(path)),
        }
    }
}

/// A search under way.
struct Search<'a> {
    reader: &'a Reader,
    repository: RepositoryId,
    below: &'a RelPath,
    words: &'a str,
    /// Only the whole answer is of use.
    is_whole: bool,
    turn: &'a Turn<'a>,
    /// The score, the place in the walk, the path; at most twice [`MOST`].
    best: Vec<(Reverse<u32>, u64, Vec<u8>)>,
    sum: Found,
}

impl Search<'_> {
    fn run(&mut self) -> Result<Told, IndexError> {
        let mut wanted = match Wanted::parse(self.words) {
            Ok(wanted) => wanted,
            Err(error) => {
                self.sum = Found { is_done: true, error: Some(error), ..Found::default() };
                return self.told(0);
            }
        };
        // Only letters in order make one match better than another; any other search ends when its rows are full.
        let is_ranked = self.words.starts_with('~') && self.words.len() > 1;
        let (reader, skipped) = (self.reader, if self.below.is_root() { 0 } else { self.below.as_bytes().len() + 1 });
        let mut path = Vec::new();
        reader.for_each_path(self.repository, self.below, |directory, name| {
            self.sum.looked_at += 1;
            let looked_at = self.sum.looked_at;
            if looked_at.is_multiple_of(STEP) {
                if (self.turn.is_stale)() {
                    return Ok(false);
                }
                // Ever more seldom: the first rows are waited for, the next hundred less.
                if !self.is_whole && (looked_at.is_power_of_two() || looked_at.is_multiple_of(32 * STEP)) {
                    (self.turn.tell)(Rows::Files(Box::new(self.told(MOST_EARLY)?)));
                }
            }
            path.clear();
            path.extend_from_slice(directory.get(skipped..).unwrap_or_default());
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            let Some(score) = wanted.score(&path) else { return Ok(true) };
            self.sum.matches += 1;
            self.keep(score, looked_at, directory, name);
            Ok(is_ranked || self.sum.matches <= MOST as u64)
        })?;
        self.sum.is_done = !(self.turn.is_stale)();
        self.told(MOST)
    }

    fn keep(&mut self, score: u32, at: u64, directory: &[u8], name: &[u8]) {
        if self.best.len() >= 2 * MOST {
            self.best.sort_unstable();
            self.best.truncate(MOST);
        }
        self.best.push((Reverse(score), at, join(directory, name)));
    }

    /// Returns what was found so far, at most so many rows of it.
    fn told(&mut self, most: usize) -> Result<Told, IndexError> {
        self.best.sort_unstable();
        let mut rows = Vec::new();
        for (_, _, path) in self.best.iter().take(most) {
            // What went in the meantime is not there.
            rows.extend(self.reader.listed(self.repository, &RelPath::from_stored(path.clone()))?);
        }
        let (repository, below, words) = (self.repository, self.below.clone(), self.words.to_owned());
        Ok(Told::Found { repository, below, words, rows, sum: self.sum.clone() })
    }
}
