//! The engine behind a screen is a process of its own: what becomes of one does not become of the other.

use super::engine::Daemon;
use super::screen::Screen;
use super::world::{BINARY, DEADLINE, World};
use portable_pty::CommandBuilder;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::Instant;

#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "no {what}");
    }
}

/// The process that has the data directory, as its lock file says.
fn engine_of(world: &World) -> Pid {
    let written = fs::read_to_string(world.data.join("engine.lock")).unwrap();
    let pid = written.split(' ').nth(1).unwrap();
    Pid::from_raw(pid.parse().unwrap()).unwrap()
}

fn has_record(world: &World, name: &str) -> bool {
    world.json(&["files", "tree"]).iter().any(|file| file["path"] == name)
}

fn is_stale(world: &World) -> bool {
    world.json(&["status"])[0]["state"] == "stale"
}

#[test]
fn a_screen_that_is_stopped_stops_nobody_else() {
    let world = World::with(&["a"]);
    // A shell with job control: without one nobody could continue it, and the kernel does not stop it.
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-mc", "\"$0\" --data-dir \"$1\"; echo stopped; read line; fg", BINARY]);
    shell.arg(&world.data);
    let mut screen = Screen::spawn(&world, shell, &[]);
    screen.wait_for("in sync");
    screen.press("\u{1a}");
    screen.wait("the shell", |text| text.contains("stopped"));
    assert!(!screen.parser.screen().alternate_screen());
    world.put("b");
    wait("record of what was saved meanwhile", || has_record(&world, "b"));
    screen.press("\n");
    screen.wait_for("2 files");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    screen.assert_restored();
}

#[test]
fn an_engine_that_is_killed_is_replaced_and_the_screen_goes_on() {
    let world = World::with(&["a"]);
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("in sync");
    let first = engine_of(&world);
    kill_process(first, Signal::KILL).unwrap();
    screen.wait_for("the engine has ended");
    world.put("b");
    screen.wait_for("2 files");
    assert_ne!(engine_of(&world), first);
    screen.press("q");
    assert_eq!(screen.end(), 0);
}

#[test]
fn a_service_that_ends_is_waited_for_and_not_replaced() {
    let world = World::with(&["a"]);
    let service = Daemon::ready(&world);
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("in sync");
    assert_eq!(service.end(Signal::TERM).0, Some(0));
    screen.wait_for("the screen goes on");
    assert!(is_stale(&world), "nobody has started another one");
    let service = Daemon::ready(&world);
    screen.wait_for("an engine runs again");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert_eq!(service.end(Signal::TERM).0, Some(0), "it goes on without the screen");
}

#[test]
fn two_screens_see_the_same_and_both_come_back_with_the_engine() {
    let world = World::with(&["a"]);
    fs::File::create(world.path("large")).unwrap().set_len(200 << 30).unwrap();
    let service = Daemon::ready(&world);
    let mut screens = [Screen::open(&world, &[], &[]), Screen::open(&world, &[], &[])];
    screens.iter_mut().for_each(|screen| screen.wait_for("syncing"));
    service.signal(Signal::KILL);
    service.end(Signal::KILL);
    screens.iter_mut().for_each(|screen| screen.wait_for("the engine has ended"));
    fs::remove_file(world.path("large")).unwrap();
    let service = Daemon::ready(&world);
    screens.iter_mut().for_each(|screen| screen.wait_for("an engine runs again"));
    screens[0].press("p");
    screens.iter_mut().for_each(|screen| screen.wait_for("paused"));
    for mut screen in screens {
        screen.press("q");
        assert_eq!(screen.end(), 0);
    }
    assert_eq!(service.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_line_that_is_lost_in_a_first_sync_loses_nothing_and_the_next_one_is_inside_it() {
    let world = World::empty();
    world.put("a");
    fs::File::create(world.path("large")).unwrap().set_len(200 << 30).unwrap();
    let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
    screen.wait_for("syncing");
    let first = engine_of(&world);
    screen.hang_up();
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("syncing");
    assert_eq!(engine_of(&world), first);
    let runs = world.json(&["history"]);
    assert_eq!((runs.len(), &runs[0]["outcome"]), (1, &serde_json::Value::Null), "{runs:?}");
    screen.press("qy");
    assert_eq!(screen.end(), 0);
}

#[test]
fn a_screen_whose_terminal_goes_without_a_signal_ends_all_the_same() {
    let world = World::with(&["a"]);
    // The kernel tells the shell alone, and that does not listen.
    let mut shell = CommandBuilder::new("sh");
    shell.args(["-c", "trap '' HUP; \"$0\" --data-dir \"$1\"; exit 0", BINARY]);
    shell.arg(&world.data);
    let mut screen = Screen::spawn(&world, shell, &[]);
    screen.wait_for("in sync");
    screen.hang_up();
    wait("end of the engine", || !world.data.join("engine.sock").exists());
}

#[test]
fn runs_that_are_left_to_themselves_end_well_and_so_does_their_engine() {
    let world = World::empty();
    fs::File::create(world.path("large")).unwrap().set_len(3 << 30).unwrap();
    let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
    screen.wait_for("syncing");
    screen.press("q");
    screen.wait_for("Quit while runs are going?");
    screen.press("d");
    assert_eq!(screen.end(), 0);
    wait("end of the engine", || !world.data.join("engine.sock").exists());
    assert_eq!(world.json(&["history"])[0]["outcome"], "completed");
}

#[test]
fn runs_that_are_cancelled_with_the_screen_are_closed_as_such() {
    for keys in ["qy", "\u{3}\u{3}"] {
        let world = World::empty();
        fs::File::create(world.path("large")).unwrap().set_len(200 << 30).unwrap();
        let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
        screen.wait_for("syncing");
        screen.press(keys);
        assert_eq!(screen.end(), 0);
        assert_eq!(world.json(&["history"])[0]["outcome"], "cancelled");
        wait("end of the engine", || !world.data.join("engine.sock").exists());
    }
}

#[test]
fn an_engine_that_cannot_start_says_why_before_any_screen() {
    let world = World::with(&["a"]);
    world.sqlite("PRAGMA user_version = 999");
    let mut screen = Screen::open(&world, &[], &[]);
    assert_eq!(screen.end(), 1);
    let text = screen.text();
    assert!(text.contains("was written by a newer watchkeeper"), "{text}");
    assert!(!String::from_utf8_lossy(&screen.bytes).contains("\u{1b}[?1049h"));
}

#[test]
fn a_data_directory_that_was_made_by_hand_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::empty();
    fs::create_dir(&world.data).unwrap();
    fs::set_permissions(&world.data, PermissionsExt::from_mode(0o755)).unwrap();
    world.put("a");
    let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
    screen.wait_for("in sync");
    assert_eq!(fs::metadata(&world.data).unwrap().permissions().mode() & 0o777, 0o700);
    screen.press("q");
    assert_eq!(screen.end(), 0);
}
