//! Below the list, where there is room: what runs and waits, and what ended last, of all repositories.
//!
//! ```text
//! ─ Queue ──────── 1 running, 1 waiting ──
//!   ↻ photos    full               63 %
//!   . mail      full               next
//! ─ Latest ───────────────────────────────
//!   14:31      ✓ www          +3 ~1 -1
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::layout::below_rule;
use super::super::paint::{self, piece};
use super::super::state::State;
use super::super::text::{self, unsigned};
use super::super::theme::Tone;
use crate::domain::report::Run;

/// Draws both parts with their rules; the queue only when there is one.
pub fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let queue = queue(state, usize::from(area.width));
    let mut rest = area;
    if !queue.is_empty() {
        let most = (area.height / 2).max(2);
        let height = u16::try_from(queue.len()).unwrap_or(most).saturating_add(1).min(most);
        section(state, Rect { height, ..area }, buffer, " Queue ", &counts(state), &queue);
        rest = Rect { y: area.y + height, height: area.height - height, ..area };
    }
    let latest: Vec<Line<'_>> = state
        .latest
        .iter()
        .take(usize::from(rest.height))
        .map(|run| latest(state, run, usize::from(area.width)))
        .collect();
    section(state, rest, buffer, " Latest ", "", &latest);
}

fn section(state: &State, area: Rect, buffer: &mut Buffer, title: &str, aside: &str, lines: &[Line<'_>]) {
    if area.is_empty() {
        return;
    }
    paint::rule(buffer, &state.theme, Rect { height: 1, ..area }, false, vec![piece(title, Tone::Plain)], aside);
    paint::lines(buffer, below_rule(area), lines, 0);
}

/// Returns `1 running, 2 waiting`.
pub fn counts(state: &State) -> String {
    format!("{} running, {} waiting", state.running.len(), state.queued.len())
}

fn queue(state: &State, room: usize) -> Vec<Line<'static>> {
    let cut = state.theme.signs.cut;
    let name_room = room.saturating_sub(25);
    let running = state.running.iter().map(|run| {
        let percent = run.percent().map_or_else(String::new, |percent| format!("{percent:.0} %"));
        (state.theme.signs.syncing, Tone::Accent, &run.repository, run.kind, percent)
    });
    let waiting = state.queued.iter().map(|run| (".", Tone::Dim, &run.repository, run.kind, "waits".to_owned()));
    running
        .chain(waiting)
        .map(|(sign, tone, name, kind, how)| {
            let name = text::left(name, name_room, cut);
            let kind = text::left(kind.as_str(), 11, cut);
            paint::line(
                &state.theme,
                [
                    piece(format!("  {sign} "), tone),
                    piece(format!("{name}  {kind}"), Tone::Plain),
                    piece(format!("  {}", text::right(&how, 5, cut)), tone),
                ],
            )
        })
        .collect()
}

fn latest(state: &State, run: &Run, room: usize) -> Line<'static> {
    let cut = state.theme.signs.cut;
    let (sign, _, tone) = state.theme.outcome(run.outcome);
    let at = run.ended_at.unwrap_or(run.started_at);
    let name_room = room.saturating_sub(28).clamp(8, 24);
    let changes_room = room.saturating_sub(name_room + 16);
    paint::line(
        &state.theme,
        [
            piece(format!("  {}", text::left(&state.zone.brief(at, state.now.wall), 9, cut)), Tone::Dim),
            piece(format!(" {sign} "), tone),
            piece(text::left(state.name_of(run), name_room, cut), Tone::Plain),
            piece(format!(" {}", text::left(&brief(run), changes_room, cut)), Tone::Plain),
        ],
    )
}

/// Returns the changes of a run as short as they can be told, `+3 ~1 -1`; empty when it found none.
pub fn brief(run: &Run) -> String {
    let tally = &run.tally;
    let counts =
        [("+", tally.added), ("~", tally.updated), ("-", tally.removed), ("=", tally.moved), ("!", tally.problems)];
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    counts.map(|(sign, count)| format!("{sign}{}", text::short_count(unsigned(*count)))).collect::<Vec<_>>().join(" ")
}
