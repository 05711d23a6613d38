//! Screens of other machines, by an `ssh` that knows homes instead of machines; and what follows a status.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use portable_pty::CommandBuilder;
use serde_json::Value;

use super::engine::Daemon;
use super::resident::QUICK;
use super::screen::Screen;
use super::world::{BINARY, Said, World, said};

/// As `ssh` does it: options, `--`, a host, and words that a shell there reads.
const SSH: &str = r#"#!/bin/sh
while [ "$1" != -- ]; do shift; done
host=$2
shift 2
home=$HOMES/$host
[ -d "$home" ] || { echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255; }
echo "$host: $*" >>"$HOMES/calls"
exec env HOME="$home" sh -c "$*"
"#;

/// Machines, which are homes below one directory.
struct Machines {
    world: World,
    homes: PathBuf,
}

impl Machines {
    /// Each with one repository of this name.
    fn with(hosts: &[(&str, &str)]) -> Machines {
        let world = World::empty();
        let homes = world.temp.path().join("homes");
        fs::create_dir_all(homes.join("bin")).unwrap();
        fs::write(homes.join("bin/ssh"), SSH).unwrap();
        fs::set_permissions(homes.join("bin/ssh"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink(BINARY, homes.join("bin/watchkeeper")).unwrap();
        let machines = Machines { world, homes };
        for (host, repository) in hosts {
            let tree = machines.homes.join(host).join(repository);
            fs::create_dir_all(&tree).unwrap();
            fs::write(tree.join("a"), "1").unwrap();
            let said = machines.at(host, &["repo", "add", tree.to_str().unwrap(), "--quiet"]);
            assert_eq!(said.code, 0, "{said:?}");
        }
        machines
    }

    fn path(&self) -> String {
        format!("{}:{}", self.homes.join("bin").display(), std::env::var("PATH").unwrap())
    }

    /// Runs a command on a machine.
    fn at(&self, host: &str, args: &[&str]) -> Said {
        let mut command = Command::new(BINARY);
        command.args(args).env("HOME", self.homes.join(host)).env_remove("XDG_DATA_HOME").stdin(Stdio::null());
        said(command.env_remove("XDG_CONFIG_HOME"))
    }

    /// Opens the screen of these hosts.
    fn screen(&self, hosts: &[&str]) -> Screen {
        let mut command = CommandBuilder::new(BINARY);
        for host in hosts {
            command.args(["--host", host]);
        }
        Screen::spawn(&self.world, command, &[("PATH", &self.path()), ("HOMES", self.homes.to_str().unwrap())])
    }

    fn runs(&self, host: &str) -> usize {
        self.at(host, &["history", "--json"]).out.lines().count()
    }
}

#[test]
fn several_hosts_are_one_list_from_which_each_screen_is_reached_and_left_again() {
    let machines = Machines::with(&[("nas", "photos"), ("backup", "archive")]);
    let mut screen = machines.screen(&["nas", "backup", "gone"]);
    screen.wait("all three", |text| {
        text.contains("photos") && text.contains("archive") && text.contains("No route to host")
    });
    assert!(screen.text().contains("3 hosts   1 unreachable"), "{}", screen.text());
    // Down to the repository of the second one, and into its machine's screen.
    screen.press("jjj");
    screen.wait(">", |text| text.lines().any(|line| line.starts_with('>') && line.contains("archive")));
    screen.press("\r");
    screen.wait("its screen", |text| text.contains("1 Status") && text.contains("in sync") && !text.contains("nas"));
    screen.press("q");
    screen.wait_for("3 hosts");
    // What happens there is seen here.
    let before = machines.runs("backup");
    screen.press("s");
    screen.wait_for("asked for");
    machines.world.wait("the sync there", || machines.runs("backup"), |runs| *runs > before);
    fs::remove_dir_all(machines.homes.join("backup/archive")).unwrap();
    machines.at("backup", &["sync", "--quiet"]);
    screen.wait("the trouble", |text| text.contains("1 missing"));
    screen.press("q");
    assert_eq!(screen.end(), 0);
    screen.assert_restored();
}

#[test]
fn one_host_is_its_screen_at_once() {
    let machines = Machines::with(&[("me@nas", "photos")]);
    let mut screen = machines.screen(&["me@nas"]);
    // While its first look goes on `q` would ask.
    screen.wait("its screen", |text| text.contains("1 Status") && text.contains("in sync"));
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert_eq!(fs::read_to_string(machines.homes.join("calls")).unwrap(), "me@nas: watchkeeper\n");
    let mut lost = machines.screen(&["gone"]);
    lost.wait_for("No route to host");
    assert_eq!(lost.end(), 1);
}

/// An `ssh` that gets lost with the terminal in the state in which a screen has it.
const LOST: &str = r#"#!/bin/sh
[ "$1" = -t ] || exec sleep 1000
stty raw -echo
printf '\033[?1049h\033[?25lopen'
echo $$ >"$HOMES/pid"
exec sleep 1000
"#;

#[test]
fn a_screen_over_ssh_that_is_cut_off_gives_the_terminal_back() {
    let machines = Machines::with(&[]);
    fs::write(machines.homes.join("bin/ssh"), LOST).unwrap();
    let end = |name: &str, pid: &str| {
        let done = Command::new("kill").args(["-s", name, pid]).status().unwrap();
        assert!(done.success());
    };
    for is_told in [false, true] {
        let shell = format!("stty -a >before; '{BINARY}' --host nas; echo code $?; stty -a >after");
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", &shell]);
        command.cwd(&machines.homes);
        let environment = [("PATH", &*machines.path()), ("HOMES", machines.homes.to_str().unwrap())];
        let mut screen = Screen::spawn(&machines.world, command, &environment);
        screen.wait_for("open");
        let ssh = || fs::read_to_string(machines.homes.join("pid")).unwrap_or_default().trim().to_owned();
        machines.world.wait("the ssh", ssh, |pid| !pid.is_empty());
        let pid = ssh();
        match is_told {
            false => end("KILL", &pid),
            true => {
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                let parent = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned();
                end("TERM", &parent);
            }
        }
        screen.wait_for(if is_told { "code 143" } else { "code 1" });
        assert_eq!(screen.end(), 0);
        screen.assert_restored();
        let read = |name: &str| fs::read_to_string(machines.homes.join(name)).unwrap();
        assert_eq!(read("before"), read("after"));
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "nothing is left behind");
        fs::remove_file(machines.homes.join("pid")).unwrap();
    }
}

#[test]
fn a_command_behind_a_directory_is_refused_and_a_host_may_be_called_like_one() {
    let world = World::empty();
    let said = world.exits(2, &[world.tree.to_str().unwrap(), "status"]);
    assert!(said.err.contains("either directories or a command"), "{said:?}");
    let said = world.exits(2, &[world.tree.to_str().unwrap(), "snyc"]);
    assert!(said.err.contains("did you mean `watchkeeper sync`"), "{said:?}");
    assert!(world.json(&["repo", "list"]).is_empty());
    let said = world.exits(2, &["--host", "backup"]);
    assert!(said.err.contains("needs a terminal"), "{said:?}");
}

#[test]
fn what_is_no_host_or_needs_no_screen_is_refused_before_ssh_is_called() {
    let machines = Machines::with(&[]);
    for args in [
        &["--host", "-oProxyCommand=evil"][..],
        &["--host=-l"],
        &["--host", ""],
        &["--host", "a b"],
        &["--host", "nas", "status"],
        &["--host", "nas"],
        &["--host", "nas", "--plain"],
        &["--host", "nas", "/tmp"],
    ] {
        let mut command = Command::new(BINARY);
        command.args(args).env("PATH", machines.path()).env("HOMES", &machines.homes).stdin(Stdio::null());
        let said = said(command.env("HOME", &machines.homes));
        assert!(said.code == 2 && !said.err.is_empty(), "{args:?}: {said:?}");
    }
    assert!(!machines.homes.join("calls").exists());
}

#[test]
fn a_status_that_is_followed_tells_each_change_with_and_without_an_engine() {
    let world = World::with(&["a=1"]);
    world.config(QUICK);
    let mut follow = world.command(&["status", "--follow", "--json"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut next = |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        for line in lines.by_ref() {
            let status: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if is_it(&status) {
                return;
            }
        }
        panic!("{what} was not told");
    };
    next("without an engine", &|status| status["state"] == "stale" && status["total_files"] == 1);
    let daemon = Daemon::ready(&world);
    next("an engine", &|status| status["state"] == "in_sync");
    world.put("b=2");
    next("a new file", &|status| status["state"] == "in_sync" && status["total_files"] == 2);
    world.ok(&["repo", "rename", "tree", "other"]);
    next("the old name", &|status| status["repository"] == "tree" && status["state"] == "removed");
    next("the new name", &|status| status["repository"] == "other");
    daemon.stop();
    next("its end", &|status| status["state"] == "stale");
    // The index goes, and is made anew: that is waited for.
    super::journal::remove_index(&world);
    world.sync(&[]);
    world.put("c=3");
    world.sync(&[]);
    next("the new index", &|status| status["total_files"] == 3);
    let done = Command::new("kill").args(["-s", "TERM", &follow.id().to_string()]).status().unwrap();
    assert!(done.success());
    assert_eq!(follow.wait().unwrap().code(), Some(143));
}

#[test]
fn who_follows_a_status_ends_when_nobody_reads_it() {
    let world = World::with(&["a=1"]);
    let mut follow = world.command(&["status", "--follow"]);
    let mut follow = follow.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(follow.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "tree: stale\n");
    drop(out);
    assert_eq!(follow.wait().unwrap().code(), Some(0));
}
