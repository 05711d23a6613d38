//! Random operations on a tree, a sync that is killed, then a sync, then both sides compared with what `find` and `sha256sum` say.

use super::world::{World, text};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// One operation; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Operation {
    Write(usize, u8),
    Append(usize),
    Remove(usize),
    Rename(usize, usize),
    MoveDirectory(usize, usize),
    RemoveDirectory(usize),
    SwapDirectories(usize, usize),
    MakeDirectory(usize),
    Touch(usize),
    Mode(usize),
    Link(usize, usize),
    Symlink(usize),
    FileToDirectory(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let at = 0usize..1000;
    prop_oneof![
        4 => (at.clone(), any::<u8>()).prop_map(|(at, content)| Write(at, content)),
        2 => at.clone().prop_map(Append),
        2 => at.clone().prop_map(Remove),
        3 => (at.clone(), at.clone()).prop_map(|(from, to)| Rename(from, to)),
        2 => (at.clone(), at.clone()).prop_map(|(from, to)| MoveDirectory(from, to)),
        1 => at.clone().prop_map(RemoveDirectory),
        2 => (at.clone(), at.clone()).prop_map(|(from, to)| SwapDirectories(from, to)),
        1 => at.clone().prop_map(MakeDirectory),
        1 => at.clone().prop_map(Touch),
        1 => at.clone().prop_map(Mode),
        1 => (at.clone(), at.clone()).prop_map(|(from, to)| Link(from, to)),
        1 => at.clone().prop_map(Symlink),
        1 => at.prop_map(FileToDirectory),
    ]
}

struct Tree<'a>(&'a World);

impl Tree<'_> {
    fn all(&self, wanted: impl Fn(&fs::FileType) -> bool) -> Vec<PathBuf> {
        let walk = walkdir::WalkDir::new(&self.0.tree).sort_by_file_name().into_iter().map(Result::unwrap);
        walk.filter(|entry| wanted(&entry.file_type())).map(|entry| entry.into_path()).collect()
    }

    fn pick(list: &[PathBuf], at: usize) -> Option<&PathBuf> {
        (!list.is_empty()).then(|| &list[at % list.len()])
    }

    /// Carries an operation out as far as the tree allows it.
    fn apply(&self, operation: &Operation, turn: usize) {
        let files = self.all(|kind| kind.is_file());
        let directories = self.all(fs::FileType::is_dir);
        let below_root = &directories[1..];
        let new_name = |at: usize| Self::pick(&directories, at).unwrap().join(format!("n{}-{turn}", at % 5));
        let file = |at: usize| Self::pick(&files, at);
        match operation {
            Operation::Write(at, content) => fs::write(new_name(*at), vec![*content; usize::from(*content)]).unwrap(),
            Operation::Append(at) => {
                let Some(path) = file(*at) else { return };
                fs::write(path, [fs::read(path).unwrap(), format!("more {turn}").into_bytes()].concat()).unwrap();
            }
            Operation::Remove(at) => file(*at).into_iter().for_each(|path| fs::remove_file(path).unwrap()),
            Operation::Rename(from, to) => {
                file(*from).into_iter().for_each(|path| fs::rename(path, new_name(*to)).unwrap());
            }
            Operation::MoveDirectory(from, to) => {
                let Some(path) = Self::pick(below_root, *from) else { return };
                let target = new_name(*to);
                if !target.starts_with(path) {
                    fs::rename(path, target).unwrap();
                }
            }
            Operation::RemoveDirectory(at) => {
                Self::pick(below_root, *at).into_iter().for_each(|path| fs::remove_dir_all(path).unwrap());
            }
            Operation::SwapDirectories(one, two) => {
                let (Some(one), Some(two)) = (Self::pick(below_root, *one), Self::pick(below_root, *two)) else {
                    return;
                };
                if one.starts_with(two) || two.starts_with(one) {
                    return;
                }
                let aside = self.0.temp.path().join("aside");
                fs::rename(one, &aside).unwrap();
                fs::rename(two, one).unwrap();
                fs::rename(&aside, two).unwrap();
            }
            Operation::MakeDirectory(at) => fs::create_dir(new_name(*at)).unwrap(),
            Operation::Touch(at) => file(*at).into_iter().for_each(|path| super::world::age(path, turn as u64 + 1)),
            Operation::Mode(at) => {
                use std::os::unix::fs::PermissionsExt;
                let Some(path) = file(*at) else { return };
                let mode = fs::metadata(path).unwrap().permissions().mode() ^ 0o100;
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
            Operation::Link(from, to) => {
                file(*from).into_iter().for_each(|path| fs::hard_link(path, new_name(*to)).unwrap());
            }
            Operation::Symlink(at) => std::os::unix::fs::symlink("anywhere", new_name(*at)).unwrap(),
            Operation::FileToDirectory(at) => {
                let Some(path) = file(*at) else { return };
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
                fs::write(path.join("inside"), "x").unwrap();
            }
        }
    }
}

/// What an index says of each path, without what depends on when it was said.
fn timeless(world: &World) -> Vec<String> {
    let file = |file: &serde_json::Value| {
        let parts = ["type", "size_bytes", "mtime_ns", "ctime_ns", "inode"].map(|key| file[key].to_string());
        format!("{} {} {:?}", file["path"], parts.join(" "), text(&file["sha256"]))
    };
    world.json(&["files", "tree"]).iter().map(file).collect()
}

/// A sync that does not come to its end, or only just.
fn kill_a_sync(world: &World, after_us: u64) {
    let mut sync = world.command(&["sync", "--quiet"]);
    let mut sync = sync.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_micros(after_us);
    while Instant::now() < until && sync.try_wait().unwrap().is_none() {
        std::hint::spin_loop();
    }
    sync.kill().unwrap();
    sync.wait().unwrap();
}

/// Few cases, as each calls the program many times; `PROPTEST_CASES` asks for more.
fn config() -> Config {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { 12 };
    Config { cases, max_shrink_iters: 40, failure_persistence: None, ..Config::default() }
}

const START: [&str; 7] = ["a=1", "d/b=2", "d/e/c=3", "d/e/f/g=4", "h/i=5", "h/j/k=6", "same=1"];

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_any_operations_the_index_is_the_tree(
        rounds in prop::collection::vec(
            (prop::collection::vec(operation(), 1..12), any::<bool>(), prop::option::of(0u64..20_000)), 1..5
        )
    ) {
        let world = World::with(&START);
        world.ok(&["repo", "set", "tree", "guard.max_removed_percent=100"]);
        let mut turn = 0;
        for (operations, incremental, killed_after_us) in rounds {
            for operation in &operations {
                turn += 1;
                Tree(&world).apply(operation, turn);
            }
            if let Some(after_us) = killed_after_us {
                kill_a_sync(&world, after_us);
            }
            let before = world.index().len() as i64;
            let kind = if incremental { "incremental" } else { "full" };
            // A root that has become empty is held: here it is meant.
            let is_empty = fs::read_dir(&world.tree).unwrap().next().is_none();
            let accept: &[&str] = if is_empty { &["--accept-removals"] } else { &[] };
            let run = world.sync(&[&["--kind", kind], accept].concat());
            prop_assert_eq!(&run["outcome"], "completed");
            world.assert_in_step();
            let counted = |key: &str| run[key].as_i64().unwrap();
            prop_assert_eq!(before + counted("files_added") - counted("files_removed"), world.index().len() as i64);
            let total = &world.status()["total_files"];
            prop_assert_eq!(total.as_i64().unwrap(), world.index().len() as i64);
        }
    }

    #[test]
    fn an_incremental_and_a_full_sync_end_in_the_same_index(
        operations in prop::collection::vec(operation(), 1..20)
    ) {
        let world = World::with(&START);
        let mut other = World::empty();
        other.tree.clone_from(&world.tree);
        other.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
        for side in [&world, &other] {
            side.ok(&["repo", "set", "tree", "guard.max_removed_percent=100"]);
        }
        for (turn, operation) in operations.iter().enumerate() {
            Tree(&world).apply(operation, turn + 1);
        }
        world.sync(&["--kind", "incremental"]);
        other.sync(&["--kind", "full"]);
        prop_assert_eq!(timeless(&world), timeless(&other));
    }
}
