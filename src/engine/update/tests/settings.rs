//! Pause, removal, and settings that change while the engine runs.

use std::time::Duration;

use super::world::{DAY, Fate, HOUR, MINUTE, QUICK, SECOND, settled};
use crate::config::Config;
use crate::domain::problem::Class;
use crate::domain::run::Kind;

#[test]
fn a_paused_repository_runs_nothing_and_gets_a_full_run_when_it_is_resumed() {
    let mut world = settled(2, Config::default());
    world.fates.insert((1, Kind::Full), Fate { takes: HOUR, ..QUICK });
    world.ask(1, Kind::Full);
    world.write(1, "a");
    world.pass(MINUTE);
    world.lines.clear();
    world.pause(1, true);
    world.write(1, "b");
    world.pass(DAY);
    assert_eq!(world.story(1, 0), ["stop Cancelled full", "cancelled full"]);
    assert!(world.starts(2, Kind::Incremental).len() > 250, "the other goes on");
    world.lines.clear();
    world.fates.clear();
    world.pause(1, false);
    world.pass(MINUTE);
    assert_eq!(world.story(1, 0)[..2], ["full user", "completed full"]);
    assert_eq!(world.starts(1, Kind::Incremental).len(), 0, "the full run does what was missed");
    assert!(world.age(1).unwrap() < 11_000);
}

#[test]
fn a_realtime_run_that_only_waits_is_not_cancelled_by_a_pause() {
    let mut world = settled(1, Config::default());
    world.write(1, "a");
    world.pass(SECOND);
    world.lines.clear();
    world.pause(1, true);
    world.pass(SECOND);
    assert_eq!(world.story(1, 0), ["no more hints realtime", "completed realtime"]);
}

#[test]
fn a_pause_forgets_retries() {
    let mut world = settled(1, Config::default());
    world.fates.insert((1, Kind::Full), Fate { fails: Some(Class::Io), ..QUICK });
    world.ask(1, Kind::Full);
    world.pass(2_100);
    world.pause(1, true);
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Full).len(), 1);
}

#[test]
fn a_request_that_was_on_its_way_when_its_repository_was_paused_does_not_run() {
    let mut world = settled(1, Config::default());
    world.overflow(1);
    let paused_at = Some(world.now.wall);
    world.change(1, |tracked| tracked.repository.paused_at = paused_at);
    world.pass(MINUTE);
    assert_eq!(world.story(1, 0), [""; 0]);
}

#[test]
fn nothing_is_left_of_a_repository_that_is_removed() {
    let mut world = settled(2, Config::default());
    world.write(1, "a");
    world.pass(SECOND);
    world.overflow(1);
    world.lines.clear();
    world.trees.remove(&1);
    world.tell();
    world.pass(DAY);
    assert_eq!(world.story(1, 0), ["no more hints realtime", "completed realtime"]);
}

#[test]
fn intervals_can_be_changed_while_the_engine_runs() {
    let mut world = settled(1, Config::default());
    world.pass(HOUR);
    world.started.clear();
    world.configure(|config| config.sync.incremental_every = Some(Duration::from_secs(60)));
    world.pass(HOUR);
    assert!((57..=64).contains(&world.starts(1, Kind::Incremental).len()));
    world.started.clear();
    world.configure(|config| config.sync.incremental_every = None);
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Incremental).len(), 0);
    world.configure(|config| config.sync.full_every = Some(Duration::from_secs(3_600)));
    world.pass(HOUR);
    assert!((1..=2).contains(&world.starts(1, Kind::Full).len()));
}

#[test]
fn changing_one_interval_brings_no_other_run_forward() {
    let mut world = settled(1, Config::default());
    world.pass(HOUR);
    world.started.clear();
    for seconds in 0..200 {
        world.configure(|config| config.sync.full_every = Some(Duration::from_secs(86_400 + seconds)));
        world.pass(6 * SECOND);
    }
    let incremental = world.starts(1, Kind::Incremental).len();
    assert!((3..=5).contains(&incremental), "{incremental}");
    assert_eq!(world.starts(1, Kind::Full).len() + world.starts(1, Kind::Verify).len(), 0);
}

#[test]
fn a_stopped_schedule_starts_nothing_and_makes_up_once() {
    let mut world = settled(1, Config::default());
    world.configure(|config| config.scheduler.enabled = false);
    world.pass(2 * DAY);
    assert_eq!(world.started.len(), 0);
    world.write(1, "a");
    world.pass(2 * SECOND);
    assert_eq!(world.starts(1, Kind::Realtime).len(), 1, "hints are still looked at");
    world.configure(|config| config.scheduler.enabled = true);
    world.pass(4 * MINUTE);
    assert_eq!([Kind::Full, Kind::Verify].map(|kind| world.starts(1, kind).len()), [1, 1]);
}

#[test]
fn watching_can_be_switched_off_and_on() {
    let mut world = settled(1, Config::default());
    world.write(1, "a");
    world.pass(SECOND);
    world.configure(|config| config.watch.enabled = false);
    world.pass(10 * SECOND);
    assert_eq!(world.story(1, 0).last(), Some(&"completed realtime"), "none stays open");
    world.write(1, "b");
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Realtime).len(), 1);
    assert!(world.starts(1, Kind::Incremental).len() > 10, "the schedule goes on");
    world.started.clear();
    world.configure(|config| config.watch.enabled = true);
    world.pass(MINUTE);
    assert_eq!(world.starts(1, Kind::Full).len(), 1);
    assert!(world.age(1).unwrap() < 11_000);
}
