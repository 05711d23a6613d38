//! The Files tab: a directory of a million, what a search has found, one file in full; and what keys and rows do to it.

use super::*;
use crate::domain::change::{Change, Verdict};
use crate::domain::moment::Timestamp;
use crate::domain::record::{FileType, Stamp};
use crate::domain::report::{FileEntry, StoredChange};
use crate::domain::run::Kind;
use crate::engine::protocol::Command;
use crate::engine::why::Why;
use crate::index::{Listed, Mark, Page, RowKey, RowSort, Seek};
use crate::tui::event::{Effect, Query};
use crate::tui::pane::files::{Ask, FileRows, Found, Told};
use crate::tui::state::{Focus, Place, Tab};

fn path(bytes: &[u8]) -> RelPath {
    RelPath::from_stored(bytes.to_vec())
}

fn file(at: usize, of: &[u8], mark: Mark) -> Listed {
    let read = Some(Timestamp(NOW.0 - 2 * HOUR)).filter(|_| mark != Mark::Unread);
    Listed {
        path: path(of),
        sort: RowSort::File {
            is_symlink: at == 5,
            size_bytes: 38_112_233 >> at.min(30),
            sha256: read.map(|_| [0xab; 32]),
            read,
        },
        mark,
        modified: Some(Timestamp(NOW.0 - (at as i64 + 1) * 5 * DAY)),
    }
}

fn directory(of: &[u8], mark: Mark) -> Listed {
    Listed { path: path(of), sort: RowSort::Directory, mark, modified: Some(Timestamp(NOW.0 - HOUR)) }
}

/// Directories, then files of every mark and with hostile names, then many more.
fn listed() -> Vec<Listed> {
    let mut rows = vec![directory(b"2025", Mark::Same), directory(b"lost", Mark::Unseen)];
    let names: [(&[u8], Mark); 7] = [
        (b"IMG_20260914_173355_panorama_of_the_whole_valley_with_both_lakes_final_v2.raw", Mark::Same),
        (b"IMG_2\x1b[31m.raw", Mark::Damaged),
        (b"held.raw", Mark::Held),
        (b"locked.raw", Mark::Problem),
        (b"new.raw", Mark::New),
        ("東京/".strip_suffix('/').unwrap().as_bytes(), Mark::Same),
        (b"unread\xff.raw", Mark::Unread),
    ];
    rows.extend(names.iter().enumerate().map(|(at, (name, mark))| file(at, name, *mark)));
    rows.extend((0..500).map(|at| file(9, format!("z{at:06}.raw").as_bytes(), Mark::Same)));
    rows
}

fn asked(effects: &[Effect]) -> Option<&Ask> {
    effects.iter().find_map(|effect| match effect {
        Effect::Read(Query::Files(ask)) => Some(ask),
        _ => None,
    })
}

fn tell_page(state: &mut State, seek: Seek, page: Page) {
    let (repository, directory) = (state.selected.unwrap(), state.files.directory.clone());
    let page = Some(page);
    tell(state, Msg::Rows(Rows::Files(Box::new(Told::Page { repository, directory, seek, page }))));
}

fn tell_count(state: &mut State, before: u64, total: u64) {
    let (repository, directory) = (state.selected.unwrap(), state.files.directory.clone());
    let first = state.files.rows()[0].key();
    let told = Told::Counted { repository, directory, first, before, total };
    tell(state, Msg::Rows(Rows::Files(Box::new(told))));
}

fn tell_found(state: &mut State, words: &str, rows: Vec<Listed>, sum: Found) {
    let (repository, below) = (state.selected.unwrap(), state.files.directory.clone());
    let told = Told::Found { repository, below, words: words.to_owned(), rows, sum };
    tell(state, Msg::Rows(Rows::Files(Box::new(told))));
}

/// Files of `photos`, the first page of a million, read and counted.
fn browsing(width: u16, height: u16) -> State {
    let mut state = idle(width, height);
    select(&mut state, "photos");
    press(&mut state, "5");
    tell_page(&mut state, Seek::First, Page { rows: listed(), has_before: false, has_after: true });
    tell_count(&mut state, 0, 1_000_000);
    state
}

fn file_rows(state: &State) -> FileRows {
    let record = FileEntry {
        path: path(b"IMG_2\x1b[31m.raw"),
        file_type: FileType::File,
        stamp: Stamp {
            size_bytes: 38_112_233,
            mtime_ns: (NOW.0 - DAY) * 1_000_000,
            inode: 1_409_221,
            ..Stamp::default()
        },
        sha256: Some([0xab; 32]),
        hashed_at: Some(Timestamp(NOW.0 - DAY)),
        verified_at: Some(Timestamp(NOW.0 - 2 * HOUR)),
        last_scanned: Timestamp(NOW.0 - 4 * MINUTE),
        scan_generation: 4_171,
        created_at: Timestamp(NOW.0 - 60 * DAY),
        updated_at: Timestamp(NOW.0 - DAY),
        is_held: false,
        is_damaged: true,
    };
    let change = Change {
        verdict: Verdict::Edited,
        path: record.path.clone(),
        old_path: None,
        directory_files: None,
        old_size_bytes: Some(36_000_000),
        new_size_bytes: Some(38_112_233),
        old_sha256: None,
        new_sha256: None,
        note: None,
    };
    let stored = |change, days: i64| StoredChange {
        run_id: "01R".to_owned(),
        repository: "photos".to_owned(),
        at: Timestamp(NOW.0 - days * DAY),
        change,
        note: None,
    };
    let moved = Change {
        verdict: Verdict::Moved,
        old_path: Some(path(b"inbox/\x1b[31m.raw")),
        old_size_bytes: None,
        ..change.clone()
    };
    let why = Why {
        left_out_by: Ok(None),
        written_by: Some((4_171, Some(run(1, "photos", 4_171, Kind::Full, Outcome::Completed, 4 * MINUTE)))),
        changes: vec![stored(change, 1), stored(moved, 30)],
        problem: None,
        damage: None,
        record: Some(record),
    };
    FileRows { repository: state.selected.unwrap(), path: path(b"IMG_2\x1b[31m.raw"), mark: Some(Mark::Damaged), why }
}

#[test]
fn a_directory_of_the_index_is_a_table() {
    check("files", |width, height| {
        let mut state = browsing(width, height);
        press(&mut state, "j j j");
        state
    });
}

#[test]
fn what_a_search_has_found_stands_with_its_directories() {
    check("files_found", |width, height| {
        let mut state = browsing(width, height);
        press(&mut state, "/");
        for letter in "*.raw".chars() {
            tell(&mut state, Msg::Key(Key::Char(letter)));
        }
        let rows =
            vec![file(0, b"2025/08/kisumu/IMG_20250811_080000.raw", Mark::Same), file(1, b"held.raw", Mark::Held)];
        let sum = Found { looked_at: 131_072, matches: 2, ..Found::default() };
        tell_found(&mut state, "*.raw", rows, sum);
        state
    });
}

#[test]
fn one_file_in_full() {
    check("files_detail", |width, height| {
        let mut state = browsing(width, height);
        press(&mut state, "j j j enter");
        let rows = file_rows(&state);
        tell(&mut state, Msg::Rows(Rows::File(Box::new(rows))));
        state
    });
}

#[test]
fn near_the_edge_the_next_page_is_asked_for_and_the_selection_stays() {
    let mut state = browsing(80, 24);
    assert_eq!(asked(&press(&mut state, "j")), None);
    let last = state.files.rows().last().unwrap().key();
    let effects = press(&mut state, "pgdn ".repeat(200).as_str());
    assert!(matches!(asked(&effects), Some(Ask::Page { seek: Seek::Around(key), .. }) if *key == last));
    let next = (300..812).map(|at| file(9, format!("z{at:06}.raw").as_bytes(), Mark::Same)).collect();
    tell_page(&mut state, Seek::Around(last.clone()), Page { rows: next, has_before: true, has_after: true });
    assert_eq!(state.files.selected().map(Listed::key), Some(last));
    assert_eq!(state.files.first, Some(309), "known from the row that both pages hold");
}

#[test]
fn both_ends_of_a_million_rows_are_one_key_away() {
    let mut state = browsing(80, 24);
    let effects = press(&mut state, "G");
    assert!(matches!(asked(&effects), Some(Ask::Page { seek: Seek::Last, .. })));
    let rows: Vec<_> = (0..512).map(|at| file(9, format!("zz{at:06}.raw").as_bytes(), Mark::Same)).collect();
    tell_page(&mut state, Seek::Last, Page { rows, has_before: true, has_after: false });
    assert_eq!(state.files.selected().unwrap().path, path(b"zz000511.raw"));
    assert_eq!(state.files.first, Some(999_488));
    let effects = press(&mut state, "g");
    assert!(matches!(asked(&effects), Some(Ask::Page { seek: Seek::First, .. })));
    tell_page(&mut state, Seek::First, Page { rows: listed(), has_before: false, has_after: true });
    assert_eq!((state.files.at(), state.files.first), (0, Some(0)));
}

#[test]
fn enter_goes_into_a_directory_and_backspace_returns_to_its_row() {
    let mut state = browsing(80, 24);
    let effects = press(&mut state, "j enter");
    assert_eq!(state.files.directory, path(b"lost"));
    assert!(matches!(asked(&effects), Some(Ask::Page { seek: Seek::First, is_counted: true, .. })));
    tell_page(&mut state, Seek::First, Page { rows: Vec::new(), has_before: false, has_after: false });
    let effects = press(&mut state, "backspace");
    let from = RowKey { is_file: false, path: path(b"lost") };
    assert!(matches!(asked(&effects), Some(Ask::Page { seek: Seek::Around(key), .. }) if *key == from));
    tell_page(&mut state, Seek::Around(from), Page { rows: listed(), has_before: false, has_after: true });
    assert_eq!(state.files.at(), 1);
    press(&mut state, "enter esc");
    assert!(state.files.directory.is_root() && state.focus == Focus::Body);
    press(&mut state, "esc");
    assert_eq!(state.focus, Focus::List);
}

#[test]
fn a_page_of_a_directory_that_was_left_is_dropped_and_a_gone_one_leads_up() {
    let mut state = browsing(80, 24);
    let (repository, directory) = (state.selected.unwrap(), state.files.directory.clone());
    press(&mut state, "enter");
    let page = Some(Page { rows: listed(), ..Page::default() });
    tell(&mut state, Msg::Rows(Rows::Files(Box::new(Told::Page { repository, directory, seek: Seek::First, page }))));
    assert_eq!(state.files.rows, None);
    let gone = Told::Page { repository, directory: state.files.directory.clone(), seek: Seek::First, page: None };
    let effects = tell(&mut state, Msg::Rows(Rows::Files(Box::new(gone))));
    assert!(state.files.directory.is_root() && asked(&effects).is_some());
}

#[test]
fn a_search_is_asked_for_with_every_letter_and_again_when_the_repository_changed() {
    let mut state = browsing(80, 24);
    press(&mut state, "/");
    tell(&mut state, Msg::Key(Key::Char('a')));
    let effects = tell(&mut state, Msg::Key(Key::Char('b')));
    assert!(matches!(asked(&effects), Some(Ask::Search { words, .. }) if words == "ab"));
    tell_found(&mut state, "a", listed(), Found::default());
    assert_eq!(state.files.found, None, "nobody looks for this any more");
    let found = vec![file(0, b"2025/ab", Mark::Same)];
    tell_found(&mut state, "ab", found, Found { is_done: true, matches: 1, looked_at: 9, error: None });
    let effects = tell(&mut state, Msg::Engine(Event::Changed));
    assert!(matches!(asked(&effects), Some(Ask::Search { words, is_again: true, .. }) if words == "ab"));
    let effects = press(&mut state, "enter backspace");
    assert_eq!(state.files.directory, path(b"2025"), "the directory that holds the match");
    assert!(matches!(asked(&effects), Some(Ask::Page { seek: Seek::Around(key), .. }) if key.path == path(b"2025/ab")));
}

#[test]
fn what_is_found_again_shows_what_became_of_it_and_the_selection_stays() {
    let mut state = browsing(80, 24);
    press(&mut state, "/");
    tell(&mut state, Msg::Key(Key::Char('a')));
    let sum = Found { is_done: true, matches: 3, looked_at: 9, error: None };
    let row = |name: &str, mark| file(0, name.as_bytes(), mark);
    let found = ["a1", "a2", "a3"].map(|name| row(name, Mark::Same));
    tell_found(&mut state, "a", found.to_vec(), sum.clone());
    press(&mut state, "enter j");
    tell_found(
        &mut state,
        "a",
        vec![row("a0", Mark::New), row("a2", Mark::Damaged), row("a3", Mark::Same)],
        sum.clone(),
    );
    let selected = state.files.selected().unwrap();
    assert_eq!((selected.path.clone(), selected.mark), (path(b"a2"), Mark::Damaged));
    tell_found(&mut state, "a", vec![row("a0", Mark::Same), row("a3", Mark::Same)], sum);
    assert_eq!(state.files.selected().unwrap().path, path(b"a3"), "the row at the place of the one that is gone");
}

#[test]
fn s_syncs_the_selected_path_and_y_copies_it_whole() {
    let mut state = browsing(80, 24);
    let effects = press(&mut state, "j s");
    let [Effect::Send { command: Command::Sync(request), .. }] = &effects[..] else { panic!("no sync: {effects:?}") };
    assert_eq!((request.kind, &request.paths[..]), (Kind::Single, &[path(b"lost")][..]));
    assert_eq!(press(&mut state, "y"), [Effect::Copy("/srv/photos/lost".to_owned())]);
    press(&mut state, "j :");
    for letter in "copy hash".chars() {
        tell(&mut state, Msg::Key(Key::Char(letter)));
    }
    assert_eq!(press(&mut state, "enter"), [Effect::Copy("ab".repeat(32))]);
    press(&mut state, "0");
    let effects = press(&mut state, "s");
    assert!(
        matches!(&effects[..], [Effect::Send { command: Command::Sync(request), .. }] if request.kind == Kind::Full)
    );
}

/// What the reading threads might tell of `photos`, for random use: what a search has found, or a page, with no
/// directory if it has no rows.
pub(super) fn told(state: &State, rows: usize, is_found: bool) -> Option<Told> {
    let (repository, directory) = (state.selected?, state.files.directory.clone());
    let rows: Vec<_> = listed().into_iter().take(rows).collect();
    if is_found {
        let words = state.filter(Place::Tab(Tab::Files)).to_owned();
        let sum = Found { matches: rows.len() as u64, is_done: true, ..Found::default() };
        return Some(Told::Found { repository, below: directory, words, rows, sum });
    }
    let page = Some(rows).filter(|rows| !rows.is_empty()).map(|rows| Page { rows, has_before: true, has_after: true });
    Some(Told::Page { repository, directory, seek: Seek::First, page })
}
