//! A world for the engine's decisions: clocks that jump, trees that change, runs that take their time, a watcher that may
//! die. Carries out effects as the shell does, in simulated time, and keeps a record of what happened.
//!
//! What it finds wrong by itself: two runs in one repository, too many at once, a deadline that stands still, and a
//! "true as of" that claims more than has been looked at.

use std::collections::BTreeMap;

use super::job;
use crate::config::Config;
use crate::disk::watch::News;
use crate::domain::hint::{Everything, Hints};
use crate::domain::moment::Timestamp;
use crate::domain::problem::Class;
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Trigger};
use crate::domain::schedule::Now;
use crate::engine::job::{HintBatch, JobSpec};
use crate::engine::protocol::SyncRequest;
use crate::engine::state::{Input, ReplyId, State, Tracked};
use crate::engine::stop::Why;
use crate::engine::update::{live, next_deadline, update};

pub const SECOND: u64 = 1_000;
pub const MINUTE: u64 = 60 * SECOND;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
/// 2026-03-01 00:00:00 UTC.
pub const WALL: i64 = 1_772_323_200_000;
/// The shell wakes at the latest after this.
const LONGEST_SLEEP: u64 = MINUTE;
/// Directories of a tree, all of which one full run watches.
pub(super) const DIRECTORIES: usize = 10;

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    pub takes: u64,
    /// It fails at its end.
    pub fails: Option<Class>,
    /// It never ends by itself, and shows no progress.
    pub hangs: bool,
    /// It does not stop when it is asked to.
    pub is_stubborn: bool,
}

pub const QUICK: Fate = Fate { takes: 2 * SECOND, fails: None, hangs: false, is_stubborn: false };

/// A tree and what has happened in it that no run has looked at.
pub struct Tree {
    pub tracked: Tracked,
    pub is_there: bool,
    pub watched: usize,
    pub is_remote: bool,
    pub(super) dirty: Vec<Dirty>,
}

#[derive(Clone, Debug)]
pub(super) struct Dirty {
    pub place: Vec<u8>,
    pub at: u64,
    pub wall: Timestamp,
    /// Being looked at in a batch.
    pub is_served: bool,
}

pub(super) struct Job {
    pub spec: JobSpec,
    pub started: Now,
    pub fate: Fate,
    pub batch: Option<HintBatch>,
    pub why: Option<Why>,
}

/// What is still to happen.
pub(super) enum Coming {
    Input(Input),
    Served(String),
    Ends(String),
    Probe(RepositoryId),
    Proof(u64),
    StartWatcher,
    Measure,
    Refresh,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: u64,
    pub wall: Timestamp,
    pub id: i64,
    pub word: String,
}

pub struct World {
    pub state: State,
    pub config: Config,
    pub now: Now,
    pub trees: BTreeMap<i64, Tree>,
    pub lines: Vec<Line>,
    pub started: Vec<(u64, JobSpec)>,
    /// By what a run is to go; [`QUICK`] for all others.
    pub fates: BTreeMap<(i64, Kind), Fate>,
    /// Proofs come after this; `None`: never.
    pub proof_takes: Option<u64>,
    pub watcher_starts: bool,
    pub(super) is_watcher_up: bool,
    /// Requests cannot be made into jobs.
    pub is_index_away: bool,
    /// Off where the wall clock jumps: moments cannot be compared then.
    pub checks_truth: bool,
    pub has_ended: bool,
    pub updates: u64,
    pub(super) jobs: BTreeMap<String, Job>,
    /// Runs that were given up, whose threads are still stuck.
    pub(super) given_up: Vec<String>,
    pub(super) coming: BTreeMap<(u64, u64), Coming>,
    pub(super) next: u64,
}

/// Returns a world of so many repositories before its engine knows them.
pub fn world(repositories: i64, config: Config) -> World {
    let now = Now { mono_ms: 1_000_000, wall: Timestamp(WALL), utc_offset_s: 3_600 };
    let mut world = World {
        state: State::new(config.clone(), true, 7),
        now,
        trees: BTreeMap::new(),
        lines: Vec::new(),
        started: Vec::new(),
        fates: BTreeMap::new(),
        proof_takes: Some(5),
        watcher_starts: true,
        is_watcher_up: true,
        is_index_away: false,
        checks_truth: true,
        has_ended: false,
        updates: 0,
        jobs: BTreeMap::new(),
        given_up: Vec::new(),
        coming: BTreeMap::new(),
        next: 0,
        config,
    };
    for id in 1..=repositories {
        world.add(id);
    }
    world
}

/// Returns a world whose engine has done its start-up syncs and watches: `true as of` moves.
pub fn settled(repositories: i64, config: Config) -> World {
    let mut world = world(repositories, config);
    world.start();
    world.pass(MINUTE);
    world.lines.clear();
    world.started.clear();
    world
}

impl World {
    /// Adds a repository that was never synced, without telling the engine.
    pub fn add(&mut self, id: i64) {
        let mut repository = job("", id, Kind::Full).repository;
        repository.created_at = self.now.wall;
        let tracked = Tracked { repository, config: self.config.clone(), last: Vec::new() };
        let tree = Tree { tracked, is_there: true, watched: 0, is_remote: false, dirty: Vec::new() };
        self.trees.insert(id, tree);
    }

    /// Tells the engine of all repositories.
    pub fn start(&mut self) {
        self.tell();
    }

    pub fn tell(&mut self) {
        let all = self.trees.values().map(|tree| tree.tracked.clone()).collect();
        self.step(Input::Repositories(all));
    }

    /// A new engine over the same index: what ran is cut off.
    pub fn restart(&mut self) {
        self.state = State::new(self.config.clone(), true, 11);
        self.jobs.clear();
        self.given_up.clear();
        self.coming.clear();
        self.is_watcher_up = true;
        self.trees.values_mut().for_each(|tree| tree.watched = 0);
        self.tell();
    }

    /// Changes what holds for one repository and tells the engine.
    pub fn change(&mut self, id: i64, change: impl FnOnce(&mut Tracked)) {
        change(&mut self.tree(id).tracked);
        self.tell();
    }

    pub fn pause(&mut self, id: i64, is_paused: bool) {
        let at = is_paused.then_some(self.now.wall);
        self.change(id, |tracked| tracked.repository.paused_at = at);
    }

    pub fn configure(&mut self, change: impl Fn(&mut Config)) {
        change(&mut self.config);
        self.trees.values_mut().for_each(|tree| change(&mut tree.tracked.config));
        self.step(Input::Config(Box::new(self.config.clone())));
        self.tell();
    }

    pub fn tree(&mut self, id: i64) -> &mut Tree {
        self.trees.get_mut(&id).unwrap()
    }

    /// Something is written in a directory. Who watches is told; nobody else knows.
    pub fn write(&mut self, id: i64, directory: &str) {
        let (wall, at) = (self.now.wall, self.now.mono_ms);
        let is_told = self.is_watcher_up;
        let tree = self.tree(id);
        if !tree.is_there {
            return;
        }
        tree.dirty.push(Dirty { place: directory.as_bytes().to_vec(), at, wall, is_served: false });
        if is_told && tree.watched == DIRECTORIES {
            let mut hints = Hints::default();
            hints.name(directory.as_bytes(), b"f", true);
            self.step(Input::Watch(News::Hints { tree: id, hints }));
        }
    }

    /// Something is written, and the kernel's queue had no room for it.
    pub fn overflow(&mut self, id: i64) {
        let (wall, at) = (self.now.wall, self.now.mono_ms);
        if !self.is_watcher_up || self.tree(id).watched == 0 {
            return;
        }
        let mut hints = Hints::default();
        hints.everything(Everything::Overflow);
        self.tree(id).dirty.push(Dirty { place: b"?".to_vec(), at, wall, is_served: false });
        self.step(Input::Watch(News::Hints { tree: id, hints }));
    }

    /// The root goes away; the watcher tells if the mount was the watched directory's own.
    pub fn lose_root(&mut self, id: i64, is_told: bool) {
        self.tree(id).is_there = false;
        self.unwatch(id);
        if is_told {
            self.step(Input::Watch(News::RootLost { tree: id }));
        }
    }

    pub(super) fn unwatch(&mut self, id: i64) {
        if let Some(tree) = self.trees.get_mut(&id) {
            tree.watched = 0;
        }
    }

    pub fn kill_watcher(&mut self) {
        self.is_watcher_up = false;
        self.trees.values_mut().for_each(|tree| tree.watched = 0);
        self.step(Input::Watch(News::Down("killed".to_owned())));
    }

    pub fn ask(&mut self, id: i64, kind: Kind) {
        let request = SyncRequest::new(vec![format!("r{id}")], kind, Trigger::User);
        let jobs = vec![self.job(&request)];
        self.step(Input::Sync { jobs, reply: Some(ReplyId(1)) });
    }

    pub fn cancel(&mut self, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.step(Input::Cancel { names, run: None, reply: ReplyId(2) });
    }

    /// The threads of runs that were given up come back from the system, and find their end written.
    pub fn come_back(&mut self) {
        for run_id in std::mem::take(&mut self.given_up) {
            let result = Err("the run was given up before".to_owned());
            self.step(Input::Finished { run_id, result, coverage: None });
        }
    }

    /// The machine sleeps: both clocks go on, nothing else does.
    pub fn suspend(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.now.wall.0 += ms as i64;
    }

    pub fn set_wall(&mut self, by_ms: i64) {
        self.checks_truth = false;
        self.now.wall.0 += by_ms;
    }

    /// Lets time pass.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now.mono_ms + ms;
        let mut ticks = (0, 0);
        while !self.has_ended {
            let deadline = next_deadline(&self.state, self.now);
            let event = self.coming.first_key_value().map(|((at, _), _)| *at);
            let wake = (self.now.mono_ms + LONGEST_SLEEP).min(deadline.unwrap_or(u64::MAX));
            let at = wake.min(event.unwrap_or(u64::MAX)).max(self.now.mono_ms);
            if at > until {
                self.now.wall.0 += (until - self.now.mono_ms) as i64;
                self.now.mono_ms = until;
                return;
            }
            self.now.wall.0 += (at - self.now.mono_ms) as i64;
            self.now.mono_ms = at;
            match self.coming.first_entry().filter(|entry| entry.key().0 <= at) {
                Some(entry) => {
                    let coming = entry.remove();
                    self.happen(coming);
                }
                None => {
                    ticks = if ticks.0 == at { (at, ticks.1 + 1) } else { (at, 1) };
                    let state = &self.state;
                    assert!(ticks.1 < 5, "at {at} {deadline:?} stands still: {}\n{state:#?}", self.tail());
                    self.step(Input::Tick);
                }
            }
        }
    }

    /// Returns when runs of a kind began in a repository.
    pub fn starts(&self, id: i64, kind: Kind) -> Vec<u64> {
        let is_meant = |spec: &JobSpec| spec.repository.id.0 == id && spec.kind == kind;
        self.started.iter().filter(|(_, spec)| is_meant(spec)).map(|(at, _)| *at).collect()
    }

    /// Returns what happened in a repository since a moment, in words.
    pub fn story(&self, id: i64, since: u64) -> Vec<&str> {
        let lines = self.lines.iter().filter(|line| line.id == id && line.at >= since);
        lines.map(|line| line.word.as_str()).collect()
    }

    /// Returns until when a repository is true, as milliseconds before now.
    pub fn age(&self, id: i64) -> Option<i64> {
        let name = format!("r{id}");
        let at = live(&self.state, self.now).into_iter().find(|live| live.repository == name)?.true_as_of?;
        Some(self.now.wall.0 - at.0)
    }

    pub(super) fn tail(&self) -> String {
        let tail = &self.lines[self.lines.len().saturating_sub(20)..];
        tail.iter().map(|line| format!("\n  {} r{} {}", line.at, line.id, line.word)).collect()
    }

    /// Gives the engine an input and carries out what it decides.
    pub fn step(&mut self, input: Input) {
        assert!(!self.has_ended, "nothing reaches an engine that has ended");
        self.updates += 1;
        for effect in update(&mut self.state, input, self.now) {
            self.carry_out(effect);
        }
        if self.checks_truth {
            self.check_truth();
        }
    }

    /// What changed before "true as of" has been looked at.
    fn check_truth(&self) {
        for live in live(&self.state, self.now) {
            let Some(tree) = self.trees.values().find(|tree| tree.tracked.repository.name == live.repository) else {
                continue;
            };
            let lie = tree.dirty.iter().find(|dirty| live.true_as_of.is_some_and(|at| at > dirty.wall));
            assert!(lie.is_none(), "{live:?}\nclaims to hold {lie:?}: {}", self.tail());
        }
    }

    pub(super) fn come(&mut self, after: u64, coming: Coming) {
        self.next += 1;
        self.coming.insert((self.now.mono_ms + after, self.next), coming);
    }

    pub(super) fn note(&mut self, id: i64, word: String) {
        self.lines.push(Line { at: self.now.mono_ms, wall: self.now.wall, id, word });
    }
}
