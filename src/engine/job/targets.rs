//! Which directories a run looks at first: the root, every known directory, or those that were named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::directory::{Scope, Target};
use super::serve::HintBatch;
use super::shared::Shared;
use super::stack::{Source, Work};
use crate::domain::hint::Look;
use crate::domain::path::RelPath;
use crate::domain::run::Kind;
use crate::index::{IndexError, KnownDirectory, Reader, Result};

/// How many directories are taken from the index at once.
const DIRECTORIES_AT_ONCE: usize = 64;

/// Returns the first work of a run, and where more comes from.
pub(super) fn first_work(shared: &Arc<Shared>, reader: &Reader) -> Result<(Vec<Work>, Option<Source>)> {
    let id = shared.run.repository;
    let root = || -> Result<Target> {
        let known = reader.known_directory(id, b"")?;
        Ok(Target { path: Vec::new(), parent_id: 0, known, scope: Scope::Tree })
    };
    // What has never been looked at to its end cannot be looked at in parts.
    let kind = if shared.is_first && shared.spec.kind != Kind::Single { Kind::Full } else { shared.spec.kind };
    Ok(match kind {
        Kind::Full | Kind::Cleanup => (vec![Work::Directory(root()?)], None),
        Kind::Incremental => (Vec::new(), Some(known_directories(shared, false, Scope::Changed)?)),
        Kind::Verify => (Vec::new(), Some(known_directories(shared, true, Scope::Listed)?)),
        // Of hints: what to look at is given by each batch.
        Kind::Realtime => (Vec::new(), None),
        Kind::Single => (named_targets(shared, reader)?.into_iter().map(Work::Directory).collect(), None),
    })
}

/// Returns a source of all directories that the index knows, in parts.
pub(super) fn known_directories(shared: &Arc<Shared>, longest_unread_first: bool, scope: Scope) -> Result<Source> {
    let reader =
        Reader::open(&shared.context.index_path)?.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    let ids = match longest_unread_first {
        true => {
            let since = shared.spec.continues.as_ref().map(|before| before.since);
            reader.directories_to_verify(shared.run.repository, since)?
        }
        false => reader.directory_ids(shared.run.repository)?,
    };
    let mut ids = ids.into_iter();
    Ok(Box::new(move || {
        let mut work = Vec::new();
        for id in ids.by_ref().take(DIRECTORIES_AT_ONCE) {
            if let Some(known) = reader.known_directory_by_id(id)? {
                work.push(Work::Directory(of_known(known, scope.clone())));
            }
        }
        // The stack takes the last first.
        work.reverse();
        Ok((!work.is_empty()).then_some(work))
    }))
}

fn of_known(known: KnownDirectory, scope: Scope) -> Target {
    Target { path: known.path.clone(), parent_id: known.parent_id, known: Some(known), scope }
}

fn named_paths(shared: &Shared, reader: &Reader) -> Result<Vec<RelPath>> {
    let mut paths = shared.spec.paths.clone();
    if shared.spec.only_problems {
        let open = reader.problems(Some(shared.run.repository), false)?;
        paths.extend(open.into_iter().map(|problem| problem.path));
    }
    // What lies below another path that is looked at whole is looked at with it.
    let all: BTreeSet<RelPath> = paths.iter().cloned().collect();
    let is_covered = |path: &RelPath| {
        std::iter::successors(path.split().map(|(parent, _)| parent), |path| path.split().map(|(parent, _)| parent))
            .any(|above| all.contains(&above))
    };
    Ok(all.iter().filter(|path| !is_covered(path)).cloned().collect())
}

/// Returns one target for each directory in which names are to be looked at: one row must not be looked at twice.
fn named_targets(shared: &Shared, reader: &Reader) -> Result<Vec<Target>> {
    let paths = named_paths(shared, reader)?;
    let targets: Result<Vec<Target>> = paths.iter().map(|path| target_of(shared, reader, path)).collect();
    Ok(merge(targets?))
}

/// Makes one target of those that are the same directory.
fn merge(all: Vec<Target>) -> Vec<Target> {
    let mut targets: BTreeMap<Vec<u8>, Target> = BTreeMap::new();
    for target in all {
        match targets.get_mut(&target.path) {
            None => drop(targets.insert(target.path.clone(), target)),
            Some(known) => match (&mut known.scope, target.scope) {
                (Scope::Names(names), Scope::Names(more)) => {
                    names.extend(more);
                    names.sort();
                    names.dedup();
                }
                (Scope::Tree, _) | (Scope::Listed, Scope::Names(_)) => {}
                (scope, other) => *scope = other,
            },
        }
    }
    targets.into_values().collect()
}

/// Returns the targets of a batch of hints, one for each directory.
///
/// What is not known yet is looked for in the nearest known directory above; while a run goes on only in the one right
/// above, as everything else may well lie before that run.
pub(super) fn hinted_targets(shared: &Shared, reader: &Reader, batch: &HintBatch) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    // A poll goes all the way down: what lies below another one comes with it.
    let is_below_another = |path: &Vec<u8>| {
        batch.polls.iter().any(|above| above != path && RelPath::from_stored(above.clone()).covers(path))
    };
    for path in batch.polls.iter().filter(|path| !is_below_another(path)) {
        let target = target_of_directory(shared, reader, path)?;
        targets.push(if target.path == *path { Target { scope: Scope::Tree, ..target } } else { target });
    }
    for (directory, look) in &batch.places {
        let target = target_of_directory(shared, reader, directory)?;
        targets.push(match look {
            // Found by its own row: otherwise it is a name in the directory that was found instead.
            _ if target.path != *directory => target,
            Look::Listing => target,
            Look::Names(names) => Target { scope: Scope::Names(names.keys().cloned().collect()), ..target },
        });
    }
    Ok(merge(targets))
}

fn target_of_directory(shared: &Shared, reader: &Reader, path: &[u8]) -> Result<Target> {
    match reader.known_directory(shared.run.repository, path)? {
        Some(known) => Ok(of_known(known, Scope::Listed)),
        None => target_of(shared, reader, &RelPath::from_stored(path.to_vec())),
    }
}

/// Returns the target that looks at one path: its name in the directory that holds it, or the nearest known one above.
fn target_of(shared: &Shared, reader: &Reader, path: &RelPath) -> Result<Target> {
    let mut path = path.clone();
    while let Some((parent, name)) = path.split() {
        if let Some(known) = reader.known_directory(shared.run.repository, parent.as_bytes())? {
            return Ok(of_known(known, Scope::Names(vec![name.to_vec()])));
        }
        path = parent;
    }
    let known = reader.known_directory(shared.run.repository, b"")?;
    Ok(Target { path: Vec::new(), parent_id: 0, known, scope: Scope::Tree })
}
