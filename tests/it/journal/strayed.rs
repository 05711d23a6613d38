//! Index and journal that are not of one moment, or not of one history: nothing acknowledged is lost, nothing is invented.

use super::super::backup::copy;
use super::super::world::World;
use super::{assert_agrees, history, older, quarantined, remove_index, segment, with_history};
use serde_json::Value;
use std::fs;

/// What a person has set.
fn repositories(world: &World) -> Vec<String> {
    let shown = |repository: &Value| {
        let name = repository["repository"].as_str().unwrap();
        format!("{name} {}", world.ok(&["repo", "show", name]).out.matches(".iso").count())
    };
    world.json(&["repo", "list"]).iter().map(shown).collect()
}

#[test]
fn settings_that_only_the_journal_has_come_back_with_an_old_copy_of_the_index() {
    let world = with_history();
    let going = world.temp.path().join("going");
    fs::create_dir(&going).unwrap();
    world.ok(&["repo", "add", going.to_str().unwrap(), "--quiet"]);
    let old = fs::read(world.data.join("index.db")).unwrap();
    let (other, before) = (world.temp.path().join("other"), history(&world));
    fs::create_dir(&other).unwrap();
    // Not one run: only what was set has changed.
    world.ok(&["repo", "set", "tree", "exclude=*.iso"]);
    world.ok(&["repo", "rename", "tree", "renamed"]);
    world.ok(&["repo", "add", other.to_str().unwrap(), "--no-sync"]);
    world.ok(&["repo", "remove", "going", "--yes"]);
    let set = repositories(&world);
    assert_eq!(set, ["other 0", "renamed 1"]);
    remove_index(&world);
    fs::write(world.data.join("index.db"), old).unwrap();
    let said = world.exits(1, &["verify-log"]);
    for what in ["other is in the journal and not", "renamed is not in the index as", "going is in the index, although"]
    {
        assert!(said.out.contains(&format!("repository {what}")), "{what}: {said:?}");
    }
    let said = world.wk(&["sync"]);
    assert!(said.code == 0 && said.err.contains("put right"), "{said:?}");
    assert_eq!(repositories(&world), set);
    let kept: Vec<Value> = before.into_iter().filter(|run| run["repository"] != "going").collect();
    let found = history(&world);
    assert!(kept.iter().all(|run| found.iter().any(|now| now["run_id"] == run["run_id"])), "{found:#?}");
    assert_agrees(&world);
    assert!(!world.ok(&["sync"]).err.contains("put right"), "once is enough");
}

#[test]
fn a_journal_of_another_history_is_set_aside_and_the_index_stays() {
    let (world, theirs) = (with_history(), with_history());
    // And one that went its own way from a copy on.
    let branch = world.temp.path().join("branch");
    copy(&world.data, &branch);
    world.sync(&["--note", "here"]);
    world.ok(&["repo", "set", "tree", "exclude=*.iso"]);
    let there = World { temp: tempfile::tempdir().unwrap(), tree: world.tree.clone(), data: branch.clone() };
    there.sync(&["--note", "there"]);
    for journal in [theirs.data.join("journal"), branch.join("journal")] {
        let (before, set) = (history(&world), repositories(&world));
        fs::remove_dir_all(world.data.join("journal")).unwrap();
        copy(&journal, &world.data.join("journal"));
        world.exits(1, &["verify-log"]);
        let said = world.ok(&["sync"]);
        assert!(said.err.contains("the journal was not of this index"), "{said:?}");
        assert_eq!(older(&world, &before), before);
        assert_eq!(repositories(&world), set);
        assert!(quarantined(&world).contains(&"000001.jsonl".to_owned()));
        assert_agrees(&world);
        world.assert_in_step();
    }
}

#[test]
fn a_file_of_the_journal_that_stands_twice_is_noticed_at_the_next_start() {
    let world = with_history();
    let before = history(&world);
    fs::copy(segment(&world, 1), segment(&world, 2)).unwrap();
    let said = world.exits(1, &["verify-log"]);
    assert!(said.out.contains("twice or out of order"), "{said:?}");
    world.ok(&["sync"]);
    assert_agrees(&world);
    assert_eq!(older(&world, &before), before);
}

#[test]
fn without_its_index_nothing_is_said_to_be_in_order() {
    let world = with_history();
    let before = history(&world);
    remove_index(&world);
    let copy = world.temp.path().join("copy");
    let all: [&[&str]; 6] = [
        &["status"],
        &["status", "--check"],
        &["repo", "list"],
        &["metrics"],
        &["digest"],
        &["backup", copy.to_str().unwrap()],
    ];
    for command in all {
        let said = world.exits(1, command);
        assert!(said.err.contains("is missing") && said.err.contains("watchkeeper sync"), "{command:?}: {said:?}");
    }
    world.exits(1, &["doctor"]);
    world.exits(1, &["verify-log"]);
    assert!(!world.data.join("index.db").exists() && !copy.exists());
    world.ok(&["sync"]);
    world.ok(&["status", "--check"]);
    assert_eq!(older(&world, &before), before);
}
