//! Random use: whatever is pressed, told and read, nothing panics, a selection stays one, and nothing is lost unasked.

use proptest::prelude::*;

use super::*;
use crate::engine::protocol::{Command, RunProgress};
use crate::tui::Exit;
use crate::tui::event::{Effect, Pointer, Query};
use crate::tui::reading::problems::What;
use crate::tui::state::{Overlay, Tab};

/// One random step of use.
#[derive(Clone, Debug)]
enum Step {
    Key(Key),
    Paste(String),
    Pointer(Pointer),
    Size(u16, u16),
    /// Read so many repositories, of which one in three failed.
    Overview(usize),
    Repository {
        held: i64,
        damaged: i64,
        problems: i64,
    },
    Run,
    /// Answer what the Changes tab asks for, with the timeline shifted by so much.
    Changes(i64),
    /// The paths of the cause that is open.
    Problems,
    Sync,
    /// The engine has ended; or a run is at a path of any bytes.
    Ended(Option<Vec<u8>>),
    /// With a message of someone else's.
    Refused(String),
    /// The answer of doctor, with nothing wrong or a refusal.
    Examined(bool),
    Schedule,
    Written(bool),
    /// Answer what a form asked last.
    Told(Answer),
    /// A page, or what was found, of so many rows.
    Files {
        rows: usize,
        is_found: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let keys: Vec<Key> = crate::tui::keymap::KEYMAP.iter().flat_map(|binding| binding.keys.iter().copied()).collect();
    prop_oneof![
        8 => proptest::sample::select(keys).prop_map(Step::Key),
        4 => "[a-zA-Z~!/: \u{0}\u{1b}東]".prop_map(|text| Step::Key(Key::Char(text.chars().next().unwrap()))),
        2 => (0_u16..300, 0_u16..120).prop_map(|(x, y)| Step::Pointer(Pointer::Click { x, y })),
        1 => proptest::sample::select(vec![Pointer::WheelUp, Pointer::WheelDown]).prop_map(Step::Pointer),
        1 => "\\PC{0,8}\n?".prop_map(Step::Paste),
        2 => (0_u16..=300, 0_u16..=300).prop_map(|(width, height)| Step::Size(width, height)),
        1 => (0_usize..30).prop_map(Step::Overview),
        2 => (0_i64..3, 0_i64..2, 0_i64..3)
            .prop_map(|(held, damaged, problems)| Step::Repository { held, damaged, problems }),
        1 => Just(Step::Run),
        2 => (0_i64..4).prop_map(Step::Changes),
        2 => Just(Step::Problems),
        1 => Just(Step::Sync),
        1 => proptest::option::of(prop::collection::vec(any::<u8>(), 1..60)).prop_map(Step::Ended),
        1 => ".{0,40}".prop_map(Step::Refused),
        1 => any::<bool>().prop_map(Step::Examined),
        1 => Just(Step::Schedule),
        1 => any::<bool>().prop_map(Step::Written),
        4 => forms::answer().prop_map(Step::Told),
        2 => (0_usize..600, any::<bool>()).prop_map(|(rows, is_found)| Step::Files { rows, is_found }),
    ]
}

fn apply(state: &mut State, step: Step) -> Vec<Effect> {
    match step {
        Step::Key(key) => return tell(state, Msg::Key(key)),
        Step::Pointer(pointer) => return tell(state, Msg::Pointer(pointer)),
        Step::Paste(text) => return tell(state, Msg::Paste(text)),
        Step::Size(width, height) => return tell(state, Msg::Resize { width, height }),
        Step::Overview(count) => {
            let outcome = |at: i64| if at % 3 == 0 { Outcome::Failed } else { Outcome::Completed };
            let all = (1..=count as i64).map(|at| status(at, &format!("r{at}"), at, at, outcome(at), at * HOUR));
            tell(state, Msg::Rows(Rows::Overview { statuses: all.collect(), latest: Vec::new() }));
        }
        Step::Repository { held, damaged, problems } => {
            let Some(entry) = state.entry() else { return Vec::new() };
            let mut status = entry.status.clone();
            (status.held, status.damaged, status.open_problems) = (held, damaged, problems);
            tell(state, Msg::Rows(Rows::Repository(Box::new(rows(&status)))));
        }
        Step::Run => {
            let Some(Detail::Run { number, .. }) = &state.detail else { return Vec::new() };
            let Some(run) = state.runs().iter().find(|run| run.number == *number) else { return Vec::new() };
            let rows = run_rows(run);
            tell(state, Msg::Rows(Rows::Run(Box::new(rows))));
        }
        Step::Changes(shift) => changes::answer_all(state, shift),
        Step::Problems => answer_problems(state),
        Step::Sync => sync(state),
        Step::Ended(Some(path)) => {
            let progress = RunProgress { current_path: RelPath::from_stored(path), ..progress("r1") };
            return tell(state, Msg::Engine(Event::Progress(progress)));
        }
        Step::Ended(None) => return tell(state, Msg::Engine(Event::Ended)),
        Step::Examined(is_refused) => {
            let refused = Answer::Refused(Refusal::new("failed", "no"));
            let answer = if is_refused { refused } else { Answer::Examined(health::checks()) };
            tell(state, Msg::Answered { to: "doctor".to_owned(), answer });
        }
        Step::Schedule => schedule(state),
        Step::Written(is_there) => {
            let written = if is_there { Ok("/x.csv".into()) } else { Err("x.csv: \u{1b}".to_owned()) };
            tell(state, Msg::Written(written));
        }
        Step::Told(answer) => {
            let ticket = state.forms.last_ticket();
            tell(state, Msg::Told { ticket, about: "a form".to_owned(), answer });
        }
        Step::Files { rows, is_found } => {
            let Some(told) = files::told(state, rows, is_found) else { return Vec::new() };
            tell(state, Msg::Rows(Rows::Files(Box::new(told))));
        }
        Step::Refused(words) => {
            let answer = Answer::Refused(Refusal::new("failed", format!("{words} ").repeat(20)));
            tell(state, Msg::Answered { to: "sync".to_owned(), answer });
        }
    }
    Vec::new()
}

/// Tells whether something cannot be taken back, or cuts off what runs.
fn is_destructive(effect: &Effect) -> bool {
    match effect {
        Effect::Send { command, .. } | Effect::Ask { command, .. } => match command {
            Command::Sync(request) => request.accept_removals,
            Command::AcceptDamage { .. }
            | Command::DismissHeld { .. }
            | Command::RemoveRepository { .. }
            | Command::Cancel { .. } => true,
            _ => false,
        },
        Effect::Read(Query::Decided(decision)) => decision.what == What::AcceptDamage,
        Effect::Quit(Exit::QuitWhileRunning { cancel }) => *cancel,
        _ => false,
    }
}

/// What was in front before a step: a question, or Ctrl-C a moment ago, which asks by being pressed twice.
fn is_asking(state: &State) -> bool {
    let asks = matches!(
        state.overlay,
        Some(Overlay::Ask(_) | Overlay::Choose(_) | Overlay::Cancel { .. } | Overlay::Quit | Overlay::Plan { .. })
    );
    asks || state.interrupted_ms.is_some()
}

fn assert_valid(state: &State) {
    let drawn = draw(state);
    for cell in &drawn.content {
        let hides = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
        assert!(!cell.symbol().contains(hides), "{:?}", cell.symbol());
    }
    assert_eq!(state.entry().is_some(), !state.entries().is_empty(), "a selection while there is something to select");
    let runs = state.runs();
    assert!(state.run_at.is_none_or(|at| runs.iter().any(|run| run.number == at)));
    let listed = state.listed_runs();
    assert_eq!(state.run_at.is_some_and(|at| listed.iter().any(|run| run.number == at)), !listed.is_empty());
    assert_eq!(state.files.selected().is_some(), !state.files.rows().is_empty());
    let place = crate::tui::changes::place_of_selected(state);
    assert_eq!(state.changes.get(place).map(|group| &group.key), state.changes.at.as_ref());
    let keys = crate::tui::pane::problems::keys(state);
    assert_eq!(state.problems.selected().is_some_and(|at| keys.contains(&at)), !keys.is_empty());
    assert!(state.tab != Tab::Problems || state.detail.is_none() || state.problems.open.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_use_neither_panics_nor_loses_the_selection(steps in prop::collection::vec(step(), 1..60)) {
        let mut state = afternoon(80, 24);
        for step in steps {
            let (was_asking, words) = (is_asking(&state), format!("{step:?}"));
            let effects = apply(&mut state, step);
            prop_assert!(was_asking || !effects.iter().any(is_destructive), "{words}: {effects:?}");
            assert_valid(&state);
        }
        // Every question and every pane can be left.
        press(&mut state, &"esc ".repeat(30));
        prop_assert!(state.overlay.is_none() && state.detail.is_none() && !state.zoom);
    }
}
