//! Causes as they are made from generated problems, holds and damage.

use super::*;
use crate::domain::repository::Settings;
use crate::index::Writer;

struct World {
    _temp: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
}

const ID: RepositoryId = RepositoryId(1);

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("index.db");
        let writer = Writer::open(&path, 10).unwrap();
        assert_eq!(writer.add_repository("a", b"/a", &Settings::default(), 0).unwrap(), ID);
        let reader = Reader::open(&path).unwrap().unwrap();
        World { _temp: temp, writer, reader }
    }

    fn sql(&self, sql: &str) {
        let sql = sql.to_owned();
        self.writer.call(move |db| db.write(|db| Ok(db.execute_batch(&sql)?))).unwrap();
    }

    fn problem(&self, path: &str, class: &str) {
        self.sql(&format!(
            "INSERT INTO problems (repository_id, path, class, message, first_seen_ms, last_seen_ms, last_run)
             VALUES (1, CAST('{path}' AS BLOB), '{class}', 'no', 10, 20, 7)"
        ));
    }

    /// Each cause as `class place paths new`, with a `+` where it is deep.
    fn shown(&self) -> Vec<String> {
        let causes = self.reader.causes(ID).unwrap();
        let mut shown: Vec<String> = causes
            .iter()
            .map(|cause| {
                let deep = if cause.key.is_deep { "+" } else { "" };
                format!("{} {}{deep} {} {}", cause.key.class, cause.place, cause.paths, cause.new_paths)
            })
            .collect();
        shown.sort();
        shown
    }

    /// The paths of all causes together, each of which must say how many it has.
    fn all_members(&self) -> usize {
        let causes = self.reader.causes(ID).unwrap();
        let members = causes.iter().map(|cause| {
            let members = self.reader.members(ID, &cause.key, 1_000_000).unwrap().len();
            assert_eq!(members as i64, cause.paths, "{cause:?}");
            members
        });
        members.sum()
    }
}

#[test]
fn paths_of_one_class_and_directory_are_one_cause_and_a_single_path_is_itself() {
    let world = World::new();
    for (path, class) in
        [("a/x", "permission"), ("a/y", "permission"), ("a/z", "io"), ("a/b/x", "permission"), ("", "io")]
    {
        world.problem(path, class);
    }
    world.sql("UPDATE problems SET acknowledged_ms = 1 WHERE path = CAST('a/x' AS BLOB)");
    assert_eq!(world.shown(), ["io . 1 1", "io a/z 1 1", "permission a 2 1", "permission a/b/x 1 1"]);
    assert_eq!(world.all_members(), 5);
}

#[test]
fn ten_thousand_paths_are_a_few_causes_that_say_where_they_lie() {
    let world = World::new();
    world.sql(
        "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
         INSERT INTO problems (repository_id, path, class, message, first_seen_ms, last_seen_ms, last_run)
         SELECT 1, CAST('home/u' || (i % 1000) || '/.ssh/' || i AS BLOB), 'permission', 'no', i, i, 1 FROM n;",
    );
    world.problem("home/mail.db", "unstable");
    world.problem("home/other/mail.db", "unstable");
    assert_eq!(
        world.shown(),
        ["permission home+ 10000 10000", "unstable home/mail.db 1 1", "unstable home/other/mail.db 1 1"]
    );
    assert_eq!(world.all_members(), 10_002);
    let first = world.reader.causes(ID).unwrap().remove(0);
    assert_eq!(world.reader.members(ID, &first.key, 10).unwrap().len(), 10);
    assert_eq!((first.first_seen, first.last_seen), (Timestamp(0), Timestamp(9_999)));
}

#[test]
fn a_neighbour_with_the_same_beginning_is_no_part_of_a_cause() {
    let world = World::new();
    for number in 0..60 {
        world.problem(&format!("a/b{number}/c"), "io");
        world.problem(&format!("a.b/b{number}/c"), "io");
    }
    assert_eq!(world.shown(), ["io a+ 60 60", "io a.b+ 60 60"]);
    assert_eq!(world.all_members(), 120);
}

#[test]
fn held_removals_and_damage_are_causes_with_files_and_bytes() {
    let world = World::new();
    world.sql(
        "INSERT INTO directories (id, repository_id, parent_id, path, generation, scanned_ms)
         VALUES (1, 1, 0, x'', 1, 0), (2, 1, 1, x'61', 1, 0);
         INSERT INTO files VALUES (1, x'78', 5, 0, 0, 0, 1, x'01', 8, 1, 0, 0, 0), (2, x'79', 7, 0, 0, 0, 2, x'01', 8, 1, 0, 0, 0),
                                  (2, x'7a', 9, 0, 0, 0, 3, x'01', 8, 1, 0, 0, 0);
         UPDATE files SET sha256 = zeroblob(32);
         INSERT INTO damage (directory_id, name, repository_id, found_sha256, found_ms)
         VALUES (1, x'78', 1, zeroblob(32), 3), (2, x'79', 1, zeroblob(32), 4), (2, x'7a', 1, zeroblob(32), 5);
         INSERT INTO held (repository_id, directory_id, name, path, files, bytes, reason, since_ms, run)
         VALUES (1, 3, NULL, x'62', 100, 1000, 'mount_missing', 1, 1), (1, 1, x'63', x'63', 1, 10, 'mass_removal', 2, 1);",
    );
    assert_eq!(world.shown(), [" a 2 2", " x 1 1", "mass_removal c 1 1", "mount_missing b 1 1"]);
    assert_eq!(world.all_members(), 5);
    let causes = world.reader.causes(ID).unwrap();
    let held = causes.iter().find(|cause| cause.key.class == "mount_missing").unwrap();
    assert_eq!((held.files, held.bytes, held.first_seen), (100, 1_000, Timestamp(1)));
    assert_eq!(causes[0].place.as_bytes(), b"a");
    let damage = world.reader.damage_at(ID, &RelPath::from_stored(b"a/z".to_vec())).unwrap().unwrap();
    assert_eq!((damage.found_at, damage.good_copies.len()), (Timestamp(5), 0));
}

#[test]
fn a_run_has_the_causes_of_what_it_met_last_also_where_that_is_closed() {
    let world = World::new();
    world.problem("a", "io");
    world.sql("UPDATE problems SET closed_ms = 1");
    assert_eq!(world.reader.causes_met_last_by(ID, 7).unwrap().len(), 1);
    assert_eq!(world.reader.causes_met_last_by(ID, 8).unwrap(), []);
    assert_eq!(world.shown(), [] as [&str; 0]);
}
