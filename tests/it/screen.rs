//! The screen on a real terminal: a pseudo-terminal and a terminal emulator that knows nothing of the program.

use super::world::{BINARY, DEADLINE, World};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

/// The program on a pseudo-terminal of 80x24.
pub struct Screen {
    pub parser: vt100::Parser,
    pub bytes: Vec<u8>,
    output: Receiver<Vec<u8>>,
    input: Box<dyn Write + Send>,
    pub child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

impl Screen {
    /// Starts the program.
    pub fn open(world: &World, args: &[&str], environment: &[(&str, &str)]) -> Screen {
        let mut command = CommandBuilder::new(BINARY);
        command.args(["--data-dir", world.data.to_str().unwrap()]);
        command.args(args);
        Screen::spawn(world, command, environment)
    }

    /// Starts any command.
    pub fn spawn(world: &World, mut command: CommandBuilder, environment: &[(&str, &str)]) -> Screen {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        command.env("TERM", "xterm-256color");
        command.env("HOME", world.temp.path());
        command.env("LANG", "C.UTF-8");
        environment.iter().for_each(|(name, value)| command.env(name, value));
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let input = pty.master.take_writer().unwrap();
        Screen { parser: vt100::Parser::new(24, 80, 0), bytes: Vec::new(), output, input, child, master: pty.master }
    }

    /// Returns what is shown.
    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Waits until the screen satisfies `is_there`.
    #[track_caller]
    pub fn wait(&mut self, what: &str, is_there: impl Fn(&str) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !is_there(&self.text()) {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => {
                    self.parser.process(&bytes);
                    self.bytes.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no {what} on the screen:\n{}", self.text())
                }
            }
        }
    }

    /// Waits until a text is shown.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait(text, |screen| screen.contains(text));
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.input.write_all(keys.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Takes the terminal away and waits for the end of the program.
    pub fn hang_up(self) {
        let Screen { mut child, master, input, output, .. } = self;
        drop((master, input, output));
        child.wait().unwrap();
    }

    /// Waits for the end of the program; returns its exit code.
    pub fn end(&mut self) -> u32 {
        let until = Instant::now() + DEADLINE;
        while let Ok(bytes) = self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.parser.process(&bytes);
            self.bytes.extend(bytes);
        }
        if Instant::now() >= until {
            self.child.kill().unwrap();
        }
        self.child.wait().unwrap().exit_code()
    }

    /// The terminal is as it was: main screen, visible cursor, no paste or mouse mode.
    #[track_caller]
    pub fn assert_restored(&self) {
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }
}

#[test]
fn a_directory_is_added_synced_and_shown_and_quitting_restores_the_terminal() {
    let world = World::empty();
    world.put("a/b=1");
    world.put("hostile\u{1b}[31m=2");
    let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
    screen.wait_for("in sync");
    screen.press("3");
    screen.wait_for("completed");
    screen.press("?");
    screen.wait_for("Help");
    screen.press("\u{1b}");
    screen.wait("closed help", |text| !text.contains("Help ─"));
    screen.press("s");
    screen.wait("second run", |text| text.matches("completed").count() == 2);
    assert!(screen.parser.screen().alternate_screen());
    screen.press("q");
    assert_eq!(screen.end(), 0);
    screen.assert_restored();
    assert_eq!(world.json(&["history"]).len(), 2);
}

#[test]
fn the_first_repository_is_added_on_the_empty_screen() {
    let world = World::empty();
    world.put("music/a=1");
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("Press a to add a directory");
    screen.press("a");
    screen.wait_for("Add a repository");
    screen.press(world.tree.join("mu").to_str().unwrap());
    screen.press("\t");
    screen.wait_for("tree/music/");
    screen.press("\r");
    screen.wait_for("enter adds it: 1 file");
    screen.press("\r");
    screen.wait_for("in sync");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    assert_eq!(world.json(&["history"])[0]["trigger"], "startup");
}

#[test]
fn any_size_is_survived_and_a_small_one_tells_the_state() {
    let world = World::with(&["a"]);
    let mut screen = Screen::open(&world, &[], &[]);
    screen.wait_for("in sync");
    for (rows, cols) in [(1, 1), (3, 200), (50, 2), (10, 40), (24, 80)] {
        screen.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        screen.parser.screen_mut().set_size(rows, cols);
    }
    screen.wait_for("in sync");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    screen.assert_restored();
}

#[test]
fn a_signal_restores_the_terminal_and_ends_with_its_code() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let world = World::with(&["a"]);
        let mut screen = Screen::open(&world, &[], &[]);
        screen.wait_for("in sync");
        let id = screen.child.process_id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert_eq!(screen.end(), code);
        screen.assert_restored();
    }
}

#[test]
fn with_no_colour_wanted_none_is_sent_and_a_dumb_terminal_gets_plain_lines() {
    let world = World::with(&["a"]);
    let mut screen = Screen::open(&world, &[], &[("NO_COLOR", "1")]);
    screen.wait_for("in sync");
    screen.press("q");
    assert_eq!(screen.end(), 0);
    let sent = String::from_utf8_lossy(&screen.bytes).into_owned();
    for colour in ["\u{1b}[38", "\u{1b}[48", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"] {
        assert!(!sent.contains(colour), "{colour:?} in {sent:?}");
    }
    let mut dumb = Screen::open(&world, &[], &[("TERM", "dumb")]);
    assert_eq!(dumb.end(), 0);
    let sent = String::from_utf8_lossy(&dumb.bytes).into_owned();
    assert!(sent.contains("stale") && !sent.contains('\u{1b}'), "{sent:?}");
}

#[test]
fn a_lost_terminal_ends_the_screen_and_not_the_work() {
    let world = World::empty();
    // Long enough to be running when the terminal goes.
    std::fs::File::create(world.path("large")).unwrap().set_len(2 << 30).unwrap();
    let mut screen = Screen::open(&world, &[world.tree.to_str().unwrap()], &[]);
    screen.wait_for("syncing");
    screen.hang_up();
    let until = Instant::now() + DEADLINE;
    while world.json(&["history"])[0]["outcome"].is_null() {
        assert!(Instant::now() < until, "the run does not end");
    }
    let run = &world.json(&["history"])[0];
    assert_eq!(run["outcome"], "completed", "{run}");
}

/// Set in the child of the next test: which thread panics.
const PANIC: &str = "WATCHKEEPER_TEST_PANIC";

#[test]
fn a_panic_of_any_thread_leaves_a_terminal_that_can_be_used() {
    // Called once more by itself, in a pseudo-terminal: there it shows the screen and panics.
    if let Ok(which) = std::env::var(PANIC) {
        return show_and_panic(&which);
    }
    for which in ["worker", "screen"] {
        let world = World::with(&["a"]);
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let name = "screen::a_panic_of_any_thread_leaves_a_terminal_that_can_be_used";
        command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
        let environment = [(PANIC, which), ("WATCHKEEPER_TEST_DATA", world.data.to_str().unwrap())];
        let mut screen = Screen::spawn(&world, command, &environment);
        screen.wait_for("in sync");
        std::fs::write(world.data.join("go"), "").unwrap();
        if which == "worker" {
            screen.wait_for("planted panic");
            assert!(screen.parser.screen().alternate_screen(), "the screen goes on and says so");
            screen.press("q");
        }
        screen.end();
        screen.assert_restored();
        let sent = String::from_utf8_lossy(&screen.bytes).into_owned();
        assert!(sent.contains("\u{1b}[?1049h") && sent.contains("planted panic"), "{which}: {sent:?}");
    }
}

fn show_and_panic(which: &str) {
    use watchkeeper::engine::protocol::Stay;
    use watchkeeper::engine::{Engine, Options};
    let data_directory = std::path::PathBuf::from(std::env::var_os("WATCHKEEPER_TEST_DATA").unwrap());
    let index_path = data_directory.join("index.db");
    let go = data_directory.join("go");
    let config = watchkeeper::config::Config::default();
    let engine = Engine::start(Options { data_directory, config, counts_ahead: false, stay: Stay::Command }).unwrap();
    let options = watchkeeper::tui::Options {
        keys: Default::default(),
        mouse: false,
        index_path,
        theme: watchkeeper::tui::Theme::Auto,
        ascii: false,
        has_service: false,
        here: Default::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shown = runtime.block_on(async {
        let handle = engine.handle.clone();
        if which == "worker" {
            tokio::task::spawn_blocking(move || {
                while !go.exists() {}
                panic!("planted panic")
            });
        } else {
            // Runs on the screen's own thread, whenever that waits.
            tokio::spawn(async move {
                while !go.exists() {
                    tokio::task::yield_now().await;
                }
                panic!("planted panic")
            });
        }
        watchkeeper::tui::run(options, handle, || {}).await
    });
    assert_eq!(shown.is_ok(), which == "worker", "{shown:?}");
    engine.stop();
}
