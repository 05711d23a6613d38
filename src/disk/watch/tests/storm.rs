//! Directories come, go and change places while someone follows the hints: in the end each one is watched where it stands.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::thread;

use super::*;
use crate::domain::path::join;

const ROUNDS: u64 = 12;
const STEPS: u64 = 400;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    /// One of few paths, so that they are taken, left and taken again all the time.
    fn path(&mut self) -> String {
        let part = |dice: &mut Dice| ["a", "b", "c"][dice.roll(3)];
        (0..=self.roll(3)).map(|_| part(self)).collect::<Vec<_>>().join("/")
    }
}

/// Changes the tree. What cannot be done (it is there, it is gone) is left out.
fn change(tree: &Path, seed: u64) {
    let mut dice = Dice(seed);
    for _ in 0..STEPS {
        let (one, other) = (tree.join(dice.path()), tree.join(dice.path()));
        let _tried = match dice.roll(8) {
            0 => fs::remove_dir_all(one),
            1 => fs::write(one.join("f"), "text"),
            2 | 3 => fs::create_dir_all(one),
            4 => fs::rename(&one, tree.join("../aside")).and_then(|()| fs::rename(tree.join("../aside"), other)),
            _ => fs::rename(one, other),
        };
    }
}

impl World {
    /// Watches a directory and all below it; what is gone meanwhile will be told.
    fn follow(&self, path: &[u8]) {
        let Ok(directory) = Root::open(&self.path("")).unwrap().directory(path) else { return };
        self.watcher.watch(TREE, path, &directory);
        for entry in fs::read_dir(path_of(directory.fd())).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.follow(&join(path, entry.file_name().as_bytes()));
            }
        }
    }

    /// Follows all hints until now; returns whether there were any.
    fn follow_hints(&mut self) -> bool {
        self.asked += 1;
        self.watcher.ask(self.asked).unwrap();
        let mut were_any = false;
        loop {
            match self.next() {
                News::Hints { hints, .. } => {
                    were_any = true;
                    for (path, place) in hints.into_places() {
                        let Look::Names(names) = place.look else { panic!("so many names are never hinted at") };
                        names.keys().for_each(|name| self.follow(&join(&path, name)));
                    }
                }
                News::Proof(number) if number == self.asked => return were_any,
                other => panic!("nobody asked for {other:?}"),
            }
        }
    }

    fn directories(&self) -> BTreeSet<String> {
        let kept = walkdir::WalkDir::new(self.path("")).into_iter().map(Result::unwrap);
        let named = |found: walkdir::DirEntry| found.path().strip_prefix(self.path("")).unwrap().display().to_string();
        kept.filter(|found| found.file_type().is_dir()).map(named).collect()
    }
}

#[test]
fn whatever_changes_places_each_directory_is_watched_where_it_stands() {
    for round in 0..ROUNDS {
        let mut world = World::new();
        world.follow(b"");
        let tree = world.path("");
        let changing = thread::spawn(move || change(&tree, round));
        while world.follow_hints() || !changing.is_finished() {}
        changing.join().unwrap();
        while world.follow_hints() {}
        let directories = world.directories();
        directories.iter().for_each(|directory| world.write(format!("{directory}/probe").trim_start_matches('/')));
        let said = world.said();
        for directory in directories {
            let hint = format!("{directory}: probe+");
            assert!(said.contains(&hint), "round {round}: {hint} is missing in {said:?}");
        }
    }
}
