//! Power cuts: what the program does to its files is recorded call by call, and the data directory is put together again
//! as a disk may hold it when the power goes after any of these calls.

mod device;
mod disk;
mod recording;

use serde_json::Value;

use super::backup::{back_up_of, restore};
use super::journal::{assert_agrees, history, older, with_history};
use super::resident::can;
use super::upgrade::{assert_says_the_same, of_schema, upgrade};
use super::world::{Said, World};
use disk::{Chance, Cut, put_back};
use recording::Recording;

/// How much of what no sync has covered stands after a cut, in percent.
const LEFT: [usize; 5] = [0, 50, 90, 10, 100];

/// A recording, and after how many calls which history had been acknowledged.
struct Recorded {
    recording: Recording,
    acknowledged: Vec<(usize, Vec<Value>)>,
}

impl Recorded {
    /// Begins with what stands.
    fn begin(world: &World) -> Recorded {
        let acknowledged = if world.data.exists() { vec![(0, history(world))] } else { Vec::new() };
        Recorded { recording: Recording::begin(&world.data), acknowledged }
    }

    fn run(&mut self, world: &World, args: &[&str]) -> Said {
        let said = self.recording.run(world, args);
        self.acknowledged.push((self.recording.ops.len(), history(world)));
        said
    }

    fn calls(&self) -> usize {
        self.recording.ops.len()
    }

    /// Returns what a person had been told of before a cut.
    fn acknowledged(&self, calls: usize) -> &[Value] {
        self.acknowledged.iter().rev().find(|(at, _)| *at <= calls).map_or(&[], |(_, history)| history)
    }

    /// Cuts the power so often, everywhere, and looks each time at what is left.
    fn cut(&self, world: &World, times: usize, seed: u64, look: impl Fn(&[Value], &str)) {
        // More of them, elsewhere: POWER_CUTS=1000 POWER_SEED=5.
        let asked = |name| std::env::var(name).ok().and_then(|number| number.parse().ok());
        let (times, seed) =
            (asked("POWER_CUTS").unwrap_or(times), asked("POWER_SEED").map_or(seed, |seed| seed as u64));
        let mut chance = Chance(seed);
        for time in 0..times {
            let cut =
                Cut { calls: chance.below(self.calls() + 1), percent: LEFT[time % LEFT.len()], counts_syncs: true };
            put_back(&self.recording, &cut, &mut chance, &world.data);
            let what = format!("seed {seed}, cut {time} after call {} of {}", cut.calls, self.calls());
            look(self.acknowledged(cut.calls), &what);
        }
    }
}

/// Three runs that are recorded, after changes and a move each.
fn recorded(world: &World) -> Recorded {
    let mut recorded = Recorded::begin(world);
    for (number, args) in
        [&["sync", "--quiet"][..], &["sync", "--quiet", "--kind", "incremental"], &["sync", "--quiet"]]
            .into_iter()
            .enumerate()
    {
        for file in 0..20 {
            world.put(&format!("d{file}/f{number}={number}"));
        }
        std::fs::rename(world.path("a"), world.path("b"))
            .or_else(|_| std::fs::rename(world.path("b"), world.path("a")))
            .unwrap();
        let said = recorded.run(world, args);
        assert_eq!(said.code, 0, "{said:?}");
    }
    recorded
}

/// Nothing that was acknowledged is missing or different, nothing runs for ever, and the index equals the tree.
#[track_caller]
fn assert_whole(world: &World, acknowledged: &[Value], what: &str) {
    let said = world.wk(&["sync", "--quiet"]);
    assert_eq!(said.code, 0, "{what}: {said:?}");
    let runs = history(world);
    let lost: Vec<&Value> = acknowledged.iter().filter(|run| !runs.contains(run)).collect();
    assert!(lost.is_empty(), "{what}: lost {lost:?}\nof {runs:?}");
    assert!(runs.iter().all(|run| run["outcome"].is_string()), "{what}: {runs:?}");
    assert_agrees(world);
    world.assert_in_step();
}

#[test]
fn fifty_power_cuts_lose_nothing_that_was_acknowledged() {
    if !can("fifty_power_cuts", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["a=1", "c/d=2"]);
    let recorded = recorded(&world);
    recorded.cut(&world, 50, 7, |acknowledged, what| assert_whole(&world, acknowledged, what));
}

#[test]
fn without_the_syncs_a_power_cut_loses_what_was_acknowledged() {
    if !can("without_the_syncs", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["a=1", "c/d=2"]);
    let recorded = recorded(&world);
    let cut = Cut { calls: recorded.calls(), percent: 0, counts_syncs: false };
    put_back(&recorded.recording, &cut, &mut Chance(7), &world.data);
    world.wk(&["sync", "--quiet"]);
    let (acknowledged, runs) = (recorded.acknowledged(recorded.calls()), history(&world));
    assert!(acknowledged.iter().any(|run| !runs.contains(run)), "this proves nothing: {runs:?}");
}

#[test]
fn a_power_cut_while_the_data_directory_is_made_leaves_nothing_in_the_way() {
    if !can("a_power_cut_while_the_data_directory_is_made", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::empty();
    world.put("a=1");
    let mut recorded = Recorded::begin(&world);
    let tree = world.tree.to_str().unwrap();
    assert_eq!(recorded.run(&world, &["repo", "add", tree, "--quiet"]).code, 0);
    recorded.cut(&world, 25, 11, |acknowledged, what| {
        if world.json(&["repo", "list"]).is_empty() {
            assert!(acknowledged.is_empty(), "{what}");
            let said = world.wk(&["repo", "add", tree, "--quiet"]);
            assert_eq!(said.code, 0, "{what}: {said:?}");
        }
        assert_whole(&world, acknowledged, what);
    });
}

#[test]
fn a_power_cut_in_the_recovery_from_one_loses_nothing_either() {
    if !can("a_power_cut_in_the_recovery", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = World::with(&["a=1", "c/d=2"]);
    let first = recorded(&world);
    for seed in [3, 5, 8] {
        first.cut(&world, 1, seed, |acknowledged, what| {
            let mut second =
                Recorded { recording: Recording::begin(&world.data), acknowledged: vec![(0, acknowledged.to_vec())] };
            assert_eq!(second.run(&world, &["sync", "--quiet"]).code, 0, "{what}");
            second.cut(&world, 8, seed, |acknowledged, then| {
                assert_whole(&world, acknowledged, &format!("{what}, then {then}"))
            });
        });
    }
}

#[test]
fn a_power_cut_in_an_upgrade_leaves_the_old_or_the_new_schema() {
    if !can("a_power_cut_in_an_upgrade", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = of_schema(1);
    let mut recorded = Recorded { recording: Recording::begin(&world.data), acknowledged: Vec::new() };
    assert_eq!(recorded.recording.run(&world, &["repo", "pause", "tree"]).code, 0);
    recorded.cut(&world, 25, 13, |_, _| {
        upgrade(&world);
        assert_says_the_same(&world);
        assert_agrees(&world);
    });
}

#[test]
fn a_power_cut_in_a_restore_leaves_the_old_or_the_new() {
    if !can("a_power_cut_in_a_restore", &["strace", "-o", "/dev/null", "true"]) {
        return;
    }
    let world = with_history();
    let (file, new) = (back_up_of(&world), history(&world));
    world.put("later=1");
    world.sync(&["--note", "later"]);
    let mut recorded = Recorded::begin(&world);
    let old = history(&world);
    assert_eq!(recorded.recording.run(&world, &["restore", file.to_str().unwrap(), "--yes"]).code, 0);
    recorded.cut(&world, 25, 17, |_, what| {
        world.sync(&["--kind", "incremental", "--quiet"]);
        let runs = history(&world);
        let is = |before: &[Value]| runs.len() >= before.len() && older(&world, before) == before;
        assert!(is(&old) || is(&new), "{what}: {runs:?}");
        assert_agrees(&world);
        world.assert_in_step();
    });
    // Whatever became of it, it can be done again.
    restore(&world, &file);
    assert_eq!(older(&world, &new), new);
}
