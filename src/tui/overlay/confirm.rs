//! A question with its object named; Enter and Esc are no.
//!
//! ```text
//! ┌ Cancel photos? ──────────────────────────────────┐
//! │ full, run 912, 63 % done                         │
//! │ What was committed stays in the index.           │
//! │                                                  │
//! │ y       stop it                                  │
//! │ n esc   let it run                               │
//! └──────────────────────────────────────────────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::paint::{self, Piece, piece};
use super::super::pane::activity;
use super::super::state::{self, Choice, Overlay, State};
use super::super::text::{columns, fit, left, wrap};
use super::super::theme::Tone;
use crate::domain::amount;

const WIDTH: usize = 60;
const KEYS: usize = 7;

/// What is asked, in words.
struct Question {
    title: String,
    words: Vec<String>,
    /// Keys, or what is typed, and what each would do.
    choices: Vec<(String, String)>,
}

/// Draws the question of an overlay that is one.
pub fn draw(state: &State, screen: Rect, overlay: &Overlay, buffer: &mut Buffer) {
    let width = WIDTH.min(usize::from(screen.width));
    let room = width.saturating_sub(4);
    let question = match overlay {
        Overlay::Help { .. } | Overlay::Messages { .. } | Overlay::Palette { .. } | Overlay::Export(_) => return,
        Overlay::Filter { .. } | Overlay::Form(_) | Overlay::Plan { .. } | Overlay::Away { .. } => return,
        Overlay::Ask(question) => ask(state, question, room),
        Overlay::Choose(choice) => choose(state, choice, room),
        Overlay::Cancel { name } => cancel(state, name),
        Overlay::Quit => quit(state),
    };
    let words: Vec<String> = question.words.iter().flat_map(|words| wrap(words, room)).collect();
    let height = words.len() + 1 + question.choices.len() + 2;
    let inside = paint::frame(buffer, &state.theme, super::middle(screen, width, height), &question.title);
    // On the smallest screens the choices are worth more than the last words, and than a blank line.
    let kept = usize::from(inside.height).saturating_sub(question.choices.len());
    let is_cut = words.len() > kept;
    let mut words: Vec<String> = words.into_iter().take(kept).collect();
    if let Some(last) = words.last_mut().filter(|_| is_cut) {
        // What is left out is not left out in silence.
        *last = fit(last, room.saturating_sub(1), "") + state.theme.signs.cut;
    }
    let mut lines: Vec<Vec<Piece>> = words.into_iter().map(|words| vec![piece(words, Tone::Plain)]).collect();
    if usize::from(inside.height) > lines.len() + question.choices.len() {
        lines.push(Vec::new());
    }
    let keys_room = question.choices.iter().map(|(keys, _)| columns(keys) + 2).max().unwrap_or(0).max(KEYS);
    lines.extend(question.choices.iter().map(|(keys, words)| {
        let words = fit(words, room.saturating_sub(keys_room), state.theme.signs.cut);
        vec![piece(left(keys, keys_room, state.theme.signs.cut), Tone::Accent), piece(words, Tone::Plain)]
    }));
    let lines: Vec<_> = lines.into_iter().map(|pieces| paint::line(&state.theme, pieces)).collect();
    paint::lines(buffer, inside, &lines, 0);
}

fn cancel(state: &State, name: &str) -> Question {
    let waiting = state.queued.iter().filter(|run| run.repository == name).count();
    let what = match state.progress_of(name) {
        Some(run) => {
            let percent = run.percent().map_or_else(String::new, |percent| format!(", {percent:.0} % done"));
            format!("{}, run {}{percent}", run.kind.as_str(), amount::count(run.number.unsigned_abs()))
        }
        None => amount::plural(waiting as u64, "run waits", "runs wait"),
    };
    Question {
        title: format!("Cancel {name}?"),
        words: vec![what, "What was committed stays in the index.".to_owned()],
        choices: choices(&[("y", "stop it"), ("n esc", "let it run")]),
    }
}

fn quit(state: &State) -> Question {
    if !state.has_runs() {
        return Question {
            title: "Quit?".to_owned(),
            words: vec!["Without a screen nobody keeps watch until your service runs.".to_owned()],
            choices: choices(&[("y", "quit"), ("s", "hand over to the service"), ("n esc", "stay")]),
        };
    }
    let mut keys = vec![("y", "cancel them, and quit"), ("d", "quit, and let them go on"), ("n esc", "stay")];
    if state.has_service {
        keys.insert(2, ("s", "hand over to the service"));
    }
    Question {
        title: "Quit while runs are going?".to_owned(),
        words: vec![
            format!("{}. They need no screen.", activity::counts(state)),
            "What was committed stays in the index.".to_owned(),
        ],
        choices: choices(&keys),
    }
}

fn ask(state: &State, question: &state::Question, room: usize) -> Question {
    let mut words = question.words.clone();
    let yes = match &question.typed {
        None => ("y".to_owned(), question.yes.clone()),
        Some((wanted, field)) => {
            let shown = field.shown(room.saturating_sub(16), state.theme.signs.cursor);
            words.push(format!("Type {wanted}: {shown}"));
            ("enter".to_owned(), question.yes.clone())
        }
    };
    let no = if question.typed.is_some() { "esc" } else { "n esc" };
    let no = (no.to_owned(), "leave everything as it is".to_owned());
    Question { title: question.title.clone(), words, choices: vec![yes, no] }
}

fn choose(state: &State, choice: &Choice, room: usize) -> Question {
    let shown = choice.field.shown(room.saturating_sub(16), state.theme.signs.cursor);
    let mut rows = vec![("type".to_owned(), shown)];
    rows.extend(choice.answers.iter().map(|answer| (answer.word.clone(), answer.what.clone())));
    rows.push(("esc".to_owned(), "decide another time".to_owned()));
    Question { title: choice.title.clone(), words: choice.words.clone(), choices: rows }
}

fn choices(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(keys, words)| ((*keys).to_owned(), (*words).to_owned())).collect()
}
