//! The timeline of a small index, and the same in pages.

use super::*;
use crate::domain::repository::Settings;
use crate::index::{Db, Writer};

/// (run, at, verdict, path, old path, files of a directory).
type Line = (i64, i64, &'static str, &'static str, Option<&'static str>, Option<i64>);

const LINES: &[Line] = &[
    (1, 10, "added", "a/1", None, None),
    (1, 10, "added", "b/1", None, None),
    (1, 11, "added", "a/2", None, None),
    (1, 12, "moved", "archive/2019", Some("2019"), Some(120)),
    (2, 20, "edited", "a/1", None, None),
    (2, 21, "added", "a/3", None, None),
    (2, 30, "added", "a/4", None, None),
];

/// An index with two repositories; runs of even numbers are of the second.
fn index(lines: &'static [Line]) -> (tempfile::TempDir, Reader) {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("index.db");
    let writer = Writer::open(&path, 10).unwrap();
    for name in ["one", "two"] {
        writer.add_repository(name, format!("/{name}").as_bytes(), &Settings::default(), 0).unwrap();
    }
    let insert = "INSERT INTO changes (repository_id, run, at_ms, verdict, path, old_path, directory_files)
                  VALUES (2 - ?1 % 2, ?1, ?2, ?3, ?4, ?5, ?6)";
    let work = move |db: &mut Db| {
        db.write(|db| {
            for (run, at, verdict, path, old, files) in lines {
                db.execute(insert, params![run, at, verdict, path.as_bytes(), old.map(str::as_bytes), files])?;
            }
            Ok(())
        })
    };
    writer.call(work).unwrap();
    let reader = Reader::open(&path).unwrap().unwrap();
    (temp, reader)
}

fn shown(page: &TimelinePage) -> Vec<String> {
    let line = |group: &ChangeGroup| {
        let key = &group.key;
        let from = key.moved_from.as_ref().map(|from| format!("{from} -> ")).unwrap_or_default();
        let place = group.only.as_ref().map_or(&key.place, |(path, _)| path);
        let new = if key.is_new { "new " } else { "" };
        format!("{new}{} {} {} {from}{place}", key.repository.0, group.files, key.verdict.as_str())
    };
    page.groups.iter().map(line).collect()
}

#[test]
fn changes_are_grouped_by_run_directory_and_verdict_the_newest_first() {
    let (_temp, reader) = index(LINES);
    let page = reader.timeline(None, Some(Timestamp(30)), Span::Newest).unwrap();
    let expected = [
        "new 2 1 added a/4",
        "2 1 added a/3",
        "2 1 edited a/1",
        "1 120 moved 2019 -> archive/2019",
        "1 2 added a",
        "1 1 added b/1",
    ];
    assert_eq!(shown(&page), expected);
    assert_eq!((page.ids, page.is_end), (Some((1, 7)), true));
    let page = reader.timeline(Some(RepositoryId(1)), None, Span::Newest).unwrap();
    assert_eq!(shown(&page), expected[3..]);
    let page = reader.timeline(None, None, Span::After(6)).unwrap();
    assert_eq!(shown(&page), ["2 1 added a/4"]);
    let page = reader.timeline(None, None, Span::After(7)).unwrap();
    assert_eq!(page, TimelinePage { is_end: true, ..TimelinePage::default() });
}

#[test]
fn pages_leave_nothing_out_and_tell_when_they_are_through() {
    let (_temp, reader) = index(LINES);
    let (mut span, mut looked_at, mut pages) = (Span::Newest, 0, 0);
    loop {
        let page = timeline(&reader.connection, None, None, span, 3).unwrap();
        looked_at += page.groups.iter().map(|group| group.changes).sum::<i64>();
        pages += 1;
        if page.is_end {
            break;
        }
        span = Span::Before(page.ids.unwrap().0);
    }
    assert_eq!((looked_at, pages), (7, 3));
    let page = timeline(&reader.connection, None, None, Span::After(0), 3).unwrap();
    assert_eq!((page.ids, page.is_end), (Some((1, 3)), false), "the first of what came after comes first");
}

#[test]
fn a_group_hands_out_its_changes_in_pages() {
    let (_temp, reader) = index(LINES);
    let page = reader.timeline(None, None, Span::Newest).unwrap();
    let group = page.groups.iter().find(|group| group.changes == 2 && group.key.run == 1).unwrap();
    let paths = |after| {
        let found = reader.changes_of_group(&group.key, None, after, 1).unwrap();
        found.into_iter().map(|(id, change)| (id, change.change.path.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(paths(0), [(1, "a/1".to_owned())]);
    assert_eq!(paths(1), [(3, "a/2".to_owned())]);
    assert_eq!(paths(3), []);
    let moved = page.groups.iter().find(|group| group.key.verdict == Verdict::Moved).unwrap();
    assert_eq!(reader.changes_of_group(&moved.key, None, 0, 9).unwrap().len(), 1);
}

#[test]
fn what_happened_since_is_counted_by_repository() {
    let (_temp, reader) = index(LINES);
    let changes = |since| -> Vec<(i64, i64)> {
        let away = reader.away(Timestamp(since)).unwrap();
        assert!(!away.is_more);
        away.repositories.into_iter().map(|(id, counts)| (id.0, counts.changes)).collect()
    };
    assert_eq!(changes(12), [(1, 120), (2, 3)]);
    assert_eq!(changes(21), [(2, 2)]);
    assert_eq!(changes(31), []);
}

#[test]
fn a_repository_with_few_of_the_changes_has_the_pages_that_one_with_many_has() {
    let (_temp, reader) = index(LINES);
    let db = &reader.connection;
    let (one, two) = (RepositoryId(1), RepositoryId(2));
    assert!(has_few(db, one, 100).unwrap() && !has_few(db, one, 1).unwrap());
    for (repository, ids) in [(one, [1, 2, 3, 4].as_slice()), (two, &[5, 6, 7])] {
        // The limit decides which way is taken.
        for limit in [1, 100] {
            let (mut seen, mut span) = (Vec::new(), Span::Newest);
            loop {
                let page = timeline(db, Some(repository), None, span, limit).unwrap();
                let Some((first, last)) = page.ids else { break };
                seen.extend((first..=last).rev());
                span = Span::Before(first);
            }
            seen.reverse();
            assert_eq!(seen, ids, "{limit}");
            let after = timeline(db, Some(repository), None, Span::After(ids[0]), limit).unwrap();
            assert_eq!(after.ids.unwrap().0, ids[1], "{limit}");
        }
    }
}
