//! What a key or a host's news does. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{Hosts, Known, Line, News, Row};
use super::{Errand, Leave};

/// Header, the row of titles, footer.
const AROUND: usize = 3;
/// More repositories than this one host cannot have: it floods.
const MOST_REPOSITORIES: usize = 1_000;

/// What happened.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(KeyEvent),
    Height(u16),
    News(usize, News),
}

/// Takes what happened in; returns what is to be done outside.
pub fn update(hosts: &mut Hosts, msg: Msg) -> Option<Errand> {
    match msg {
        Msg::Height(height) => hosts.height = height,
        Msg::News(host, news) => hear(hosts, host, news),
        Msg::Key(key) => return press(hosts, key),
    }
    keep_in_view(hosts);
    None
}

fn hear(hosts: &mut Hosts, at: usize, news: News) {
    let Some(host) = hosts.hosts.get_mut(at) else { return };
    match news {
        News::Said(message) => hosts.message = Some(format!("{}: {message}", host.name)),
        // What was last heard stays, so that a lost line hides no trouble.
        News::Lost(reason) => host.line = Line::Lost(reason),
        News::Line(line) => {
            let Some(known) = Known::read(&line) else { return };
            host.line = Line::Heard;
            if host.repositories.len() >= MOST_REPOSITORIES && !host.repositories.contains_key(&known.repository) {
                return;
            }
            match known.state == "removed" {
                true => drop(host.repositories.remove(&known.repository)),
                false => drop(host.repositories.insert(known.repository.clone(), known)),
            }
            if !hosts.rows().contains(&hosts.selected) {
                hosts.selected.repository = None;
            }
        }
    }
}

fn press(hosts: &mut Hosts, key: KeyEvent) -> Option<Errand> {
    hosts.message = None;
    let page = isize::try_from(usize::from(hosts.height).saturating_sub(AROUND) / 2).unwrap_or(1).max(1);
    let by = match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Some(Errand::Leave(Leave::Quit)),
        KeyCode::Char('q') | KeyCode::Esc => return Some(Errand::Leave(Leave::Quit)),
        KeyCode::Enter => return Some(Errand::Leave(Leave::Open(hosts.selected.host))),
        KeyCode::Char('s') => {
            let name = hosts.selected.repository.clone();
            if name.is_none() {
                hosts.message = Some("select a repository to sync".to_owned());
            }
            return name.map(|name| {
                hosts.message = Some(format!("{name}: asking"));
                Errand::Sync(hosts.selected.host, name)
            });
        }
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::PageUp => -page,
        KeyCode::PageDown => page,
        KeyCode::Home | KeyCode::Char('g') => isize::MIN,
        KeyCode::End | KeyCode::Char('G') => isize::MAX,
        _ => 0,
    };
    let rows = hosts.rows();
    let at = place(hosts, &rows).saturating_add_signed(by).min(rows.len().saturating_sub(1));
    if let Some(row) = rows.get(at) {
        hosts.selected = row.clone();
    }
    keep_in_view(hosts);
    None
}

fn place(hosts: &Hosts, rows: &[Row]) -> usize {
    rows.iter().position(|row| *row == hosts.selected).unwrap_or(0)
}

fn keep_in_view(hosts: &mut Hosts) {
    let rows = hosts.rows();
    let (at, room) = (place(hosts, &rows), usize::from(hosts.height).saturating_sub(AROUND).max(1));
    hosts.scroll = hosts.scroll.clamp((at + 1).saturating_sub(room), at);
    hosts.scroll = hosts.scroll.min(rows.len().saturating_sub(room));
}
