//! Problems open, count, and close by themselves.

use super::world::{BINARY, Said, World, said, skipped};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A world whose program runs as a user who is refused by file modes; `None` where that cannot be had.
pub struct Unprivileged(pub World);

impl Unprivileged {
    pub fn new(test: &str, files: &[&str]) -> Option<Unprivileged> {
        let world = World::empty();
        files.iter().for_each(|file| world.put(file));
        fs::create_dir(&world.data).unwrap();
        let all = Command::new("chown").args(["-R", "65534:65534"]).arg(world.temp.path()).output();
        let unprivileged = Unprivileged(world);
        let can = all.is_ok_and(|done| done.status.success()) && unprivileged.wk(&["config", "path"]).code == 0;
        if !can {
            skipped(test, "cannot become another user (needs root and setpriv)");
            return None;
        }
        unprivileged.expect(0, &["repo", "add", unprivileged.0.tree.to_str().unwrap(), "--quiet"]);
        Some(unprivileged)
    }

    fn wk(&self, args: &[&str]) -> Said {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", BINARY, "--data-dir"]);
        command.arg(&self.0.data).args(args).env("HOME", self.0.temp.path());
        said(&mut command)
    }

    #[track_caller]
    pub fn expect(&self, code: i32, args: &[&str]) -> Said {
        let said = self.wk(args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        said
    }

    pub fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.0.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let out = self.expect(0, &["files", "tree", "--format", "print0"]).out;
        out.split_terminator('\0').map(str::to_owned).collect()
    }

    fn problems(&self) -> Vec<serde_json::Value> {
        self.wk(&["problems", "--json"]).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn an_unreadable_directory_keeps_its_records_and_says_so() {
    let Some(world) = Unprivileged::new("an_unreadable_directory", &["shut/a", "shut/deep/b", "open/c"]) else {
        return;
    };
    world.mode("shut", 0o000);
    let said = world.expect(3, &["sync"]);
    assert!(said.out.contains("partial") && said.out.contains("see `watchkeeper problems tree`"), "{said:?}");
    assert_eq!(world.files(), ["open/c", "shut/a", "shut/deep/b"]);
    let problem = &world.problems()[0];
    assert_eq!(
        (&problem["path"], &problem["class"], &problem["count"]),
        (&json!("shut"), &json!("permission"), &json!(1))
    );
    assert!(problem["hint"].as_str().unwrap().contains("let the user that runs watchkeeper read it"));
    let unseen = "SELECT count(*) FROM file_records WHERE scan_generation < 2";
    assert_eq!(world.0.sqlite(unseen), "2", "what could not be seen is not vouched for");
    world.expect(3, &["sync", "--kind", "incremental"]);
    assert_eq!(world.problems()[0]["count"], 2);
    let id = world.problems()[0]["problem_id"].to_string();
    world.expect(0, &["problems", "--ack", &id]);
    world.expect(0, &["sync"]);
    world.mode("shut", 0o755);
    world.expect(0, &["sync", "--kind", "incremental"]);
    assert_eq!(world.problems().len(), 0, "it closed itself");
    assert_eq!(world.0.sqlite(unseen), "0", "and its records are vouched for again");
    world.expect(0, &["sync"]);
    assert_eq!(world.0.sqlite("SELECT count(*) FROM file_records WHERE scan_generation < 6"), "0");
}

#[test]
fn a_directory_that_can_be_read_but_not_searched_removes_nothing() {
    let Some(world) = Unprivileged::new("a_directory_that_can_be_read", &["d/a", "d/b"]) else { return };
    world.mode("d", 0o444);
    world.expect(3, &["sync"]);
    assert_eq!(world.files(), ["d/a", "d/b"]);
}

#[test]
fn an_unreadable_file_is_known_and_is_read_as_soon_as_it_can_be() {
    let Some(world) = Unprivileged::new("an_unreadable_file", &["known=1", "x"]) else { return };
    world.mode("known", 0o000);
    fs::write(world.0.path("new"), "2").unwrap();
    world.mode("new", 0o000);
    world.expect(3, &["sync"]);
    assert_eq!(world.files(), ["known", "new", "x"]);
    assert_eq!(world.problems().len(), 2);
    world.expect(3, &["sync", "tree", "--problems"]);
    let sum_of_one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
    let sums = world.expect(0, &["files", "tree", "--format", "sha256sum"]).out;
    assert!(sums.contains(&format!("{sum_of_one}  known")) && !sums.contains("  new"), "the old hash stays: {sums}");
    world.mode("known", 0o644);
    world.mode("new", 0o644);
    world.expect(0, &["sync", "tree", "--problems"]);
    assert_eq!(world.problems().len(), 0);
    let sums = world.expect(0, &["files", "tree", "--format", "sha256sum"]).out;
    assert!(sums.contains("  new"), "{sums}");
}

#[test]
fn a_problem_closes_when_its_path_is_gone() {
    let Some(world) = Unprivileged::new("a_problem_closes", &["d/a", "shut/b", "x"]) else { return };
    world.mode("d/a", 0o000);
    world.mode("shut", 0o000);
    world.expect(3, &["sync"]);
    assert_eq!(world.problems().len(), 2);
    fs::remove_file(world.0.path("d/a")).unwrap();
    fs::remove_dir_all(world.0.path("shut")).unwrap();
    world.expect(0, &["sync"]);
    assert_eq!((world.problems().len(), world.files()), (0, vec!["x".to_owned()]));
}
