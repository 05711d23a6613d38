//! The Status tab and the list, with what the schedule and the history know.

use super::*;

fn scheduled(width: u16, height: u16) -> State {
    let mut state = idle(width, height);
    schedule(&mut state);
    let mut statuses = quiet();
    statuses[1].repository.covered_files = Some(615_000);
    tell(&mut state, Msg::Rows(Rows::Overview { statuses, latest: Vec::new() }));
    press(&mut state, "1");
    state
}

#[test]
fn status_tells_of_kinds_coverage_and_what_is_next() {
    check("status", scheduled);
}

#[test]
fn a_wide_list_draws_the_last_runs_and_says_when_the_next_one_is() {
    check("list", |width, height| {
        let mut state = afternoon(width, height);
        schedule(&mut state);
        press(&mut state, "z");
        state
    });
}

#[test]
fn records_that_are_kept_of_files_that_are_gone_are_told() {
    let shown = |held, undecided| {
        let mut statuses = quiet();
        (statuses[0].held, statuses[0].undecided) = (held, undecided);
        let mut state = with(blank(80, 24), statuses);
        select(&mut state, "photos");
        press(&mut state, "z");
        press(&mut state, "1");
        text(&draw(&state))
    };
    let all_kept = shown(12_431, 0);
    assert!(all_kept.contains("Kept       # 12,431 records though the files are gone"), "{all_kept}");
    assert!(!all_kept.contains("for a decision"));
    let both = shown(4, 3);
    assert!(both.contains("# 3 removals wait") && both.contains("# 1 record though the file is gone"), "{both}");
    assert!(!shown(3, 3).contains("Kept "));
}

#[test]
fn what_ended_last_has_the_name_that_its_repository_has_now() {
    let mut statuses = quiet();
    statuses[0].repository.name = "pictures".to_owned();
    let shown = text(&draw(&with(blank(120, 40), statuses)));
    let latest = shown.split_once("Latest").unwrap().1;
    assert!(latest.contains(" pictures "), "{shown}");
}

#[test]
fn while_the_root_is_missing_no_run_is_promised() {
    let mut state = scheduled(120, 40);
    select(&mut state, "mail");
    assert!(text(&draw(&state)).contains("Next       full in"));
    let live = state.live_of("mail").unwrap().clone();
    let live = crate::engine::protocol::Live { is_missing: true, ..live };
    tell(&mut state, Msg::Engine(Event::Live(Box::new(live))));
    let shown = text(&draw(&state));
    assert!(shown.contains("Next       runs wait until the root is back"), "{shown}");
    let kind = shown.lines().find(|line| line.contains(" full ") && line.contains(" %")).unwrap();
    assert!(kind.ends_with('%'), "the table promises none either: {kind}");
}

#[test]
fn what_doctor_has_counted_stands_before_what_the_last_verify_left() {
    let mut state = scheduled(120, 40);
    assert!(text(&draw(&state)).contains("96 % of the files in time"));
    let coverage = crate::engine::doctor::Check {
        name: "coverage".to_owned(),
        state: crate::engine::doctor::State::Ok,
        message: "mail: 94 % of the files were read within 30 days".to_owned(),
        hint: None,
        value: serde_json::json!({ "repository": "mail" }),
    };
    tell(&mut state, Msg::Answered { to: "doctor".to_owned(), answer: Answer::Examined(vec![coverage]) });
    assert!(text(&draw(&state)).contains("Read       94 % of the files were read within 30 days"));
}
