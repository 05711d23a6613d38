//! The Changes tab and what happened while the person was away: snapshots, paging and filters.

use super::super::act::{act, narrow};
use super::super::changes::{GroupQuery, Pages, PagesQuery, reads};
use super::super::event::{Effect, Msg, Query, Rows};
use super::super::fixture::*;
use super::super::keymap::Action;
use super::super::state::{Place, State, Tab};
use super::{check, draw, text};
use crate::domain::change::{Change, Verdict};
use crate::domain::moment::Timestamp;
use crate::domain::path::RelPath;
use crate::domain::report::{Run, StoredChange};
use crate::domain::repository::RepositoryId;
use crate::engine::protocol::Event;
use crate::index::{Away, AwayCounts, ChangeGroup, GroupKey, TimelinePage};

const SINCE: Timestamp = Timestamp(NOW.0 - 2 * DAY - 3 * HOUR);

fn path(text: &str) -> RelPath {
    RelPath::from_stored(text.as_bytes().to_vec())
}

/// (repository, run, age in minutes, verdict, directory, moved from, files).
type Line = (i64, i64, i64, Verdict, &'static str, Option<&'static str>, i64);

const LINES: &[Line] = &[
    (1, 90, 1, Verdict::Added, "2026/09", None, 204),
    (3, 89, 12, Verdict::Edited, "", None, 1),
    (6, 88, 120, Verdict::Damaged, "pictures", None, 1),
    (1, 87, 1_500, Verdict::Touched, "2026/08/a/very/long/way/down/to/where/the/files/of/this/run/are", None, 12),
    (4, 86, 4_000, Verdict::Moved, "archive/2019", Some("2019"), 50_000),
    (1, 85, 4_100, Verdict::Removed, "tmp", None, 3),
    (2, 84, 9_000, Verdict::Replaced, "inbox", None, 2),
    (2, 84, 9_001, Verdict::Restored, "inbox", None, 1),
];

/// One group a line; `ids` are 1000 apart, and fall with the line.
fn groups(lines: &[Line], shift: i64, since: Option<Timestamp>) -> Vec<ChangeGroup> {
    let group = |(at, (repository, run, age, verdict, place, from, files)): (usize, &Line)| {
        let last = 100_000 - at as i64 * 1_000 + shift;
        let at = Timestamp(NOW.0 - age * MINUTE);
        ChangeGroup {
            key: GroupKey {
                run: *run,
                repository: RepositoryId(*repository),
                verdict: *verdict,
                place: path(place),
                moved_from: from.map(path),
                is_new: since.is_some_and(|since| at >= since),
            },
            changes: *files,
            files: *files,
            ids: (last - 10, last),
            at,
            only: (*files == 1).then(|| (path(place).join(b"IMG_0001.raw"), None)),
        }
    };
    lines.iter().enumerate().map(group).collect()
}

fn page(groups: Vec<ChangeGroup>, is_end: bool) -> TimelinePage {
    let first = groups.iter().map(|group| group.ids.0).min();
    let last = groups.iter().map(|group| group.ids.1).max();
    TimelinePage { ids: first.zip(last), is_end, groups }
}

fn wanted(state: &State) -> Option<PagesQuery> {
    reads(state).into_iter().find_map(|effect| match effect {
        Effect::Read(Query::Changes(query)) => Some(query),
        _ => None,
    })
}

/// Tells the state what it asked for, as the reading thread would; returns what it asks for then.
fn answer(state: &mut State, newer: TimelinePage, older: Option<TimelinePage>) -> Vec<Effect> {
    let query = wanted(state).unwrap();
    tell(state, Msg::Rows(Rows::Changes(Pages { query, newer, older })))
}

/// Answers whatever the tab asks for; a test of random use.
pub fn answer_all(state: &mut State, shift: i64) {
    for effect in reads(state) {
        match effect {
            Effect::Read(Query::Changes(query)) => {
                let since = query.asked.since;
                let newer = page(groups(&LINES[..shift as usize * 2], shift * 100_000, since), true);
                let older = page(groups(LINES, -100_000, since), shift % 2 == 0);
                let older = query.before.map(|_| older);
                tell(state, Msg::Rows(Rows::Changes(Pages { query, newer, older })));
            }
            Effect::Read(Query::Group(query)) => give_changes(state, &query, shift),
            _ => {}
        }
    }
}

fn give_changes(state: &mut State, query: &GroupQuery, count: i64) {
    let change = |at: i64| StoredChange {
        run_id: "01R".to_owned(),
        repository: "photos".to_owned(),
        at: Timestamp(NOW.0 - MINUTE),
        change: Change {
            verdict: query.key.verdict,
            path: query.key.place.join(format!("IMG_{at:04}.raw").as_bytes()),
            old_path: query.key.moved_from.as_ref().map(|from| from.join(format!("IMG_{at:04}.raw").as_bytes())),
            directory_files: None,
            old_size_bytes: (query.key.verdict == Verdict::Edited).then_some(1_204),
            new_size_bytes: Some(24_118_204),
            old_sha256: None,
            new_sha256: Some([0xa7; 32]),
            note: None,
        },
        note: (at == 2).then(|| "its time stamp was put back".to_owned()),
    };
    let first = query.after + 1;
    let rows = (first..first + count).map(|at| (at, change(at))).collect();
    tell(state, Msg::Rows(Rows::Group(query.clone(), rows)));
}

/// The Changes tab of someone who was here some days ago.
fn timeline(width: u16, height: u16) -> State {
    let mut state = afternoon(width, height);
    state.changes.since = Some(SINCE);
    press(&mut state, "6");
    answer(&mut state, page(groups(LINES, 0, Some(SINCE)), true), None);
    state
}

#[test]
fn the_timeline_has_a_border_where_the_person_was_last_here() {
    check("changes", |width, height| {
        let mut state = timeline(width, height);
        press(&mut state, "j j j");
        state
    });
}

#[test]
fn an_open_group_shows_its_changes_and_the_selected_one_in_full() {
    check("changes_open", |width, height| {
        let mut state = timeline(width, height);
        let asked = press(&mut state, "enter");
        let [Effect::Read(Query::Group(query))] = &asked[..] else { panic!("{asked:?}") };
        give_changes(&mut state, query, 204);
        press(&mut state, "j");
        state
    });
}

fn away() -> Away {
    let counts = AwayCounts { changes: 210, ..AwayCounts::default() };
    let home = AwayCounts { damaged: 1, problems: 3, changes: 4, ..AwayCounts::default() };
    let archive = AwayCounts { failed_runs: 2, held: 12_431, ..AwayCounts::default() };
    let repositories = vec![(RepositoryId(1), counts), (RepositoryId(4), archive), (RepositoryId(6), home)];
    Away { repositories, is_more: false }
}

fn returned(width: u16, height: u16) -> State {
    let mut state = afternoon(width, height);
    state.changes.since = Some(SINCE);
    tell(&mut state, Msg::Rows(Rows::Away(SINCE, away())));
    state
}

#[test]
fn what_happened_meanwhile_is_said_at_the_start() {
    check("away_notice", returned);
}

#[test]
fn what_happened_meanwhile_is_shown_in_full() {
    check("away", |width, height| {
        let mut state = returned(width, height);
        act(&mut state, Action::Away);
        tell(&mut state, Msg::Rows(Rows::Away(SINCE, away())));
        assert_eq!(state.notices.len(), 1, "it is said once");
        state
    });
}

#[test]
fn nothing_is_said_when_nothing_happened() {
    let mut state = idle(80, 24);
    state.changes.since = Some(SINCE);
    tell(&mut state, Msg::Rows(Rows::Away(SINCE, Away::default())));
    assert_eq!(state.notices, []);
}

#[test]
fn what_the_runs_of_the_start_find_is_added_until_it_was_seen() {
    let mut state = returned(80, 24);
    let Some(mut found) = state.entries()[0].status.last_run.clone() else { panic!("no run") };
    found.started_at = NOW;
    let ended = |state: &mut State, run: &Run| tell(state, Msg::Engine(Event::RunFinished(Box::new(run.clone()))));
    let asks = Effect::Read(Query::Away(SINCE));
    assert!(!ended(&mut state, &Run { started_at: Timestamp(NOW.0 + 1), ..found.clone() }).contains(&asks));
    found.trigger = "startup".to_owned();
    assert!(ended(&mut state, &found).contains(&asks));
    let mut more = away();
    more.repositories[0].1.changes += 1;
    tell(&mut state, Msg::Rows(Rows::Away(SINCE, more)));
    let texts: Vec<_> = state.notices.iter().map(|notice| notice.text.as_str()).collect();
    assert!(matches!(texts[..], [text] if text.contains("215 changes")), "{texts:?}");
    press(&mut state, "esc");
    tell(&mut state, Msg::Rows(Rows::Away(SINCE, away())));
    assert_eq!(state.notices, []);
}

#[test]
fn a_key_after_a_long_pause_asks_what_happened_since_the_one_before() {
    let mut state = idle(80, 24);
    assert_eq!(press(&mut state, "z"), []);
    state.away.seen_at = Timestamp(NOW.0 - HOUR);
    assert_eq!(press(&mut state, "z"), [Effect::Read(Query::Away(Timestamp(NOW.0 - HOUR)))]);
    assert_eq!(press(&mut state, "z"), []);
}

#[test]
fn what_comes_grows_at_both_ends_and_the_selection_stays() {
    let mut state = afternoon(80, 24);
    press(&mut state, "6");
    answer(&mut state, page(groups(&LINES[2..4], -2_000, None), false), None);
    press(&mut state, "j");
    let selected = state.changes.at.clone();
    let query = wanted(&state).unwrap();
    assert_eq!((query.after, query.before), (Some(98_000), Some(96_990)));
    // The first group goes on in what came, the second in what was before.
    let mut newer = groups(&LINES[..3], 10_000, None);
    newer.reverse();
    let asked = answer(&mut state, page(newer, true), Some(page(groups(&LINES[3..], -10_000, None), true)));
    assert_eq!(asked, []);
    let files: Vec<i64> = (0..state.changes.len()).map(|at| state.changes.get(at).unwrap().files).collect();
    assert_eq!(files, [204, 1, 2, 24, 50_000, 3, 2, 1]);
    assert_eq!(state.changes.at, selected);
    assert!(!state.changes.has_older());
}

#[test]
fn a_late_page_is_dropped() {
    let mut state = afternoon(80, 24);
    press(&mut state, "6");
    let query = wanted(&state).unwrap();
    press(&mut state, "A");
    let newer = page(groups(LINES, 0, None), true);
    tell(&mut state, Msg::Rows(Rows::Changes(Pages { query, newer, older: None })));
    assert!(state.changes.is_unread());
}

#[test]
fn a_filter_looks_at_path_repository_and_verdict() {
    let mut state = timeline(120, 40);
    for (typed, shown) in [("damaged", 1), ("mail", 2), ("2019/ archive/2019/", 1), ("!photos", 5), ("nowhere", 0)] {
        narrow(&mut state, Place::Tab(Tab::Changes), typed.to_owned());
        assert_eq!(state.changes.len(), shown, "{typed}");
    }
    assert!(text(&draw(&state)).contains("No change matches the filter"));
}

#[test]
fn a_capital_a_shows_only_the_selected_repository() {
    let mut state = timeline(120, 40);
    press(&mut state, "A");
    assert_eq!(state.changes.len(), 1);
    assert_eq!(wanted(&state).unwrap().asked.repository, Some(RepositoryId(4)));
    press(&mut state, "0 j");
    assert_eq!(wanted(&state).unwrap().asked.repository, state.selected);
}

#[test]
fn a_hundred_thousand_groups_cost_no_more_than_the_window() {
    let mut state = afternoon(120, 40);
    press(&mut state, "6");
    let mut many = Vec::new();
    for at in 0..100_000 {
        let mut group = groups(&LINES[..1], -at * 20, None).remove(0);
        group.key.run = at;
        many.push(group);
    }
    answer(&mut state, page(many, true), None);
    press(&mut state, "G z");
    assert!(text(&draw(&state)).contains("100,000 of 100,000"));
}

#[test]
fn where_no_older_ones_are_read_the_rule_says_so() {
    let mut state = idle(200, 60);
    press(&mut state, "6");
    let group = groups(&LINES[..1], 0, None).remove(0);
    let many = |count: i64| -> Vec<ChangeGroup> {
        let part = |at| ChangeGroup {
            key: GroupKey { run: at, ..group.key.clone() },
            ids: (2_000_000 - at, 2_000_000 - at),
            ..group.clone()
        };
        (0..count).map(part).collect()
    };
    answer(&mut state, page(many(100), false), None);
    assert!(text(&draw(&state)).contains("1 of 100+"));
    let mut state = idle(200, 60);
    press(&mut state, "6");
    answer(&mut state, page(many(100_000), false), None);
    assert!(text(&draw(&state)).contains("1 of the newest 100,000"));
}
