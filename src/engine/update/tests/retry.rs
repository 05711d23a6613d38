//! What failed is tried again: when, how often, and what does not.

use super::world::{Fate, HOUR, MINUTE, QUICK, SECOND, World, settled};
use crate::config::Config;
use crate::domain::problem::Class;
use crate::domain::run::Kind;

const FULL: (i64, Kind) = (1, Kind::Full);

fn failing(class: Class) -> World {
    let mut config = Config::default();
    config.retry.attempts = 6;
    config.retry.delay = std::time::Duration::from_secs(60);
    (config.sync.incremental_every, config.sync.verify_every) = (None, None);
    let mut world = settled(2, config);
    world.fates.insert(FULL, Fate { fails: Some(class), ..QUICK });
    world.ask(1, Kind::Full);
    world
}

#[test]
fn what_may_pass_is_tried_again_with_doubling_waits_up_to_the_longest() {
    let mut world = failing(Class::Io);
    world.pass(HOUR);
    let starts = world.starts(1, Kind::Full);
    let waits: Vec<u64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) / SECOND - 2).collect();
    assert_eq!(waits.len(), 6, "{waits:?}");
    for (wait, most) in waits.iter().zip([60, 120, 240, 300, 300, 300]) {
        assert!((most / 2..=most).contains(wait), "{waits:?}");
    }
    let first = world.started[0].1.run_id.clone();
    for (number, (_, spec)) in world.started.iter().filter(|(_, spec)| spec.repository.id.0 == 1).enumerate() {
        assert_eq!(spec.attempt, number as i64 + 1);
        assert_eq!(spec.retry_of, (number > 0).then(|| first.clone()), "linked to the first");
    }
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for class in [Class::Permission, Class::Config, Class::DatabaseCorrupt, Class::Internal] {
        let mut world = failing(class);
        world.pass(HOUR);
        assert_eq!(world.starts(1, Kind::Full).len(), 1, "{class:?}");
    }
}

#[test]
fn a_success_in_between_ends_the_retries() {
    let mut world = failing(Class::Io);
    world.pass(20 * SECOND);
    world.fates.remove(&FULL);
    world.ask(1, Kind::Full);
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Full).len(), 2);
    assert_eq!(world.started.last().unwrap().1.attempt, 1);
}

#[test]
fn a_retry_that_succeeds_is_the_last() {
    let mut world = failing(Class::DeviceFull);
    world.pass(20 * SECOND);
    world.fates.remove(&FULL);
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Full).len(), 2);
}

#[test]
fn asking_again_for_what_fails_does_not_double_its_retries() {
    let mut world = failing(Class::Io);
    for _ in 0..5 {
        world.pass(5 * SECOND);
        world.ask(1, Kind::Full);
    }
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Full).len(), 6 + 6);
}

#[test]
fn one_failing_repository_does_not_delay_the_others() {
    let mut world = settled(3, Config::default());
    for kind in [Kind::Full, Kind::Incremental, Kind::Realtime] {
        world.fates.insert((1, kind), Fate { fails: Some(Class::Io), ..QUICK });
    }
    world.write(1, "a");
    world.pass(HOUR);
    for id in 2..=3 {
        assert!((11..=13).contains(&world.starts(id, Kind::Incremental).len()));
    }
}

#[test]
fn a_realtime_run_that_keeps_failing_is_tried_more_and_more_rarely_and_loses_nothing() {
    let mut world = settled(1, Config::default());
    world.configure(|config| config.scheduler.enabled = false);
    let fate = Fate { takes: 600, fails: Some(Class::Permission), ..QUICK };
    world.fates.insert((1, Kind::Realtime), fate);
    world.write(1, "a");
    world.pass(HOUR);
    let failures = world.starts(1, Kind::Realtime).len();
    assert!((5..30).contains(&failures), "{failures}");
    assert!(world.age(1).unwrap() > 50 * MINUTE as i64);
    world.fates.clear();
    world.pass(11 * MINUTE);
    assert!(world.age(1).unwrap() < 11 * SECOND as i64);
}

#[test]
fn a_poll_that_fails_is_not_repeated_at_once() {
    let mut world = settled(1, Config::default());
    world.tree(1).is_remote = true;
    world.tree(1).watched = 0;
    world.ask(1, Kind::Full);
    world.pass(MINUTE);
    world.fates.insert((1, Kind::Realtime), Fate { takes: 1, fails: Some(Class::Permission), ..QUICK });
    world.pass(HOUR);
    let failures = world.starts(1, Kind::Realtime).len();
    assert!((5..60).contains(&failures), "{failures}");
}

#[test]
fn requests_that_cannot_be_prepared_come_again_without_a_storm() {
    let mut world = settled(1, Config::default());
    world.is_index_away = true;
    world.write(1, "a");
    world.pass(MINUTE);
    world.overflow(1);
    world.pass(HOUR);
    assert!(world.lines.iter().filter(|line| line.word == "not prepared").count() < 60);
    world.is_index_away = false;
    world.pass(11 * MINUTE);
    assert!(world.age(1).unwrap() < 11 * SECOND as i64);
}

#[test]
fn a_retry_goes_by_the_name_that_the_repository_has_by_then() {
    let mut world = failing(Class::DeviceFull);
    world.pass(10 * SECOND);
    assert_eq!(world.starts(1, Kind::Full).len(), 1);
    world.trees.get_mut(&1).unwrap().tracked.repository.name = "renamed".to_owned();
    world.tell();
    world.fates.remove(&FULL);
    world.pass(HOUR);
    assert_eq!(world.starts(1, Kind::Full).len(), 2);
}
