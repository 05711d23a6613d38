//! What a click or the wheel means: the row, tab or key under it, and then what the keymap says. Pure.

use super::act;
use super::event::{Effect, Pointer};
use super::footer;
use super::keymap::Action;
use super::layout::first_row;
use super::state::{Focus, State};
use super::tabs;
use super::text::columns;

/// How many rows one step of the wheel is.
const WHEEL_ROWS: usize = 3;

/// Carries out what was done with the mouse.
pub fn point(state: &mut State, pointer: Pointer) -> Vec<Effect> {
    match pointer {
        Pointer::WheelUp => wheel(state, Action::Up),
        Pointer::WheelDown => wheel(state, Action::Down),
        Pointer::Click { x, y } => click(state, x, y),
    }
}

fn wheel(state: &mut State, action: Action) -> Vec<Effect> {
    (0..WHEEL_ROWS).flat_map(|_| act::act(state, action)).collect()
}

fn click(state: &mut State, x: u16, y: u16) -> Vec<Effect> {
    let Some(areas) = state.areas() else { return Vec::new() };
    if y == areas.footer.y {
        let found = footer::items(state, areas.footer).into_iter().find(|item| item.is_at(x));
        return found.map_or_else(Vec::new, |item| act::act(state, item.binding.action));
    }
    // A question is answered by its keys.
    if state.overlay.is_some() {
        return Vec::new();
    }
    let at = (x, y).into();
    if areas.list.contains(at) {
        state.focus = Focus::List;
        let rows = areas.list_rows();
        let listed: Vec<_> = state.listed().iter().map(|entry| entry.status.repository.id).collect();
        let selected = listed.iter().position(|id| Some(*id) == state.selected).unwrap_or(0);
        let first = first_row(listed.len(), selected, usize::from(rows.height));
        let clicked = rows.contains(at).then(|| listed.get(first + usize::from(y - rows.y)).copied()).flatten();
        return clicked.map_or_else(Vec::new, |id| act::select(state, Some(id)));
    }
    if areas.body.contains(at) {
        state.focus = Focus::Body;
        if y == areas.body.y {
            return show_tab(state, x.saturating_sub(areas.body.x + 1), areas.body.width);
        }
    }
    Vec::new()
}

/// Shows the tab whose title is so many columns from the first one.
fn show_tab(state: &mut State, column: u16, width: u16) -> Vec<Effect> {
    let mut end = 0;
    let found = tabs::titles(state, usize::from(width)).into_iter().find(|(_, words)| {
        end += columns(words);
        usize::from(column) < end
    });
    found.map_or_else(Vec::new, |(tab, _)| act::act(state, Action::Show(tab)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::super::state::{Overlay, Tab};
    use super::*;

    fn click_on(state: &mut State, x: u16, y: u16) -> Vec<Effect> {
        point(state, Pointer::Click { x, y })
    }

    #[test]
    fn a_click_selects_a_repository_shows_a_tab_or_presses_a_key() {
        let mut state = idle(80, 24);
        click_on(&mut state, 10, 5);
        assert_eq!(state.name(), Some("www"));
        let body = state.areas().unwrap().body;
        click_on(&mut state, 28, body.y);
        assert_eq!((state.tab, state.focus), (Tab::History, Focus::Body));
        click_on(&mut state, 79, 23);
        assert!(matches!(state.overlay, None | Some(Overlay::Help { .. })));
        let mut state = idle(80, 24);
        let effects = click_on(&mut state, 1, 23);
        assert!(matches!(effects[..], [Effect::Send { .. }]), "s stands there");
    }

    #[test]
    fn the_wheel_moves_and_a_question_takes_no_click() {
        let mut state = idle(80, 24);
        point(&mut state, Pointer::WheelDown);
        assert_eq!(state.name(), Some("www"));
        sync(&mut state);
        press(&mut state, "q");
        assert_eq!(click_on(&mut state, 10, 5), []);
        assert_eq!(state.overlay, Some(Overlay::Quit));
    }
}
