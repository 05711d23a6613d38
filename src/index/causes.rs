//! What is wrong with a repository as a few causes instead of thousands of paths: grouped by class and directory.
//!
//! SQLite sums up by directory; where that still makes too many, the deepest directories become one with those above them,
//! so that ten thousand refusals below one directory are one cause.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Row, params};

use super::{Reader, Result};
use crate::domain::moment::Timestamp;
use crate::domain::path::{RelPath, below};
use crate::domain::report::{Damage, Held, StoredProblem};
use crate::domain::repository::RepositoryId;

/// How many causes of one sort a person reads; more are told by the directories above them.
pub const MOST_CAUSES: usize = 50;

/// What a cause consists of, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    Damage,
    Held,
    Problem,
}

/// What a cause is known by when it is read again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CauseKey {
    pub sort: Sort,
    /// The class of problems, the reason of held removals; empty for damage.
    pub class: String,
    pub directory: RelPath,
    /// What lies further below belongs to it, too, and not only what lies right in the directory.
    pub is_deep: bool,
}

/// Paths with the same trouble in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub key: CauseKey,
    /// The path itself where there is one, otherwise the directory that they all lie in or below.
    pub place: RelPath,
    pub paths: i64,
    /// Those that no one has acknowledged, dismissed or accepted.
    pub new_paths: i64,
    /// The files behind the paths, and their size; of problems neither is known.
    pub files: i64,
    pub bytes: i64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// How often they were met, all together.
    pub count: i64,
    /// What was said of one of them; empty for other sorts than problems.
    pub message: String,
}

/// The paths of a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// Their good copies are looked for one by one; see [`Reader::damage_at`].
    Damage(Vec<Damage>),
    Held(Vec<Held>),
    Problem(Vec<StoredProblem>),
}

/// The columns that [`summed`] reads, by sort. `?1` is the repository, `?2` the run that met problems last, or NULL.
const DAMAGE: &str = "
    SELECT '', d.path, count(*), count(*), count(*), sum(f.size_bytes), min(m.found_ms), max(m.found_ms), count(*), '',
           CAST(CASE d.path WHEN x'' THEN min(m.name) ELSE d.path || x'2f' || min(m.name) END AS BLOB),
           CAST(CASE d.path WHEN x'' THEN max(m.name) ELSE d.path || x'2f' || max(m.name) END AS BLOB)
    FROM damage m JOIN directories d ON d.id = m.directory_id
         JOIN files f ON f.directory_id = m.directory_id AND f.name = m.name
    WHERE m.repository_id = ?1 AND ?2 IS NULL GROUP BY d.id";
const HELD: &str = "
    SELECT reason, directory_of(path), count(*), sum(dismissed_ms IS NULL), sum(files), sum(bytes), min(since_ms),
           max(since_ms), count(*), '', min(path), max(path)
    FROM held WHERE repository_id = ?1 AND ?2 IS NULL GROUP BY 1, 2";
const PROBLEMS: &str = "
    SELECT class, directory_of(path), count(*), sum(acknowledged_ms IS NULL), 0, 0, min(first_seen_ms),
           max(last_seen_ms), sum(count), min(message), min(path), max(path)
    FROM problems
    WHERE repository_id = ?1 AND CASE WHEN ?2 IS NULL THEN closed_ms IS NULL ELSE last_run = ?2 END GROUP BY 1, 2";

/// Which paths a cause consists of: `?2` is its class, `?3` to `?6` what lies below its directory, `?7` how many.
const OF_DAMAGE: &str = "m.repository_id = ?1 AND ?2 = '' AND (d.path = ?6 OR ?5 AND d.path >= ?3 AND d.path < ?4)
    ORDER BY d.path, m.name LIMIT ?7";
const OF_HELD: &str = "h.repository_id = ?1 AND h.reason = ?2 AND h.path >= ?3 AND h.path < ?4
    AND (?5 OR directory_of(h.path) = ?6) ORDER BY h.dismissed_ms IS NOT NULL, h.path LIMIT ?7";
const OF_PROBLEMS: &str =
    "p.repository_id = ?1 AND p.closed_ms IS NULL AND p.class = ?2 AND p.path >= ?3 AND p.path < ?4
    AND (?5 OR directory_of(p.path) = ?6) ORDER BY p.acknowledged_ms IS NOT NULL, p.path LIMIT ?7";

impl Reader {
    /// Returns everything that needs a person in a repository as a few causes: damage, held removals, open problems; of
    /// each sort what no one has decided on first, then the latest.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn causes(&self, repository: RepositoryId) -> Result<Vec<Cause>> {
        let mut causes = self.causes_of(DAMAGE, Sort::Damage, repository, None)?;
        causes.extend(self.causes_of(HELD, Sort::Held, repository, None)?);
        causes.extend(self.causes_of(PROBLEMS, Sort::Problem, repository, None)?);
        Ok(causes)
    }

    /// Returns the causes of the problems that a run met and none after it.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn causes_met_last_by(&self, repository: RepositoryId, run: i64) -> Result<Vec<Cause>> {
        self.causes_of(PROBLEMS, Sort::Problem, repository, Some(run))
    }

    fn causes_of(&self, sql: &str, sort: Sort, repository: RepositoryId, run: Option<i64>) -> Result<Vec<Cause>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![repository.0, run], |row| summed(row, sort))?;
        let summed = fold(rows.collect::<rusqlite::Result<_>>()?, MOST_CAUSES);
        let mut causes: Vec<Cause> = summed.into_iter().map(Summed::placed).collect();
        causes.sort_by_key(|cause| (cause.new_paths == 0, Reverse(cause.last_seen)));
        Ok(causes)
    }

    /// Returns the first `limit` paths of a cause: what no one has decided on first, then by path.
    ///
    /// # Errors
    /// Those of SQLite.
    pub fn members(&self, repository: RepositoryId, key: &CauseKey, limit: usize) -> Result<Members> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (from, to) = below(key.directory.as_bytes());
        let range = (repository.0, &key.class, from, to, key.is_deep, key.directory.as_bytes(), limit);
        Ok(match key.sort {
            Sort::Damage => Members::Damage(self.damage_where(OF_DAMAGE, range)?),
            Sort::Held => Members::Held(self.held_where(OF_HELD, range)?),
            Sort::Problem => Members::Problem(self.problems_where(OF_PROBLEMS, range)?),
        })
    }
}

impl Members {
    pub fn len(&self) -> usize {
        match self {
            Members::Damage(damage) => damage.len(),
            Members::Held(held) => held.len(),
            Members::Problem(problems) => problems.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A cause on its way: with the first and the last of its paths, between which all others lie.
#[derive(Debug)]
struct Summed {
    cause: Cause,
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Summed {
    /// Takes in what lies in the same or another directory of the same trouble.
    fn add(&mut self, other: Summed) {
        let (cause, more) = (&mut self.cause, other.cause);
        cause.paths += more.paths;
        cause.new_paths += more.new_paths;
        cause.files += more.files;
        cause.bytes += more.bytes;
        cause.count += more.count;
        cause.first_seen = cause.first_seen.min(more.first_seen);
        cause.last_seen = cause.last_seen.max(more.last_seen);
        cause.message = std::mem::take(&mut cause.message).min(more.message);
        cause.key.is_deep |= more.key.is_deep;
        self.first = std::mem::take(&mut self.first).min(other.first);
        self.last = std::mem::take(&mut self.last).max(other.last);
    }

    /// Says where all of it lies: paths in byte order share what the first and the last of them share.
    fn placed(mut self) -> Cause {
        let mut place = RelPath::from_stored(self.first);
        let is_one = place.as_bytes() == self.last;
        while let Some((above, _)) = place.split().filter(|_| !is_one && !place.covers(&self.last)) {
            place = above;
        }
        self.cause.place = place;
        self.cause
    }
}

fn summed(row: &Row<'_>, sort: Sort) -> rusqlite::Result<Summed> {
    let directory = RelPath::from_stored(row.get(1)?);
    let cause = Cause {
        key: CauseKey { sort, class: row.get(0)?, directory, is_deep: false },
        place: RelPath::root(),
        paths: row.get(2)?,
        new_paths: row.get(3)?,
        files: row.get(4)?,
        bytes: row.get(5)?,
        first_seen: Timestamp(row.get(6)?),
        last_seen: Timestamp(row.get(7)?),
        count: row.get(8)?,
        message: row.get(9)?,
    };
    Ok(Summed { cause, first: row.get(10)?, last: row.get(11)? })
}

/// Joins directories with those above them until there are at most `most` causes, or one of each class. The class with the
/// most gives way first, and of it the deepest directories: a lone problem is not hidden by ten thousand of another class.
fn fold(all: Vec<Summed>, most: usize) -> Vec<Summed> {
    let mut classes: BTreeMap<String, Vec<Summed>> = BTreeMap::new();
    for summed in all {
        classes.entry(summed.cause.key.class.clone()).or_default().push(summed);
    }
    while classes.values().map(Vec::len).sum::<usize>() > most {
        let foldable = classes.values_mut().filter(|class| class.iter().any(|summed| depth(summed) > 0));
        let Some(widest) = foldable.max_by_key(|class| class.len()) else { break };
        *widest = fold_deepest(std::mem::take(widest));
    }
    classes.into_values().flatten().collect()
}

fn fold_deepest(class: Vec<Summed>) -> Vec<Summed> {
    let deepest = class.iter().map(depth).max().unwrap_or(0);
    let mut joined: BTreeMap<RelPath, Summed> = BTreeMap::new();
    for mut summed in class {
        let key = &mut summed.cause.key;
        if let Some((above, _)) = key.directory.split().filter(|_| depth_of(&key.directory) == deepest) {
            (key.directory, key.is_deep) = (above, true);
        }
        match joined.entry(key.directory.clone()) {
            Entry::Vacant(place) => drop(place.insert(summed)),
            Entry::Occupied(mut known) => known.get_mut().add(summed),
        }
    }
    joined.into_values().collect()
}

fn depth(summed: &Summed) -> usize {
    depth_of(&summed.cause.key.directory)
}

fn depth_of(directory: &RelPath) -> usize {
    match directory.as_bytes() {
        b"" => 0,
        path => 1 + path.iter().filter(|byte| **byte == b'/').count(),
    }
}
