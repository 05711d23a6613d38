//! A daemon in the background of a test: started, signalled, gone when dropped; its log is shown when the test fails.

use super::world::{BINARY, DEADLINE, World};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

pub struct Daemon {
    pub child: Child,
    /// What the service manager is told.
    told: Receiver<String>,
    log: PathBuf,
}

impl Daemon {
    pub fn start(world: &World, environment: &[(&str, &str)]) -> Daemon {
        Daemon::spawn(world, world.command(&["daemon"]), environment)
    }

    pub fn ready(world: &World) -> Daemon {
        let daemon = Daemon::start(world, &[]);
        daemon.wait_for("READY=1");
        daemon
    }

    /// Starts it by another command line.
    pub fn ready_by(world: &World, command: Command) -> Daemon {
        let daemon = Daemon::spawn(world, command, &[]);
        daemon.wait_for("READY=1");
        daemon
    }

    /// Starts it by a program that becomes it, like `unshare -m`.
    pub fn ready_in(world: &World, program: &[&str]) -> Daemon {
        let plain = world.command(&["daemon"]);
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).arg(BINARY).args(plain.get_args()).stdin(Stdio::null());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let daemon = Daemon::spawn(world, command, &[]);
        daemon.wait_for("READY=1");
        daemon
    }

    fn spawn(world: &World, mut command: Command, environment: &[(&str, &str)]) -> Daemon {
        let socket = world.temp.path().join("notify");
        drop(fs::remove_file(&socket));
        let told = read_all(UnixDatagram::bind(&socket).unwrap());
        let log = world.temp.path().join("log");
        let file = File::create(&log).unwrap();
        let journal = format!("{}:{}", file.metadata().unwrap().dev(), file.metadata().unwrap().ino());
        command.env_remove("JOURNAL_STREAM").env("NOTIFY_SOCKET", socket).stderr(file);
        for (name, value) in environment {
            command.env(name, if *value == "the log" { journal.as_str() } else { value });
        }
        Daemon { child: command.spawn().unwrap(), told, log }
    }

    /// Waits until the service manager is told this, and returns the whole message.
    #[track_caller]
    pub fn wait_for(&self, what: &str) -> String {
        loop {
            let Ok(message) = self.told.recv_timeout(DEADLINE) else {
                panic!("{what} was never told; log:\n{}", self.log())
            };
            if message.lines().any(|line| line.starts_with(what)) {
                return message;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads the config again, and waits until that is done.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
        self.wait_for("RELOADING=1");
        self.wait_for("READY=1");
    }

    /// Runs a script in the daemon's mount namespace, and returns whether it ended well.
    pub fn inside(&self, script: &str) -> bool {
        let target = self.child.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &target, "-m", "sh", "-euc", script]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// Ends it and returns its exit code and log.
    pub fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        let code = self.child.wait().unwrap().code();
        (code, self.log())
    }

    /// Ends it as a service manager does.
    #[track_caller]
    pub fn stop(self) -> String {
        let (code, log) = self.end(Signal::TERM);
        assert_eq!(code, Some(0), "{log}");
        log
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

/// Reads as a service manager does: all of it and at once, since who tells would wait for it otherwise.
fn read_all(socket: UnixDatagram) -> Receiver<String> {
    let (sender, receiver) = channel();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        // Ends when a daemon has been silent for long, or nobody is left to hear of it.
        while let Ok(length) = socket.recv(&mut buffer) {
            if sender.send(String::from_utf8_lossy(&buffer[..length]).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It has mostly ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

impl World {
    /// Writes the config file.
    pub fn config(&self, text: &str) {
        let path = self.temp.path().join(".config/watchkeeper/config.toml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Waits until something is so; on the way there `shown` says how it is.
    #[track_caller]
    pub fn wait<T: std::fmt::Debug>(&self, what: &str, look: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
        let began = Instant::now();
        loop {
            let seen = look();
            if is_so(&seen) {
                return seen;
            }
            assert!(began.elapsed() < DEADLINE, "{what}: {seen:?}\n{}", self.wk(&["history"]).out);
        }
    }

    /// Waits until the only repository, or `tree`, is in this state.
    #[track_caller]
    pub fn wait_for_state(&self, name: &str, state: &str) {
        let look = || self.json(&["status", name])[0]["state"].as_str().unwrap_or_default().to_owned();
        self.wait(&format!("{name} becomes {state}"), look, |seen| seen == state);
    }

    /// Waits until the index has just the files of the tree.
    #[track_caller]
    pub fn wait_in_step(&self) {
        let disk = self.disk();
        let began = Instant::now();
        while self.index() != disk && began.elapsed() < DEADLINE {}
        self.assert_in_step();
    }

    /// Asks the index; `runs` is the table of the history.
    #[track_caller]
    pub fn wait_for_sql(&self, sql: &str, answer: &str) {
        self.wait(sql, || self.sqlite(sql), |seen| seen == answer);
    }
}
