//! The Health tab: asked for, waited for, answered.

use super::*;
use crate::engine::doctor::{Check, State as How};
use crate::engine::protocol::Command;
use crate::tui::event::Effect;

pub fn checks() -> Vec<Check> {
    let check = |name: &str, state, message: &str, hint: Option<&str>| Check {
        name: name.to_owned(),
        state,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
        value: serde_json::Value::Null,
    };
    let raise = "raise fs.inotify.max_user_watches, now 8,192, needed 46,211: write the line \
                 `fs.inotify.max_user_watches = 65536` to /etc/sysctl.d/60-watchkeeper.conf and run `sudo sysctl --system`";
    vec![
        check("version", How::Ok, "watchkeeper 0.1.0", None),
        check("integrity", How::Ok, "every page is in order", None),
        check("watches", How::Warn, "8,000 used of 8,192; 40,211 needed", Some(raise)),
        check("space", How::Fail, "0 B free for the index", Some("free some space before the index cannot grow")),
        check("clock", How::Ok, "2026-11-20T14:32:00.000Z", None),
    ]
}

#[test]
fn health_shows_the_worst_check_first() {
    check("health", |width, height| {
        let mut state = idle(width, height);
        press(&mut state, "7");
        tell(&mut state, Msg::Answered { to: "doctor".to_owned(), answer: Answer::Examined(checks()) });
        state
    });
}

#[test]
fn the_engine_is_asked_when_the_tab_opens_and_not_twice_at_once() {
    let mut state = idle(80, 24);
    let asked = [Effect::Send { command: Command::Examine, about: "doctor".to_owned() }];
    assert_eq!(press(&mut state, "7"), asked);
    assert!(text(&draw(&state)).contains("Looking everything over"));
    assert_eq!(press(&mut state, "r"), []);
    let refused = Answer::Refused(Refusal::new("failed", "the index file has gone"));
    tell(&mut state, Msg::Answered { to: "doctor".to_owned(), answer: refused });
    assert_eq!(press(&mut state, "r"), asked, "r looks again");
    assert_eq!(state.tab, Tab::Health);
}
