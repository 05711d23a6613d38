//! Pages of a small tree: `many` holds the directories `d0` to `d4` and the files `f00` to `f19`.

use super::*;
use crate::domain::repository::Settings;
use crate::index::Writer;

const REPOSITORY: RepositoryId = RepositoryId(1);

struct World {
    _temp: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
}

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 100).unwrap();
        writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap();
        let reader = Reader::open(&path).unwrap().unwrap();
        let world = World { _temp: temp, writer, reader };
        world.sql(
            "DELETE FROM directories;
             INSERT INTO directories (id, repository_id, parent_id, path, generation, scanned_ms)
             VALUES (1, 1, 0, x'', 1, 0), (2, 1, 1, CAST('many' AS BLOB), 1, 0), (3, 1, 1, CAST('many-more' AS BLOB), 1, 0);
             WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 19)
             INSERT INTO files (directory_id, name, size_bytes, mtime_ns, ctime_after_mtime_ns, inode, sha256, flags,
                                generation, created_ms, updated_after_created_ms, hashed_after_created_ms)
             SELECT 2, CAST(printf('f%02d', i) AS BLOB), i, 0, 0, i, zeroblob(32), 0, 1, 5, 0, 2 FROM n;
             INSERT INTO directories (repository_id, parent_id, path, generation, scanned_ms)
             SELECT 1, 2, CAST('many/d' || value AS BLOB), 1, 0 FROM json_each('[0,1,2,3,4]');
             INSERT INTO files SELECT 3, name, size_bytes, mtime_ns, 0, NULL, inode, NULL, 0, 1, 0, 0, NULL FROM files LIMIT 2;",
        );
        world
    }

    fn sql(&self, sql: &str) {
        let sql = sql.to_owned();
        self.writer.call(move |db| db.write(|db| Ok(db.execute_batch(&sql)?))).unwrap();
    }

    /// The names of a page, with what stands before and behind it as dots.
    fn names(&self, seek: &Seek, limit: usize) -> String {
        let page = self.reader.page(REPOSITORY, &path("many"), seek, limit).unwrap().unwrap();
        let names = page.rows.iter().map(|row| row.path.to_string().replace("many/", ""));
        let dots = |has: bool| if has { "..".to_owned() } else { String::new() };
        let all = std::iter::once(dots(page.has_before)).chain(names).chain([dots(page.has_after)]);
        all.collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    fn mark(&self, of: &str) -> Mark {
        self.reader.listed(REPOSITORY, &path(of)).unwrap().unwrap().mark
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn around(is_file: bool, name: &str) -> Seek {
    Seek::Around(key(is_file, name))
}

fn key(is_file: bool, name: &str) -> Key {
    Key { is_file, path: path(&format!("many/{name}")) }
}

#[test]
fn a_page_holds_directories_first_and_says_whether_there_is_more() {
    let world = World::new();
    for (seek, limit, expected) in [
        (Seek::First, 7, "d0 d1 d2 d3 d4 f00 f01 .."),
        (Seek::First, 2, "d0 d1 .."),
        (Seek::Last, 3, ".. f17 f18 f19"),
        (Seek::Last, 22, ".. d3 d4 f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19"),
        (around(true, "f00"), 6, ".. d2 d3 d4 f00 f01 f02 .."),
        (around(true, "f02x"), 4, ".. f01 f02 f03 f04 .."),
        (around(false, "d3"), 6, "d0 d1 d2 d3 d4 f00 .."),
        (around(false, "d9"), 4, ".. d3 d4 f00 f01 .."),
        (around(true, "f19"), 4, ".. f17 f18 f19"),
    ] {
        assert_eq!(world.names(&seek, limit), expected, "{seek:?} {limit}");
    }
    assert_eq!(world.reader.page(REPOSITORY, &path("gone"), &Seek::First, 9).unwrap(), None);
    let root = world.reader.page(REPOSITORY, &RelPath::root(), &Seek::First, 9).unwrap().unwrap();
    let root: Vec<_> = root.rows.iter().map(|row| row.path.to_string()).collect();
    assert_eq!(root, ["many", "many-more"]);
}

#[test]
fn a_row_s_place_is_counted_over_directories_and_files() {
    let world = World::new();
    for (key, before) in [(key(false, "d0"), 0), (key(false, "d3"), 3), (key(true, "f00"), 5), (key(true, "f19"), 24)] {
        assert_eq!(world.reader.count_rows(REPOSITORY, &path("many"), &key).unwrap(), (25, before), "{key:?}");
    }
}

#[test]
fn a_walk_over_all_paths_stays_below_its_directory_and_stops_when_told() {
    let world = World::new();
    let walk = |at: &RelPath, most: usize| {
        let mut met = Vec::new();
        let meet = |directory: &[u8], name: &[u8]| {
            met.push(String::from_utf8(join(directory, name)).unwrap());
            Ok(met.len() < most)
        };
        world.reader.for_each_path(REPOSITORY, at, meet).unwrap();
        met
    };
    assert_eq!(walk(&RelPath::root(), 99).len(), 22);
    assert_eq!(walk(&path("many"), 99).len(), 20);
    assert_eq!(walk(&path("many"), 2), ["many/f00", "many/f01"]);
}

#[test]
fn a_row_is_marked_with_the_worst_of_it() {
    let world = World::new();
    assert_eq!(world.mark("many/f00"), Mark::Same);
    for (flags, mark) in [(16, Mark::Unread), (32 | 16, Mark::New), (4, Mark::Held), (8 | 4, Mark::Damaged)] {
        world.sql(&format!("UPDATE files SET flags = {flags} WHERE directory_id = 2 AND name = CAST('f00' AS BLOB)"));
        assert_eq!(world.mark("many/f00"), mark, "{flags}");
    }
    world.sql(
        "INSERT INTO problems (repository_id, path, class, message, first_seen_ms, last_seen_ms, last_run)
         VALUES (1, CAST('many/f01' AS BLOB), 'permission', '', 0, 0, 1), (1, CAST('many/d1' AS BLOB), 'io', '', 0, 0, 1)",
    );
    assert_eq!(world.mark("many/f01"), Mark::Problem);
    world.sql("UPDATE directories SET unseen_since_ms = 1 WHERE id = 2 OR path = CAST('many/d2' AS BLOB)");
    assert_eq!((world.mark("many/f01"), world.mark("many/f02")), (Mark::Problem, Mark::Unseen));
    let page = world.reader.page(REPOSITORY, &path("many"), &Seek::First, 3).unwrap().unwrap();
    let marks: Vec<_> = page.rows.iter().map(|row| row.mark).collect();
    assert_eq!(marks, [Mark::Same, Mark::Problem, Mark::Unseen]);
}

#[test]
fn content_was_read_when_it_was_hashed_or_its_directory_verified_later() {
    let world = World::new();
    let read = |of: &str| match world.reader.listed(REPOSITORY, &path(of)).unwrap().unwrap().sort {
        Sort::File { read, .. } => read,
        Sort::Directory => panic!("a file"),
    };
    assert_eq!((read("many/f00"), read("many-more/f00")), (Some(Timestamp(7)), None));
    world.sql("UPDATE directories SET verified_ms = 90");
    assert_eq!((read("many/f00"), read("many-more/f00")), (Some(Timestamp(90)), None));
}
