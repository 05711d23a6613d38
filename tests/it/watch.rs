//! The mutator: whatever happens to a tree beside the daemon, soon after it stops the index is the tree again.
//!
//! A few rounds run always; `MUTATOR_ROUNDS=50` asks for more, and then for the promised five seconds, too.

use super::engine::Daemon;
use super::world::{DEADLINE, Sums, World};
use rustix::process::Signal;
use std::fs;
use std::io::{Result, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 6;
const OPERATIONS: u64 = 300;
/// Promised for a machine that has nothing else to do.
const PROMISED: Duration = Duration::from_secs(5);
/// More than three times what the kernel's queue holds by default.
const BURST: usize = 50_000;
/// Everything may go, and the daemon is at work while the mutator is.
const CONFIG: &str = "[guard]\nmax_removed_percent = 100\n[watch]\ndebounce = \"20ms\"\ndebounce_max = \"200ms\"\n";

struct Mutator<'a> {
    world: &'a World,
    outside: PathBuf,
    random: u64,
    step: u64,
}

impl Mutator<'_> {
    fn new(world: &World, seed: u64) -> Mutator<'_> {
        let outside = world.temp.path().join("outside");
        fs::create_dir_all(&outside).unwrap();
        Mutator { world, outside, random: seed, step: 0 }
    }

    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as usize % end
    }

    fn one_of(&mut self, mut paths: Vec<PathBuf>) -> Option<PathBuf> {
        paths.sort();
        (!paths.is_empty()).then(|| paths.swap_remove(self.below(paths.len())))
    }

    fn directories(&self) -> Vec<PathBuf> {
        let all = walkdir::WalkDir::new(&self.world.tree).into_iter().flatten();
        all.filter(|entry| entry.file_type().is_dir()).map(|entry| entry.path().to_owned()).collect()
    }

    fn directory(&mut self) -> PathBuf {
        let all = self.directories();
        self.one_of(all).unwrap()
    }

    fn file_in(&mut self, directory: &Path) -> PathBuf {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let files = entries.filter(|path| path.is_file() && !path.is_symlink()).collect();
        // A name that is not there makes the operation fail, which is fine.
        self.one_of(files).unwrap_or_else(|| directory.join("none"))
    }

    fn fill(&mut self, directory: &Path, files: usize) -> Result<()> {
        fs::create_dir_all(directory)?;
        (0..files).try_for_each(|number| fs::write(directory.join(format!("f{number}")), self.text()))
    }

    fn text(&mut self) -> String {
        let length = self.below(12);
        format!("{} {}", self.step, &"............"[..length])
    }

    /// Does something. Most of it may fail: a directory may lie in itself, or be in the way.
    fn operate(&mut self) -> Result<()> {
        self.step += 1;
        let step = self.step;
        let directory = self.directory();
        let elsewhere = self.directory();
        let file = self.file_in(&directory);
        let is_root = directory == self.world.tree;
        match self.below(100) {
            0..20 => fs::write(directory.join(format!("new{step}")), self.text()),
            20..32 => {
                let mut opened = fs::OpenOptions::new().append(true).open(file)?;
                // The kernel tells of a write in the directory through which it came, and of none when that name is
                // gone before anyone looks: nobody could find the other names' change but by looking at everything.
                if opened.metadata()?.nlink() > 1 { Ok(()) } else { opened.write_all(b"more") }
            }
            32..42 => fs::rename(file, elsewhere.join(format!("renamed{step}"))),
            42..46 => fs::rename(&file, directory.join(format!("within{step}"))),
            46..53 => fs::remove_file(file),
            53..60 => {
                let deep = directory.join(format!("deep{step}/q/w"));
                self.fill(&deep, 1)
            }
            60..68 if !is_root => fs::rename(directory, elsewhere.join(format!("moved{step}"))),
            68..72 if !is_root => fs::rename(directory, self.outside.join(format!("out{step}"))),
            72..77 => {
                let waiting = fs::read_dir(&self.outside)?.flatten().map(|entry| entry.path()).collect();
                let back = self.one_of(waiting).unwrap_or_default();
                fs::rename(back, directory.join(format!("in{step}")))
            }
            77..80 if !is_root && self.directories().len() > 15 => fs::remove_dir_all(directory),
            80..85 => {
                let saved = directory.join(format!(".save{step}"));
                fs::write(&saved, self.text())?;
                fs::rename(saved, file)
            }
            85..89 => fs::hard_link(file, elsewhere.join(format!("link{step}"))),
            89..92 => fs::write(directory.join(["backup~", ".hidden", "part.tmp"][self.below(3)]), "left out"),
            92..94 => {
                let hidden = directory.join(format!(".hidden{step}"));
                self.fill(&hidden, 2)?;
                if self.below(2) == 0 { fs::rename(hidden, directory.join(format!("shown{step}"))) } else { Ok(()) }
            }
            94..96 => std::os::unix::fs::symlink(file, directory.join(format!("symlink{step}"))),
            _ => {
                let filled = directory.join(format!("filled{step}"));
                self.fill(&filled, 20)
            }
        }
    }

    /// A few hundred operations. While the daemon answers it is asked now and then, so that it is at work meanwhile.
    fn round(&mut self, asks: bool) {
        for _ in 0..OPERATIONS {
            // What fails has changed nothing, or a part of it, which is as good.
            drop(self.operate());
            if asks && self.below(10) == 0 {
                self.world.ok(&["status"]);
            }
        }
    }
}

/// Waits until the index is the tree, and returns how long that took.
#[track_caller]
fn settle(world: &World, limit: Duration) -> Duration {
    let began = Instant::now();
    let disk: Sums = world.disk();
    while world.index() != disk && began.elapsed() < limit {}
    world.assert_in_step();
    began.elapsed()
}

/// Every line of `files --format sha256sum` is so, in the eyes of `sha256sum`.
fn check_sums(world: &World) {
    let lines = world.ok(&["files", "tree", "--format", "sha256sum"]).out;
    let mut child = Command::new("sha256sum")
        .args(["--check", "--quiet", "--strict"])
        .current_dir(&world.tree)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn watched_world(seed: u64) -> (World, Daemon) {
    let world = World::empty();
    world.config(CONFIG);
    let mut mutator = Mutator::new(&world, seed);
    for number in 0..20 {
        let directory = mutator.directory().join(format!("d{number}"));
        mutator.fill(&directory, 4).unwrap();
    }
    world.ok(&["repo", "add", world.tree.to_str().unwrap(), "--quiet"]);
    let daemon = Daemon::ready(&world);
    world.wait_for_state("tree", "in_sync");
    (world, daemon)
}

fn overflows(world: &World) -> usize {
    world.json(&["history", "-n", "1000"]).iter().filter(|run| run["trigger"] == "overflow").count()
}

#[test]
fn the_index_follows_whatever_happens_to_the_tree() {
    let asked = std::env::var("MUTATOR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let limit = if asked.is_some() { PROMISED } else { DEADLINE };
    let seed = std::env::var("MUTATOR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let (world, daemon) = watched_world(seed);
    let mut mutator = Mutator::new(&world, seed);
    let mut took = Vec::new();
    for round in 0..asked.unwrap_or(ROUNDS) {
        let is_stopped = round % 3 == 2;
        if is_stopped {
            daemon.signal(Signal::STOP);
        }
        mutator.round(!is_stopped);
        if is_stopped {
            daemon.signal(Signal::CONT);
        }
        eprintln!("round {round}, seed {seed}, {}", if is_stopped { "stopped" } else { "running" });
        took.push(settle(&world, limit));
    }
    took.sort();
    eprintln!("{} rounds, settled after {:?} (median), {:?} (most)", took.len(), took[took.len() / 2], took.last());
    check_sums(&world);
    assert_eq!(overflows(&world), 0, "the watcher alone has done it: {}", world.wk(&["history"]).out);
    daemon.stop();
}

#[test]
fn a_burst_beyond_the_kernels_queue_is_found_by_a_full_run() {
    eprintln!("SKIPPED a tiny queue: fs.inotify.max_queued_events is one for the whole machine, in every namespace");
    let (world, daemon) = watched_world(7);
    daemon.signal(Signal::STOP);
    let directories = Mutator::new(&world, 7).directories();
    for number in 0..BURST {
        drop(fs::File::create(directories[number % directories.len()].join(format!("burst{number}"))).unwrap());
    }
    daemon.signal(Signal::CONT);
    world.wait(
        "all are found",
        || world.sqlite("SELECT count(*) FROM files"),
        |files| files.parse::<usize>().unwrap() > BURST,
    );
    settle(&world, DEADLINE);
    assert!(overflows(&world) >= 1, "{}", world.wk(&["history"]).out);
    // Back to normal: one change is one hint.
    world.put("after=1");
    settle(&world, DEADLINE);
    daemon.stop();
}
