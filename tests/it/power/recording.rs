//! What the program did to the files below one directory, call by call, as strace tells it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::world::{BINARY, Said, World, said};

/// What a name leads to, whatever it is called.
pub type Node = usize;

/// One call.
#[derive(Debug)]
pub enum Op {
    Write {
        node: Node,
        at: usize,
        data: Vec<u8>,
    },
    Resize {
        node: Node,
        length: usize,
    },
    /// A new file, or a directory (without a node).
    Make {
        path: PathBuf,
        node: Option<Node>,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    Sync {
        node: Node,
    },
    SyncDirectory {
        path: PathBuf,
    },
}

/// A directory, and what was done in it since.
#[derive(Debug, Default)]
pub struct Recording {
    /// What stood when it began: bytes, or `None` for a directory.
    pub before: BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// The nodes of these.
    pub known: BTreeMap<PathBuf, Node>,
    pub ops: Vec<Op>,
    names: BTreeMap<PathBuf, Node>,
    nodes: Node,
    /// Where a descriptor writes next, and how long a file is.
    offsets: BTreeMap<u64, usize>,
    lengths: BTreeMap<Node, usize>,
}

const CALLS: &str = "trace=open,openat,openat2,creat,lseek,read,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,\
                     fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,fsync,fdatasync,link,linkat,\
                     copy_file_range,sendfile,sync_file_range";

/// One line of strace: a call that has ended.
struct Call<'a> {
    name: &'a str,
    arguments: &'a str,
    result: i64,
}

impl Recording {
    /// Begins with a directory as it is; it need not be there yet.
    pub fn begin(directory: &Path) -> Recording {
        let mut recording = Recording::default();
        for entry in walkdir::WalkDir::new(directory).into_iter().flatten() {
            let path = entry.path().to_owned();
            if entry.file_type().is_dir() {
                recording.before.insert(path, None);
            } else if entry.file_type().is_file() {
                let bytes = fs::read(&path).unwrap();
                let node = recording.new_node();
                recording.lengths.insert(node, bytes.len());
                recording.before.insert(path.clone(), Some(bytes));
                recording.names.insert(path, node);
            }
        }
        recording.known = recording.names.clone();
        recording
    }

    fn new_node(&mut self) -> Node {
        self.nodes += 1;
        self.nodes
    }

    /// Runs the program, and adds what it does in its data directory.
    pub fn run(&mut self, world: &World, args: &[&str]) -> Said {
        let lines = world.temp.path().join("calls");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-xx", "-s", "16000000", "-e", CALLS, "-o"]).arg(&lines).arg(BINARY);
        strace.arg("--data-dir").arg(&world.data).args(args).env("HOME", world.temp.path()).stdin(Stdio::null());
        let said = said(&mut strace);
        self.offsets.clear();
        let text = fs::read_to_string(&lines).unwrap();
        let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
        for line in text.lines() {
            let (thread, rest) = line.split_once(' ').unwrap();
            let rest = rest.trim_start();
            if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, start);
            } else if rest.starts_with("<... ") {
                let (_, end) = rest.split_once(" resumed>").unwrap();
                let whole = format!("{}{end}", begun.remove(thread).unwrap());
                self.hear(&world.data, &whole);
            } else {
                self.hear(&world.data, rest);
            }
        }
        said
    }

    fn hear(&mut self, directory: &Path, line: &str) {
        let Some(call) = Call::parse(line) else { return };
        if call.result < 0 {
            return;
        }
        let paths: Vec<PathBuf> = call.paths().into_iter().filter(|path| path.starts_with(directory)).collect();
        let Some(path) = paths.first().cloned() else { return };
        match call.name {
            "open" | "openat" | "openat2" | "creat" => self.open(&call, path),
            "mkdir" | "mkdirat" => self.ops.push(Op::Make { path, node: None }),
            "unlink" | "unlinkat" | "rmdir" => {
                self.names.remove(&path);
                self.ops.push(Op::Unlink { path });
            }
            "rename" | "renameat" | "renameat2" => {
                let [from, to] = paths.try_into().unwrap_or_else(|paths| panic!("{line}: {paths:?}"));
                rename(&mut self.names, &from, &to);
                self.ops.push(Op::Rename { from, to });
            }
            _ => self.change(&call, &path),
        }
    }

    fn open(&mut self, call: &Call<'_>, path: PathBuf) {
        let is_new = call.arguments.contains("O_CREAT") && !self.names.contains_key(&path);
        if is_new {
            let node = self.new_node();
            self.names.insert(path.clone(), node);
            self.ops.push(Op::Make { path: path.clone(), node: Some(node) });
        }
        if let (true, Some(&node)) = (call.arguments.contains("O_TRUNC"), self.names.get(&path)) {
            self.ops.push(Op::Resize { node, length: 0 });
        }
        // Nobody else adds to the same file meanwhile.
        let appends = call.arguments.contains("O_APPEND");
        let node = self.names.get(&path);
        let offset = node.filter(|_| appends).and_then(|node| self.lengths.get(node)).copied().unwrap_or(0);
        self.offsets.insert(call.result as u64, offset);
    }

    /// A call with a descriptor of something below the directory.
    fn change(&mut self, call: &Call<'_>, path: &Path) {
        let Some(&node) = self.names.get(path) else {
            if matches!(call.name, "fsync" | "fdatasync") {
                self.ops.push(Op::SyncDirectory { path: path.to_owned() });
            }
            return;
        };
        let descriptor: u64 = call.arguments.split('<').next().unwrap().parse().unwrap();
        let numbers = call.numbers();
        match call.name {
            "fsync" | "fdatasync" => self.ops.push(Op::Sync { node }),
            "lseek" => drop(self.offsets.insert(descriptor, call.result as usize)),
            "read" => *self.offsets.entry(descriptor).or_default() += call.result as usize,
            "ftruncate" => self.ops.push(Op::Resize { node, length: numbers[0] }),
            "fallocate" if call.arguments.contains("KEEP_SIZE") => {}
            "fallocate" => self.ops.push(Op::Resize { node, length: numbers[1] + numbers[2] }),
            "write" | "pwrite64" => {
                let data = call.strings().remove(0)[..call.result as usize].to_vec();
                let offset = self.offsets.entry(descriptor).or_default();
                let at = match call.name {
                    "write" => {
                        *offset += data.len();
                        *offset - data.len()
                    }
                    _ => numbers[1],
                };
                self.ops.push(Op::Write { node, at, data });
            }
            other => panic!("{other} is not understood: {}", call.arguments),
        }
        match self.ops.last() {
            Some(Op::Resize { node: of, length }) if *of == node => drop(self.lengths.insert(node, *length)),
            Some(Op::Write { node: of, at, data }) if *of == node => {
                let length = self.lengths.entry(node).or_default();
                *length = (*length).max(at + data.len());
            }
            _ => {}
        }
    }
}

/// Renames a file, or a directory with all that is in it.
pub fn rename<T>(names: &mut BTreeMap<PathBuf, T>, from: &Path, to: &Path) {
    let below: Vec<PathBuf> = names.keys().filter(|path| path.starts_with(from)).cloned().collect();
    for path in below {
        let node = names.remove(&path).unwrap();
        let rest = path.strip_prefix(from).unwrap();
        names.insert(if rest.as_os_str().is_empty() { to.to_owned() } else { to.join(rest) }, node);
    }
}

impl<'a> Call<'a> {
    fn parse(line: &'a str) -> Option<Call<'a>> {
        let (name, rest) = line.split_once('(')?;
        // As many blanks as it takes to stand in a column: more behind a call that was told of in two parts.
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let arguments = arguments.trim_end().strip_suffix(')')?;
        let digits = result.split(|c: char| c != '-' && !c.is_ascii_digit()).next()?;
        Some(Call { name, arguments, result: digits.parse().ok()? })
    }

    /// What stands in quotes.
    fn strings(&self) -> Vec<Vec<u8>> {
        self.arguments.split('"').skip(1).step_by(2).map(bytes).collect()
    }

    /// Names in quotes below the directories that stand before them; without such names, what the descriptor stands for.
    fn paths(&self) -> Vec<PathBuf> {
        let takes_names = !matches!(
            self.name,
            "read" | "write" | "pwrite64" | "lseek" | "fsync" | "fdatasync" | "ftruncate" | "fallocate"
        );
        let mut place = PathBuf::new();
        let mut paths = Vec::new();
        for (number, part) in self.arguments.split('"').enumerate() {
            if takes_names && number % 2 == 1 {
                paths.push(place.join(std::ffi::OsString::from_vec(bytes(part))));
            } else if number % 2 == 0
                && let Some((_, rest)) = part.split_once('<')
            {
                place = PathBuf::from(std::ffi::OsString::from_vec(bytes(rest.split('>').next().unwrap())));
            }
        }
        if paths.is_empty() && !place.as_os_str().as_bytes().ends_with(b"(deleted)") { vec![place] } else { paths }
    }

    /// Plain numbers among the arguments.
    fn numbers(&self) -> Vec<usize> {
        let outside: String = self.arguments.split('"').step_by(2).collect();
        outside.split(", ").filter_map(|part| part.trim_matches([',', ' ']).parse().ok()).collect()
    }
}

/// Reads `\x2f\x74`.
fn bytes(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|pair| u8::from_str_radix(&pair[..2], 16).unwrap()).collect()
}
