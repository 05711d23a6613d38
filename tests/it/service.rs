//! `watchkeeper service`, with a `systemctl` that writes down what it is told.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use portable_pty::CommandBuilder;

use super::screen::Screen;
use super::world::{BINARY, Said, World, said};

/// A home with a service manager that knows one thing: whether the unit was started.
struct Home {
    world: World,
    home: PathBuf,
    /// How far the calls of the manager were read.
    heard: Cell<usize>,
}

/// Writes down each call; answers what it is asked for from files beside it.
const SYSTEMCTL: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
[ -e "$here/unreachable" ] && { echo 'Failed to connect to bus: No medium found' >&2; exit 1; }
case "$*" in
*"--property LoadState"*) [ -e "$here/loaded" ] && echo loaded || echo not-found ;;
*"--property ActiveState"*) [ -e "$here/active" ] && echo active || echo inactive ;;
*"--property UnitFileState"*) [ -e "$here/loaded" ] && echo enabled || echo "" ;;
*"--property FragmentPath"*) [ -e "$here/loaded" ] && echo /the/unit || echo "" ;;
*"--property StatusText"*) echo '2 repositories, 1 running' ;;
*"--property MainPID"*) [ -e "$here/active" ] && echo 4711 || echo 0 ;;
*" enable "*) [ -e "$here/refuses" ] && { echo 'Unit is masked.' >&2; exit 1; }; touch "$here/loaded" ;;
*" restart "* | *" start "*) touch "$here/active" ;;
*" disable "*) rm -f "$here/active" "$here/loaded" ;;
esac
"#;

impl Home {
    fn new() -> Home {
        let world = World::with(&["a=1"]);
        let home = world.temp.path().join("home");
        let bin = home.join("bin");
        fs::create_dir_all(&bin).unwrap();
        for (name, text) in [("systemctl", SYSTEMCTL), ("loginctl", "#!/bin/sh\necho no\n")] {
            fs::write(bin.join(name), text).unwrap();
            fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        Home { world, home, heard: Cell::new(0) }
    }

    fn wk(&self, args: &[&str]) -> Said {
        let path = format!("{}:{}", self.home.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(BINARY);
        command.args(args).env("PATH", path).env("HOME", &self.home).env("USER", "someone").stdin(Stdio::null());
        said(command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME"))
    }

    fn unit(&self) -> PathBuf {
        self.home.join(".config/systemd/user/watchkeeper.service")
    }

    /// What the manager was told to change, since the last time.
    fn told(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.home.join("bin/calls")).unwrap_or_default();
        let whole = calls.rfind('\n').map_or(0, |end| end + 1);
        let heard = self.heard.replace(whole);
        calls[heard..whole].lines().filter(|line| !line.contains(" show")).map(str::to_owned).collect()
    }

    fn screen(&self) -> Screen {
        self.screen_by(CommandBuilder::new(BINARY))
    }

    fn screen_by(&self, mut command: CommandBuilder) -> Screen {
        let path = format!("{}:{}", self.home.join("bin").display(), std::env::var("PATH").unwrap());
        command.env_remove("XDG_CONFIG_HOME");
        command.env_remove("XDG_DATA_HOME");
        Screen::spawn(&self.world, command, &[("PATH", path.as_str()), ("HOME", self.home.to_str().unwrap())])
    }

    /// As `systemctl enable` leaves it.
    fn enable(&self) {
        let wanted = self.home.join(".config/systemd/user/default.target.wants");
        fs::create_dir_all(&wanted).unwrap();
        fs::write(self.unit(), "[Service]\nExecStart=/usr/bin/watchkeeper daemon\n").unwrap();
        std::os::unix::fs::symlink("../watchkeeper.service", wanted.join("watchkeeper.service")).unwrap();
    }

    fn has(&self, name: &str) {
        fs::write(self.home.join("bin").join(name), "").unwrap();
    }
}

#[test]
fn a_service_is_installed_told_of_and_removed() {
    let home = Home::new();
    assert!(home.wk(&["service", "status"]).out.contains("not installed"));
    let said = home.wk(&["service", "install"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("watchkeeper.service runs") && said.err.contains("enable-linger someone"), "{said:?}");
    let text = fs::read_to_string(home.unit()).unwrap();
    assert!(text.contains(&format!("ExecStart={BINARY} daemon\n")) && text.contains("Type=notify\n"), "{text}");
    let expected = ["--user daemon-reload", "--user enable watchkeeper.service", "--user restart watchkeeper.service"];
    assert_eq!(home.told(), expected);
    let status = home.wk(&["service", "status", "--json"]).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!((&status["state"], &status["enabled"]), (&"active".into(), &true.into()), "{status}");
    assert_eq!((&status["pid"], &status["stays_after_logout"]), (&4711.into(), &false.into()), "{status}");
    assert_eq!(status["says"], "2 repositories, 1 running");
    // Once more, and nothing that runs is interrupted.
    assert!(home.wk(&["service", "install"]).err.contains("as it was"));
    assert_eq!(home.told(), expected[..2]);
    let said = home.wk(&["service", "remove"]);
    assert!(said.code == 0 && said.err.contains("the index stays"), "{said:?}");
    assert_eq!(home.told(), ["--user disable --now watchkeeper.service", "--user daemon-reload"]);
    assert!(!home.unit().exists());
    assert!(home.wk(&["service", "remove"]).err.contains("not installed"));
}

#[test]
fn options_of_the_call_stand_in_the_unit() {
    let home = Home::new();
    let data = home.home.join("my data");
    let said = home.wk(&["service", "install", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    let text = fs::read_to_string(home.unit()).unwrap();
    assert!(text.contains(&format!("ExecStart={BINARY} daemon --data-dir \"{}\"\n", data.display())), "{text}");
}

#[test]
fn what_cannot_be_installed_leaves_everything_as_it_was() {
    let home = Home::new();
    home.has("unreachable");
    let said = home.wk(&["service", "install"]);
    assert!(said.code == 1 && said.err.contains("No medium found") && said.err.contains("log in"), "{said:?}");
    assert!(!home.unit().exists());
    fs::remove_file(home.home.join("bin/unreachable")).unwrap();
    home.has("refuses");
    let said = home.wk(&["service", "install"]);
    assert!(said.code == 1 && said.err.contains("Unit is masked"), "{said:?}");
    assert!(!home.unit().exists());
    // What is not ours is left alone, by both.
    fs::remove_file(home.home.join("bin/refuses")).unwrap();
    for mask in [false, true] {
        match mask {
            false => fs::write(home.unit(), "[Service]\nExecStart=/bin/true\n").unwrap(),
            true => std::os::unix::fs::symlink("/dev/null", home.unit()).unwrap(),
        }
        home.has("loaded");
        home.told();
        for command in ["install", "remove"] {
            let said = home.wk(&["service", command]);
            assert!(said.code == 1 && said.err.contains("not written by watchkeeper"), "{said:?}");
        }
        assert_eq!(home.told(), [""; 0]);
        assert_eq!(home.unit().symlink_metadata().unwrap().is_symlink(), mask);
        fs::remove_file(home.unit()).unwrap();
    }
    let config = home.home.join("wrong.toml");
    fs::write(&config, "nonsense = 1\n").unwrap();
    assert_eq!(home.wk(&["service", "install", "--config", config.to_str().unwrap()]).code, 2);
    assert_eq!(home.wk(&["service", "install", "--system", "a b"]).code, 2);
    assert_eq!(home.wk(&["service", "status", "--system", "nobody-of-this-name"]).code, 1);
}

#[test]
fn a_screen_that_is_left_hands_over_to_the_service_where_there_is_one() {
    let home = Home::new();
    let shown_and_left = |keys: &[(&str, &str)]| {
        let mut screen = home.screen();
        screen.wait_for("Press a to add a directory");
        for (key, then) in keys {
            screen.press(key);
            screen.wait_for(then);
        }
        screen
    };
    let mut screen = shown_and_left(&[]);
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert_eq!(home.told(), [""; 0], "nobody has a service");
    home.enable();
    let mut screen = shown_and_left(&[("q", "hand over to the service")]);
    screen.press("y");
    assert_eq!(screen.end(), 0);
    assert_eq!(home.told(), [""; 0], "it was not asked for");
    let mut screen = shown_and_left(&[("q", "hand over to the service")]);
    screen.press("s");
    assert_eq!(screen.end(), 0);
    assert_eq!(home.told(), ["--user start --no-block watchkeeper.service"]);
    fs::write(home.unit(), "[Service]\nExecStart=/usr/bin/watchkeeper daemon --data-dir /elsewhere\n").unwrap();
    let mut screen = shown_and_left(&[]);
    screen.press("q");
    assert_eq!(screen.end(), 0, "that one is another engine's");
    fs::write(home.unit(), "[Service]\nExecStart=/usr/bin/watchkeeper daemon\n").unwrap();
    home.has("unreachable");
    let mut screen = shown_and_left(&[("q", "hand over to the service")]);
    screen.press("s");
    assert_eq!(screen.end(), 1, "what could not be done is told");
}

#[test]
fn a_line_that_is_lost_hands_over_without_a_question() {
    let home = Home::new();
    home.enable();
    // By SIGHUP, and behind a shell that keeps that to itself: then the terminal's end is all that is seen.
    let mut behind = CommandBuilder::new("sh");
    behind.args(["-c", "trap '' HUP; \"$0\"; exit 0", BINARY]);
    for command in [CommandBuilder::new(BINARY), behind] {
        let mut screen = home.screen_by(command);
        screen.wait_for("Press a to add a directory");
        screen.hang_up();
        home.world.wait("it has told the service", || home.told(), |told| !told.is_empty());
    }
}

#[test]
fn while_an_engine_runs_the_service_waits_for_its_end_and_interrupts_nothing() {
    let home = Home::new();
    let data = home.home.join(".local/share/watchkeeper");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    fs::rename(&home.world.data, &data).unwrap();
    let mut daemon = Command::new(BINARY);
    daemon.arg("daemon").env("HOME", &home.home).env_remove("XDG_DATA_HOME").stderr(Stdio::null());
    let mut daemon = daemon.spawn().unwrap();
    home.world.wait("the engine runs", || data.join("engine.sock").exists(), |runs| *runs);
    let said = home.wk(&["service", "install"]);
    assert!(said.code == 0 && said.err.contains("takes over when the engine that runs now has ended"), "{said:?}");
    assert_eq!(home.told().last().unwrap(), "--user start --no-block watchkeeper.service");
    assert!(daemon.try_wait().unwrap().is_none(), "nobody has ended it");
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}
