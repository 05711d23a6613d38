//! From events to news: what an event says of which tree, kept and merged until someone takes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustix::fs::inotify::ReadFlags;

use super::News;
use super::event::Event;
use super::places::{Places, Spot};
use crate::domain::hint::{Everything, Hints};
use crate::domain::path::join;

/// Renames of which only the first half was read. The second follows at once, or never: then the name left the trees.
const HALF_RENAMES: usize = 16;

/// A proof that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub number: u64,
    /// How many bytes of news had been queued by then: all these are to be read before the answer.
    pub position: u64,
}

/// News that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    hints: BTreeMap<i64, Hints>,
    lost: BTreeSet<i64>,
    proof: Option<u64>,
    renames: VecDeque<(u32, Vec<Spot>)>,
}

impl Gathered {
    /// Takes what an event says into the news, and out of the map what it says is gone.
    pub fn take(&mut self, event: &Event<'_>, places: &mut Places) {
        if event.mask.contains(ReadFlags::QUEUE_OVERFLOW) {
            for tree in places.watched_trees() {
                self.hints(tree).everything(Everything::Overflow);
            }
            self.renames.clear();
            return;
        }
        let spots = places.at(event.wd);
        for (tree, path) in &spots {
            if event.name.is_empty() {
                self.take_own(*tree, path, event.mask, places);
            } else {
                self.take_name(*tree, path, event, places);
            }
        }
        if event.mask.contains(ReadFlags::IGNORED) {
            places.drop_watch(event.wd);
        } else if event.mask.contains(ReadFlags::MOVED_FROM) {
            self.renames.truncate(HALF_RENAMES - 1);
            self.renames.push_front((event.cookie, spots));
        } else if event.mask.contains(ReadFlags::MOVED_TO) {
            self.link(event.cookie, &spots);
        }
    }

    /// An event about a watched directory itself.
    fn take_own(&mut self, tree: i64, path: &[u8], mask: ReadFlags, places: &mut Places) {
        let is_root = path.is_empty();
        if is_root && mask.intersects(ReadFlags::MOVE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
            // Removed directories end with IGNORED, too. What stands at the root's path now is another tree.
            self.lose(tree, places);
        } else if mask.contains(ReadFlags::UNMOUNT) {
            // Each directory of a file system tells of its end, in any order: the first to do so speaks for all.
            match places.drop_mount(tree, path) {
                Some(outside) => self.hints(tree).listing(&outside),
                None => self.lose(tree, places),
            }
        } else if is_root && mask.contains(ReadFlags::ATTRIB) {
            self.hints(tree).listing(b"");
        }
        // Other directories are spoken of by those that they are in.
    }

    fn take_name(&mut self, tree: i64, path: &[u8], event: &Event<'_>, places: &mut Places) {
        let left = ReadFlags::MOVED_FROM | ReadFlags::DELETE;
        let whole = left | ReadFlags::MOVED_TO | ReadFlags::CLOSE_WRITE | ReadFlags::ATTRIB | ReadFlags::ISDIR;
        self.hints(tree).name(path, event.name, event.mask.intersects(whole));
        if event.mask.contains(ReadFlags::ISDIR) && event.mask.intersects(left) {
            places.drop_tree(tree, &join(path, event.name), event.begins);
        }
    }

    fn link(&mut self, cookie: u32, to: &[Spot]) {
        let Some(at) = self.renames.iter().position(|(known, _)| *known == cookie) else { return };
        let (_, from) = self.renames.remove(at).expect("it has just been found there");
        for (tree, to) in to {
            let same_tree = from.iter().filter(|(other, path)| other == tree && path != to);
            for (_, from) in same_tree {
                self.hints(*tree).link(from, to);
            }
        }
    }

    fn lose(&mut self, tree: i64, places: &mut Places) {
        places.forget(tree);
        // Whoever hears of the loss looks at everything, when there is something to look at.
        self.hints.remove(&tree);
        self.lost.insert(tree);
    }

    fn hints(&mut self, tree: i64) -> &mut Hints {
        self.hints.entry(tree).or_default()
    }

    /// Answers a proof once all that is gathered has been taken; a newer one replaces it.
    pub fn prove(&mut self, number: u64) {
        self.proof = Some(number);
    }

    /// Returns whether everything has been taken.
    pub fn is_empty(&self) -> bool {
        self.hints.is_empty() && self.lost.is_empty() && self.proof.is_none()
    }

    /// Hands the news over until they are refused; the proof last, as it vouches for all others.
    pub fn hand_over(&mut self, deliver: &mut dyn FnMut(News) -> Result<(), News>) {
        while let Some(news) = self.next() {
            if let Err(news) = deliver(news) {
                return self.take_back(news);
            }
        }
    }

    fn next(&mut self) -> Option<News> {
        if let Some(tree) = self.lost.pop_first() {
            return Some(News::RootLost { tree });
        }
        if let Some((tree, hints)) = self.hints.pop_first() {
            return Some(News::Hints { tree, hints });
        }
        self.proof.take().map(News::Proof)
    }

    fn take_back(&mut self, news: News) {
        match news {
            News::Hints { tree, hints } => drop(self.hints.insert(tree, hints)),
            News::RootLost { tree } => drop(self.lost.insert(tree)),
            News::Proof(number) => self.proof = Some(number),
            News::Down(_) => {}
        }
    }
}
