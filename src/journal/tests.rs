//! What is written is read again; what is not as it was written is named, and never read as good.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::read::path_of;
use super::*;
use crate::domain::moment::Timestamp;
use crate::domain::report::{Definition, Run};
use crate::domain::repository::RepositoryId;
use crate::domain::run::{Kind, Outcome, Tally};

const AT: Timestamp = Timestamp(1_800_000_000_000);

fn run(number: i64, outcome: Option<Outcome>) -> Run {
    Run {
        run_id: format!("01RUN{number:021}"),
        number,
        repository_id: RepositoryId(1),
        repository: "photos \"x\"\n".to_owned(),
        kind: Kind::Verify,
        trigger: "user startup".to_owned(),
        outcome,
        started_at: Timestamp(number),
        ended_at: outcome.map(|_| Timestamp(number + 1)),
        duration_ms: outcome.map(|_| 1),
        tally: Tally {
            scanned: 1,
            added: 2,
            updated: 3,
            removed: 4,
            moved: 5,
            damaged: 6,
            problems: 7,
            bytes_hashed: 8,
            directories: 9,
        },
        error_class: Some("io".to_owned()),
        error_message: Some("é\u{1b}".to_owned()),
        attempt: 2,
        retry_of: Some("01RUN".to_owned()),
        folded: 3,
        instance: "h:1:2".to_owned(),
        metadata: Some("{\"note\":\"n\"}".to_owned()),
    }
}

fn definition(id: i64) -> Definition {
    Definition {
        id: RepositoryId(id),
        name: format!("r{id}"),
        path: b"/a/\xff\n".to_vec(),
        settings: "{}".to_owned(),
        identity: Some("1:2:3".to_owned()),
        paused_at: Some(Timestamp(4)),
        created_at: Timestamp(5),
    }
}

fn open(directory: &Path) -> Journal {
    Journal::open(directory, Extent::Last, Floor::default(), AT).unwrap().0
}

fn all(directory: &Path) -> Reading {
    read(directory, Extent::All).unwrap()
}

/// A journal with a head, a repository and three finished runs: lines 1 to 5.
fn three_runs() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    let mut journal = open(temp.path());
    journal.append(AT, &[Event::Repository(definition(1))]).unwrap();
    for number in 1..=3 {
        journal.append(AT, &[Event::Finish(run(number, Some(Outcome::Partial)))]).unwrap();
    }
    temp
}

/// Reads a single file with this content.
fn reading_of(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    reading.read_segment(1, bytes, true);
    reading
}

fn content(directory: &Path) -> Vec<u8> {
    fs::read(path_of(directory, 1)).unwrap()
}

#[test]
fn everything_comes_back_as_it_was_written() {
    let temp = tempfile::tempdir().unwrap();
    let mut journal = open(temp.path());
    let finished = run(3, Some(Outcome::Held));
    let events = [
        Event::Repository(definition(1)),
        Event::Repository(definition(2)),
        Event::Start(run(1, None)),
        Event::Finish(run(2, Some(Outcome::Failed))),
        Event::Fold(finished.clone(), vec![2]),
        Event::Gone(RepositoryId(2)),
    ];
    let written = *journal.append(AT, &events).unwrap().last().unwrap();
    assert!(journal.holds(written, events.last().unwrap()) && !journal.holds(written, &events[0]));
    let reading = all(temp.path());
    assert!(reading.faults.is_empty() && reading.is_whole(), "{:?}", reading.faults);
    let runs: Vec<&Run> = reading.book.runs.values().map(|entry| &entry.run).collect();
    assert_eq!(runs, [&run(1, None), &finished]);
    assert_eq!(reading.book.repositories[&RepositoryId(1)].0, definition(1));
    assert_eq!((reading.book.repositories.len(), reading.book.last_number, reading.last_seq), (1, 3, 7));
    assert!(reading.book.gone.contains(&2) && reading.book.gone_repositories.contains(&RepositoryId(2)));
    drop(journal);
    let (journal, last) = Journal::open(temp.path(), Extent::Last, Floor::default(), AT).unwrap();
    assert_eq!((last.last_seq, journal.next_number()), (7, 4));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&temp.path().join(DIRECTORY)), mode(&path_of(temp.path(), 1))), (0o700, 0o600));
}

#[test]
fn a_tail_cut_at_any_length_leaves_the_lines_before_it_and_goes_aside() {
    let temp = three_runs();
    let whole = content(temp.path());
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last..whole.len() {
        let reading = reading_of(&whole[..cut]);
        assert_eq!((reading.last_seq, reading.book.runs.len()), (4, 2), "cut at {cut}");
        let torn = (cut - last) as u64;
        let expected = if torn == 0 { vec![] } else { vec![Fault::Torn { segment: 1, bytes: torn }] };
        assert_eq!(reading.faults, expected);
    }
    for cut in [last + 1, whole.len() - 1] {
        fs::write(path_of(temp.path(), 1), &whole[..cut]).unwrap();
        let mut journal = open(temp.path());
        assert_eq!(content(temp.path()), &whole[..last], "only the tail went");
        journal.append(AT, &[Event::Finish(run(9, None))]).unwrap();
        let reading = all(temp.path());
        assert!(reading.faults.is_empty() && reading.last_seq == 5, "{:?}", reading.faults);
    }
    let tails = walkdir::WalkDir::new(temp.path().join(QUARANTINE)).into_iter().flatten();
    let tails: Vec<_> =
        tails.filter(|entry| entry.file_type().is_file()).map(|e| fs::read(e.path()).unwrap()).collect();
    assert_eq!(tails.len(), 2);
    assert!(tails.iter().all(|tail| whole[last..].starts_with(tail)));
}

#[test]
fn every_flipped_bit_of_every_line_is_noticed() {
    let temp = three_runs();
    let mut bytes = content(temp.path());
    let good = reading_of(&bytes);
    assert!(good.faults.is_empty());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let reading = reading_of(&bytes);
            assert!(!reading.faults.is_empty(), "byte {at}, bit {bit}");
            for (id, entry) in &reading.book.runs {
                assert_eq!(good.book.runs.get(id), Some(entry), "byte {at}, bit {bit}: read as good");
            }
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_line_that_is_removed_doubled_swapped_or_written_anew_is_named_by_its_seq() {
    let temp = three_runs();
    let bytes = content(temp.path());
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let faults = |order: &[usize]| {
        let reading = reading_of(&order.iter().map(|at| lines[at - 1]).collect::<Vec<_>>().concat());
        reading.faults.iter().map(Fault::to_string).collect::<Vec<_>>()
    };
    assert_eq!(faults(&[1, 2, 3, 4, 5]), Vec::<String>::new());
    assert_eq!(faults(&[1, 2, 4, 5]), ["line seq 3 is missing"]);
    assert_eq!(faults(&[1, 5]), ["lines seq 2 to 4 are missing"]);
    assert_eq!(faults(&[1, 2, 3, 3, 4, 5]), ["line seq 3 stands twice or out of order in 000001.jsonl"]);
    let swapped = ["line seq 3 is missing", "line seq 3 stands twice or out of order in 000001.jsonl"];
    assert_eq!(faults(&[1, 2, 4, 3, 5]), swapped);
    // A whole line of another history, with a right checksum.
    let other = tempfile::tempdir().unwrap();
    let mut journal = open(other.path());
    journal.append(AT, &[Event::Repository(definition(7)), Event::Finish(run(1, None))]).unwrap();
    let foreign = content(other.path());
    let foreign = foreign.split_inclusive(|byte| *byte == b'\n').nth(2).unwrap();
    let mixed = [lines[0], lines[1], foreign, lines[3], lines[4]].concat();
    assert!(reading_of(&mixed).faults.contains(&Fault::Unchained { seq: 3 }));
}

#[test]
fn a_line_of_a_newer_program_is_kept_and_passed_over() {
    let temp = three_runs();
    let bytes = content(temp.path());
    let last = bytes.split_inclusive(|byte| *byte == b'\n').next_back().unwrap();
    let body = String::from_utf8(last.to_vec()).unwrap().replace("\"v\":1", "\"v\":2");
    let body = &body[..body.rfind(",\"crc\"").unwrap()];
    let line = format!("{body},\"crc\":\"{:08x}\"}}\n", crc32fast::hash(body.as_bytes()));
    let mixed = [&bytes[..bytes.len() - last.len()], line.as_bytes()].concat();
    let reading = reading_of(&mixed);
    assert_eq!(reading.faults, [Fault::Newer { seq: 5 }]);
    assert!(reading.is_whole() && reading.last_seq == 5 && reading.book.runs.len() == 2);
}

#[test]
fn files_follow_each_other_and_old_ones_go_when_their_runs_are_gone() {
    let temp = tempfile::tempdir().unwrap();
    let mut journal = open(temp.path());
    journal.append(AT, &[Event::Repository(definition(1))]).unwrap();
    let some =
        |from: i64| (from..from + 500).map(|n| Event::Finish(run(n, Some(Outcome::Completed)))).collect::<Vec<_>>();
    for from in (1..5000).step_by(500) {
        journal.append(AT, &some(from)).unwrap();
    }
    let before = all(temp.path());
    assert_eq!((before.faults.len(), before.book.runs.len()), (0, 5000));
    assert!(before.segments >= 3, "{}", before.segments);
    journal.tidy(AT).unwrap();
    assert_eq!(all(temp.path()).segments, before.segments, "all of it counts");
    let second = fs::read(path_of(temp.path(), 2)).unwrap();
    fs::rename(path_of(temp.path(), 2), temp.path().join("away")).unwrap();
    assert!(all(temp.path()).faults.contains(&Fault::NoSegment { segment: 2 }));
    fs::write(path_of(temp.path(), 2), second).unwrap();
    journal.append(AT, &[Event::Forget((2..=4990).collect())]).unwrap();
    journal.tidy(AT).unwrap();
    let after = all(temp.path());
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    assert!(after.segments < before.segments && after.book.runs.len() == 11, "{}", after.segments);
    assert_eq!(after.book.repositories.len(), 1);
    fs::remove_file(path_of(temp.path(), u32::try_from(before.segments).unwrap())).unwrap();
    assert!(!all(temp.path()).is_whole(), "what goes by another hand is missed");
}

#[test]
fn what_was_damaged_is_whole_after_it_was_written_anew_and_numbers_go_on() {
    let temp = three_runs();
    let mut bytes = content(temp.path());
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(path_of(temp.path(), 1), &bytes).unwrap();
    let (mut journal, reading) = Journal::open(temp.path(), Extent::Last, Floor { seq: 9, number: 8 }, AT).unwrap();
    assert!(!reading.is_whole());
    assert_eq!(journal.next_number(), 9);
    let alive: Vec<Event> = (1..=3).map(|n| Event::Backfill(run(n, Some(Outcome::Partial)))).collect();
    journal.renew(AT, &alive).unwrap();
    let reading = all(temp.path());
    assert!(reading.faults.is_empty() && reading.book.runs.len() == 3, "{:?}", reading.faults);
    assert!(reading.first_seq > 9, "a number is never used twice");
    let kept = walkdir::WalkDir::new(temp.path().join(QUARANTINE)).into_iter().flatten();
    assert!(kept.filter(|entry| entry.file_type().is_file()).any(|entry| fs::read(entry.path()).unwrap() == bytes));
}

#[test]
fn a_file_that_was_cut_off_when_it_began_is_no_damage() {
    let temp = three_runs();
    fs::write(path_of(temp.path(), 2), "").unwrap();
    let mut journal = open(temp.path());
    journal.append(AT, &[Event::Finish(run(4, None))]).unwrap();
    let reading = all(temp.path());
    assert!(reading.faults.is_empty() && reading.book.runs.len() == 4, "{:?}", reading.faults);
    assert!(!temp.path().join(QUARANTINE).exists());
}

#[test]
fn a_row_that_differs_in_anything_has_another_sum() {
    let row = run(1, Some(Outcome::Completed));
    assert_eq!(row_sum(&row), row_sum(&row.clone()));
    let other = Run { metadata: None, ..row.clone() };
    assert_ne!(row_sum(&row), row_sum(&other));
    assert_ne!(row_sum(&row), row_sum(&Run { tally: Tally { moved: 6, ..row.tally }, ..row.clone() }));
}
