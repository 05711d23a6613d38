//! Which watch stands for which directories: the two-way map between the kernel's watch descriptors and paths. Makes no
//! system call: what is to be removed from the kernel is only noted.
//!
//! Usually one path has one watch. Two paths share one where a directory was renamed and the news of it is not read yet,
//! or where a bind mount shows it twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::{Coverage, Why};
use crate::domain::path::below;

/// A directory of a tree.
pub(super) type Spot = (i64, Arc<[u8]>);

/// What is known of one directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The kernel's number, which it never gives to another directory; `None` where it could not be watched.
    pub wd: Option<i32>,
    /// How many bytes of news had been queued when it was looked at. News from before say nothing about it.
    pub since: u64,
    pub device: u64,
    /// The newest walk that had begun by then.
    pub walk: u32,
}

#[derive(Debug, Default)]
struct Tree {
    places: BTreeMap<Arc<[u8]>, Place>,
    unwatched: usize,
    why: Option<Why>,
    /// Network file systems are asked about once, where they are entered: each answer may be a question to a server.
    remote: BTreeMap<u64, bool>,
    is_remote: bool,
}

#[derive(Debug, Default)]
pub(super) struct Places {
    trees: BTreeMap<i64, Tree>,
    by_wd: HashMap<i32, Spot>,
    /// Further places of a watch that has more than one.
    shared: BTreeMap<i32, Vec<Spot>>,
    /// Watches that no place needs any more. The reading thread removes them, little by little: each removal is an
    /// event, and a large tree's would make the queue overflow.
    pub orphans: BTreeSet<i32>,
}

impl Places {
    /// Sets what is known of a directory, and returns whether the same watch stood there before.
    pub fn set(&mut self, tree: i64, path: &[u8], place: Place) -> bool {
        let known = self.trees.entry(tree).or_default();
        let key = known.places.get_key_value(path).map_or_else(|| Arc::from(path), |(key, _)| Arc::clone(key));
        let old = known.places.insert(Arc::clone(&key), place);
        known.unwatched += usize::from(place.wd.is_none());
        known.unwatched -= usize::from(old.is_some_and(|old| old.wd.is_none()));
        let old = old.and_then(|old| old.wd);
        if let Some(wd) = place.wd {
            self.orphans.remove(&wd);
            self.link(wd, (tree, key));
        }
        if let Some(wd) = old.filter(|_| old != place.wd) {
            self.unlink(wd, tree, path);
        }
        old.is_some() && old == place.wd
    }

    /// Notes why a directory of a tree is not watched; the most urgent reason is kept.
    pub fn set_why(&mut self, tree: i64, why: Why) {
        let known = self.trees.entry(tree).or_default();
        known.why = match (known.why.filter(|_| known.unwatched > 1), why) {
            (Some(Why::Limit), _) | (_, Why::Limit) => Some(Why::Limit),
            (Some(Why::Other(errno)), Why::Remote) => Some(Why::Other(errno)),
            (_, why) => Some(why),
        };
    }

    /// Returns whether a device is known to be remote; `None` where that is to be found out.
    pub fn is_remote(&self, tree: i64, device: u64) -> Option<bool> {
        self.trees.get(&tree)?.remote.get(&device).copied()
    }

    /// Notes whether a device is remote, and with the root's the whole tree.
    pub fn set_remote(&mut self, tree: i64, path: &[u8], device: u64, is_remote: bool) {
        let known = self.trees.entry(tree).or_default();
        known.remote.insert(device, is_remote);
        if path.is_empty() {
            known.is_remote = is_remote;
        }
    }

    /// Returns whether the root is remote: then single directories are not worth remembering.
    pub fn is_all_remote(&self, tree: i64) -> bool {
        self.trees.get(&tree).is_some_and(|known| known.is_remote)
    }

    fn link(&mut self, wd: i32, spot: Spot) {
        match self.by_wd.get(&wd) {
            None => drop(self.by_wd.insert(wd, spot)),
            Some(first) if *first == spot => {}
            Some(_) => {
                let others = self.shared.entry(wd).or_default();
                if !others.contains(&spot) {
                    others.push(spot);
                }
            }
        }
    }

    fn unlink(&mut self, wd: i32, tree: i64, path: &[u8]) {
        let is_it = |spot: &Spot| spot.0 == tree && *spot.1 == *path;
        let mut others = self.shared.remove(&wd).unwrap_or_default();
        others.retain(|spot| !is_it(spot));
        if self.by_wd.get(&wd).is_some_and(is_it) {
            match others.pop() {
                Some(next) => drop(self.by_wd.insert(wd, next)),
                None => {
                    self.by_wd.remove(&wd);
                    self.orphans.insert(wd);
                }
            }
        }
        if !others.is_empty() {
            self.shared.insert(wd, others);
        }
    }

    /// Returns the directories that a watch stands for.
    pub fn at(&self, wd: i32) -> Vec<Spot> {
        let others = self.shared.get(&wd).into_iter().flatten();
        self.by_wd.get(&wd).into_iter().chain(others).cloned().collect()
    }

    /// Forgets a watch that the kernel has removed.
    pub fn drop_watch(&mut self, wd: i32) {
        for (tree, path) in self.at(wd) {
            self.drop_place(tree, &path);
        }
        self.orphans.remove(&wd);
    }

    /// Forgets a directory and all below it that were looked at before `until`: those that stand since then are others.
    pub fn drop_tree(&mut self, tree: i64, path: &[u8], until: u64) {
        self.drop_where(tree, path, |place| place.since <= until);
    }

    /// Forgets what of a tree a walk has not met.
    pub fn drop_older(&mut self, tree: i64, walk: u32) {
        self.drop_where(tree, b"", |place| place.walk < walk);
    }

    /// Forgets everything on the disk of a directory, and returns the directory that it was mounted in; `None` when the
    /// root is on that disk, too.
    pub fn drop_mount(&mut self, tree: i64, path: &[u8]) -> Option<Vec<u8>> {
        let device = self.trees.get(&tree)?.places.get(path)?.device;
        let mut top = path;
        while let Some(parent) = parent_of(top) {
            if self.trees[&tree].places.get(parent).is_none_or(|place| place.device != device) {
                break;
            }
            top = parent;
        }
        let top = top.to_vec();
        self.drop_where(tree, &top, |_| true);
        parent_of(&top).map(<[u8]>::to_vec)
    }

    fn drop_where(&mut self, tree: i64, path: &[u8], is_meant: impl Fn(&Place) -> bool) {
        let Some(known) = self.trees.get(&tree) else { return };
        let (from, to) = below(path);
        let range = (Bound::Included(from.as_slice()), Bound::Excluded(to.as_slice()));
        let itself = known.places.get_key_value(path).filter(|_| !path.is_empty());
        let all = known.places.range::<[u8], _>(range).chain(itself);
        let meant: Vec<_> = all.filter(|(_, place)| is_meant(place)).map(|(path, _)| Arc::clone(path)).collect();
        for path in meant {
            self.drop_place(tree, &path);
        }
    }

    fn drop_place(&mut self, tree: i64, path: &[u8]) {
        let Some(known) = self.trees.get_mut(&tree) else { return };
        let Some(place) = known.places.remove(path) else { return };
        match place.wd {
            Some(wd) => self.unlink(wd, tree, path),
            None => known.unwatched -= 1,
        }
    }

    /// Forgets a tree.
    pub fn forget(&mut self, tree: i64) {
        self.drop_where(tree, b"", |_| true);
        self.trees.remove(&tree);
    }

    /// Returns the trees that have watches.
    pub fn watched_trees(&self) -> Vec<i64> {
        let has_watches = |(_, known): &(&i64, &Tree)| known.places.len() > known.unwatched;
        self.trees.iter().filter(has_watches).map(|(tree, _)| *tree).collect()
    }

    pub fn coverage(&self, tree: i64) -> Coverage {
        let Some(known) = self.trees.get(&tree) else { return Coverage::default() };
        let unwatched = known.unwatched;
        let remote = known.is_remote.then_some(Why::Remote);
        let why = known.why.filter(|_| unwatched > 0).or(remote);
        Coverage { watched: known.places.len() - unwatched, unwatched, is_remote: known.is_remote, why }
    }

    pub fn unwatched(&self, tree: i64, most: usize) -> Option<Vec<Vec<u8>>> {
        let Some(known) = self.trees.get(&tree) else { return Some(Vec::new()) };
        if known.is_remote || known.unwatched > most {
            return None;
        }
        let unwatched = known.places.iter().filter(|(_, place)| place.wd.is_none());
        Some(unwatched.map(|(path, _)| path.to_vec()).collect())
    }
}

fn parent_of(path: &[u8]) -> Option<&[u8]> {
    let cut = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    (!path.is_empty()).then(|| &path[..cut])
}
