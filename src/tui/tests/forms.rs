//! Forms and plans as they look.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::domain::change::{Change, Verdict};
use crate::domain::report::StoredChange;
use crate::domain::run::Kind;
use crate::engine::estimate::Estimate;
use crate::engine::protocol::{Completions, Estimated, Plan};
use crate::tui::form::{Here, Which, open};

fn type_in(state: &mut State, text: &str) {
    text.chars().for_each(|c| drop(tell(state, Msg::Key(Key::Char(c)))));
}

fn told(state: &mut State, answer: Answer) {
    let ticket = state.forms.last_ticket();
    tell(state, Msg::Told { ticket, about: "add a repository".to_owned(), answer });
}

fn found(names: &[&str]) -> Answer {
    let directories = names.iter().map(|name| PathBuf::from(format!("/srv/data/{name}"))).collect();
    Answer::Completions(Completions { directories, is_cut: false })
}

fn estimated(watches_free: u64, whole: Option<&str>) -> Answer {
    let estimate = Estimate {
        files: 9_204,
        bytes: 12_300_000_000,
        watches_needed: 512,
        watches_free: Some(watches_free),
        unreadable: 3,
        first_sync_ms: 41_000,
        is_cut: false,
    };
    let whole = whole.map(str::to_owned);
    Answer::Estimated(Box::new(Estimated { path: "/srv/data/music".into(), name: "music".to_owned(), whole, estimate }))
}

/// Any answer that a form may get.
pub fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(found(&["music", "musik", "東京\u{1b}[2J"])),
        Just(found(&[])),
        Just(estimated(9, Some("the whole system"))),
        Just(estimated(9, None)),
        Just(Answer::Added { name: "r1".to_owned(), is_new: true }),
        Just(Answer::Done { count: 1 }),
        Just(Answer::Refused(Refusal::new("conflict", "no"))),
        Just(Answer::Planned(vec![plan()])),
    ]
}

fn adding(mut state: State, typed: &str) -> State {
    state.forms.here = Here { home: Some("/home/anna".into()), directory: "/srv/data".into(), ..Here::default() };
    press(&mut state, "a");
    told(&mut state, found(&["music", "museum", "pictures", "old pictures", "東京"]));
    type_in(&mut state, typed);
    state
}

#[test]
fn the_first_repository_is_added_right_there() {
    check("form_add", |width, height| {
        let mut state = adding(with(blank(width, height), Vec::new()), "mus");
        told(&mut state, found(&["museum", "music"]));
        state
    });
}

#[test]
fn an_estimate_stands_before_an_addition() {
    check("form_counted", |width, height| {
        let mut state = adding(idle(width, height), "music");
        press(&mut state, "enter");
        told(&mut state, estimated(171_056, None));
        state
    });
}

#[test]
fn a_home_directory_asks_and_too_few_watches_are_told() {
    check("form_whole", |width, height| {
        let mut state = adding(idle(width, height), "/home/anna");
        press(&mut state, "enter");
        told(&mut state, estimated(90, Some("your whole home directory")));
        press(&mut state, "enter");
        state
    });
}

#[test]
fn a_long_refusal_stands_in_the_form() {
    check("form_refused", |width, height| {
        let mut state = adding(idle(width, height), "/srv/photos/2026");
        press(&mut state, "enter");
        let message =
            "/srv/photos/2026 overlaps the repository photos at /srv/photos; each file belongs to one repository";
        told(&mut state, Answer::Refused(Refusal::new("conflict", message)));
        state
    });
}

#[test]
fn settings_are_offered_with_what_is_set() {
    check("form_set", |width, height| {
        let mut state = idle(width, height);
        open(&mut state, Which::Set);
        type_in(&mut state, "sync.ver");
        state
    });
    check("form_schedule", |width, height| {
        let mut state = idle(width, height);
        let settings = [("startup", "full"), ("full_every", "24h"), ("full_at", ""), ("incremental_every", "5m")];
        state.forms.scheduler.settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        open(&mut state, Which::Schedule);
        state
    });
}

#[test]
fn a_name_that_cannot_be_says_so_beside_it() {
    check("form_fault", |width, height| {
        let mut state = idle(width, height);
        open(&mut state, Which::Rename);
        tell(&mut state, Msg::Key(Key::Ctrl('u')));
        press(&mut state, "enter");
        state
    });
}

#[test]
fn removing_asks_for_the_name() {
    check("remove", |width, height| {
        let mut state = idle(width, height);
        press(&mut state, "d");
        type_in(&mut state, "mai");
        state
    });
}

fn plan() -> Plan {
    let change = |at: i64, verdict, path: &str| StoredChange {
        run_id: "01P".to_owned(),
        repository: "mail".to_owned(),
        at: NOW,
        change: Change {
            verdict,
            path: RelPath::from_stored(path.as_bytes().to_vec()),
            old_path: (verdict == Verdict::Moved).then(|| RelPath::from_stored(b"draft/a.md".to_vec())),
            directory_files: (at == 2).then_some(50_000),
            old_size_bytes: Some(at * 1_000),
            new_size_bytes: None,
            old_sha256: None,
            new_sha256: None,
            note: None,
        },
        note: None,
    };
    let first =
        [(Verdict::Added, "img/2026/logo.svg"), (Verdict::Moved, "posts/a.md"), (Verdict::Removed, "old/\u{1b}[2J")];
    let rest =
        (0..40).map(|_| (Verdict::Edited, "a/rather/long/path/that/goes/on/and/on/until/it/is/too/long/東京.raw"));
    let changes = (1..).zip(first.into_iter().chain(rest)).map(|(at, (verdict, path))| change(at, verdict, path));
    Plan { run: run(2, "mail", 4_200, Kind::Full, Outcome::Held, 0), changes: changes.collect() }
}

#[test]
fn a_plan_shows_its_sum_and_its_changes() {
    check("plan", |width, height| {
        let mut state = idle(width, height);
        press(&mut state, "t");
        tell(&mut state, Msg::Answered { to: "plan mail".to_owned(), answer: Answer::Planned(vec![plan()]) });
        press(&mut state, "j");
        state
    });
}

#[test]
fn a_plan_is_done_only_when_that_is_asked_for_and_pushes_itself_in_front_of_nothing() {
    let mut state = idle(80, 24);
    let planned = || Msg::Answered { to: "plan mail".to_owned(), answer: Answer::Planned(vec![plan()]) };
    press(&mut state, "a");
    tell(&mut state, planned());
    assert!(matches!(state.overlay, Some(super::super::state::Overlay::Form(_))));
    press(&mut state, "esc");
    tell(&mut state, planned());
    assert_eq!(press(&mut state, "esc"), []);
    assert_eq!(state.overlay, None);
    tell(&mut state, planned());
    assert_eq!(press(&mut state, "enter"), [], "it may have been meant for something else");
    assert!(matches!(press(&mut state, "s")[..], [super::super::event::Effect::Send { .. }]));
    assert_eq!(state.asked.as_deref(), Some("watchkeeper sync mail"));
}
