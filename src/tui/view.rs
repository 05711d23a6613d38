//! Draws the state. Pure: what is drawn depends on the state alone, and any size is fine.
//!
//! ```text
//!  watchkeeper   8 repositories   ✗ 1 failed   # 1 held   ↻ 1 syncing                                      14:32
//! ━ 0 Repositories ━━━━━━━━ worst first ━━┬─[1 Status] 2 Progress  3 History  4 Problems 2 ──────────── photos ─
//!   state      repository         as of   │  State      ...
//!                                         │
//! ─ Queue ──────── 1 running, 1 waiting ──┤
//!                                         │
//!  s sync   v verify   enter open   tab pane   z zoom   q quit                                            ? help
//! ```

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::footer;
use super::layout::{Areas, NEEDED, below_rule};
use super::overlay::{away, confirm, export, form, help, messages, palette, plan};
use super::paint::{self, Piece, piece};
use super::pane::{activity, changes, detail, files, health, history, problems, progress, repositories, status};
use super::state::{Detail, Engine, Focus, Overlay, Place, State, Tab};
use super::tabs;
use super::text::{columns, fit, wrap};
use super::theme::Tone;
use crate::domain::amount;
use crate::domain::repository::State as Word;
use crate::domain::show::show_message;

/// Draws one frame.
pub fn view(state: &State, frame: &mut Frame<'_>) {
    let screen = frame.area();
    let buffer = frame.buffer_mut();
    draw(state, screen, buffer);
    paint::one_by_one(buffer);
}

fn draw(state: &State, screen: Rect, buffer: &mut Buffer) {
    let Some(areas) = state.areas_at(screen.as_size()) else {
        return too_small(state, screen, buffer);
    };
    header(state, areas.header, buffer);
    if state.entries.as_ref().is_some_and(Vec::is_empty) {
        empty(state, areas, buffer);
    } else {
        middle(state, &areas, buffer);
    }
    notices(state, areas.message, buffer);
    footer::draw(state, areas.footer, buffer);
    match &state.overlay {
        Some(Overlay::Help { scroll }) => help::draw(state, front(screen), *scroll, buffer),
        Some(Overlay::Messages { scroll }) => messages::draw(state, front(screen), *scroll, buffer),
        Some(Overlay::Export(field)) => export::draw(state, front(screen), field, buffer),
        Some(Overlay::Away { scroll }) => away::draw(state, front(screen), *scroll, buffer),
        Some(Overlay::Palette { field, at }) => palette::draw(state, front(screen), field, *at, buffer),
        Some(Overlay::Form(filled)) => form::draw(state, front(screen), filled, buffer),
        Some(Overlay::Plan { scroll }) => plan::draw(state, front(screen), *scroll, buffer),
        Some(Overlay::Filter { .. }) | None => {}
        Some(question) => confirm::draw(state, front(screen), question, buffer),
    }
}

/// Overlays leave header and footer visible.
fn front(screen: Rect) -> Rect {
    Rect { y: screen.y + 1, height: screen.height.saturating_sub(2), ..screen }
}

fn too_small(state: &State, screen: Rect, buffer: &mut Buffer) {
    let words = format!("need {}x{}, have {}x{}   q quit", NEEDED.width, NEEDED.height, screen.width, screen.height);
    let words = fit(&words, usize::from(screen.width), state.theme.signs.cut);
    if screen.height > 0 {
        buffer.set_stringn(screen.x, screen.y, words, usize::from(screen.width), state.theme.style(Tone::Plain));
    }
}

fn header(state: &State, area: Rect, buffer: &mut Buffer) {
    let clock = state.zone.clock(state.now.wall);
    let room = usize::from(area.width).saturating_sub(columns(&clock) + 3);
    let mut lines: Vec<Line<'_>> =
        headers(state).into_iter().map(|parts| paint::line(&state.theme, apart(parts))).collect();
    let at = lines.iter().position(|line| line.width() <= room).unwrap_or(lines.len() - 1);
    buffer.set_line(area.x + 1, area.y, &lines.swap_remove(at), area.width.saturating_sub(2));
    let x = area.right().saturating_sub(u16::try_from(columns(&clock)).unwrap_or(0) + 1);
    buffer.set_string(x, area.y, clock, state.theme.style(Tone::Plain));
}

/// Returns what the header can say, the fullest first; what is well goes before what needs a person.
fn headers(state: &State) -> Vec<Vec<Piece>> {
    let name = piece("watchkeeper", Tone::Strong);
    if state.entries.is_none() {
        return vec![vec![name, piece("reading the index", Tone::Dim)]];
    }
    let total = amount::plural(state.entries().len() as u64, "repository", "repositories");
    let total = piece(total, Tone::Plain);
    let Counts { words, worrying, needy } = counts(state);
    let host = show_message(&state.forms.here.host);
    let place = if host.is_empty() { name.clone() } else { piece(format!("watchkeeper on {host}"), Tone::Strong) };
    let mut headers = vec![
        [vec![place, total.clone()], words.clone()].concat(),
        [vec![name.clone(), total.clone()], words.clone()].concat(),
    ];
    headers.extend(
        (worrying.max(1)..=words.len()).rev().map(|kept| [std::slice::from_ref(&name), &words[..kept]].concat()),
    );
    headers.push(words[..worrying].to_vec());
    let summary = if needy == 1 { "1 needs you".to_owned() } else { format!("{needy} need you") };
    headers.push(vec![total, piece(summary, Tone::Warn)]);
    // Nothing worrying: an empty header would fit first.
    headers.retain(|parts| !parts.is_empty());
    headers
}

fn apart(parts: Vec<Piece>) -> impl Iterator<Item = Piece> {
    parts.into_iter().flat_map(|part| [piece("   ", Tone::Plain), part]).skip(1)
}

/// How many repositories are in each state.
struct Counts {
    /// The worst first.
    words: Vec<Piece>,
    /// How many of these words tell of what needs a person.
    worrying: usize,
    /// How many repositories need a person.
    needy: usize,
}

fn counts(state: &State) -> Counts {
    let entries = state.entries();
    let mut counts = Counts { words: Vec::new(), worrying: 0, needy: 0 };
    if state.engine == Engine::Lost {
        counts.words.push(piece("no engine", Tone::Warn));
        counts.worrying += 1;
    }
    let mut rest = entries;
    while let Some(first) = rest.first() {
        // The list is sorted by state, so equal ones stand together.
        let same = rest.iter().take_while(|entry| entry.state == first.state).count();
        rest = &rest[same..];
        let (sign, word, tone) = state.theme.state(first.state);
        if matches!(first.state, Word::Missing | Word::Failed | Word::Damaged | Word::Held | Word::Partial) {
            counts.worrying += 1;
            counts.needy += same;
        }
        if same == entries.len() && same > 1 {
            counts.words.push(piece(format!("{sign} all {word}"), tone));
        } else if first.state != Word::InSync || entries.len() == 1 {
            counts.words.push(piece(format!("{sign} {same} {word}"), tone));
        }
    }
    counts
}

fn empty(state: &State, areas: Areas, buffer: &mut Buffer) {
    let lines = [
        ("Nothing is kept in step yet.", Tone::Strong),
        ("", Tone::Plain),
        ("Press a to add a directory.", Tone::Accent),
        ("It is counted first, then kept in step.", Tone::Plain),
        ("Files are only read, never changed.", Tone::Plain),
        ("", Tone::Plain),
        ("From a shell: watchkeeper repo add PATH", Tone::Dim),
    ];
    let lines: Vec<_> = lines.iter().map(|(words, tone)| paint::line(&state.theme, [piece(*words, *tone)])).collect();
    let width = u16::try_from(lines.iter().map(Line::width).max().unwrap_or(0)).unwrap_or(u16::MAX);
    let bottom = areas.message.y;
    let height = bottom.saturating_sub(1);
    let x = areas.header.width.saturating_sub(width) / 2;
    let y = 1 + height.saturating_sub(7) / 3;
    let area = Rect { x, y, width: areas.header.width - x, height: bottom.saturating_sub(y) };
    paint::lines(buffer, area, &lines, 0);
}

fn middle(state: &State, areas: &Areas, buffer: &mut Buffer) {
    if !areas.list.is_empty() {
        repositories::draw(state, areas.list, buffer);
    }
    if !areas.activity.is_empty() {
        activity::draw(state, areas.activity, buffer);
    }
    if !areas.body.is_empty() {
        body_rule(state, areas.body, buffer);
        body(state, below_rule(areas.body), buffer);
    }
    divider(state, areas.divider, buffer);
}

/// Draws the line between list and body, joined to the rules that end at it.
fn divider(state: &State, area: Rect, buffer: &mut Buffer) {
    let signs = state.theme.signs;
    let is_rule = |buffer: &Buffer, x: u16, y: u16| {
        buffer.cell((x, y)).is_some_and(|cell| cell.symbol() == signs.rule || cell.symbol() == signs.heavy_rule)
    };
    for row in area.rows() {
        let joins = (is_rule(buffer, row.x.saturating_sub(1), row.y), is_rule(buffer, row.x + 1, row.y));
        let sign = match joins {
            _ if row.y == area.y => signs.divider_top,
            (true, true) => signs.divider_cross,
            (true, false) => signs.divider_left,
            (false, true) => signs.divider_right,
            (false, false) => signs.divider,
        };
        buffer.set_stringn(row.x, row.y, sign, 1, state.theme.style(Tone::Dim));
    }
}

fn body_rule(state: &State, area: Rect, buffer: &mut Buffer) {
    let has_focus = state.focus == Focus::Body;
    let titles = tabs::titles(state, usize::from(area.width));
    let words = titles.into_iter().map(|(tab, words)| {
        let tone = if tab == state.tab && has_focus { Tone::Accent } else { Tone::Plain };
        piece(words, tone)
    });
    let words = words.collect();
    let position = match &state.detail {
        Some(_) => position(state, area),
        None => aside(state, Place::Tab(state.tab), &position(state, area)),
    };
    // The timeline is that of all repositories, unless it was narrowed.
    let is_of_all = state.tab == Tab::Changes && !state.changes.is_narrow;
    let name = state.name().filter(|_| !is_of_all).unwrap_or_default();
    let aside = [position, name.to_owned()];
    let aside: Vec<String> = aside.into_iter().filter(|part| !part.is_empty()).collect();
    paint::rule(buffer, &state.theme, Rect { height: 1, ..area }, has_focus, words, &aside.join(", "));
}

/// Returns which rows of how many are in view, or which run is open.
fn position(state: &State, body: Rect) -> String {
    let height = usize::from(body.height.saturating_sub(2));
    match (&state.detail, state.tab) {
        (Some(Detail::Compare { older, newer }), _) => {
            format!("runs {} and {}", amount::count(older.unsigned_abs()), amount::count(newer.unsigned_abs()))
        }
        (Some(Detail::Run { number, .. }), _) => format!("run {}", amount::count(number.unsigned_abs())),
        (None, Tab::Problems) => {
            let (first, height, rows) = problems::window(state, body);
            window(state, first, height, rows)
        }
        (None, Tab::History) => {
            let window = window(state, history::first(state, height), height, state.listed_runs().len());
            let more = if history::has_older(state) && !window.is_empty() { "+" } else { "" };
            format!("{window}{more}")
        }
        (None, Tab::Changes) => changes::position(state),
        _ => String::new(),
    }
}

/// Columns that a filter takes in a rule.
const FILTER: usize = 24;

/// Returns what stands at the right end of a table's rule: its filter, its order, what of it is in view.
pub fn aside(state: &State, place: Place, window: &str) -> String {
    let filter = state.filter(place);
    let filter = if filter.is_empty() {
        String::new()
    } else {
        fit(&format!("/{}", show_message(filter)), FILTER, state.theme.signs.cut)
    };
    let orders = super::pane::orders(place);
    let order = orders.get(state.order(place)).filter(|_| state.order(place) > 0).copied().unwrap_or_default();
    let parts = [filter.as_str(), order, window].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(", ")
}

/// Returns `1–7 of 8` when not all rows are in view.
pub fn window(state: &State, first: usize, height: usize, rows: usize) -> String {
    if rows <= height || height == 0 {
        return String::new();
    }
    format!("{}{}{} of {}", first + 1, state.theme.signs.dash, first + height, amount::count(rows as u64))
}

fn body(state: &State, area: Rect, buffer: &mut Buffer) {
    match (&state.detail, state.tab) {
        (None, Tab::History) => history::draw(state, area, buffer),
        (None, Tab::Problems) => problems::draw(state, area, buffer),
        (None, Tab::Files) => files::draw(state, area, buffer),
        (None, Tab::Changes) => changes::draw(state, area, buffer),
        _ => {
            let lines = body_lines(state, usize::from(area.width));
            let most = lines.len().saturating_sub(usize::from(area.height));
            paint::lines(buffer, area, &lines, state.scroll.min(most));
        }
    }
}

/// Returns the lines of a body that is text.
fn body_lines(state: &State, room: usize) -> Vec<Line<'static>> {
    match (&state.detail, state.tab) {
        (Some(open), _) => detail::lines(state, open, room),
        (None, Tab::Status) => status::lines(state, room),
        (None, Tab::Progress) => progress::lines(state, room),
        (None, Tab::Health) => health::lines(state, room),
        (None, Tab::History | Tab::Problems | Tab::Files | Tab::Changes) => Vec::new(),
    }
}

/// Returns how far the body can scroll.
pub fn scroll_limit(state: &State) -> usize {
    let area = state.areas().unwrap_or_default().body_rows();
    body_lines(state, usize::from(area.width)).len().saturating_sub(usize::from(area.height))
}

/// Returns how far the help can scroll.
pub fn help_scroll_limit(state: &State) -> usize {
    help::scroll_limit(state, front(Rect { x: 0, y: 0, width: state.size.width, height: state.size.height }))
}

/// Returns how far the messages can scroll.
pub fn message_scroll_limit(state: &State) -> usize {
    messages::scroll_limit(state, front(Rect { x: 0, y: 0, width: state.size.width, height: state.size.height }))
}

/// Returns how far the changes of a plan can scroll.
pub fn plan_scroll_limit(state: &State) -> usize {
    plan::scroll_limit(state, front(Rect { x: 0, y: 0, width: state.size.width, height: state.size.height }))
}

/// Returns how far what happened meanwhile can scroll.
pub fn away_scroll_limit(state: &State) -> usize {
    away::scroll_limit(state, front(Rect { x: 0, y: 0, width: state.size.width, height: state.size.height }))
}

/// Returns how many rows half a page is in what has the focus.
pub fn half_page(state: &State) -> usize {
    let areas = state.areas().unwrap_or_default();
    let rows = match state.focus {
        Focus::List => areas.list_rows(),
        Focus::Body => areas.body_rows(),
    };
    usize::from(rows.height / 2).max(1)
}

/// Returns how many rows the newest notice needs above the footer.
pub fn message_rows(state: &State) -> u16 {
    u16::try_from(notice_lines(state).len()).unwrap_or(u16::MAX)
}

fn notice_lines(state: &State) -> Vec<String> {
    const MOST: usize = 4;
    let Some(notice) = state.notices.last() else { return Vec::new() };
    let more = match state.notices.len() {
        1 => String::new(),
        all => format!("   ({} more)", all - 1),
    };
    let hint = notice.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
    let words = show_message(&notice.text).into_owned() + &show_message(&hint);
    let room = usize::from(state.size.width).saturating_sub(4);
    let mut lines = wrap(&format!("{words}{more}   esc clears"), room);
    if lines.len() > MOST {
        lines.truncate(MOST);
        // All of it stands in the messages.
        let last = fit(&lines[MOST - 1], room.saturating_sub(1), "");
        lines[MOST - 1] = last + state.theme.signs.cut;
    }
    lines
}

fn notices(state: &State, area: Rect, buffer: &mut Buffer) {
    let tone = match state.notices.last() {
        Some(notice) if notice.lasts == super::state::Lasts::UntilSeen => Tone::Warn,
        _ => Tone::Accent,
    };
    let lines = notice_lines(state);
    let signs = std::iter::once(" ! ").chain(std::iter::repeat("   "));
    let lines: Vec<_> = lines
        .into_iter()
        .zip(signs)
        .map(|(words, sign)| paint::line(&state.theme, [piece(sign, tone), piece(words, tone)]))
        .collect();
    paint::lines(buffer, area, &lines, 0);
}
