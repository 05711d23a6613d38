//! What the machine has left: inotify watches and instances, space for the index; and what to do where it has too few.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::domain::amount::{count, plural};
use crate::domain::show::show;

/// How many holders are named: the largest few hold nearly all.
const SHOWN_HOLDERS: usize = 5;

/// Inotify watches and instances of this user, as far as `/proc` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watches {
    pub limit: u64,
    pub used: u64,
    /// How many of the used ones belong to a process of this program.
    pub ours: u64,
    pub instance_limit: u64,
    pub instances: u64,
    /// Who holds them, those with the most watches first.
    pub holders: Vec<Holder>,
}

/// A process that holds inotify instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub command: String,
    pub watches: u64,
    pub instances: u64,
}

impl Watches {
    /// Returns how many watches there are for this program, with those that it has.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used - self.ours)
    }

    /// Says how to get `needed` watches for this program: the limit, who holds what, and the lines to write.
    pub fn how_to_raise_watches(&self, needed: u64) -> String {
        let all = self.used - self.ours + needed;
        let mut holders: Vec<_> = self.holders.iter().filter(|holder| holder.watches > 0).collect();
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.watches));
        let holders = named(&holders, |holder| plural(holder.watches, "watch", "watches"));
        advice("fs.inotify.max_user_watches", self.limit, all, &holders)
    }

    /// Says how to get an inotify instance after there was none left.
    pub fn how_to_raise_instances(&self) -> String {
        let mut holders: Vec<_> = self.holders.iter().collect();
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.instances));
        let holders = named(&holders, |holder| plural(holder.instances, "instance", "instances"));
        let needed = self.instances.max(self.instance_limit) + 1;
        advice("fs.inotify.max_user_instances", self.instance_limit, needed, &holders)
    }
}

fn named(holders: &[&Holder], amount: impl Fn(&Holder) -> String) -> String {
    let named =
        |holder: &&Holder| format!("{} (process {}) {}", show(holder.command.as_bytes()), holder.pid, amount(holder));
    let names: Vec<String> = holders.iter().take(SHOWN_HOLDERS).map(named).collect();
    match holders.len().saturating_sub(SHOWN_HOLDERS) {
        0 if names.is_empty() => "nobody that can be seen".to_owned(),
        0 => names.join(", "),
        more => format!("{} and {}", names.join(", "), plural(more as u64, "other", "others")),
    }
}

fn advice(sysctl: &str, now: u64, needed: u64, holders: &str) -> String {
    // A quarter more, as trees grow; a power of two, as everyone writes there. A watch takes memory only once it is used.
    // More than now in any case: some holders may be out of sight, in containers.
    let wanted = (needed + needed / 4).max(now + 1).next_power_of_two();
    format!(
        "raise {sysctl}, now {}, needed {}: write the line `{sysctl} = {wanted}` to /etc/sysctl.d/60-watchkeeper.conf and run \
         `sudo sysctl --system`; held by {holders}",
        count(now),
        count(needed)
    )
}

/// Returns the watches of this user; `None` where the system does not tell.
pub fn watches() -> Option<Watches> {
    let limit = |name: &str| std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse().ok();
    let mut found = Watches {
        limit: limit("max_user_watches")?,
        instance_limit: limit("max_user_instances")?,
        ..Watches::default()
    };
    let (user, program) = (rustix::process::geteuid().as_raw(), command(Path::new("/proc/self")));
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        // Those of other users do not count against our limit.
        let Ok(pid) = process.file_name().to_string_lossy().parse() else { continue };
        if process.metadata().is_ok_and(|process| process.uid() == user) {
            found.holders.extend(holder(pid, &process.path()));
        }
    }
    found.holders.sort_by_key(|holder| (std::cmp::Reverse(holder.watches), holder.pid));
    found.used = found.holders.iter().map(|holder| holder.watches).sum();
    found.instances = found.holders.iter().map(|holder| holder.instances).sum();
    let ours = found.holders.iter().filter(|holder| holder.command == program);
    found.ours = ours.map(|holder| holder.watches).sum();
    Some(found)
}

/// Returns what a process holds; `None` when that is nothing, or not ours to see.
fn holder(pid: u32, process: &Path) -> Option<Holder> {
    let mut holder = Holder { pid, ..Holder::default() };
    for descriptor in std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
        // Asked first: the texts of all other descriptors are not worth reading.
        let is_inotify = |target: std::path::PathBuf| target.as_os_str() == "anon_inode:inotify";
        if std::fs::read_link(descriptor.path()).is_ok_and(is_inotify) {
            let text = std::fs::read_to_string(process.join("fdinfo").join(descriptor.file_name())).unwrap_or_default();
            holder.watches += text.lines().filter(|line| line.starts_with("inotify wd:")).count() as u64;
            holder.instances += 1;
        }
    }
    (holder.instances > 0).then(|| Holder { command: command(process), ..holder })
}

fn command(process: &Path) -> String {
    let name = std::fs::read(process.join("comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().to_owned()
}

/// Returns the bytes that this user may still write to the file system of a path.
pub fn free_bytes(path: &Path) -> Option<u64> {
    crate::disk::free_bytes(path).ok()
}

/// SQLite's lock for writing, in a database in WAL mode: this byte of its `-shm` file.
const WRITE_LOCK: &str = "120";

/// Returns the process that holds the lock for writing of an index, when it is another than ours, and `/proc` shows it.
pub fn foreign_writer(index: &Path) -> Option<(u32, String)> {
    // By name and without opening it: to close a file would drop the locks that this process has on it (invariant 11).
    let found = std::fs::metadata(index.with_extension("db-shm")).ok()?;
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| writer(line, found.ino()))?;
    let command = command(Path::new(&format!("/proc/{pid}")));
    (command != self::command(Path::new("/proc/self"))).then_some((pid, command))
}

/// Returns who holds the lock for writing by this line of `/proc/locks`
/// (`7: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120`, the last two being the first and the last byte).
fn writer(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["POSIX", _, "WRITE", pid, file, first, last] = words.get(1..)? else { return None };
    let is_it = file.rsplit(':').next()?.parse() == Ok(inode) && (*first, *last) == (WRITE_LOCK, WRITE_LOCK);
    pid.parse().ok().filter(|_| is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32, command: &str, watches: u64, instances: u64) -> Holder {
        Holder { pid, command: command.to_owned(), watches, instances }
    }

    #[test]
    fn the_advice_names_sysctl_numbers_holders_and_the_line_to_write() {
        let holders =
            vec![holder(812, "code", 6_000, 3), holder(9, "watch\u{1b}keeper", 2_000, 1), holder(4, "idle", 0, 70)];
        let mut watches =
            Watches { limit: 8_192, used: 8_000, ours: 2_000, instance_limit: 128, instances: 74, holders };
        assert_eq!(watches.free(), 2_192);
        assert_eq!(
            watches.how_to_raise_watches(40_211),
            "raise fs.inotify.max_user_watches, now 8,192, needed 46,211: write the line \
             `fs.inotify.max_user_watches = 65536` to /etc/sysctl.d/60-watchkeeper.conf and run `sudo sysctl --system`; \
             held by code (process 812) 6,000 watches, watch\\x1bkeeper (process 9) 2,000 watches"
        );
        assert_eq!(
            watches.how_to_raise_instances(),
            "raise fs.inotify.max_user_instances, now 128, needed 129: write the line \
             `fs.inotify.max_user_instances = 256` to /etc/sysctl.d/60-watchkeeper.conf and run `sudo sysctl --system`; \
             held by idle (process 4) 70 instances, code (process 812) 3 instances, watch\\x1bkeeper (process 9) 1 instance"
        );
        watches.holders = (0..7).map(|pid| holder(pid, "p", 1, 1)).collect();
        assert!(watches.how_to_raise_watches(1).ends_with("p (process 4) 1 watch and 2 others"));
        watches.holders.clear();
        assert!(watches.how_to_raise_watches(1).ends_with("held by nobody that can be seen"));
    }

    #[test]
    fn who_holds_the_lock_for_writing_is_read_from_the_line_of_that_byte_of_that_file() {
        assert_eq!(writer("7: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120", 1234), Some(4711));
        for other in [
            "7: POSIX  ADVISORY  READ  4711 fe:00:1234 120 120",
            "7: POSIX  ADVISORY  WRITE 4711 fe:00:1234 123 123",
            "7: POSIX  ADVISORY  WRITE 4711 fe:00:12345 120 120",
            "7: -> POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120",
            "7: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF",
            "",
        ] {
            assert_eq!(writer(other, 1234), None, "{other}");
        }
    }

    #[test]
    fn our_own_watches_are_found_in_proc() {
        let temp = tempfile::tempdir().unwrap();
        let watcher = crate::disk::watch::Watcher::start(temp.path(), Box::new(|_| Ok(()))).unwrap();
        let root = crate::disk::Root::open(temp.path()).unwrap();
        watcher.watch(1, b"", &root.directory(b"").unwrap());
        let found = watches().unwrap();
        let us = found.holders.iter().find(|holder| holder.pid == std::process::id()).unwrap();
        assert!(us.watches >= 2 && us.instances >= 1 && found.ours >= 2, "the root and the cookie: {found:?}");
        assert!(found.used >= found.ours && found.instances >= us.instances);
    }
}
