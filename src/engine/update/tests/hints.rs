//! Hints: how long they rest, who serves them, and when they become a look at everything.

use super::world::{Fate, HOUR, MINUTE, QUICK, SECOND, World, settled};
use crate::config::Config;
use crate::domain::hint::MAX_PLACES;
use crate::domain::problem::Class;
use crate::domain::run::Kind;
use crate::engine::update::live;

/// Returns a world in which nothing comes by the schedule.
fn unscheduled(repositories: i64) -> World {
    let mut config = Config::default();
    config.scheduler.enabled = false;
    settled(repositories, config)
}

/// Returns when batches were handed over, and what was in them.
fn batches(world: &World) -> Vec<(u64, String)> {
    let lines = world.lines.iter().filter_map(|line| Some((line.at, line.word.strip_prefix("serve ")?.to_owned())));
    lines.collect()
}

#[test]
fn a_burst_gives_one_batch_half_a_second_after_its_last_hint() {
    let mut world = unscheduled(1);
    for _ in 0..20 {
        world.write(1, "a");
        world.write(1, "b");
        world.pass(50);
    }
    let last = world.now.mono_ms - 50;
    world.pass(5 * SECOND);
    assert_eq!(batches(&world), [(last + 500, "a,b".to_owned())]);
}

#[test]
fn a_place_that_never_rests_is_served_every_five_seconds_and_does_not_hold_up_others() {
    let mut world = unscheduled(1);
    let start = world.now.mono_ms;
    for round in 0..300 {
        world.write(1, "busy");
        if round == 10 {
            world.write(1, "calm");
        }
        world.pass(100);
    }
    let batches = batches(&world);
    assert_eq!(batches[0], (start + 1_500, "calm".to_owned()));
    let busy: Vec<u64> = batches[1..].iter().map(|(at, _)| (at - start) / SECOND).collect();
    assert_eq!(busy, [5, 10, 15, 20, 25, 30]);
}

#[test]
fn what_is_withheld_is_looked_at_as_one_when_nothing_more_goes_and_is_pending_until_then() {
    let mut world = unscheduled(1);
    let start = world.now.mono_ms;
    for place in ["gone/1", "gone/2", "there"] {
        world.write(1, place);
        world.pass(SECOND);
    }
    assert_eq!(live(&world.state, world.now)[0].pending_hints, 2);
    world.pass(2 * SECOND);
    let expected = [(500, "gone/1"), (1_500, "gone/2"), (2_500, "there"), (3_520, "gone/1,gone/2")];
    assert_eq!(batches(&world), expected.map(|(at, places)| (start + at, places.to_owned())));
    assert_eq!(live(&world.state, world.now)[0].pending_hints, 0);
    world.pass(MINUTE);
    assert_eq!(world.story(1, 0).last(), Some(&"completed realtime"));
}

#[test]
fn what_is_withheld_is_not_lost_with_its_run() {
    let mut world = unscheduled(1);
    world.write(1, "gone");
    world.pass(SECOND);
    world.cancel(&["r1"]);
    world.pass(5 * SECOND);
    let story = "realtime watch; serve gone; no more hints realtime; completed realtime; realtime watch; serve gone";
    assert_eq!(world.story(1, 0).join("; "), story);
    world.pass(10 * SECOND);
    assert!(world.age(1).unwrap() < 11_000);
}

#[test]
fn a_realtime_run_stays_open_until_ten_seconds_of_quiet() {
    let mut world = unscheduled(1);
    for _ in 0..5 {
        world.write(1, "a");
        world.pass(9 * SECOND);
    }
    assert_eq!((world.starts(1, Kind::Realtime).len(), batches(&world).len()), (1, 5));
    world.pass(2 * SECOND);
    assert_eq!(world.story(1, 0).last(), Some(&"completed realtime"));
}

#[test]
fn a_realtime_run_ends_after_an_hour_however_busy_it_is() {
    let mut world = unscheduled(1);
    for round in 0..(3 * HOUR / 1_000) {
        // Always something is due.
        for place in 0..4 {
            world.write(1, &format!("{place}"));
            world.pass(250);
        }
        assert!(round < 10 || world.age(1).is_some());
    }
    let starts = world.starts(1, Kind::Realtime);
    assert_eq!(starts.len(), 3, "{starts:?}");
}

#[test]
fn a_full_run_ends_a_realtime_run_and_serves_its_hints() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { takes: 10 * MINUTE, ..QUICK });
    world.write(1, "a");
    world.pass(SECOND);
    world.ask(1, Kind::Full);
    world.pass(SECOND);
    world.write(1, "b");
    world.pass(SECOND);
    let story = "realtime watch; serve a; no more hints realtime; completed realtime; full user; serve b";
    assert_eq!(world.story(1, 0).join("; "), story);
}

#[test]
fn hints_do_not_wait_for_a_run_that_waits_for_other_repositories() {
    let mut world = unscheduled(3);
    for id in 1..=2 {
        world.fates.insert((id, Kind::Full), Fate { takes: HOUR, ..QUICK });
        world.ask(id, Kind::Full);
    }
    world.ask(3, Kind::Full);
    world.write(3, "a");
    world.pass(10 * SECOND);
    assert_eq!(world.story(3, 0), ["realtime watch", "serve a"]);
    world.pass(HOUR);
    assert_eq!(world.starts(3, Kind::Full).len(), 1, "and that run has its turn");
}

#[test]
fn a_run_is_not_passed_by_others_because_a_realtime_run_is_still_open() {
    let mut world = unscheduled(4);
    world.configure(|config| config.sync.repositories_at_once = 1);
    world.fates.insert((1, Kind::Full), Fate { takes: HOUR, ..QUICK });
    world.ask(1, Kind::Full);
    world.write(3, "a");
    world.pass(SECOND);
    world.ask(3, Kind::Full);
    world.ask(4, Kind::Full);
    for _ in 0..720 {
        world.write(3, "a");
        world.pass(5 * SECOND);
    }
    world.pass(MINUTE);
    let full: Vec<i64> = world
        .started
        .iter()
        .filter(|(_, spec)| spec.kind == Kind::Full)
        .map(|(_, spec)| spec.repository.id.0)
        .collect();
    assert_eq!(full, [1, 3, 4]);
}

#[test]
fn hints_that_a_failed_run_leaves_are_looked_at_again() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { takes: 505, fails: Some(Class::Permission), ..QUICK });
    world.ask(1, Kind::Full);
    world.write(1, "a");
    world.pass(20 * SECOND);
    let story = "full user; serve a; failed full; realtime watch; serve a";
    assert_eq!(world.story(1, 0)[..5].join("; "), story);
    assert!(world.age(1).unwrap() < 11_000);
}

#[test]
fn hints_that_were_lost_with_a_hung_run_become_a_look_at_everything() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Realtime), Fate { hangs: true, is_stubborn: true, ..QUICK });
    world.write(1, "a");
    world.pass(SECOND);
    world.fates.clear();
    world.pass(20 * MINUTE);
    assert_eq!(world.story(1, 0).last(), Some(&"completed full"), "{:?}", world.story(1, 0));
    assert!(world.age(1).unwrap() < 11_000);
}

#[test]
fn many_places_and_an_overflow_become_full_runs_that_say_why() {
    let mut world = unscheduled(1);
    for place in 0..=MAX_PLACES {
        world.write(1, &place.to_string());
    }
    let last = world.now.mono_ms;
    world.pass(MINUTE);
    assert_eq!(world.story(1, 0), ["full watch", "completed full"]);
    assert_eq!(world.starts(1, Kind::Full), [last + 2_000], "a removal goes on while it is noticed");
    world.lines.clear();
    world.overflow(1);
    world.pass(MINUTE);
    assert_eq!(world.story(1, 0), ["full overflow", "completed full"]);
}

#[test]
fn looks_at_everything_back_off_and_start_anew_after_quiet() {
    let mut world = unscheduled(1);
    for _ in 0..7200 {
        world.overflow(1);
        world.pass(500);
    }
    let starts = world.starts(1, Kind::Full);
    let gaps: Vec<u64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) / SECOND).collect();
    assert_eq!(gaps, [10, 20, 40, 80, 160, 320, 600, 600, 600, 600]);
    world.pass(25 * MINUTE);
    world.started.clear();
    let now = world.now.mono_ms;
    world.overflow(1);
    world.pass(MINUTE);
    assert_eq!(world.starts(1, Kind::Full), [now], "at once after quiet");
}

#[test]
fn an_overflow_during_a_full_run_is_followed_by_another() {
    let mut world = unscheduled(1);
    world.fates.insert((1, Kind::Full), Fate { takes: MINUTE, ..QUICK });
    world.ask(1, Kind::Full);
    world.pass(30 * SECOND);
    world.overflow(1);
    world.pass(40 * SECOND);
    assert!(world.age(1).unwrap() > 40_000, "nothing is vouched for until the second has ended");
    world.pass(2 * MINUTE);
    assert_eq!(world.starts(1, Kind::Full).len(), 2);
    assert!(world.age(1).unwrap() < 11_000);
}
