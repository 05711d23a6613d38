//! What is cancelled, hangs, stalls, gives way, and how the engine ends.

use std::time::Duration;

use super::world::{DAY, Fate, HOUR, MINUTE, QUICK, SECOND, World, settled};
use crate::config::Config;
use crate::domain::run::Kind;
use crate::engine::job::JobSpec;
use crate::engine::state::{Input, ReplyId};

fn unscheduled(repositories: i64) -> World {
    let mut config = Config::default();
    config.scheduler.enabled = false;
    settled(repositories, config)
}

#[test]
fn a_run_that_does_not_stop_is_given_up_after_five_seconds_and_its_repository_runs_again() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { takes: HOUR, is_stubborn: true, ..QUICK });
    world.ask(1, Kind::Full);
    world.pass(SECOND);
    world.cancel(&["r1"]);
    let at = world.now.mono_ms;
    world.pass(MINUTE);
    let given_up = world.lines.iter().find(|line| line.word == "abandon full").unwrap();
    assert_eq!(given_up.at, at + 5 * SECOND);
    world.fates.clear();
    world.ask(1, Kind::Full);
    world.pass(2 * HOUR);
    let story = "full user; stop Cancelled full; abandon full; cancelled full; full user; completed full";
    assert_eq!(world.story(1, 0).join("; "), story);
}

#[test]
fn a_run_without_progress_is_stopped_given_up_and_tried_again() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { hangs: true, is_stubborn: true, ..QUICK });
    world.ask(1, Kind::Full);
    let start = world.now.mono_ms;
    world.fates.clear();
    world.pass(11 * MINUTE);
    let at = |word: &str| world.lines.iter().find(|line| line.word == word).map(|line| line.at - start);
    let stopped = at("stop Stalled full").unwrap();
    assert!((10 * MINUTE..=10 * MINUTE + 10 * SECOND).contains(&stopped), "{stopped}");
    assert_eq!(at("abandon full"), Some(stopped + 5 * SECOND));
    assert_eq!(world.story(1, 0).last(), Some(&"completed full"), "the retry");
}

#[test]
fn a_share_that_is_dead_for_a_month_takes_the_threads_of_three_runs_until_they_are_back() {
    for is_remote in [false, true] {
        let mut world = settled(1, Config::default());
        world.tree(1).is_remote = is_remote;
        for kind in [Kind::Full, Kind::Incremental, Kind::Verify, Kind::Realtime] {
            world.fates.insert((1, kind), Fate { hangs: true, is_stubborn: true, ..QUICK });
        }
        world.write(1, "a");
        world.overflow(1);
        world.pass(30 * DAY);
        assert_eq!(world.started.len(), 3, "{:?}", world.story(1, 0));
        world.fates.clear();
        world.pass(DAY);
        assert_eq!(world.started.len(), 3);
        world.come_back();
        world.pass(HOUR);
        assert!(world.story(1, 0).contains(&"completed full"), "{:?}", world.story(1, 0));
    }
}

#[test]
fn a_realtime_run_that_waits_and_a_run_that_moves_are_not_taken_for_stalled() {
    let mut config = Config::default();
    (config.watch.poll_every, config.scheduler.enabled) = (Duration::from_secs(1_800), false);
    let mut world = settled(2, config);
    world.fates.insert((2, Kind::Full), Fate { takes: 5 * HOUR, ..QUICK });
    world.tree(1).is_remote = true;
    world.tree(1).watched = 0;
    world.ask(1, Kind::Full);
    world.ask(2, Kind::Full);
    world.pass(6 * HOUR);
    assert!(world.lines.iter().all(|line| !line.word.starts_with("stop")), "{:?}", world.story(1, 0));
}

#[test]
fn a_machine_that_slept_does_not_make_a_run_stall() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { hangs: true, ..QUICK });
    world.ask(1, Kind::Full);
    world.pass(30 * SECOND);
    world.suspend(8 * HOUR);
    world.pass(MINUTE);
    assert_eq!(world.story(1, 0), ["full user"]);
    world.pass(10 * MINUTE);
    assert_eq!(world.story(1, 0)[..2], ["full user", "stop Stalled full"], "but what hangs does");
}

fn verifying() -> World {
    let mut config = Config::default();
    (config.sync.full_every, config.sync.incremental_every) = (None, None);
    let mut world = settled(1, config);
    world.tree(1).tracked.repository.total_bytes = 1 << 50;
    world.tell();
    world.fates.insert((1, Kind::Verify), Fate { takes: 10 * HOUR, ..QUICK });
    while world.starts(1, Kind::Verify).is_empty() {
        world.pass(MINUTE);
    }
    world.lines.clear();
    world
}

#[test]
fn a_verify_gives_way_to_a_person_and_goes_on_with_what_is_left_of_its_budget() {
    let mut world = verifying();
    world.pass(20 * MINUTE);
    world.ask(1, Kind::Full);
    world.pass(MINUTE);
    let story = "stop GiveWay verify; completed verify; full user; completed full; verify schedule";
    assert_eq!(world.story(1, 0).join("; "), story);
    let budgets: Vec<u64> =
        world.started.iter().filter_map(|(_, spec)| spec.max_time).map(|time| time.as_secs() / 60).collect();
    assert!(budgets[0] == 60 && (38..=39).contains(&budgets[1]), "{budgets:?}");
    let bytes: Vec<u64> = world.started.iter().filter_map(|(_, spec)| spec.max_bytes).collect();
    assert!(bytes[1] < bytes[0]);
    let verifies: Vec<&JobSpec> =
        world.started.iter().map(|(_, spec)| spec).filter(|spec| spec.kind == Kind::Verify).collect();
    let before = verifies[1].continues.as_ref().map(|before| before.run_id.clone());
    assert_eq!((before, &verifies[0].continues), (Some(verifies[0].run_id.clone()), &None));
    world.pass(2 * HOUR);
    assert_eq!(world.starts(1, Kind::Verify).len(), 2, "the budget is used up");
}

#[test]
fn a_verify_that_gave_way_twice_goes_on_from_where_the_first_began() {
    let mut world = verifying();
    for _ in 0..2 {
        world.pass(10 * MINUTE);
        world.ask(1, Kind::Full);
        world.pass(MINUTE);
    }
    let links: Vec<_> = world.started.iter().filter_map(|(_, spec)| spec.continues.as_ref()).collect();
    assert_eq!(links.len(), 2);
    assert_eq!(links[0].since, links[1].since);
    assert_ne!(links[0].run_id, links[1].run_id);
}

#[test]
fn a_scheduled_incremental_run_waits_for_a_verify_where_it_is_watched() {
    for is_watched in [true, false] {
        let mut world = verifying();
        if !is_watched {
            world.configure(|config| config.watch.enabled = false);
        }
        world.configure(|config| config.sync.incremental_every = Some(Duration::from_secs(300)));
        world.pass(30 * MINUTE);
        assert_eq!(world.starts(1, Kind::Incremental).is_empty(), is_watched);
        world.pass(HOUR);
        assert!(!world.starts(1, Kind::Incremental).is_empty());
    }
}

#[test]
fn hints_are_served_beside_a_verify() {
    let mut world = verifying();
    world.write(1, "a");
    world.pass(SECOND);
    assert_eq!(world.story(1, 0), ["serve a"]);
}

#[test]
fn the_engine_ends_with_idle_realtime_runs_as_they_are_and_others_cancelled() {
    let mut world = settled(3, Config::default());
    world.fates.insert((2, Kind::Full), Fate { takes: HOUR, ..QUICK });
    world.write(1, "a");
    world.ask(2, Kind::Full);
    world.pass(SECOND);
    world.lines.clear();
    world.step(Input::Shutdown { reply: ReplyId(9) });
    world.ask(3, Kind::Full);
    world.pass(SECOND);
    assert_eq!(world.story(1, 0), ["no more hints realtime", "completed realtime"]);
    assert_eq!(world.story(2, 0), ["stop Cancelled full", "cancelled full"]);
    assert_eq!(world.story(0, 0), ["refused", "end"]);
}

#[test]
fn an_engine_that_waits_for_its_end_does_not_spin() {
    let mut world = settled(3, Config::default());
    world.fates.insert((1, Kind::Full), Fate { hangs: true, is_stubborn: true, ..QUICK });
    world.ask(1, Kind::Full);
    world.write(2, "a");
    world.overflow(3);
    world.pass(10);
    world.suspend(2 * DAY);
    world.step(Input::Shutdown { reply: ReplyId(9) });
    let before = world.updates;
    world.pass(MINUTE);
    assert!(world.has_ended && world.updates - before < 20, "{}", world.updates - before);
}
