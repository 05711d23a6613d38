//! What a disk may hold when the power goes: what was synced stands, of all else any part may be missing.
//!
//! Names are made and taken away in order, as a file system with a journal does it: of those that no sync has covered, the
//! last ones may be missing. Bytes come in any order, sector by sector.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::recording::{Node, Op, Recording, rename};

const SECTOR: usize = 512;

/// Numbers that look like chance, the same for the same seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// How the power goes.
pub struct Cut {
    /// Calls that were made before.
    pub calls: usize,
    /// Of a hundred bytes that no sync has covered, so many stand.
    pub percent: usize,
    /// Without it no sync counts: what the disk holds when somebody leaves them out.
    pub counts_syncs: bool,
}

/// Puts a directory back as a disk holds it after the power went.
pub fn put_back(recording: &Recording, cut: &Cut, chance: &mut Chance, directory: &Path) {
    if directory.exists() {
        fs::remove_dir_all(directory).unwrap();
    }
    let ops = &recording.ops[..cut.calls];
    let names = names_after(recording, ops, last_name(ops, cut, chance));
    let private = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (path, node) in names {
        let is_volatile = path.extension().is_some_and(|end| end == "db-shm");
        match node {
            None => {
                fs::create_dir_all(&path).unwrap();
                private(&path, 0o700);
            }
            Some(_) if is_volatile => {}
            Some(node) => {
                fs::write(&path, content(recording, ops, node, cut, chance)).unwrap();
                private(&path, 0o600);
            }
        }
    }
}

/// Returns how many of the calls count for names.
fn last_name(ops: &[Op], cut: &Cut, chance: &mut Chance) -> usize {
    let is_of_names = |op: &Op| matches!(op, Op::Make { .. } | Op::Rename { .. } | Op::Unlink { .. });
    let mut certain = 0;
    for (at, op) in ops.iter().enumerate().filter(|_| cut.counts_syncs) {
        let covered = match op {
            Op::Sync { node } => {
                let makes = |op: &Op| matches!(op, Op::Make { node: Some(made), .. } if made == node);
                ops[..at].iter().rposition(makes)
            }
            Op::SyncDirectory { path } => {
                let is_in = |other: &PathBuf| other.parent() == Some(path);
                ops[..at].iter().rposition(|op| match op {
                    Op::Make { path, .. } | Op::Unlink { path } => is_in(path),
                    Op::Rename { from, to } => is_in(from) || is_in(to),
                    _ => false,
                })
            }
            _ => None,
        };
        certain = certain.max(covered.map_or(0, |at| at + 1));
    }
    let uncertain: Vec<usize> = (certain..ops.len()).filter(|at| is_of_names(&ops[*at])).map(|at| at + 1).collect();
    match cut.percent {
        0 => certain,
        100 => ops.len(),
        _ => [&[certain][..], &uncertain].concat()[chance.below(uncertain.len() + 1)],
    }
}

fn names_after(recording: &Recording, ops: &[Op], calls: usize) -> BTreeMap<PathBuf, Option<Node>> {
    let before = recording.before.keys();
    let mut names: BTreeMap<PathBuf, Option<Node>> =
        before.map(|path| (path.clone(), recording.known.get(path).copied())).collect();
    for op in &ops[..calls] {
        match op {
            Op::Make { path, node } => drop(names.insert(path.clone(), *node)),
            Op::Unlink { path } => drop(names.remove(path)),
            Op::Rename { from, to } => rename(&mut names, from, to),
            _ => {}
        }
    }
    names
}

fn content(recording: &Recording, ops: &[Op], node: Node, cut: &Cut, chance: &mut Chance) -> Vec<u8> {
    let old = recording.known.iter().find(|(_, known)| **known == node).map(|(path, _)| path);
    let mut bytes = old.and_then(|path| recording.before[path].clone()).unwrap_or_default();
    let is_sync = |op: &Op| matches!(op, Op::Sync { node: synced } if *synced == node);
    let synced = ops.iter().rposition(is_sync).filter(|_| cut.counts_syncs).unwrap_or(0);
    for (at, op) in ops.iter().enumerate() {
        let mut stands = || at < synced || chance.below(100) < cut.percent;
        match op {
            Op::Resize { node: of, length } if *of == node && stands() => bytes.resize(*length, 0),
            Op::Write { node: of, at: offset, data } if *of == node => {
                for (number, part) in parts(*offset, data) {
                    if stands() {
                        bytes.resize(bytes.len().max(number + part.len()), 0);
                        bytes[number..number + part.len()].copy_from_slice(part);
                    }
                }
            }
            _ => {}
        }
    }
    bytes
}

/// Returns what falls into each sector, and where it begins.
fn parts(offset: usize, data: &[u8]) -> Vec<(usize, &[u8])> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let length = (SECTOR - (offset + at) % SECTOR).min(data.len() - at);
        parts.push((offset + at, &data[at..at + length]));
        at += length;
    }
    parts
}
