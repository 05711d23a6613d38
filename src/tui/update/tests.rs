//! What keys, news and rows do to the state; keys are written as they are pressed.

use super::super::Exit;
use super::super::fixture::*;
use super::super::state::{Focus, Tab};
use super::{Answer, Detail, Effect, Engine, Event, Msg, Query, Rows, State, repository, update};
use crate::domain::run::Kind;
use crate::engine::protocol::{Command, Live, QueuedRun, Refusal};

/// The commands among effects, with what they are for.
fn sent(effects: Vec<Effect>) -> Vec<(Command, String)> {
    let command = |effect| match effect {
        Effect::Send { command, about } => Some((command, about)),
        _ => None,
    };
    effects.into_iter().filter_map(command).collect()
}

fn kind_and_names(effects: Vec<Effect>) -> (Kind, Vec<String>) {
    match sent(effects).pop() {
        Some((Command::Sync(request), _)) => (request.kind, request.names),
        other => panic!("no sync: {other:?}"),
    }
}

#[test]
fn s_and_v_act_on_the_selected_repository() {
    let mut state = idle(80, 24);
    assert_eq!(kind_and_names(press(&mut state, "j s")), (Kind::Full, vec!["photos".to_owned()]));
    assert_eq!(kind_and_names(press(&mut state, "G v")), (Kind::Verify, vec!["www".to_owned()]));
}

#[test]
fn the_selection_stays_on_its_repository_when_the_order_changes() {
    let mut state = idle(80, 24);
    press(&mut state, "j");
    assert_eq!(state.name(), Some("photos"));
    sync(&mut state);
    assert_eq!(state.entries()[0].status.repository.name, "photos", "what runs stands above what rests");
    assert_eq!(state.name(), Some("photos"));
    let mut statuses = quiet();
    statuses.retain(|status| status.repository.name != "photos");
    tell(&mut state, Msg::Rows(Rows::Overview { statuses, latest: Vec::new() }));
    assert_eq!(state.name(), Some("mail"), "the neighbour, when it was removed");
}

#[test]
fn rows_of_a_repository_that_was_left_meanwhile_are_dropped() {
    let mut state = idle(80, 24);
    let late = rows(&state.entries()[0].status);
    let asked = press(&mut state, "j");
    assert!(matches!(asked[..], [Effect::Read(Query::Repository(_))]));
    tell(&mut state, Msg::Rows(Rows::Repository(Box::new(late))));
    assert!(state.rows.is_none());
}

#[test]
fn cancelling_asks_and_only_y_cancels() {
    let mut state = idle(80, 24);
    sync(&mut state);
    select(&mut state, "photos");
    for no in ["x enter", "x n", "x esc", "x q"] {
        assert_eq!(sent(press(&mut state, no)), [], "{no}");
        assert_eq!(state.overlay, None, "{no}");
    }
    let (command, about) = sent(press(&mut state, "x y")).pop().unwrap();
    assert_eq!(command, Command::Cancel { names: vec!["photos".to_owned()], run: None });
    assert_eq!(about, "cancel photos");
}

#[test]
fn a_disabled_key_says_why() {
    let mut state = idle(80, 24);
    assert_eq!(press(&mut state, "x"), []);
    assert_eq!(state.notices.last().unwrap().text, "cancel: nothing runs or waits here");
}

#[test]
fn quitting_asks_only_when_runs_would_be_cut_off() {
    assert_eq!(press(&mut idle(80, 24), "q"), [Effect::Quit(Exit::Quit)]);
    let mut elsewhere = idle(80, 24);
    sync(&mut elsewhere);
    elsewhere.engine = Engine::Other;
    assert_eq!(press(&mut elsewhere, "q"), [Effect::Quit(Exit::Quit)]);
    for (keys, cancel) in [("q y", true), ("q d", false), ("ctrl-c ctrl-c", true)] {
        let mut here = idle(80, 24);
        sync(&mut here);
        assert_eq!(press(&mut here, keys), [Effect::Quit(Exit::QuitWhileRunning { cancel })], "{keys}");
    }
    let mut here = idle(80, 24);
    sync(&mut here);
    assert_eq!(press(&mut here, "q n"), []);
    assert_eq!(here.overlay, None);
}

#[test]
fn a_screen_that_leaves_an_engine_behind_offers_the_service_where_there_is_one() {
    let with_service = |has_runs: bool| {
        let mut state = idle(80, 24);
        if has_runs {
            sync(&mut state);
        }
        (state.engine, state.has_service) = (Engine::WhileUsed, true);
        state
    };
    for (keys, exit) in [("q y", Exit::Quit), ("q s", Exit::HandOver), ("ctrl-c ctrl-c", Exit::Quit)] {
        assert_eq!(press(&mut with_service(false), keys), [Effect::Quit(exit)], "{keys}");
    }
    let going_on = Exit::QuitWhileRunning { cancel: false };
    for (keys, exit) in [("q s", Exit::HandOver), ("q d", going_on)] {
        assert_eq!(press(&mut with_service(true), keys), [Effect::Quit(exit)], "{keys}");
    }
    let mut attached = with_service(true);
    attached.engine = Engine::Other;
    assert_eq!(press(&mut attached, "q"), [Effect::Quit(Exit::Quit)], "that is the service");
    let mut without = with_service(true);
    without.has_service = false;
    assert_eq!(press(&mut without, "q s"), [], "there is nobody to hand over to");
}

#[test]
fn a_question_whose_runs_have_ended_closes_itself() {
    let mut state = idle(80, 24);
    sync(&mut state);
    press(&mut state, "q");
    tell(&mut state, Msg::Engine(Event::Snapshot(crate::engine::protocol::Snapshot::default())));
    assert_eq!(state.overlay, None);
}

#[test]
fn a_run_is_followed_from_the_queue_to_its_end() {
    let mut state = idle(80, 24);
    let run = run(1, "photos", 4_180, Kind::Full, crate::domain::run::Outcome::Completed, 0);
    let queued =
        QueuedRun { repository: "photos".to_owned(), run_id: run.run_id.clone(), kind: Kind::Full, joined: false };
    tell(&mut state, Msg::Engine(Event::RunQueued(queued.clone())));
    tell(&mut state, Msg::Engine(Event::RunQueued(queued)));
    assert_eq!((state.queued.len(), state.running.len()), (1, 0));
    let asked = tell(&mut state, Msg::Engine(Event::RunStarted(Box::new(run.clone()))));
    assert_eq!((state.queued.len(), state.running.len()), (0, 1));
    assert!(asked.contains(&Effect::Read(Query::Overview)));
    let mut half = progress("photos");
    half.run_id = run.run_id.clone();
    tell(&mut state, Msg::Engine(Event::Progress(half.clone())));
    assert_eq!(state.running, [half]);
    tell(&mut state, Msg::Engine(Event::RunFinished(Box::new(run))));
    assert!(!state.has_runs());
}

#[test]
fn a_refusal_stays_until_it_is_seen_and_a_note_does_not() {
    let mut state = idle(80, 24);
    let refused = Answer::Refused(Refusal::new("conflict", "it is paused"));
    tell(&mut state, Msg::Answered { to: "sync photos".to_owned(), answer: refused });
    state.note("hello");
    update(&mut state, Msg::Minute, now(60_000));
    let texts: Vec<_> = state.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(texts, ["sync photos: it is paused"]);
    press(&mut state, "esc");
    assert_eq!(state.notices, []);
}

#[test]
fn enter_opens_and_esc_goes_back_one_step_at_a_time() {
    let mut state = afternoon(80, 24);
    let asked = press(&mut state, "3 j enter");
    assert_eq!(asked, [Effect::Read(Query::Run { repository: state.selected.unwrap(), number: 4_100 })]);
    press(&mut state, "z");
    let depth = |state: &State| (state.detail.is_some(), state.zoom, state.focus);
    assert_eq!(depth(&state), (true, true, Focus::Body));
    press(&mut state, "esc");
    assert_eq!(depth(&state), (false, true, Focus::Body));
    press(&mut state, "esc");
    assert_eq!(depth(&state), (false, false, Focus::Body));
    press(&mut state, "esc");
    assert_eq!(depth(&state), (false, false, Focus::List));
}

#[test]
fn older_and_newer_step_through_the_runs() {
    let mut state = afternoon(80, 24);
    press(&mut state, "3 enter < <");
    assert!(matches!(state.detail, Some(Detail::Run { number: 4_097, .. })));
    press(&mut state, "> > >");
    assert!(matches!(state.detail, Some(Detail::Run { number: 4_179, .. })));
}

#[test]
fn tabs_go_round_in_both_directions() {
    let mut state = idle(80, 24);
    press(&mut state, "h");
    assert_eq!(Some(&state.tab), Tab::ALL.last());
    press(&mut state, "l");
    assert_eq!((state.tab, state.focus), (Tab::Status, Focus::Body));
}

#[test]
fn an_engine_that_ended_leaves_what_was_known() {
    let mut state = idle(80, 24);
    sync(&mut state);
    tell(&mut state, Msg::Engine(Event::Ended));
    assert!(state.entries().iter().all(|entry| entry.state == repository::State::Stale));
    tell(&mut state, Msg::Engine(Event::Ended));
    assert_eq!(state.notices.len(), 1, "said once");
    assert_eq!(sent(press(&mut state, "s")), []);
    tell(&mut state, Msg::Engine(Event::Snapshot(crate::engine::protocol::Snapshot::default())));
    assert_eq!(state.notices.last().unwrap().text, "an engine runs again");
    assert!(state.notices.iter().all(|notice| !notice.text.contains("last that was known")));
    assert_eq!(state.engine, Engine::Other);
}

#[test]
fn what_the_watcher_found_is_read_when_nothing_of_it_waits_any_more() {
    let mut state = idle(80, 24);
    let mut live = |pending_hints| {
        let live = Live { repository: "photos".to_owned(), pending_hints, ..Live::default() };
        tell(&mut state, Msg::Engine(Event::Live(Box::new(live)))).len()
    };
    assert_eq!((live(0), live(3), live(0) > 0, live(0)), (0, 0, true, 0));
}

#[test]
fn a_panic_elsewhere_is_told_and_the_screen_goes_on() {
    let mut state = idle(80, 24);
    tell(&mut state, Msg::Panicked("worker-1 panicked at src/x.rs:1: boom".to_owned()));
    assert!(state.notices[0].text.contains("boom"));
    assert_eq!(kind_and_names(press(&mut state, "s")).0, Kind::Full);
}

#[test]
fn nothing_is_done_to_a_repository_that_the_filter_hides() {
    let mut state = idle(80, 24);
    press(&mut state, "/");
    tell(&mut state, Msg::Paste("zzz".to_owned()));
    press(&mut state, "enter");
    for key in ["s", "v", "p", "d", "t"] {
        assert_eq!(press(&mut state, key), [], "{key}");
        assert_eq!(state.overlay, None, "{key}");
    }
    assert!(state.notices.last().unwrap().text.contains("the filter of the list hides"));
    press(&mut state, "esc esc esc esc esc esc");
    assert_eq!(kind_and_names(press(&mut state, "s")).1, ["mail"]);
}

#[test]
fn a_message_that_is_seen_takes_no_esc_away_from_the_pane() {
    let mut state = afternoon(80, 24);
    press(&mut state, "3 enter");
    state.warn("one", None);
    state.warn("two", None);
    press(&mut state, "esc");
    assert!(state.detail.is_none());
    assert_eq!(state.notices.iter().map(|notice| notice.text.as_str()).collect::<Vec<_>>(), ["one"]);
    press(&mut state, "esc");
    assert!(state.notices.is_empty() && state.focus == Focus::List);
}
