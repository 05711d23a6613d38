//! The end of a run: what moved meanwhile is listed again, moves are paired, arrivals are read, removals pass the guard.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::directory::Scope;
use super::shared::Shared;
use super::stack::{Source, Work};
use super::targets::known_directories;
use super::worker::run_round;
use crate::disk::RootError;
use crate::domain::amount::plural;
use crate::domain::guard::Reason;
use crate::domain::hint::Hints;
use crate::domain::problem::Class;
use crate::domain::run::Kind;
use crate::engine::clock;
use crate::index::{HoldResult, IndexError, Parked, Reader, Result};
use rustix::io::Errno;

/// How often directories whose stamp keeps moving are listed again before a run settles.
const RELISTINGS: usize = 3;
/// How many arrivals are taken from the index at once.
const ARRIVALS_AT_ONCE: usize = 128;

/// What settling came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// What waits for a person's decision, if anything does.
    pub held: Option<HoldResult>,
    /// What is gone and stays in the index for now: a removal that is seen bit by bit is judged as one.
    pub withheld: Hints,
}

impl Settled {
    fn held(held: Option<HoldResult>) -> Settled {
        Settled { held, withheld: Hints::default() }
    }
}

/// Settles a run whose last directory has been looked at.
///
/// # Errors
/// Those of the index; what was parked is then forgotten, and nothing is removed.
pub(super) fn settle(shared: &Arc<Shared>) -> Result<Settled> {
    shared.is_settling.store(true, Relaxed);
    let writer = &shared.context.writer;
    let mut has_parked = writer.has_parked(&shared.run)?;
    let moved_meanwhile = shared.vanished.load(Relaxed) > 0;
    if (has_parked || moved_meanwhile) && !shared.spec.plan && relists(shared.spec.kind) {
        relist(shared)?;
        has_parked = writer.has_parked(&shared.run)?;
    }
    if is_over(shared) {
        return Ok(Settled::default());
    }
    if has_parked && root_has_changed(shared)? {
        // Unmounted in the middle of the run: what was not found proves nothing.
        writer.forget_parked(&shared.run)?;
        let held = writer.hold_root(&shared.run, Reason::FilesystemChanged, clock::wall().0)?;
        shared.log("the root is not the one that this run began with: nothing is removed".to_owned());
        return Ok(Settled::held(Some(held)));
    }
    if has_parked {
        let moved = writer.match_moves_by_inode(&shared.run, clock::wall().0)?;
        if moved > 0 {
            shared.log(format!("{} moved, proven by inode, size and times: not read again", files(moved)));
        }
    }
    let parked = if has_parked { writer.count_parked(&shared.run, young_since(shared))? } else { Parked::default() };
    shared.arrivals_are_final.store(parked.entries == 0, Relaxed);
    read_arrivals(shared)?;
    if is_over(shared) {
        return Ok(Settled::default());
    }
    if parked.free_files + parked.bound_files > 0 {
        let moved = writer.match_moves_by_content(&shared.run, clock::wall().0)?;
        if moved > 0 {
            shared.log(format!("{} moved, found by content", files(moved)));
        }
    }
    if !shared.is_first {
        writer.finish_arrivals(&shared.run, clock::wall().0)?;
    }
    if parked.entries > 0 { decide(shared) } else { Ok(Settled::default()) }
}

/// Tells whether a run looks again at what moved meanwhile. Of single paths and hints nothing more was asked.
fn relists(kind: Kind) -> bool {
    !matches!(kind, Kind::Single | Kind::Realtime)
}

fn files(count: u64) -> String {
    plural(count, "file", "files")
}

fn is_over(shared: &Shared) -> bool {
    shared.is_cancelled() || shared.has_failed()
}

/// Lists again every directory whose stamp moved since it was listed, until none does or it was tried often enough.
fn relist(shared: &Arc<Shared>) -> Result<()> {
    shared.relisting.store(true, Relaxed);
    for _ in 0..RELISTINGS {
        if is_over(shared) {
            break;
        }
        let before = shared.relisted.load(Relaxed);
        shared.vanished.store(0, Relaxed);
        let source = known_directories(shared, false, Scope::Moved)?;
        shared.stack.begin(Vec::new(), Some(source));
        run_round(shared, shared.workers);
        // So that the next round compares with what this one wrote.
        shared.context.writer.has_parked(&shared.run)?;
        let relisted = shared.relisted.load(Relaxed) - before;
        if relisted == 0 {
            break;
        }
        shared.log(format!("{} moved during the run and listed again", plural(relisted, "directory", "directories")));
    }
    shared.relisting.store(false, Relaxed);
    Ok(())
}

/// Tells whether the root is another by now, or gone.
///
/// # Errors
/// When that cannot be told for want of descriptors: it says nothing of the root.
fn root_has_changed(shared: &Shared) -> Result<bool> {
    let began = shared.root.directory(b"").and_then(|directory| directory.identity());
    let failed = |errno: Errno| IndexError::Stopped { class: Class::Io, message: format!("the root: {errno}") };
    match (began, crate::disk::Root::identity_now(shared.root.path())) {
        (Err(errno @ (Errno::MFILE | Errno::NFILE)), _) => Err(failed(errno)),
        (_, Err(RootError::Unreadable(_, errno @ (Errno::MFILE | Errno::NFILE)))) => Err(failed(errno)),
        (Ok(began), Ok(now)) => Ok(!began.is_same_place(&now)),
        _ => Ok(true),
    }
}

/// Reads every arrival that is no proven move, in parts that are taken from the index as workers come for them.
fn read_arrivals(shared: &Arc<Shared>) -> Result<()> {
    if shared.is_first {
        return Ok(());
    }
    let theirs = (shared.context.writer.clone(), Arc::clone(&shared.run));
    let mut after = 0;
    let source: Source = Box::new(move || {
        let (writer, run) = &theirs;
        let arrivals = writer.arrivals(run, after, ARRIVALS_AT_ONCE)?;
        let Some(last) = arrivals.last() else { return Ok(None) };
        after = last.id;
        Ok(Some(vec![Work::Arrivals(arrivals)]))
    });
    shared.stack.begin(Vec::new(), Some(source));
    run_round(shared, shared.workers);
    Ok(())
}

/// Returns from when on a record counts as come with this run; only for hints, which are served for an hour.
fn young_since(shared: &Shared) -> i64 {
    if shared.hinted.is_some() { shared.started_ms } else { i64::MAX }
}

/// Returns of how many files the guard takes its share: those that were there when the run began. For hints, which come
/// and go for an hour, all that was there at any time of the run, `removed` ones included.
fn total_files(shared: &Shared, removed: u64) -> Result<u64> {
    if shared.hinted.is_none() {
        return Ok(shared.spec.repository.total_files.max(0).unsigned_abs());
    }
    let reader = Reader::open(&shared.context.index_path)?;
    let reader = reader.ok_or_else(|| IndexError::broken("the index file has gone"))?;
    let now = reader.repository_by_id(shared.spec.repository.id)?.total_files;
    Ok(now.max(0).unsigned_abs() + removed)
}

/// Lets the guard decide on what is still parked.
fn decide(shared: &Shared) -> Result<Settled> {
    let writer = &shared.context.writer;
    let parked = writer.count_parked(&shared.run, young_since(shared))?;
    let now_ms = clock::wall().0;
    if parked.entries == 0 {
        return Ok(Settled::default());
    }
    if shared.spec.accept_removals {
        shared
            .log(format!("removals were accepted: {} removed", files((parked.free_files + parked.bound_files) as u64)));
        writer.remove_parked(&shared.run, true, now_ms)?;
        return Ok(Settled::default());
    }
    let before = shared.company.removed.load(Relaxed);
    let total = total_files(shared, before)?;
    let limits = shared.spec.limits;
    // What has come and gone within the run is no loss.
    let gone = (parked.free_files - parked.young_files).max(0).unsigned_abs();
    if gone > 0 && shared.may_be_a_part() && !limits.is_trifle(gone + before, total) {
        return withhold(shared);
    }
    // What is held already counts: a mass removal does not become a small one by coming in parts.
    // So does what this run has removed before: it settles many times when it serves hints.
    let held = parked.bound_files.max(held_files(shared)?).unsigned_abs();
    if limits.allow(gone + held + before, total) {
        writer.remove_parked(&shared.run, false, now_ms)?;
        shared.company.removed.fetch_add(gone, Relaxed);
        if parked.bound_files == 0 {
            return Ok(Settled::default());
        }
    } else {
        shared.log(format!(
            "guard: {} of {} are gone, more than {} % and more than {}: held",
            files((parked.free_files + parked.bound_files).unsigned_abs()),
            total,
            limits.max_removed_percent,
            files(limits.max_removed_files)
        ));
    }
    let held = writer.hold_parked(&shared.run, Reason::MassRemoval, now_ms)?;
    shared.log(format!("{} held until someone decides", files(held.undecided_files.max(0) as u64)));
    Ok(Settled::held(Some(held)))
}

/// Returns how much is held already. Every other run than one for hints meets that itself, and has it parked.
fn held_files(shared: &Shared) -> Result<i64> {
    match shared.hinted {
        Some(_) => Ok(shared.context.writer.standing_holds(shared.spec.repository.id)?.undecided_files),
        None => Ok(0),
    }
}

/// Decides nothing yet: the records stay, and what is parked is forgotten. Where it was is looked at once more.
fn withhold(shared: &Shared) -> Result<Settled> {
    let writer = &shared.context.writer;
    let mut withheld = Hints::default();
    for (directory, name) in writer.parked_places(&shared.run)? {
        withheld.name(&directory, &name, false);
    }
    writer.forget_parked(&shared.run)?;
    Ok(Settled { held: None, withheld })
}
