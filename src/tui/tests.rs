//! Screens as snapshots, and random use. What single keys do is tested in [`super::update`]'s own tests.

mod budget;
mod changes;
mod files;
mod forms;
mod health;
mod history;
mod problems;
mod progress;
mod status;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::event::{Msg, Pointer, Rows};
use super::fixture::*;
use super::keymap::Key;
use super::state::{Detail, State, Tab};
use super::theme::{Choice, Theme};
use super::view::view;
use crate::domain::path::RelPath;
use crate::domain::run::Outcome;
use crate::engine::protocol::{Answer, Event, Refusal};

/// The sizes at which every state is compared.
const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 10)];

fn draw(state: &State) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(state.size.width, state.size.height)).unwrap();
    terminal.draw(|frame| view(state, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.area.rows().map(|row| {
        let mut line = String::new();
        let mut skip = 0;
        for column in row.columns() {
            let symbol = buffer[(column.x, column.y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = super::text::columns(symbol).max(1);
            }
            skip -= 1;
        }
        line.trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// A letter per cell: `r`everse, `b`old, `d`im, and the colour in capitals before them: `P`ink is light red, `G`old light
/// yellow.
fn styles(buffer: &Buffer) -> String {
    let letter = |column: u16, row: u16| {
        let cell = &buffer[(column, row)];
        match (cell.fg, cell.modifier) {
            (_, modifier) if modifier.contains(Modifier::REVERSED) => 'r',
            (Color::Cyan, _) => 'C',
            (Color::Blue, _) => 'B',
            (Color::Red, _) => 'R',
            (Color::LightRed, _) => 'P',
            (Color::Yellow, _) => 'Y',
            (Color::LightYellow, _) => 'G',
            (Color::Reset, modifier) if modifier.contains(Modifier::BOLD) => 'b',
            (Color::Reset, modifier) if modifier.contains(Modifier::DIM) => 'd',
            (Color::Reset, _) => '.',
            _ => '#',
        }
    };
    let rows = buffer.area.rows().map(|row| row.columns().map(|at| letter(at.x, at.y)).collect::<String>());
    rows.collect::<Vec<_>>().join("\n")
}

/// Compares a state at each size.
fn check(name: &str, state: impl Fn(u16, u16) -> State) {
    for (width, height) in SIZES {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&draw(&state(width, height))));
        });
    }
}

#[test]
fn nothing_configured_says_what_to_do() {
    check("empty", |width, height| with(blank(width, height), Vec::new()));
}

#[test]
fn all_is_well() {
    check("idle", idle);
}

#[test]
fn a_run_is_shown_live_in_list_queue_and_status() {
    check("syncing", |width, height| {
        let mut state = afternoon(width, height);
        sync(&mut state);
        select(&mut state, "photos");
        state
    });
}

#[test]
fn the_progress_tab_shows_all_that_runs_and_waits() {
    check("progress", |width, height| {
        let mut state = afternoon(width, height);
        sync(&mut state);
        press(&mut state, "2");
        state
    });
}

#[test]
fn a_failure_says_why_and_what_to_do() {
    check("failed", afternoon);
}

#[test]
fn the_history_is_a_table_of_runs() {
    check("history", |width, height| {
        let mut state = afternoon(width, height);
        press(&mut state, "3 j j");
        state
    });
}

fn failed_detail(width: u16, height: u16) -> State {
    let mut state = afternoon(width, height);
    press(&mut state, "3 enter");
    let rows = run_rows(&state.runs()[0]);
    tell(&mut state, Msg::Rows(Rows::Run(Box::new(rows))));
    state
}

#[test]
fn a_failed_run_in_full() {
    check("detail", failed_detail);
}

#[test]
fn the_help_is_the_keymap() {
    check("help", |width, height| {
        let mut state = afternoon(width, height);
        press(&mut state, "?");
        state
    });
}

#[test]
fn quitting_asks_when_runs_would_stop() {
    check("quit", |width, height| {
        let mut state = idle(width, height);
        sync(&mut state);
        press(&mut state, "q");
        state
    });
}

#[test]
fn a_refusal_stays_with_its_hint() {
    check("refused", |width, height| {
        let mut state = idle(width, height);
        let mut refusal = Refusal::new("conflict", "photos is paused since 2026-11-19 08:00");
        refusal.hint = Some("`watchkeeper repo resume photos` lets it run again".to_owned());
        tell(&mut state, Msg::Answered { to: "sync photos".to_owned(), answer: Answer::Refused(refusal) });
        state
    });
}

#[test]
fn hostile_names_show_as_what_they_are() {
    check("hostile", |width, height| {
        let mut statuses = quiet();
        statuses[0].repository.path = b"/srv/\x1b[31mred\xff\xe2\x80\xae".to_vec();
        statuses[0].open_problems = 2;
        statuses[0].new_problems = 2;
        let mut state = with(blank(width, height), statuses);
        let mut rows = rows(&state.entries()[0].status);
        rows.causes[0].place = RelPath::from_stored("東京/写真/\u{202e}gpj.\u{1b}]0;owned\u{7}東京東京東京東京".into());
        rows.causes[1].place = RelPath::from_stored(b"line\nbreak/bad\xff\xfe/\xc2\x9b31m".to_vec());
        rows.causes[0].message = "cannot read \u{1b}[2J\u{9b}1;1H: e\u{301}\u{200b}".to_owned();
        tell(&mut state, Msg::Rows(Rows::Repository(Box::new(rows))));
        press(&mut state, "4");
        state
    });
}

#[test]
fn the_ascii_set_needs_no_other_signs() {
    check("ascii", |width, height| {
        let mut state = afternoon(width, height);
        state.theme = Theme::new(Choice::Mono, true);
        sync(&mut state);
        let shown = text(&draw(&state));
        assert!(shown.is_ascii(), "{shown}");
        state
    });
}

#[test]
fn colours_are_few_and_mean_something() {
    for (name, choice) in [("", Choice::Auto), ("_dark", Choice::Dark), ("_light", Choice::Light)] {
        let mut state = afternoon(80, 24);
        state.theme = Theme::new(choice, false);
        sync(&mut state);
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("styles{name}_80x24"), styles(&draw(&state)));
        });
    }
}

#[test]
fn mono_sets_no_colour_anywhere() {
    let mut state = afternoon(120, 40);
    sync(&mut state);
    for keys in ["z", "2", "4", "?"] {
        state.theme = Theme::new(Choice::Mono, false);
        press(&mut state, keys);
        let buffer = draw(&state);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }
}

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
    Ended(bool),
    Refused,
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
    let keys: Vec<Key> = super::keymap::KEYMAP.iter().flat_map(|binding| binding.keys.iter().copied()).collect();
    prop_oneof![
        8 => proptest::sample::select(keys).prop_map(Step::Key),
        4 => "[a-zA-Z~!/: \u{0}\u{1b}東]".prop_map(|text| Step::Key(Key::Char(text.chars().next().unwrap()))),
        2 => (0_u16..120, 0_u16..40).prop_map(|(x, y)| Step::Pointer(Pointer::Click { x, y })),
        1 => proptest::sample::select(vec![Pointer::WheelUp, Pointer::WheelDown]).prop_map(Step::Pointer),
        1 => "\\PC{0,8}\n?".prop_map(Step::Paste),
        2 => (0_u16..200, 0_u16..80).prop_map(|(width, height)| Step::Size(width, height)),
        1 => (0_usize..30).prop_map(Step::Overview),
        2 => (0_i64..3, 0_i64..2, 0_i64..3)
            .prop_map(|(held, damaged, problems)| Step::Repository { held, damaged, problems }),
        1 => Just(Step::Run),
        2 => (0_i64..4).prop_map(Step::Changes),
        2 => Just(Step::Problems),
        1 => Just(Step::Sync),
        1 => any::<bool>().prop_map(Step::Ended),
        1 => Just(Step::Refused),
        1 => any::<bool>().prop_map(Step::Examined),
        1 => Just(Step::Schedule),
        1 => any::<bool>().prop_map(Step::Written),
        4 => forms::answer().prop_map(Step::Told),
        2 => (0_usize..600, any::<bool>()).prop_map(|(rows, is_found)| Step::Files { rows, is_found }),
    ]
}

fn apply(state: &mut State, step: Step) {
    match step {
        Step::Key(key) => drop(tell(state, Msg::Key(key))),
        Step::Pointer(pointer) => drop(tell(state, Msg::Pointer(pointer))),
        Step::Paste(text) => drop(tell(state, Msg::Paste(text))),
        Step::Size(width, height) => drop(tell(state, Msg::Resize { width, height })),
        Step::Overview(count) => {
            let outcome = |at: i64| if at % 3 == 0 { Outcome::Failed } else { Outcome::Completed };
            let all = (1..=count as i64).map(|at| status(at, &format!("r{at}"), at, at, outcome(at), at * HOUR));
            tell(state, Msg::Rows(Rows::Overview { statuses: all.collect(), latest: Vec::new() }));
        }
        Step::Repository { held, damaged, problems } => {
            let Some(entry) = state.entry() else { return };
            let mut status = entry.status.clone();
            (status.held, status.damaged, status.open_problems) = (held, damaged, problems);
            tell(state, Msg::Rows(Rows::Repository(Box::new(rows(&status)))));
        }
        Step::Run => {
            let Some(Detail::Run { number, .. }) = &state.detail else { return };
            let Some(run) = state.runs().iter().find(|run| run.number == *number) else { return };
            let rows = run_rows(run);
            tell(state, Msg::Rows(Rows::Run(Box::new(rows))));
        }
        Step::Changes(shift) => changes::answer_all(state, shift),
        Step::Problems => answer_problems(state),
        Step::Sync => sync(state),
        Step::Ended(false) => drop(tell(state, Msg::Engine(Event::Progress(progress("r1"))))),
        Step::Ended(true) => drop(tell(state, Msg::Engine(Event::Ended))),
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
            let Some(told) = files::told(state, rows, is_found) else { return };
            tell(state, Msg::Rows(Rows::Files(Box::new(told))));
        }
        Step::Refused => {
            let answer = Answer::Refused(Refusal::new("failed", "no ".repeat(300)));
            tell(state, Msg::Answered { to: "sync".to_owned(), answer });
        }
    }
}

fn assert_valid(state: &State) {
    let _drawn = draw(state);
    assert_eq!(state.entry().is_some(), !state.entries().is_empty(), "a selection while there is something to select");
    let runs = state.runs();
    assert!(state.run_at.is_none_or(|at| runs.iter().any(|run| run.number == at)));
    let listed = state.listed_runs();
    assert_eq!(state.run_at.is_some_and(|at| listed.iter().any(|run| run.number == at)), !listed.is_empty());
    assert_eq!(state.files.selected().is_some(), !state.files.rows().is_empty());
    let place = super::changes::place_of_selected(state);
    assert_eq!(state.changes.get(place).map(|group| &group.key), state.changes.at.as_ref());
    let keys = super::pane::problems::keys(state);
    assert_eq!(state.problems.selected().is_some_and(|at| keys.contains(&at)), !keys.is_empty());
    assert!(state.tab != Tab::Problems || state.detail.is_none() || state.problems.open.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_use_neither_panics_nor_loses_the_selection(steps in prop::collection::vec(step(), 1..60)) {
        let mut state = afternoon(80, 24);
        for step in steps {
            apply(&mut state, step);
            assert_valid(&state);
        }
        // Every question and every pane can be left.
        press(&mut state, &"esc ".repeat(30));
        prop_assert!(state.overlay.is_none() && state.detail.is_none() && !state.zoom);
    }
}
