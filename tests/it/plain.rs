//! The program in lines (`--plain`), as a screen reader has it: a pipe in, a pipe out.

use super::world::{BINARY, DEADLINE, World};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

struct Lines {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    heard: String,
}

impl Lines {
    fn open(world: &World, args: &[&str]) -> Lines {
        let mut command = Command::new(BINARY);
        command.arg("--data-dir").arg(&world.data).arg("--plain").args(args).env("HOME", world.temp.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, output) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        let input = child.stdin.take().unwrap();
        Lines { child, input, output, heard: String::new() }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    #[track_caller]
    fn hear(&mut self, words: &str) {
        while !self.heard.contains(words) {
            match self.output.recv_timeout(DEADLINE) {
                Ok(line) => self.heard.push_str(&format!("{line}\n")),
                Err(_) => panic!("nothing was said of {words:?}:\n{}", self.heard),
            }
        }
    }

    fn end(mut self) -> Option<i32> {
        drop(self.input);
        self.child.wait().unwrap().code()
    }
}

#[test]
fn in_lines_one_hears_what_happens_and_can_do_what_the_commands_do() {
    let world = World::empty();
    world.put("a=1");
    let mut lines = Lines::open(&world, &[world.tree.to_str().unwrap()]);
    lines.hear("Type help for help");
    lines.hear("tree: full sync completed, 1 file, 1 added");
    lines.hear("tree is in sync");
    lines.say("watchkeeper history");
    lines.hear("startup  completed");
    lines.say("sync tree 'oh");
    lines.hear("quotation mark");
    lines.say("sync nowhere");
    lines.hear("(exit code 1)");
    assert!(!lines.heard.contains('\u{1b}'), "{}", lines.heard);
    lines.say("quit");
    assert_eq!(lines.end(), Some(0));
}

#[test]
fn when_nobody_types_any_more_the_lines_end_with_the_work() {
    let world = World::empty();
    world.put("a=1");
    let lines = Lines::open(&world, &[world.tree.to_str().unwrap()]);
    assert_eq!(lines.end(), Some(0));
    assert_eq!(world.json(&["history"])[0]["outcome"], "completed");
}
