//! The Progress tab: throughput, what waits and why, one run of several.

use super::*;
use crate::engine::protocol::{Command, QueuedRun, RunProgress, Snapshot};
use crate::tui::event::Effect;

/// Two runs and two that wait; `photos` has been going for two minutes.
fn busy(width: u16, height: u16) -> State {
    let mut state = idle(width, height);
    let other = RunProgress { run_id: "01S".to_owned(), number: 4_181, ..progress("mail") };
    let queued = |repository: &str, run_id: &str| QueuedRun {
        repository: repository.to_owned(),
        run_id: run_id.to_owned(),
        kind: crate::domain::run::Kind::Verify,
        joined: false,
    };
    let queued = vec![queued("photos", "01T"), queued("www", "01U")];
    let snapshot = Snapshot { queued, running: vec![progress("photos"), other], ..Snapshot::default() };
    tell(&mut state, Msg::Engine(Event::Snapshot(snapshot)));
    for second in 1..=120 {
        let rate = 300_000_000 + second * second % 31 * 5_000_000;
        let sample = RunProgress { elapsed_ms: second * 1_000, bytes_per_s: rate, ..progress("photos") };
        for _ in 0..3 {
            tell(&mut state, Msg::Engine(Event::Progress(sample.clone())));
        }
    }
    select(&mut state, "photos");
    press(&mut state, "2");
    state
}

#[test]
fn a_graph_tells_how_fast_a_run_was_and_words_what_the_others_wait_for() {
    check("throughput", busy);
}

#[test]
fn x_cancels_the_selected_run_alone() {
    let mut state = busy(120, 40);
    let wanted = |effects: Vec<Effect>| match &effects[..] {
        [Effect::Send { command: Command::Cancel { names, run }, .. }] => (names.len(), run.clone()),
        other => panic!("nothing is cancelled: {other:?}"),
    };
    assert_eq!(wanted(press(&mut state, "x y")), (0, Some("01R".to_owned())));
    assert_eq!(wanted(press(&mut state, "G x y")), (0, Some("01U".to_owned())));
    assert_eq!(press(&mut state, "x enter"), [], "no is the default");
}

#[test]
fn a_run_that_is_not_there_any_more_leaves_no_samples_and_no_selection() {
    let mut state = busy(80, 24);
    press(&mut state, "G");
    tell(&mut state, Msg::Engine(Event::Snapshot(Snapshot::default())));
    assert!(text(&draw(&state)).contains("Nothing runs."));
    assert_eq!(crate::tui::pane::progress::selected(&state), None);
}
