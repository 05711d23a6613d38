//! Screens as snapshots. What single keys do is tested in [`super::update`]'s own tests.

mod budget;
mod changes;
mod files;
mod forms;
mod health;
mod history;
mod problems;
mod progress;
mod random;
mod status;
mod width;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::event::{Msg, Rows};
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
fn quitting_offers_the_service_that_is_enabled() {
    for (name, has_runs) in [("quit_service", false), ("quit_service_running", true)] {
        check(name, |width, height| {
            let mut state = idle(width, height);
            if has_runs {
                sync(&mut state);
            }
            (state.engine, state.has_service) = (super::state::Engine::WhileUsed, true);
            press(&mut state, "q");
            state
        });
    }
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
