//! What the list of hosts shows, and what its keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::text::Zone;
use super::super::theme::{Choice, Theme};
use super::model::{Hosts, Line, News, Row};
use super::update::{Msg, update};
use super::{Errand, Leave, view};
use crate::domain::moment::Timestamp;

const NOON: i64 = 1_795_780_800_000;

fn status(repository: &str, state: &str, problems: i64) -> News {
    let line = serde_json::json!({
        "repository": repository, "state": state, "true_as_of": "2026-11-27T11:58:00.000Z", "total_files": 20_114,
        "open_problems": problems, "damaged": 0, "held": 0, "a_key_of_a_later_version": 1,
    });
    News::Line(line.to_string())
}

/// Three hosts: one with trouble, one that is well, one that cannot be reached.
fn three() -> Hosts {
    let mut hosts = Hosts::new(["me@nas", "backup", "mail"].map(str::to_owned).to_vec(), 24);
    hosts.zone = Zone::Utc;
    hosts.now = Timestamp(NOON);
    for (host, news) in [
        (0, status("photos", "in_sync", 0)),
        (0, status("journal", "failed", 3)),
        (1, status("archive\u{1b}[2J", "in_sync", 0)),
        (2, News::Lost("ssh: connect to host mail port 22: No route to host".to_owned())),
    ] {
        assert_eq!(update(&mut hosts, Msg::News(host, news)), None);
    }
    hosts
}

fn press(hosts: &mut Hosts, code: KeyCode) -> Option<Errand> {
    update(hosts, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn shown(hosts: &Hosts, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let theme = Theme::new(Choice::Mono, false);
    terminal.draw(|frame| view::view(hosts, &theme, frame)).unwrap();
    let lines = terminal.backend().to_string();
    lines.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
}

#[test]
fn several_hosts_are_groups_of_one_list_with_trouble_first() {
    let mut hosts = three();
    press(&mut hosts, KeyCode::Down);
    insta::assert_snapshot!(shown(&hosts, 80, 12));
    insta::assert_snapshot!(shown(&hosts, 40, 10));
}

#[test]
fn enter_opens_the_host_of_the_selected_row_and_s_syncs_its_repository() {
    let mut hosts = three();
    assert_eq!(press(&mut hosts, KeyCode::Enter), Some(Errand::Leave(Leave::Open(0))));
    assert_eq!(press(&mut hosts, KeyCode::Char('s')), None, "a host is no repository");
    press(&mut hosts, KeyCode::Down);
    assert_eq!(press(&mut hosts, KeyCode::Char('s')), Some(Errand::Sync(0, "journal".to_owned())));
    press(&mut hosts, KeyCode::End);
    assert_eq!(press(&mut hosts, KeyCode::Enter), Some(Errand::Leave(Leave::Open(2))));
    press(&mut hosts, KeyCode::Home);
    assert_eq!(hosts.selected, Row { host: 0, repository: None });
    assert_eq!(press(&mut hosts, KeyCode::Char('q')), Some(Errand::Leave(Leave::Quit)));
}

#[test]
fn what_was_heard_of_a_lost_host_stays_until_it_is_heard_again() {
    let mut hosts = three();
    update(&mut hosts, Msg::News(0, News::Lost("the line is dead".to_owned())));
    assert_eq!(hosts.hosts[0].repositories.len(), 2);
    assert!(shown(&hosts, 100, 12).contains("the line is dead"));
    let well = |hosts: &Hosts| shown(hosts, 100, 12).matches("in sync").count();
    assert_eq!((well(&three()), well(&hosts)), (2, 1), "that all is well there is not claimed");
    update(&mut hosts, Msg::News(0, status("photos", "removed", 0)));
    assert_eq!((hosts.hosts[0].line.clone(), hosts.hosts[0].repositories.len()), (Line::Heard, 1));
    // Lines that are none of ours say nothing.
    update(&mut hosts, Msg::News(0, News::Line("Welcome to nas!".to_owned())));
    assert_eq!(hosts.hosts[0].repositories.len(), 1);
}

#[test]
fn a_host_that_floods_takes_no_memory() {
    let mut hosts = three();
    for number in 0..3_000 {
        update(&mut hosts, Msg::News(1, status(&format!("r{number}"), "in_sync", 0)));
    }
    assert_eq!(hosts.hosts[1].repositories.len(), 1_000);
    update(&mut hosts, Msg::News(1, status("r7", "failed", 0)));
    assert!(shown(&hosts, 100, 12).contains("2 failed"), "those that are known are heard of");
}

#[test]
fn the_selected_row_is_in_view_on_every_screen() {
    let mut hosts = three();
    for number in 0..50 {
        update(&mut hosts, Msg::News(1, status(&format!("r{number:02}"), "in_sync", 0)));
    }
    for height in [1, 3, 4, 10, 200] {
        update(&mut hosts, Msg::Height(height));
        for code in [KeyCode::End, KeyCode::Home, KeyCode::PageDown, KeyCode::Down, KeyCode::Up, KeyCode::PageUp] {
            press(&mut hosts, code);
            let rows = hosts.rows();
            let at = rows.iter().position(|row| *row == hosts.selected).unwrap();
            let room = usize::from(height).saturating_sub(3).max(1);
            assert!((hosts.scroll..hosts.scroll + room).contains(&at), "{height} {code:?}: {at}, {}", hosts.scroll);
            for width in [1, 5, 20, 80] {
                shown(&hosts, width, height);
            }
        }
    }
}
