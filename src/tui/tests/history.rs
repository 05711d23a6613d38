//! The History tab: folding, marks, the comparison of two runs, the page of a linked run.

use super::*;
use crate::domain::report::Run;
use crate::domain::run::{Kind, Tally};

/// Five full runs, of which three in a row found nothing, and one row that stands for twelve.
fn quiet_runs() -> Vec<Run> {
    let plain = |number: i64, tally: Tally| {
        let age = (4_200 - number) * HOUR;
        Run { tally, ..run(1, "photos", number, Kind::Full, Outcome::Completed, age) }
    };
    let nothing = Tally { scanned: 88_204, directories: 1_204, ..Tally::default() };
    let something = Tally { added: 3, bytes_hashed: 9_000_000, ..nothing };
    let mut runs: Vec<Run> = [(4_190, nothing), (4_189, nothing), (4_188, nothing), (4_187, something)]
        .map(|(number, tally)| plain(number, tally))
        .to_vec();
    runs.push(Run { folded: 12, kind: Kind::Incremental, ..plain(4_100, nothing) });
    runs
}

fn history(width: u16, height: u16) -> State {
    let mut state = idle(width, height);
    select(&mut state, "photos");
    let mut rows = rows(&state.entry().unwrap().status);
    rows.runs = quiet_runs();
    tell(&mut state, Msg::Rows(Rows::Repository(Box::new(rows))));
    press(&mut state, "3");
    state
}

fn numbers(state: &State) -> Vec<i64> {
    state.listed_runs().iter().map(|run| run.number).collect()
}

#[test]
fn runs_that_found_nothing_are_one_row() {
    check("history_folded", |width, height| {
        let mut state = history(width, height);
        tell(&mut state, Msg::Key(Key::Char(' ')));
        press(&mut state, "j");
        state
    });
    let mut state = history(80, 24);
    assert_eq!(numbers(&state), [4_190, 4_187, 4_100]);
    press(&mut state, "b");
    assert_eq!(numbers(&state), [4_190, 4_189, 4_188, 4_187, 4_100]);
}

#[test]
fn runs_that_found_nothing_are_found_by_that_word_and_left_out_by_its_opposite() {
    for (typed, found) in [("nothing", vec![4_190, 4_100]), ("!nothing", vec![4_187])] {
        let mut state = history(80, 24);
        let place = state.place();
        super::super::act::narrow(&mut state, place, typed.to_owned());
        assert_eq!(numbers(&state), found, "{typed}");
    }
}

#[test]
fn a_history_that_goes_on_beyond_what_is_at_hand_says_so() {
    for (runs, ends) in [(499, " of 499, photos"), (500, " of 500+, photos")] {
        let mut state = history(200, 40);
        let mut rows = rows(&state.entry().unwrap().status);
        let some = || Tally { added: 3, ..Tally::default() };
        let run = |number| Run { tally: some(), ..run(1, "photos", number, Kind::Full, Outcome::Completed, HOUR) };
        rows.runs = (0..runs).rev().map(run).collect();
        tell(&mut state, Msg::Rows(Rows::Repository(Box::new(rows))));
        let screen = text(&draw(&state));
        assert!(screen.contains(ends), "{screen}");
    }
}

#[test]
fn two_runs_stand_side_by_side() {
    check("compare", |width, height| {
        let mut state = history(width, height);
        tell(&mut state, Msg::Key(Key::Char(' ')));
        press(&mut state, "j =");
        state
    });
}

#[test]
fn a_third_mark_takes_the_place_of_the_first() {
    let mut state = history(80, 24);
    press(&mut state, "=");
    assert!(state.detail.is_none(), "nothing is marked yet");
    for _ in 0..3 {
        tell(&mut state, Msg::Key(Key::Char(' ')));
        press(&mut state, "j");
    }
    assert_eq!(state.history.marks, [4_187, 4_100]);
    select(&mut state, "mail");
    assert_eq!(state.history.marks, [] as [i64; 0]);
}

#[test]
fn a_run_s_page_tells_what_it_used_changed_and_is_linked_with() {
    check("run", |width, height| {
        let mut state = history(width, height);
        press(&mut state, "j enter");
        let mut rows = run_rows(&quiet_runs()[3]);
        let used = r#"{"cpu_ms":1200,"peak_memory_bytes":48000000,"written_bytes":1200000,"continues":"01OLD"}"#;
        rows.run.metadata = Some(used.to_owned());
        (rows.run.attempt, rows.attempts) = (2, vec![run(1, "photos", 4_186, Kind::Full, Outcome::Failed, 15 * HOUR)]);
        (rows.causes, rows.log) = (Vec::new(), rows.log.split_off(2));
        tell(&mut state, Msg::Rows(Rows::Run(Box::new(rows))));
        state
    });
}

#[test]
fn a_table_is_written_where_the_person_says_and_it_is_told() {
    check("export", |width, height| {
        let mut state = history(width, height);
        press(&mut state, "e");
        state
    });
    let mut state = history(80, 24);
    tell(&mut state, Msg::Written(Ok("/home/ann/x.csv".into())));
    assert_eq!(state.notices.last().unwrap().text, "written to /home/ann/x.csv");
    tell(&mut state, Msg::Written(Err("x.csv: File exists (os error 17)".to_owned())));
    assert!(state.notices.last().unwrap().hint.is_some());
}
