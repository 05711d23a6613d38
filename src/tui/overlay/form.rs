//! A form: its blanks, what the one with the cursor may become, what Enter does, and the command line that does the same.
//!
//! ```text
//! ┌ Add a repository ──────────────────────────────────────────────┐
//! │ path      /srv/data/mu▏                                        │
//! │ name      music                                                │
//! │ exclude   what to leave out, such as *.tmp,cache/              │
//! │ hidden    no                                                   │
//! │                                                                │
//! │   museum/   music/                                             │
//! │                                                                │
//! │ enter adds it: 9,204 files, 12 GB, about 41 s                  │
//! │ 512 watches needed, 171,056 free                               │
//! │ $ watchkeeper repo add /srv/data/music                         │
//! └────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::command_line::command_line;
use super::super::form::{Blank, Form, Sort};
use super::super::layout::first_row;
use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::text::{columns, fit, fit_path, left, wrap};
use super::super::theme::{Theme, Tone};
use crate::domain::show::show_message;

const WIDTH: usize = 76;
const LABEL: usize = 10;
/// Room for the offers and the words, whether there are any or not: nothing jumps while one types.
const DIRECTORY_ROWS: usize = 2;
const SETTING_ROWS: usize = 6;
const WORD_ROWS: usize = 3;

/// How many rows each part has.
struct Rows {
    blanks: usize,
    offers: usize,
    words: usize,
    command: usize,
    gaps: usize,
}

/// Draws a form.
pub fn draw(state: &State, screen: Rect, form: &Form, buffer: &mut Buffer) {
    let theme = &state.theme;
    let wanted = Rows {
        blanks: form.blanks.len(),
        offers: form.blanks.iter().map(offer_rows).max().unwrap_or(0),
        words: WORD_ROWS,
        command: 1,
        gaps: 2,
    };
    let height = wanted.blanks + wanted.offers + wanted.words + wanted.command + wanted.gaps + 2;
    let inside = paint::frame(buffer, theme, super::middle(screen, WIDTH, height), &form.purpose.title());
    let room = usize::from(inside.width);
    let rows = share(usize::from(inside.height), &wanted);
    let first = first_row(form.blanks.len(), form.at, rows.blanks);
    let blanks = form.blanks.iter().enumerate().skip(first).take(rows.blanks);
    let mut lines: Vec<Line<'static>> = blanks.map(|(at, blank)| blank_line(theme, form, at, blank, room)).collect();
    let gap = |lines: &mut Vec<Line<'static>>, at| lines.extend((rows.gaps > at).then(Line::default));
    gap(&mut lines, 0);
    if wanted.offers > 0 {
        lines.extend(padded(offers(theme, form, rows.offers, room), rows.offers));
        gap(&mut lines, 1);
    }
    lines.extend(padded(words(theme, form, rows.words, room), rows.words));
    if rows.command > 0 {
        let command = form.command(&state.forms.here).ok().and_then(|command| command_line(&command));
        let command = command.map_or_else(String::new, |command| fit(&format!("$ {command}"), room, theme.signs.cut));
        lines.push(paint::line(theme, [piece(command, Tone::Dim)]));
    }
    paint::lines(buffer, inside, &lines, 0);
}

fn offer_rows(blank: &Blank) -> usize {
    match blank.sort {
        Sort::Text | Sort::YesNo => 0,
        Sort::Directory(_) => DIRECTORY_ROWS,
        Sort::Setting(_) => SETTING_ROWS,
    }
}

/// Shares the rows out: on the smallest screens the blanks come first, then what must be said.
fn share(height: usize, wanted: &Rows) -> Rows {
    let mut rest = height;
    let mut take = |most: usize| {
        let got = most.min(rest);
        rest -= got;
        got
    };
    let blanks = take(wanted.blanks.min(height.saturating_sub(1)));
    let words = take(1);
    let offers = take(wanted.offers.min(1));
    let words = words + take(wanted.words - 1);
    let offers = offers + take(wanted.offers.saturating_sub(1));
    Rows { blanks, offers, words, command: take(wanted.command), gaps: take(wanted.gaps) }
}

fn padded(mut lines: Vec<Line<'static>>, rows: usize) -> Vec<Line<'static>> {
    lines.resize(rows, Line::default());
    lines
}

fn blank_line(theme: &Theme, form: &Form, at: usize, blank: &Blank, room: usize) -> Line<'static> {
    let (has_cursor, cut) = (at == form.at && !form.is_sent(), theme.signs.cut);
    let room = room.saturating_sub(LABEL);
    let text = match has_cursor {
        true => blank.field.shown(room, theme.signs.cursor),
        false => fit_path(&show_message(blank.field.text()), room, cut),
    };
    let rest = room.saturating_sub(columns(&text) + 2);
    let fault = form.fault.as_ref().filter(|fault| fault.at == Some(at) && stands_beside(&fault.words, rest));
    let (beside, tone) = match fault {
        Some(fault) => (format!("  ! {}", show_message(&fault.words)), Tone::Warn),
        None if blank.field.text().is_empty() => {
            (format!(" {}", fit(&show_message(&blank.note), rest, cut)), Tone::Dim)
        }
        None => (String::new(), Tone::Dim),
    };
    // What is meant stands where it would be typed.
    let beside = if has_cursor || fault.is_some() { beside } else { beside.trim_start().to_owned() };
    let label = left(blank.label, LABEL, cut);
    let pieces = [
        piece(label, if has_cursor { Tone::Accent } else { Tone::Dim }),
        piece(text, if has_cursor { Tone::Strong } else { Tone::Plain }),
        piece(beside, tone),
    ];
    paint::line(theme, pieces)
}

/// Tells whether a fault is short enough for the line of its blank; otherwise it stands below.
fn stands_beside(words: &str, rest: usize) -> bool {
    columns(&show_message(words)) + 2 <= rest
}

/// Returns what is wrong or what Enter does; what is cut ends so.
fn words(theme: &Theme, form: &Form, rows: usize, room: usize) -> Vec<Line<'static>> {
    let said = match &form.fault {
        _ if form.is_sent() => vec![("waiting for the engine".to_owned(), Tone::Dim)],
        Some(fault) if !is_beside(form, fault, room) => {
            let hint = fault.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
            vec![(format!("! {}{hint}", fault.words), Tone::Warn)]
        }
        _ => form.purpose.words(),
    };
    let all: Vec<(String, Tone)> = said
        .into_iter()
        .flat_map(|(words, tone)| wrap(&show_message(&words), room).into_iter().map(move |words| (words, tone)))
        .collect();
    let is_cut = all.len() > rows;
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (at, (mut words, tone)) in all.into_iter().take(rows).enumerate() {
        if is_cut && at + 1 == rows {
            words = format!("{}{}", fit(&words, room.saturating_sub(1), ""), theme.signs.cut);
        }
        lines.push(paint::line(theme, [piece(words, tone)]));
    }
    lines
}

fn is_beside(form: &Form, fault: &super::super::form::Fault, room: usize) -> bool {
    let Some((at, blank)) = fault.at.and_then(|at| form.blanks.get(at).map(|blank| (at, blank))) else { return false };
    let cursor = usize::from(at == form.at);
    let taken = columns(&show_message(blank.field.text())) + cursor + 2;
    fault.hint.is_none() && stands_beside(&fault.words, room.saturating_sub(LABEL + taken))
}

fn offers(theme: &Theme, form: &Form, rows: usize, room: usize) -> Vec<Line<'static>> {
    match &form.blanks[form.at].sort {
        Sort::Text | Sort::YesNo => Vec::new(),
        Sort::Directory(_) => directories(theme, form, rows, room),
        Sort::Setting(known) => settings(theme, form, known, rows, room),
    }
}

/// Returns the last parts of the paths that are offered, as many as there is room for.
fn directories(theme: &Theme, form: &Form, rows: usize, room: usize) -> Vec<Line<'static>> {
    const GAP: usize = 3;
    let completion = &form.completion;
    let name = |text: &String| {
        let start = text.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
        show_message(&text[start..]).into_owned()
    };
    let names: Vec<String> = completion.texts.iter().map(name).collect();
    let mut lines = vec![String::new()];
    let mut is_cut = completion.is_cut;
    for name in names {
        let name = fit(&name, room.saturating_sub(2), theme.signs.cut);
        let line = lines.last().map_or(0, |line| columns(line));
        if line > 0 && line + GAP + columns(&name) + 2 > room {
            if lines.len() == rows {
                is_cut = true;
                break;
            }
            lines.push(String::new());
        }
        let line = lines.last_mut().expect("there is one at least");
        line.push_str(if line.is_empty() { "" } else { "   " });
        line.push_str(&name);
    }
    if let Some(line) = lines.last_mut().filter(|line| is_cut && !line.is_empty()) {
        line.push(' ');
        line.push_str(theme.signs.cut);
    }
    lines.into_iter().map(|line| paint::line(theme, [piece(line, Tone::Plain)])).collect()
}

fn settings(theme: &Theme, form: &Form, known: &[(String, String)], rows: usize, room: usize) -> Vec<Line<'static>> {
    const KEY: usize = 28;
    let cut = theme.signs.cut;
    let texts = &form.completion.texts;
    let is_cut = texts.len() > rows;
    let mut lines: Vec<Line<'static>> = Vec::new();
    for text in texts.iter().take(rows) {
        let key = text.trim_end_matches('=');
        let value = known.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value.as_str());
        let value = if value.is_empty() { theme.signs.dash } else { value };
        let value = fit(&show_message(value), room.saturating_sub(KEY), cut);
        lines.push(paint::line(theme, [piece(left(key, KEY, cut), Tone::Plain), piece(value, Tone::Dim)]));
    }
    if is_cut && rows > 0 {
        let more = format!("{} more: type the beginning of one", texts.len() + 1 - rows);
        lines.truncate(rows - 1);
        lines.push(paint::line(theme, [piece(fit(&more, room, cut), Tone::Dim)]));
    }
    lines
}
