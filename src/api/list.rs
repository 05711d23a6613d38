//! Lists: what a page of one holds, and how it is told that there is more.

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Failure;
use super::service::{Service, repository};
use crate::domain::repository::RepositoryId;
use crate::index::{self, Reader};
use crate::wire::{
    ChangeJson, DamageJson, FileJson, HeldJson, LogJson, ProblemJson, RepositoryJson, RunJson, StatsJson, StatusJson,
};

const LIMIT: u64 = 100;
const MAX_LIMIT: u64 = 1000;

/// A list under a name of its own.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident { $key:ident: $entry:ty $(, $more:ident: $kind:ty)* }) => {
        $(#[$doc])*
        #[derive(Debug, JsonSchema, Serialize)]
        pub struct $name {
            pub $key: Vec<$entry>,
            $(
                /// What to give as `after` for the next page; null: this is the last one.
                pub $more: $kind,
            )*
        }
    };
}

/// As [`list`], from a page of it.
macro_rules! paged {
    ($(#[$doc:meta])* $name:ident { $key:ident: $entry:ty }) => {
        list! { $(#[$doc])* $name { $key: $entry, next: Option<usize> } }

        impl From<Page<$entry>> for $name {
            fn from(page: Page<$entry>) -> $name {
                $name { next: page.next(), $key: page.entries }
            }
        }
    };
}

paged! { /// Records by directory and name.
Files { files: FileJson } }
paged! { /// Changes in the order in which they were found.
Changes { changes: ChangeJson } }
paged! { /// Paths that could not be handled.
Problems { problems: ProblemJson } }
paged! { /// Files whose content changed while size and times did not.
Damages { damage: DamageJson } }
paged! { /// Removals that wait for a decision.
Helds { held: HeldJson } }
list! { /// Runs, the newest first.
Runs { runs: RunJson, next: Option<i64> } }
list! { /// How repositories are doing.
Statuses { repositories: StatusJson } }
list! { /// Repositories with their settings.
Repositories { repositories: RepositoryJson } }
list! { /// Sums per repository and kind.
Statistics { stats: StatsJson } }

/// What a run's log says.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RunLog {
    pub run_id: String,
    pub number: i64,
    pub log: Vec<LogJson>,
}

/// Returns how many entries a page holds.
///
/// # Errors
/// When none are wanted: such a page would have no next one, and no end.
pub fn limited(limit: Option<u64>) -> Result<usize, Failure> {
    match limit.unwrap_or(LIMIT) {
        0 => Err(Failure::usage("limit is at least 1")),
        limit => Ok(limit.min(MAX_LIMIT) as usize),
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// How many entries at most; 100 when nobody says, and never more than 1000.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// So many entries come before; what `next` said.
    pub after: Option<usize>,
}

/// Collects one page of a list that is handed out entry by entry.
#[derive(Debug)]
pub struct Page<T> {
    skip: usize,
    limit: usize,
    entries: Vec<T>,
    has_more: bool,
}

impl<T> Page<T> {
    pub fn new(limit: Option<u64>, after: Option<usize>) -> Result<Page<T>, Failure> {
        Ok(Page { skip: after.unwrap_or(0), limit: limited(limit)?, entries: Vec::new(), has_more: false })
    }

    /// Takes the `at`-th entry, counted from 0; returns whether more is wanted.
    pub fn take(&mut self, at: usize, entry: impl FnOnce() -> T) -> bool {
        if at < self.skip {
            return true;
        }
        if self.entries.len() == self.limit {
            self.has_more = true;
            return false;
        }
        self.entries.push(entry());
        true
    }

    /// Returns where the next page begins.
    fn next(&self) -> Option<usize> {
        self.has_more.then_some(self.skip.saturating_add(self.limit))
    }

    /// Returns how many entries must be found so that it is known whether there is a next page.
    pub fn wanted(&self) -> usize {
        self.skip.saturating_add(self.limit).saturating_add(1)
    }

    /// Takes its part of what the index says of one repository.
    ///
    /// # Errors
    /// Those of the index; when there is no such repository.
    pub fn read<S, L>(
        mut self,
        service: &Service,
        name: &str,
        find: impl FnOnce(&Reader, RepositoryId) -> index::Result<Vec<S>>,
    ) -> Result<Json<L>, Failure>
    where
        T: for<'a> From<&'a S>,
        L: From<Page<T>>,
    {
        service.read(|reader| {
            let all = find(reader, repository(reader, name)?.id)?;
            // Ends at the first entry that is not wanted any more.
            all.iter().enumerate().all(|(at, entry)| self.take(at, || T::from(entry)));
            Ok(Json(self.into()))
        })
    }
}
