//! Searches over a small index: 3,000 files `big/n0000.txt` to `big/n2999.txt`, and a few by name.

use std::cell::{Cell, RefCell};

use super::*;
use crate::domain::repository::Settings;
use crate::index::{Seek, Writer};

struct World {
    _temp: tempfile::TempDir,
    reader: Reader,
}

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let index = temp.path().join("index.db");
        let writer = Writer::open(&index, 100).unwrap();
        writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        drop(writer);
        rusqlite::Connection::open(&index)
            .unwrap()
            .execute_batch(
                "DELETE FROM directories;
                 INSERT INTO directories (id, repository_id, parent_id, path, generation, scanned_ms)
                 VALUES (1, 1, 0, x'', 1, 0), (2, 1, 1, CAST('big' AS BLOB), 1, 0), (3, 1, 1, CAST('few' AS BLOB), 1, 0);
                 CREATE TEMP TABLE names (directory, name);
                 WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
                 INSERT INTO names SELECT 2, CAST(printf('n%04d.txt', i) AS BLOB) FROM n;
                 INSERT INTO names VALUES (1, CAST('Readme.md' AS BLOB)), (3, CAST('main.rs' AS BLOB)),
                                          (3, CAST('my_animal.rst' AS BLOB));
                 INSERT INTO files (directory_id, name, size_bytes, mtime_ns, ctime_after_mtime_ns, inode, flags, generation,
                                    created_ms, updated_after_created_ms)
                 SELECT directory, name, 1, 0, 0, 1, 0, 1, 0, 0 FROM names;",
            )
            .unwrap();
        let reader = Reader::open(&index).unwrap().unwrap();
        World { _temp: temp, reader }
    }

    fn search(&self, below: &str, words: &str, turn: &Turn<'_>) -> (Vec<String>, Found) {
        let below = RelPath::parse(below.as_bytes()).unwrap();
        let ask = Ask::Search { repository: RepositoryId(1), below, words: words.to_owned(), is_again: false };
        match read(&self.reader, &ask, turn).unwrap() {
            Told::Found { rows, sum, .. } => (rows.iter().map(|row| row.path.to_string()).collect(), sum),
            other => panic!("no search: {other:?}"),
        }
    }

    fn found(&self, below: &str, words: &str) -> Vec<String> {
        let (found, sum) = self.search(below, words, &Turn { is_stale: &|| false, tell: &|_| {}, rest: &|_| {} });
        assert!(sum.is_done && sum.matches == found.len() as u64, "{sum:?}");
        found
    }
}

#[test]
fn a_search_is_a_part_of_the_path_a_pattern_or_letters_in_order() {
    let world = World::new();
    assert_eq!(world.found("", "readme"), ["Readme.md"]);
    assert_eq!(world.found("", "few/m"), ["few/main.rs", "few/my_animal.rst"]);
    assert_eq!(world.found("", "*.rs"), ["few/main.rs"]);
    assert_eq!(world.found("", "big/n000[12]*"), ["big/n0001.txt", "big/n0002.txt"]);
    assert_eq!(world.found("", "~ars"), ["few/my_animal.rst", "few/main.rs"], "the best first");
    assert_eq!(world.found("", "!.txt").len(), 3);
    assert_eq!(world.found("few", "few"), Vec::<String>::new(), "the way to the directory is not looked at");
    assert_eq!(world.found("few", "/*"), ["few/main.rs", "few/my_animal.rst"]);
}

#[test]
fn what_is_no_pattern_yet_is_said_and_nothing_is_looked_at() {
    let (found, sum) = World::new().search("", "n[", &Turn { is_stale: &|| false, tell: &|_| {}, rest: &|_| {} });
    assert!(found.is_empty() && sum.looked_at == 0 && sum.error.unwrap().contains("n["));
}

#[test]
fn a_search_gives_no_more_rows_than_a_person_reads() {
    let world = World::new();
    let turn = Turn { is_stale: &|| false, tell: &|_| {}, rest: &|_| {} };
    let (found, sum) = world.search("", "n", &turn);
    assert_eq!((found.len(), sum.matches), (1_000, 1_001));
    let (found, sum) = world.search("", "~n", &turn);
    assert_eq!((found.len(), sum.matches, sum.is_done), (1_000, 3_002, true));
}

#[test]
fn rows_are_told_before_their_places_are_counted() {
    let world = World::new();
    let told = RefCell::new(Vec::new());
    let turn = Turn { is_stale: &|| false, tell: &|rows| told.borrow_mut().push(rows), rest: &|_| {} };
    let directory = RelPath::from_stored(b"big".to_vec());
    let ask = Ask::Page { repository: RepositoryId(1), directory, seek: Seek::Last, is_counted: true };
    let last = read(&world.reader, &ask, &turn).unwrap();
    assert!(matches!(last, Told::Counted { before: 2_488, total: 3_000, .. }), "{last:?}");
    assert!(matches!(&told.borrow()[..], [Rows::Files(told)] if matches!(&**told, Told::Page { page: Some(_), .. })));
}

#[test]
fn a_search_that_nobody_waits_for_ends_and_does_not_say_that_it_is_through() {
    let world = World::new();
    let looks = Cell::new(0);
    let is_stale = || {
        looks.set(looks.get() + 1);
        true
    };
    let (_, sum) = world.search("", "~n", &Turn { is_stale: &is_stale, tell: &|_| {}, rest: &|_| {} });
    assert!(!sum.is_done && looks.get() > 0);
}
