//! What is asked of an engine: bodies of requests, and query parameters.
//!
//! A key that is not known is an error: a mistyped `repositorys` must not mean all of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of a route that has none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Repositories; without the key all.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NamesBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub repositories: Option<Vec<String>>,
}

/// A sync; which keys fit depends on the kind.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub repositories: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Those that are not UTF-8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths_b64: Vec<String>,
    /// `YYYY-MM-DD`, as `from` and `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub problems: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub accept_removals: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub plan: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What a first run will find, where the caller has counted it; both or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_bytes: Option<u64>,
    /// `user`, or `startup` for the sync that follows an addition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
}

/// Files or directories; those that are not UTF-8 in base64.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PathsBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths_b64: Vec<String>,
}

/// One directory, absolute; what is not UTF-8 in base64.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PathBody {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
}

/// A repository to be added.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddBody {
    /// Absolute.
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub types: Vec<String>,
    pub hidden: bool,
    pub one_file_system: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_pattern: Option<String>,
    pub settings: Settings,
    pub if_not_exists: bool,
}

/// Settings by key, as `repo set` and `scheduler set` take them.
pub type Settings = serde_json::Map<String, serde_json::Value>;

/// Problems by id.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdsBody {
    pub ids: Vec<i64>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Which repository; without it all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryQuery {
    pub repository: Option<String>,
}

/// Which sums.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    pub repository: Option<String>,
    /// A moment in RFC 3339, or `7d`: so long ago; 30 days when nobody says.
    pub since: Option<String>,
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

/// Which changes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesQuery {
    /// How many entries at most; 100 when nobody says, and never more than 1000.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// So many entries come before; what `next` said.
    pub after: Option<usize>,
    /// A run's number or id.
    pub run: Option<String>,
    /// A moment in RFC 3339, or `7d`: so long ago.
    pub since: Option<String>,
    pub verdict: Option<String>,
}

/// Which problems.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProblemsQuery {
    /// How many entries at most; 100 when nobody says, and never more than 1000.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// So many entries come before; what `next` said.
    pub after: Option<usize>,
    /// Closed ones too.
    #[serde(default)]
    pub all: bool,
}

/// What of the history is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    pub repository: Option<String>,
    pub kind: Option<String>,
    pub outcome: Option<String>,
    /// A moment in RFC 3339, or `7d`: so long ago.
    pub since: Option<String>,
    /// How many runs at most; 100 when nobody says, and never more than 1000.
    #[schemars(range(min = 1))]
    pub limit: Option<u64>,
    /// Runs before this number; what `next` said.
    pub after: Option<i64>,
}
