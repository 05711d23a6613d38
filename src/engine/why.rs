//! What decided one record: its rule, the run that wrote it, its changes, what is wrong with it. For `why` and the screen.

use super::selects::left_out_by;
use crate::domain::path::RelPath;
use crate::domain::report::{Damage, FileEntry, Repository, Run, StoredChange, StoredProblem};
use crate::index::{IndexError, Reader};

/// How many changes of one path are looked up; the newest count.
const CHANGES: u64 = 100;

/// All that is known of one path.
#[derive(Clone, Debug)]
pub struct Why {
    /// `None`: it is not in the index.
    pub record: Option<FileEntry>,
    /// The rule that leaves it out, if one does, or why the rules cannot be understood.
    pub left_out_by: Result<Option<String>, String>,
    /// The number of the run that wrote the record last, and the run if the history still has it.
    pub written_by: Option<(i64, Option<Run>)>,
    /// The newest first.
    pub changes: Vec<StoredChange>,
    pub problem: Option<StoredProblem>,
    pub damage: Option<Damage>,
}

/// Looks a path up.
///
/// # Errors
/// Those of the index.
pub fn why(reader: &Reader, repository: &Repository, path: &RelPath) -> Result<Why, IndexError> {
    let record = reader.file(repository.id, path)?;
    let number = reader.written_by(repository.id, path)?;
    let damage = match record.as_ref().is_some_and(|record| record.is_damaged) {
        true => reader.damage(Some(repository.id))?.into_iter().find(|damage| damage.path == *path),
        false => None,
    };
    Ok(Why {
        left_out_by: left_out_by(&repository.settings, path),
        written_by: number.map(|number| (number, reader.run(&number.to_string()).ok())),
        changes: reader.changes_of_path(repository.id, path, CHANGES)?,
        problem: reader.problems(Some(repository.id), false)?.into_iter().find(|problem| problem.path == *path),
        damage,
        record,
    })
}
