//! Whatever happens: no panic, no two runs in one repository, no lost hint, no lie, and time moves on.

use proptest::prelude::*;

use super::world::{DAY, Fate, HOUR, MINUTE, SECOND, settled};
use crate::config::Config;
use crate::domain::problem::Class;
use crate::domain::run::Kind;

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Write(i64, u8),
    Overflow(i64),
    Ask(i64, Kind),
    Cancel(i64),
    Pause(i64, bool),
    Root(i64, bool),
    Fate(i64, Kind, Option<Class>, u64),
    Watcher(bool),
    Proofs(Option<u64>),
    Index(bool),
    Suspend(u64),
    Schedule(bool),
    Watch(bool),
    Wall(i64),
    Offset(i32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || 1..=3i64;
    let kinds = || proptest::sample::select(vec![Kind::Full, Kind::Incremental, Kind::Verify, Kind::Realtime]);
    let asked = proptest::sample::select(vec![Kind::Full, Kind::Incremental, Kind::Verify]);
    let classes = proptest::option::of(proptest::sample::select(vec![Class::Io, Class::Permission]));
    let step = prop_oneof![
        6 => proptest::sample::select(vec![100, SECOND, 10 * SECOND, MINUTE, HOUR]).prop_map(Step::Pass),
        6 => (id(), 0..20u8).prop_map(|(id, place)| Step::Write(id, place)),
        1 => id().prop_map(Step::Overflow),
        2 => (id(), asked).prop_map(|(id, kind)| Step::Ask(id, kind)),
        1 => id().prop_map(Step::Cancel),
        1 => (id(), any::<bool>()).prop_map(|(id, is_paused)| Step::Pause(id, is_paused)),
        1 => (id(), any::<bool>()).prop_map(|(id, is_there)| Step::Root(id, is_there)),
        2 => (id(), kinds(), classes, 10..100_000u64).prop_map(|(id, kind, fails, takes)| Step::Fate(id, kind, fails, takes)),
        1 => any::<bool>().prop_map(Step::Watcher),
        1 => proptest::option::of(1..20_000u64).prop_map(Step::Proofs),
        1 => any::<bool>().prop_map(Step::Index),
        1 => (0..2 * DAY).prop_map(Step::Suspend),
        1 => any::<bool>().prop_map(Step::Schedule),
        1 => any::<bool>().prop_map(Step::Watch),
        1 => (-100 * DAY as i64..100 * DAY as i64).prop_map(Step::Wall),
        1 => (-12..12i32).prop_map(|hours| Step::Offset(hours * 3_600)),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Takes the steps, then lets everything be well again.
fn live_through(steps: Vec<Step>) {
    let mut world = settled(3, Config::default());
    let was_cancelled = steps.iter().any(|step| matches!(step, Step::Cancel(_)));
    for step in steps {
        match step {
            Step::Pass(ms) => world.pass(ms),
            Step::Write(id, place) => world.write(id, &place.to_string()),
            Step::Overflow(id) => world.overflow(id),
            Step::Ask(id, kind) => {
                if world.tree(id).tracked.repository.paused_at.is_none() {
                    world.ask(id, kind);
                }
            }
            Step::Cancel(id) => world.cancel(&[&format!("r{id}")]),
            Step::Pause(id, is_paused) => world.pause(id, is_paused),
            Step::Root(id, true) => world.tree(id).is_there = true,
            Step::Root(id, false) => world.lose_root(id, id != 2),
            Step::Fate(id, kind, fails, takes) => {
                let fate = Fate { takes, fails, hangs: takes % 7 == 0, is_stubborn: takes % 3 == 0 };
                world.fates.insert((id, kind), fate);
            }
            Step::Watcher(true) => world.watcher_starts = true,
            Step::Watcher(false) => {
                world.watcher_starts = false;
                world.kill_watcher();
            }
            Step::Proofs(takes) => world.proof_takes = takes,
            Step::Index(is_away) => world.is_index_away = is_away,
            Step::Suspend(ms) => world.suspend(ms),
            Step::Schedule(enabled) => world.configure(|config| config.scheduler.enabled = enabled),
            Step::Watch(enabled) => world.configure(|config| config.watch.enabled = enabled),
            Step::Wall(ms) => world.set_wall(ms),
            Step::Offset(seconds) => world.now.utc_offset_s = seconds,
        }
    }
    world.fates.clear();
    world.come_back();
    (world.proof_takes, world.watcher_starts, world.is_index_away) = (Some(5), true, false);
    world.configure(|config| (config.watch.enabled, config.scheduler.enabled) = (true, true));
    for id in 1..=3 {
        world.tree(id).is_there = true;
        world.pause(id, false);
    }
    let before = world.updates;
    world.pass(3 * HOUR);
    assert!(world.updates - before < 12_000, "{} updates", world.updates - before);
    for id in 1..=3 {
        if (0..11_000).contains(&world.age(id).unwrap_or(i64::MAX)) {
            assert!(world.tree(id).is_settled(), "{id}: {}", world.tail());
            continue;
        }
        // Only where the look at everything failed or was cancelled; then who asks for one gets it.
        let full = world.story(id, 0).into_iter().rfind(|word| word.ends_with("ed full"));
        assert!(was_cancelled || full.is_some_and(|word| word != "completed full"), "{id}: {full:?} {}", world.tail());
        world.ask(id, Kind::Full);
        world.pass(MINUTE);
        assert!((0..11_000).contains(&world.age(id).unwrap()), "{id}: {:?}{}", world.age(id), world.tail());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_nothing_is_lost_claimed_doubled_or_stuck(steps in steps()) {
        live_through(steps);
    }
}

#[test]
fn a_full_run_under_which_the_root_went_and_returned_is_followed_by_another() {
    live_through(vec![Step::Ask(3, Kind::Full), Step::Root(3, false), Step::Pass(100)]);
}
