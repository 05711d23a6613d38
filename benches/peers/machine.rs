//! The machine: what it is, in words that name neither it nor its directories, what is installed on it, and its caches.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::measure::number_after;

/// Keeps this process, and all that it starts from now on, to the first `wanted` cores that it may use. Returns how many
/// these are.
///
/// Without it a machine with many cores would compare our threads with two of `xargs`, and no two machines could be
/// compared at all.
pub fn keep_to_cores(wanted: usize) -> io::Result<usize> {
    let allowed = sched_getaffinity(None)?;
    let mut kept = CpuSet::new();
    for core in (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).take(wanted.max(1)) {
        kept.set(core);
    }
    sched_setaffinity(None, &kept)?;
    Ok(kept.count() as usize)
}

/// Returns the line that heads the results: cores, processor, memory, kernel, file system of `place`.
pub fn describe(place: &Path, used_cores: usize) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let all_cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count().max(used_cores);
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, model)| model.trim()))
        .unwrap_or(std::env::consts::ARCH);
    let memory_gib = memory_bytes("MemTotal:").unwrap_or(0) as f64 / f64::from(1 << 30);
    format!(
        "Machine: {used_cores} of {all_cores} cores ({model}), {memory_gib:.0} GiB memory, Linux {}, {}.",
        kernel_version(),
        file_system(place).unwrap_or_else(|| "unknown file system".into()),
    )
}

/// Returns the memory that new programs can have without swapping.
pub fn available_memory_bytes() -> Option<u64> {
    memory_bytes("MemAvailable:")
}

fn memory_bytes(key: &str) -> Option<u64> {
    number_after(&fs::read_to_string("/proc/meminfo").ok()?, key).map(|kib| kib * 1024)
}

/// Only the numbers: what a builder appends may be the name of a place.
fn kernel_version() -> String {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    release.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or("").to_owned()
}

/// Returns the type of the file system that holds `path`: that of the longest mount point above it.
pub fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    // proc_pid_mountinfo(5): the mount point is field 5, the type the first field after " - ". Of two mounts on one
    // point the later one is seen, and `max_by_key` returns the last of equals.
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = PathBuf::from(before.split(' ').nth(4)?);
        path.starts_with(&point).then_some((point, after.split(' ').next()?.to_owned()))
    };
    mounts.lines().filter_map(mount).max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

/// Returns where a program is, if it is installed.
pub fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// Returns the first line of what a program says of its version, headed by its name, or nothing.
pub fn version(program: &Path, name: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok().filter(|output| output.status.success())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(if line.to_lowercase().contains(name) { line.to_owned() } else { format!("{name} {line}") })
}

/// Drops the page, dentry and inode caches. Fails unless we are root and the kernel lets us.
pub fn drop_caches() -> io::Result<()> {
    // Only clean pages can be dropped.
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3")
}

/// Fails when `place` has no room for this many more bytes and files.
pub fn require_room(place: &Path, bytes: u64, files: u64) -> io::Result<()> {
    let free = rustix::fs::statvfs(place)?;
    let free_bytes = free.f_bavail * free.f_frsize;
    // A file system without a fixed number of inodes (btrfs) says 0 of 0.
    if free_bytes < bytes || (free.f_files > 0 && free.f_favail < files) {
        let message = format!(
            "not enough room: {} MB and {files} files needed, {} MB and {} files free (use --dir or --files)",
            bytes / 1_000_000,
            free_bytes / 1_000_000,
            free.f_favail
        );
        return Err(io::Error::other(message));
    }
    Ok(())
}
