//! What a person does on the screen, on a real terminal: retry a problem, decide on what is held and damaged, search.

use super::damage::damaged;
use super::problems::Unprivileged;
use super::screen::Screen;
use super::world::{BINARY, World};
use portable_pty::CommandBuilder;

const ESC: &str = "\u{1b}";

#[test]
fn a_problem_is_shown_and_retried_until_it_is_gone() {
    let Some(world) = Unprivileged::new("a_problem_is_shown", &["shut/a", "open/b"]) else { return };
    world.expect(0, &["sync"]);
    world.mode("shut", 0o000);
    world.expect(3, &["sync"]);
    let mut command = CommandBuilder::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", BINARY, "--data-dir"]);
    command.arg(&world.0.data);
    let mut screen = Screen::spawn(&world.0, command, &[]);
    screen.wait_for("partial");
    screen.press("4");
    screen.wait("problem and its hint", |text| text.contains("! permission") && text.contains("shut"));
    screen.press("r");
    screen.press("3");
    screen
        .wait("run over the path", |text| text.lines().any(|line| line.contains("single") && line.contains("partial")));
    screen.press("4");
    world.mode("shut", 0o755);
    screen.press("r");
    screen.wait_for("Nothing is open.");
    screen.press("1");
    screen.wait_for("in sync");
    screen.press("q");
    assert_eq!(screen.end(), 0);
}

#[test]
fn held_removals_are_accepted_by_typing_their_number() {
    let world = World::with(&["a=1", "b=2", "d/c=3"]);
    std::fs::remove_dir_all(&world.tree).unwrap();
    std::fs::create_dir(&world.tree).unwrap();
    world.exits(4, &["sync"]);
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("# held");
    screen.press("c");
    screen.wait_for("What is held in tree");
    screen.press("2\r");
    screen.wait_for("type");
    assert_eq!(world.index().len(), 3, "another number is no answer");
    screen.press("\u{15}3\r");
    screen.wait_for("in sync");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert_eq!(world.index().len(), 0);
}

#[test]
fn damage_is_accepted_after_a_question() {
    let world = damaged();
    world.exits(5, &["sync", "--kind", "verify"]);
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("damaged");
    screen.press("4");
    screen.wait_for("1 damaged");
    screen.press("c");
    screen.wait_for("Accept the damaged file as it is?");
    screen.press("\r");
    screen.wait("closed question", |text| !text.contains("Accept the damaged file"));
    assert_eq!(world.json(&["damage"]).len(), 1, "Enter is no");
    screen.press("c");
    screen.wait_for("Accept the damaged file as it is?");
    screen.press("y");
    screen.wait_for("Nothing is open.");
    screen.press("1");
    screen.wait_for("in sync");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert_eq!(world.json(&["damage"]).len(), 0);
}

#[test]
fn a_search_is_typed_follows_the_repository_and_is_cleared() {
    let world = World::with(&["alpha=1", "beta=2"]);
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("in sync");
    screen.press("5");
    screen.wait("both files", |text| text.contains("alpha") && text.contains("beta"));
    screen.press("/");
    screen.wait_for("esc clears");
    screen.press("bet");
    screen.wait("the match alone", |text| text.contains("1 match") && !text.contains("alpha"));
    screen.press("\r");
    world.put("better=3");
    screen.wait("what came later", |text| text.contains("better") && text.contains("2 match"));
    screen.press(ESC);
    screen.wait("all files", |text| text.contains("alpha") && text.contains("better"));
    screen.press("q");
    assert_eq!(screen.end(), 0);
}

#[test]
fn a_file_counts_as_done_when_it_was_read() {
    let world = World::empty();
    for name in ["one", "two", "three"] {
        // Holes take no room on the disk, but their time to be read.
        std::fs::File::create(world.path(name)).unwrap().set_len(80 << 30).unwrap();
    }
    let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
    screen.wait_for("syncing");
    screen.press("2");
    screen.wait("files to be read", |text| text.contains("0 of 3"));
    screen.press("q");
    screen.wait_for("Quit while runs are going?");
    screen.press("y");
    assert_eq!(screen.end(), 0);
}
