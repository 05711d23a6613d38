//! Reads what the Problems tab opens: the paths of a cause, and where good copies of a damaged file are.

use crate::domain::path::RelPath;
use crate::domain::report::Damage;
use crate::domain::repository::RepositoryId;
use crate::index::{CauseKey, IndexError, Members, Reader};

/// How many paths of one cause are at hand; the filter narrows these.
pub const PATHS: usize = 5_000;

/// The paths of a cause are wanted, and of one damaged file its good copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub repository: RepositoryId,
    pub cause: CauseKey,
    pub damaged: Option<RelPath>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub cause: CauseKey,
    /// At most [`PATHS`].
    pub members: Members,
    pub damaged: Option<Damage>,
}

/// What was decided on a whole cause, which takes all of its paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub repository: RepositoryId,
    pub name: String,
    pub cause: CauseKey,
    pub what: What,
}

/// What a person can decide on a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Acknowledge,
    /// Look at these paths again.
    LookAgain,
    AcceptDamage,
}

/// Reads the paths of a cause.
pub fn read(reader: &Reader, ask: &Ask) -> Result<Found, IndexError> {
    let damaged = ask.damaged.as_ref().map(|path| reader.damage_at(ask.repository, path)).transpose()?;
    Ok(Found {
        cause: ask.cause.clone(),
        members: reader.members(ask.repository, &ask.cause, PATHS)?,
        damaged: damaged.flatten(),
    })
}

/// Reads everything that was decided on.
pub fn read_decided(reader: &Reader, decision: &Decision) -> Result<Members, IndexError> {
    reader.members(decision.repository, &decision.cause, usize::MAX)
}
