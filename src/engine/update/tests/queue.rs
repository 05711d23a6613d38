//! The queue: what merges, waits, starts, is stopped and ends.

use super::{job, run};
use crate::config::Config;
use crate::domain::run::Kind;
use crate::domain::schedule::Now;
use crate::engine::job::{Finished, JobSpec};
use crate::engine::protocol::{Answer, Event, QueuedRun};
use crate::engine::state::{Effect, Input, ReplyId, State};
use crate::engine::update::update;

fn finished(run_id: &str) -> Input {
    let run = run(&job(run_id, 1, Kind::Full));
    Input::Finished {
        run_id: run_id.to_owned(),
        result: Ok(Box::new(Finished { is_given_up: false, ..Finished::given_up(run) })),
        coverage: None,
    }
}

fn sync(jobs: Vec<JobSpec>) -> Input {
    Input::Sync { jobs, reply: Some(ReplyId(1)) }
}

/// Feeds inputs and returns what was done, one word each.
fn check(at_once: usize, inputs: Vec<Input>, expected: &str) {
    let mut config = Config::default();
    config.sync.repositories_at_once = at_once;
    let mut state = State::new(config, false, 1);
    let mut done = Vec::new();
    for input in inputs {
        for effect in update(&mut state, input, Now::default()) {
            done.push(match effect {
                Effect::Start(job) => format!("start {}", job.run_id),
                Effect::Stop { run_id, .. } => format!("stop {run_id}"),
                Effect::Answer(_, Answer::Accepted(runs)) => {
                    let word = |run: &QueuedRun| format!("{}{}", run.run_id, if run.joined { "+" } else { "" });
                    format!("accepted {}", runs.iter().map(word).collect::<Vec<_>>().join(","))
                }
                Effect::Answer(_, Answer::Planned(plans)) => format!("planned {}", plans.len()),
                Effect::Answer(_, Answer::Done { count }) => format!("done {count}"),
                Effect::Answer(_, Answer::Refused(_)) => "refused".to_owned(),
                Effect::End => "end".to_owned(),
                _ => continue,
            });
        }
    }
    assert_eq!(done.join("; "), expected);
}

#[test]
fn within_one_repository_one_run_goes_at_a_time() {
    let inputs =
        vec![sync(vec![job("a", 1, Kind::Full), job("b", 1, Kind::Verify), job("c", 2, Kind::Full)]), finished("a")];
    check(2, inputs, "accepted a,b,c; start a; start c; start b");
}

#[test]
fn no_more_repositories_are_worked_on_at_once_than_set() {
    let inputs = vec![sync(vec![job("a", 1, Kind::Full), job("b", 2, Kind::Full)]), finished("a")];
    check(1, inputs, "accepted a,b; start a; start b");
}

#[test]
fn who_asks_twice_is_told_which_run_it_joined() {
    let inputs = vec![
        sync(vec![job("a", 1, Kind::Full)]),
        sync(vec![job("b", 1, Kind::Full)]),
        sync(vec![job("c", 1, Kind::Verify)]),
        sync(vec![job("d", 1, Kind::Verify)]),
    ];
    check(2, inputs, "accepted a; start a; accepted a+; accepted c; accepted c+");
}

#[test]
fn a_request_that_asks_for_more_than_its_kind_joins_nothing() {
    let accepting = JobSpec { accept_removals: true, ..job("b", 1, Kind::Full) };
    let inputs = vec![sync(vec![job("a", 1, Kind::Full)]), sync(vec![accepting]), finished("a")];
    check(2, inputs, "accepted a; start a; accepted b; start b");
}

#[test]
fn a_plan_runs_alone_and_is_answered_at_its_end() {
    let plan = |id: &str, repository| JobSpec { plan: true, ..job(id, repository, Kind::Full) };
    let inputs =
        vec![sync(vec![plan("a", 1), plan("b", 2)]), sync(vec![job("c", 3, Kind::Full)]), finished("a"), finished("b")];
    check(3, inputs, "start a; accepted c; start b; planned 2; start c");
}

#[test]
fn the_end_of_a_plan_is_told_to_who_looks_on() {
    let mut state = State::new(Config::default(), false, 1);
    update(&mut state, sync(vec![JobSpec { plan: true, ..job("a", 1, Kind::Full) }]), Now::default());
    let effects = update(&mut state, finished("a"), Now::default());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Publish(Event::RunFinished(_)))), "{effects:?}");
}

#[test]
fn cancelling_drops_what_waits_and_stops_what_runs() {
    let cancel = |names: &[&str]| Input::Cancel {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        run: None,
        reply: ReplyId(9),
    };
    let queue = || sync(vec![job("a", 1, Kind::Full), job("b", 1, Kind::Verify), job("c", 2, Kind::Full)]);
    check(2, vec![queue(), cancel(&["r1"])], "accepted a,b,c; start a; start c; stop a; done 2");
    check(2, vec![queue(), cancel(&[])], "accepted a,b,c; start a; start c; stop a; stop c; done 3");
}

#[test]
fn shutting_down_waits_for_what_runs_and_refuses_what_comes() {
    let inputs = vec![
        sync(vec![job("a", 1, Kind::Full)]),
        Input::Shutdown { reply: ReplyId(2) },
        sync(vec![job("b", 2, Kind::Full)]),
        finished("a"),
    ];
    check(2, inputs, "accepted a; start a; stop a; refused; done 0; end");
}
