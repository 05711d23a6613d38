//! What happens in a tree against what the watcher says of it. No test waits for a time: a proof says that all is said.

mod storm;
mod trouble;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;
use crate::disk::Root;
use crate::domain::hint::{Everything, Look};
use crate::domain::show::show;

const DEADLINE: Duration = Duration::from_secs(20);
const TREE: i64 = 7;

/// A tree with its watcher.
struct World {
    temp: tempfile::TempDir,
    watcher: Watcher,
    news: Receiver<News>,
    asked: u64,
}

impl World {
    fn new() -> World {
        let (sender, news) = channel();
        World::with(news, Box::new(move |news| sender.send(news).map_err(|failed| failed.0)))
    }

    fn with(news: Receiver<News>, deliver: Deliver) -> World {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("own")).unwrap();
        fs::create_dir(temp.path().join("tree")).unwrap();
        let watcher = Watcher::start(&temp.path().join("own"), deliver).unwrap();
        World { temp, watcher, news, asked: 0 }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.temp.path().join("tree").join(path)
    }

    fn open(&self, path: &str) -> Directory {
        Root::open(&self.path("")).unwrap().directory(path.as_bytes()).unwrap()
    }

    /// Watches directories, which are made where they are missing.
    fn watch(&self, paths: &[&str]) -> Vec<Placed> {
        let place = |path: &&str| {
            fs::create_dir_all(self.path(path)).unwrap();
            self.watcher.watch(TREE, path.as_bytes(), &self.open(path))
        };
        paths.iter().map(place).collect()
    }

    fn write(&self, path: &str) {
        fs::write(self.path(path), "text").unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn next(&self) -> News {
        self.news.recv_timeout(DEADLINE).unwrap()
    }

    /// Returns all news until now: hints merged and as text, the loss of a root as `lost`.
    fn said(&mut self) -> Vec<String> {
        self.asked += 1;
        self.watcher.ask(self.asked).unwrap();
        let (mut merged, mut said) = (Hints::default(), Vec::new());
        loop {
            match self.next() {
                News::Hints { tree: TREE, hints } => merged.merge(hints),
                News::RootLost { tree: TREE } => said.push("lost".to_owned()),
                News::Proof(number) if number == self.asked => break,
                other => panic!("nobody asked for {other:?}"),
            }
        }
        said.extend(text(merged));
        said
    }

    #[track_caller]
    fn says(&mut self, expected: &[&str]) {
        assert_eq!(self.said(), expected);
    }
}

/// One line a place: `dir: complete+ changing- with other`.
fn text(hints: Hints) -> Vec<String> {
    if let Some(why) = hints.why_everything() {
        return vec![format!("{why:?}")];
    }
    let line = |(dir, place): (Vec<u8>, crate::domain::hint::Place)| {
        let look = match place.look {
            Look::Listing => "*".to_owned(),
            Look::Names(names) => {
                let name =
                    |(name, whole): (&Vec<u8>, &bool)| format!("{}{}", show(name), if *whole { '+' } else { '-' });
                names.iter().map(name).collect::<Vec<_>>().join(" ")
            }
        };
        let with = place.with.map(|with| format!(" with {:?}", show(&with))).unwrap_or_default();
        format!("{}: {look}{with}", show(&dir))
    };
    hints.into_places().into_iter().map(line).collect()
}

#[test]
fn each_change_is_a_hint_at_its_name() {
    let mut world = World::new();
    assert_eq!(world.watch(&["", "d"]), [Placed::New; 2]);
    world.says(&[": d+"]);
    assert_eq!(world.watch(&["", "d"]), [Placed::Known; 2]);
    let mut open = File::create(world.path("f")).unwrap();
    world.says(&[": f-"]);
    open.write_all(b"more").unwrap();
    world.says(&[": f-"]);
    drop(open);
    world.says(&[": f+"]);
    fs::set_permissions(world.path("f"), fs::metadata(world.path("d")).unwrap().permissions()).unwrap();
    world.says(&[": f+"]);
    fs::hard_link(world.path("f"), world.path("d/link")).unwrap();
    world.says(&["d: link-"]);
    std::os::unix::fs::symlink("nowhere", world.path("d/symlink")).unwrap();
    world.says(&["d: symlink-"]);
    world.rename("f", "g");
    world.says(&[": f+ g+"]);
    fs::remove_file(world.path("g")).unwrap();
    world.says(&[": g+"]);
    fs::set_permissions(world.path(""), fs::metadata(world.path("d")).unwrap().permissions()).unwrap();
    world.says(&[": *"]);
    world.says(&[]);
}

#[test]
fn a_rename_between_directories_links_them() {
    let mut world = World::new();
    world.watch(&["", "a", "b"]);
    world.write("a/f");
    world.said();
    world.rename("a/f", "b/g");
    world.says(&["a: f+ with \"b\"", "b: g+ with \"a\""]);
    world.rename("b/g", "b/h");
    world.says(&["b: g+ h+"]);
    world.rename("b/h", "../away");
    world.says(&["b: h+"]);
    world.rename("../away", "a/back");
    world.says(&["a: back+"]);
}

#[test]
fn an_editors_save_by_rename_is_two_names() {
    let mut world = World::new();
    world.watch(&[""]);
    world.write("f");
    world.said();
    world.write("f.tmp");
    world.rename("f.tmp", "f");
    world.says(&[": f+ f.tmp+"]);
}

#[test]
fn directories_made_at_once_are_a_hint_at_the_first() {
    let mut world = World::new();
    world.watch(&[""]);
    fs::create_dir_all(world.path("a/b/c")).unwrap();
    world.write("a/b/c/f");
    world.says(&[": a+"]);
    world.watch(&["a", "a/b", "a/b/c"]);
    world.write("a/b/c/g");
    world.says(&["a/b/c: g+"]);
    fs::remove_dir_all(world.path("a")).unwrap();
    assert!(world.said().contains(&": a+".to_owned()));
    assert_eq!(world.watcher.coverage(TREE), Coverage { watched: 1, ..Coverage::default() });
}

#[test]
fn a_tree_that_moves_out_and_in_again_is_watched_anew() {
    let mut world = World::new();
    world.watch(&["", "a", "a/b", "ab"]);
    world.said();
    world.rename("a", "../away");
    world.says(&[": a+"]);
    world.write("../away/b/f");
    world.says(&[]);
    assert_eq!(world.watcher.coverage(TREE).watched, 2, "the root and a neighbour");
    world.rename("../away", "c");
    world.says(&[": c+"]);
    assert_eq!(world.watch(&["c", "c/b"]), [Placed::New; 2]);
    world.write("c/b/g");
    world.says(&["c/b: g+"]);
}

#[test]
fn a_root_that_moves_or_goes_is_lost_and_its_hints_with_it() {
    let mut world = World::new();
    world.watch(&["", "d"]);
    world.said();
    world.write("f");
    fs::rename(world.path(""), world.temp.path().join("away")).unwrap();
    assert!(world.said().contains(&"lost".to_owned()));
    fs::write(world.temp.path().join("away/g"), "").unwrap();
    world.says(&[]);
    fs::create_dir(world.path("")).unwrap();
    assert_eq!(world.watch(&[""]), [Placed::New]);
    fs::remove_dir(world.path("")).unwrap();
    world.says(&["lost"]);
    assert_eq!(world.watcher.coverage(TREE), Coverage::default());
}

#[test]
fn a_storm_on_one_file_is_one_hint() {
    let mut world = World::new();
    world.watch(&[""]);
    let file = File::create(world.path("f")).unwrap();
    for _ in 0..1_000 {
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        (&file).write_all(b"x").unwrap();
    }
    drop(file);
    world.says(&[": f+"]);
}

#[test]
fn what_is_not_watched_and_what_we_read_is_silent() {
    let mut world = World::new();
    world.watch(&["", "excluded"]);
    world.watcher.forget(TREE);
    world.watch(&["", "seen"]);
    (0..2_000).for_each(|number| world.write(&format!("seen/{number}")));
    world.said();
    world.write("excluded/f");
    for number in 0..2_000 {
        fs::read(world.path(&format!("seen/{number}"))).unwrap();
    }
    assert_eq!(fs::read_dir(world.path("seen")).unwrap().count(), 2_000);
    world.says(&[]);
}

#[test]
fn what_a_whole_walk_did_not_meet_is_forgotten() {
    let mut world = World::new();
    world.watch(&["", "old", "old/deep", "kept"]);
    let walk = world.watcher.begin_walk();
    world.watch(&["", "kept", "new"]);
    world.watcher.sweep(TREE, walk);
    assert_eq!(world.watcher.coverage(TREE).watched, 3);
    world.said();
    world.write("old/deep/f");
    world.write("kept/f");
    world.says(&["kept: f+"]);
}

#[test]
fn the_thread_ends_with_the_last_watcher() {
    let world = World::new();
    let clone = world.watcher.clone();
    drop(world.watcher);
    clone.ask(1).unwrap();
    assert_eq!(world.news.recv_timeout(DEADLINE), Ok(News::Proof(1)));
    drop(clone);
    assert_eq!(world.news.recv_timeout(DEADLINE), Err(std::sync::mpsc::RecvTimeoutError::Disconnected));
}
