//! How several hosts look. Pure.
//!
//! ```text
//!  watchkeeper   3 hosts   ✗ 1 failed   1 unreachable
//!     state      repository                as of     files  problems
//!   nas
//!     ✗ failed   photos                    13:02    20,114         3
//! >   ✓ in sync  journal                   14:32     1,204
//!   backup       ssh: connect to host backup: No route to host
//!  enter open   s sync   q quit
//! ```

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::paint::{self, Piece, piece};
use super::super::text::{columns, left, right, short_count, unsigned};
use super::super::theme::{Theme, Tone};
use super::model::{Host, Hosts, Known, Line, Row};
use crate::domain::amount::{count, plural};
use crate::domain::moment::Timestamp;
use crate::domain::repository::State;
use crate::domain::show::show_message;

/// Columns of a state with its sign, of a moment, and of a number.
const STATE: usize = 12;
const AS_OF: usize = 11;
const NUMBER: usize = 11;

/// Draws everything.
pub fn view(hosts: &Hosts, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    draw(hosts, theme, area, frame.buffer_mut());
    paint::one_by_one(frame.buffer_mut());
}

fn draw(hosts: &Hosts, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let mut put = |y: u16, pieces: Vec<Piece>, is_selected: bool| {
        if y >= area.height {
            return;
        }
        let row = Rect { y: area.y + y, height: 1, ..area };
        buffer.set_line(row.x, row.y, &paint::line(theme, pieces), row.width);
        if is_selected {
            buffer.set_style(row, theme.selected(true));
        }
    };
    let mut said = header(hosts, theme);
    // On a narrow screen what needs a person is worth more than our name.
    if said.iter().map(|(words, _)| columns(words)).sum::<usize>() > width {
        said.remove(0);
    }
    put(0, said, false);
    put(1, titles(width), false);
    let room = usize::from(area.height.saturating_sub(3));
    for (at, row) in hosts.rows().iter().skip(hosts.scroll).take(room).enumerate() {
        let y = u16::try_from(at + 2).unwrap_or(u16::MAX);
        put(y, row_of(hosts, theme, row, width), *row == hosts.selected);
    }
    let last = match &hosts.message {
        Some(message) => {
            vec![piece(format!(" {}", left(&show_message(message), width - 1, theme.signs.cut)), Tone::Warn)]
        }
        None => keys(&[("enter", "open"), ("s", "sync"), ("q", "quit")]),
    };
    put(area.height.saturating_sub(1), last, false);
}

fn keys(list: &[(&str, &str)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (key, words) in list {
        pieces.push(piece(format!(" {key}"), Tone::Strong));
        pieces.push(piece(format!(" {words}  "), Tone::Dim));
    }
    pieces
}

/// What needs a person, on all hosts together.
fn header(hosts: &Hosts, theme: &Theme) -> Vec<Piece> {
    let mut pieces = vec![
        piece(" watchkeeper  ", Tone::Strong),
        piece(format!(" {}", plural(hosts.hosts.len() as u64, "host", "hosts")), Tone::Plain),
    ];
    let all = || hosts.hosts.iter().flat_map(|host| host.repositories.values());
    let mut words: Vec<_> = all().filter(|known| known.is_needy()).filter_map(Known::word).collect();
    words.sort_unstable();
    words.dedup();
    for word in words {
        let same = all().filter(|known| known.word() == Some(word)).count();
        let (sign, name, tone) = theme.state(word);
        pieces.push(piece(format!("   {sign} {same} {name}"), tone));
    }
    let lost = hosts.hosts.iter().filter(|host| matches!(host.line, Line::Lost(_))).count();
    if lost > 0 {
        pieces.push(piece(format!("   {lost} unreachable"), Tone::Warn));
    } else if pieces.len() == 2 && hosts.hosts.iter().all(|host| host.line == Line::Heard) {
        pieces.push(piece("   nothing needs you", Tone::Plain));
    }
    pieces
}

/// A number in its column: shortened where it would be cut.
fn wide_count(amount: i64) -> String {
    let whole = count(unsigned(amount));
    if whole.len() < NUMBER { whole } else { short_count(unsigned(amount)) }
}

/// Room for names, when the other columns have theirs; numbers go first on a narrow screen.
fn names_room(width: usize) -> (usize, bool) {
    let rest = width.saturating_sub(4 + STATE + AS_OF + 1);
    match rest > 2 * NUMBER + 12 {
        true => (rest - 2 * NUMBER, true),
        false => (rest, false),
    }
}

fn titles(width: usize) -> Vec<Piece> {
    let (room, has_numbers) = names_room(width);
    let mut text =
        format!("    {}{}{}", left("state", STATE, ""), left("repository", room, ""), right("as of", AS_OF, ""));
    if has_numbers {
        text.push_str(&format!("{}{}", right("files", NUMBER, ""), right("problems", NUMBER, "")));
    }
    vec![piece(text, Tone::Dim)]
}

fn row_of(hosts: &Hosts, theme: &Theme, row: &Row, width: usize) -> Vec<Piece> {
    let mark = if *row == hosts.selected { "> " } else { "  " };
    let host = &hosts.hosts[row.host];
    let mut pieces = vec![piece(mark, Tone::Accent)];
    match row.repository.as_ref().and_then(|name| host.repositories.get(name)) {
        Some(known) => pieces.extend(repository(known, host, hosts, theme, width)),
        None => pieces.extend(name_of(host, theme, width)),
    }
    pieces
}

fn name_of(host: &Host, theme: &Theme, width: usize) -> Vec<Piece> {
    let name = show_message(&host.name).into_owned();
    let room = width.saturating_sub(columns(&name) + 5);
    let (words, tone) = match &host.line {
        Line::Connecting => ("connecting".to_owned(), Tone::Dim),
        Line::Heard if host.repositories.is_empty() => ("no repositories".to_owned(), Tone::Dim),
        Line::Heard => (String::new(), Tone::Dim),
        Line::Lost(reason) => (show_message(reason).into_owned(), Tone::Warn),
    };
    vec![piece(name, Tone::Strong), piece(format!("  {}", left(&words, room, theme.signs.cut)), tone)]
}

fn repository(known: &Known, host: &Host, hosts: &Hosts, theme: &Theme, width: usize) -> Vec<Piece> {
    let (room, has_numbers) = names_room(width);
    let is_lost = matches!(host.line, Line::Lost(_));
    // What was last heard of a host that is silent now may be so no more. Trouble stays; that all is well is not claimed.
    let word = known.word().map(|word| match word {
        State::InSync | State::Syncing | State::Pending if is_lost => State::Stale,
        word => word,
    });
    let (sign, word, tone) = match word {
        Some(word) => theme.state(word),
        None => (theme.signs.missing, "unknown", Tone::Dim),
    };
    let tone = if is_lost { Tone::Dim } else { tone };
    let as_of = known.true_as_of.as_deref().and_then(Timestamp::parse);
    let as_of = as_of.map_or_else(|| "never".to_owned(), |at| hosts.zone.brief(at, hosts.now));
    let name = left(&show_message(&known.repository), room, theme.signs.cut);
    let mut pieces = vec![
        piece(format!("  {}", left(&format!("{sign} {word}"), STATE, "")), tone),
        piece(name, Tone::Plain),
        piece(right(&as_of, AS_OF, ""), Tone::Plain),
    ];
    if has_numbers {
        let troubles = known.open_problems.saturating_add(known.damaged).saturating_add(known.held);
        pieces.push(piece(right(&wide_count(known.total_files), NUMBER, ""), Tone::Plain));
        let troubles = if troubles == 0 { String::new() } else { wide_count(troubles) };
        pieces.push(piece(right(&troubles, NUMBER, ""), Tone::Warn));
    }
    pieces
}
