//! What needs a person in the selected repository as a few causes, the paths of the one that is open, and what to do.
//!
//! ```text
//!   ≠ 1 damaged   # 12,431 held   ! 205 problems, 204 new
//!
//!   problem               where                    count   since    last  state
//! > ≠ damaged             2026/09/IMG_0001.raw         1     2 h     2 h  open
//!   # held                backup/b                12,431     3 h     3 h  choose
//!   ! permission          home/anna                  204     3 d   2 min  new
//! ─ damaged ────────────────────────────────────────────────────────────────────
//!   What       content changed while size and times did not
//!   Hint       put a good copy back and sync; or take the content as it is now
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::filter::Filter;
use super::super::layout::{below_rule, first_row};
use super::super::paint::{self, piece};
use super::super::reading::problems::PATHS;
use super::super::state::{Focus, Place, State, Tab};
use super::super::table::{Align, Cell, Column, Table};
use super::super::text::{columns, fit_path, left, short_count, unsigned};
use super::super::theme::Tone;
use super::super::trouble::{Key, Trouble};
use super::detail;
use crate::domain::amount;
use crate::domain::path::RelPath;
use crate::domain::report::Damage;
use crate::index::{Cause, CauseKey, Members};

/// What the tab remembers.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The selected cause.
    pub at: Option<CauseKey>,
    /// The cause whose paths stand in the table's place.
    pub open: Option<Open>,
}

/// A cause that is open.
#[derive(Clone, Debug)]
pub struct Open {
    pub cause: CauseKey,
    /// `None` while they are read.
    pub members: Option<Members>,
    /// The selected path.
    pub at: Option<RelPath>,
    /// The damaged file that is open, with its good copies, when they were looked for.
    pub damaged: Option<Damage>,
    /// The filter of the causes, which is theirs again when this one is closed.
    pub filter: String,
}

impl Model {
    /// Returns the selected row of the table that is shown.
    pub fn selected(&self) -> Option<Key> {
        match &self.open {
            Some(open) => open.at.clone().map(Key::Path),
            None => self.at.clone().map(Key::Cause),
        }
    }

    /// Selects a row of the table that is shown.
    pub fn select(&mut self, key: Option<Key>) {
        match (key, &mut self.open) {
            (Some(Key::Path(path)), Some(open)) => open.at = Some(path),
            (None, Some(open)) => open.at = None,
            (Some(Key::Cause(cause)), None) => self.at = Some(cause),
            (None, None) => self.at = None,
            // Of the table that is not shown.
            (Some(Key::Path(_)), None) | (Some(Key::Cause(_)), Some(_)) => {}
        }
    }
}

/// Returns the rows of the table that is shown, those that the filter lets through.
pub fn listed(state: &State) -> Vec<Trouble<'_>> {
    let filter = state.filter(Place::Tab(Tab::Problems));
    let rows = match &state.problems.open {
        None => state.troubles(),
        Some(open) => match &open.members {
            None => Vec::new(),
            Some(Members::Damage(damage)) => damage.iter().map(Trouble::Damaged).collect(),
            Some(Members::Held(held)) => held.iter().map(Trouble::Held).collect(),
            Some(Members::Problem(problems)) => problems.iter().map(Trouble::Problem).collect(),
        },
    };
    narrowed(state, rows, filter)
}

/// Returns the causes that are let through by the filter that is or was theirs.
pub fn listed_causes(state: &State) -> Vec<CauseKey> {
    let filter = match &state.problems.open {
        Some(open) => &open.filter,
        None => state.filter(Place::Tab(Tab::Problems)),
    };
    let keys = narrowed(state, state.troubles(), filter).into_iter().filter_map(|trouble| match trouble {
        Trouble::Cause(cause) => Some(cause.key.clone()),
        _ => None,
    });
    keys.collect()
}

fn narrowed<'a>(state: &State, mut rows: Vec<Trouble<'a>>, typed: &str) -> Vec<Trouble<'a>> {
    if !typed.is_empty() {
        let mut filter = Filter::new(typed);
        rows.retain(|row| {
            filter.matches(&format!("{} {} {}", row.what(state.theme.signs).1, row.path(), row.decided()))
        });
    }
    rows
}

/// Returns the keys of the rows that are listed.
pub fn keys(state: &State) -> Vec<Key> {
    listed(state).iter().map(Trouble::key).collect()
}

/// Returns the selected row.
pub fn selected(state: &State) -> Option<Trouble<'_>> {
    let key = state.problems.selected()?;
    listed(state).into_iter().find(|trouble| trouble.key() == key)
}

/// Returns the cause that is open, as far as it is still one.
fn open_cause(state: &State) -> Option<&Cause> {
    let open = state.problems.open.as_ref()?;
    state.rows.as_ref()?.causes.iter().find(|cause| cause.key == open.cause)
}

const fn column(title: &'static str, align: Align, width: usize, rank: u8) -> Column {
    Column { title, align, width, gap: 2, rank, grows: false }
}

const COLUMNS: &[Column] = &[
    column("problem", Align::Left, 20, 0),
    Column { grows: true, ..column("where", Align::Path, 12, 0) },
    column("count", Align::Right, 5, 2),
    column("since", Align::Right, 6, 3),
    column("last", Align::Right, 6, 4),
    column("state", Align::Left, 9, 1),
];

/// Below the table, the selected one is told in at least this many rows, if the table keeps at least as many.
const TOLD_ROWS: u16 = 5;

/// The counts above the table, and a blank line where there is room for it.
fn head_rows(area: Rect) -> u16 {
    if area.height < 4 * TOLD_ROWS { 1 } else { 2 }
}

/// Draws counts and table, and the selected row in words below them where there is room.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let troubles = listed(state);
    let is_empty = troubles.is_empty() && state.troubles().is_empty();
    if state.rows.is_none() || (is_empty && state.problems.open.is_none()) {
        let words = if state.rows.is_some() { "  Nothing is open." } else { "" };
        paint::lines(buffer, area, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
        return;
    }
    paint::lines(buffer, area, &[head(state, usize::from(area.width))], 0);
    let head_rows = head_rows(area).min(area.height);
    let area = Rect { y: area.y + head_rows, height: area.height - head_rows, ..area };
    if troubles.is_empty() {
        let is_reading = state.problems.open.as_ref().is_some_and(|open| open.members.is_none());
        let words = if is_reading { "" } else { "  Nothing matches the filter. esc clears it." };
        paint::lines(buffer, area, &[paint::line(&state.theme, [piece(words, Tone::Dim)])], 0);
        return;
    }
    table(state, area, &troubles, buffer);
}

fn table(state: &State, area: Rect, troubles: &[Trouble<'_>], buffer: &mut Buffer) {
    let selected = state.problems.selected();
    let at = troubles.iter().position(|trouble| Some(trouble.key()) == selected).unwrap_or(0);
    let table_area = table_area(area, troubles.len());
    let table = Table::new(COLUMNS, usize::from(area.width.saturating_sub(1)));
    paint::lines(buffer, table_area, &[table.titles(&state.theme)], 0);
    let rows = below_rule(table_area);
    let first = first_row(troubles.len(), at, usize::from(rows.height));
    for ((row_at, trouble), row) in troubles.iter().enumerate().skip(first).zip(rows.rows()) {
        let is_selected = row_at == at;
        buffer.set_line(row.x, row.y, &table.row(&state.theme, is_selected, &cells(state, trouble)), row.width);
        if is_selected {
            buffer.set_style(row, state.theme.selected(state.focus == Focus::Body));
        }
    }
    let told = Rect { y: table_area.bottom(), height: area.height - table_area.height, ..area };
    if let Some(trouble) = troubles.get(at).filter(|_| !told.is_empty()) {
        let (_, what, _) = trouble.what(state.theme.signs);
        let title = vec![piece(format!(" {what} "), Tone::Plain)];
        paint::rule(buffer, &state.theme, Rect { height: 1, ..told }, false, title, "");
        paint::lines(buffer, below_rule(told), &detail::trouble_lines(state, trouble, usize::from(area.width)), 0);
    }
}

/// Returns which rows of how many the table shows, for its rule.
pub fn window(state: &State, body: Rect) -> (usize, usize, usize) {
    let troubles = keys(state);
    let selected = state.problems.selected();
    let at = troubles.iter().position(|key| Some(key) == selected.as_ref()).unwrap_or(0);
    let below = Rect { height: body.height.saturating_sub(1), ..body };
    let below = Rect { height: below.height.saturating_sub(head_rows(below)), ..below };
    let height = usize::from(table_area(below, troubles.len()).height.saturating_sub(1));
    (first_row(troubles.len(), at, height), height, troubles.len())
}

/// Returns the part of the body that the table and its titles have.
fn table_area(area: Rect, troubles: usize) -> Rect {
    if area.height < 2 * TOLD_ROWS {
        return area;
    }
    let wanted = u16::try_from(troubles).unwrap_or(u16::MAX).saturating_add(2);
    Rect { height: wanted.min(area.height - TOLD_ROWS), ..area }
}

/// Says how much of each sort there is, or what is open.
fn head(state: &State, room: usize) -> Line<'static> {
    let Some(open) = &state.problems.open else { return paint::line(&state.theme, counts(state)) };
    let Some(cause) = open_cause(state) else { return Line::default() };
    let (sign, what, tone) = Trouble::Cause(cause).what(state.theme.signs);
    let paths = amount::plural(unsigned(cause.paths), "path", "paths");
    let all = open.members.as_ref().map_or(0, Members::len);
    let is_cut = all == PATHS && unsigned(cause.paths) > all as u64;
    let shown = if is_cut { format!("{} of ", amount::count(all as u64)) } else { String::new() };
    let rest = room.saturating_sub(columns(&what) + columns(&paths) + columns(&shown) + 9);
    let place = fit_path(&cause.place.to_string(), rest, state.theme.signs.cut);
    paint::line(
        &state.theme,
        [
            piece(format!("  {sign} {what}"), tone),
            piece(format!("  {place}"), Tone::Plain),
            piece(format!("  {shown}{paths}"), Tone::Dim),
        ],
    )
}

fn counts(state: &State) -> Vec<paint::Piece> {
    let Some(entry) = state.entry() else { return Vec::new() };
    let status = &entry.status;
    let count = |number: i64| amount::count(unsigned(number));
    let mut pieces = Vec::new();
    if status.damaged > 0 {
        pieces.push(piece(format!("  {} {} damaged ", state.theme.signs.damaged, count(status.damaged)), Tone::Bad));
    }
    if status.held > 0 {
        let kept = status.held - status.undecided;
        let (sign, tone) = if status.undecided > 0 { ("#", Tone::Warn) } else { ("-", Tone::Dim) };
        let kept = if kept > 0 { format!(", {} kept", count(kept)) } else { String::new() };
        pieces.push(piece(format!("  {sign} {} held{kept} ", count(status.held)), tone));
    }
    if status.open_problems > 0 {
        let (sign, tone) = if status.new_problems > 0 { ("!", Tone::Warn) } else { ("-", Tone::Dim) };
        let known = count(status.open_problems - status.new_problems);
        pieces.push(piece(format!("  {sign} {} new, {known} known", count(status.new_problems)), tone));
    }
    pieces
}

fn cells(state: &State, trouble: &Trouble<'_>) -> [Cell; 6] {
    let (sign, what, tone) = trouble.what(state.theme.signs);
    let age = |at| amount::age(state.now.wall.since_ms(at));
    let is_many = trouble.paths() > 1 && !trouble.path().is_root();
    [
        (format!("{sign} {what}"), tone),
        (format!("{}{}", trouble.path(), if is_many { "/" } else { "" }), Tone::Plain),
        (short_count(trouble.count()), Tone::Plain),
        (age(trouble.since()), Tone::Plain),
        (age(trouble.last_seen()), Tone::Plain),
        (trouble.decided(), if trouble.is_settled() { Tone::Dim } else { Tone::Plain }),
    ]
}

/// Returns one of them as a line of the Status tab.
pub fn line(state: &State, trouble: &Trouble<'_>, room: usize) -> Line<'static> {
    let (sign, what, tone) = trouble.what(state.theme.signs);
    let what = left(&format!("{sign} {what}"), 20.min(room), state.theme.signs.cut);
    let count = match trouble.count() {
        1 => String::new(),
        count => format!("  {}", short_count(count)),
    };
    let path = fit_path(&trouble.path().to_string(), room.saturating_sub(32), state.theme.signs.cut);
    paint::line(
        &state.theme,
        [piece(format!("  {what}"), tone), piece(format!("  {path}"), Tone::Plain), piece(count, Tone::Dim)],
    )
}
