//! Lists, each under a name of its own, and what of it comes next.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ChangeJson, DamageJson, FileJson, HeldJson, LogJson, ProblemJson, RepositoryJson, RunJson, StatsJson, StatusJson,
};

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

/// Part of a list, whatever it is of.
#[derive(Debug)]
pub struct Part<T> {
    pub entries: Vec<T>,
    pub next: Option<usize>,
}

/// As [`list`], from a part of it.
macro_rules! paged {
    ($(#[$doc:meta])* $name:ident { $key:ident: $entry:ty }) => {
        list! { $(#[$doc])* $name { $key: $entry, next: Option<usize> } }

        impl From<Part<$entry>> for $name {
            fn from(part: Part<$entry>) -> $name {
                $name { next: part.next, $key: part.entries }
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
