//! What this process has used: for the record of a run, and for `doctor`.

use rustix::time::{ClockId, clock_gettime};

/// Use of the machine so far. Zero where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    pub cpu_ms: u64,
    pub peak_memory_bytes: u64,
    /// In memory now.
    pub resident_bytes: u64,
    /// Bytes that were sent to a disk.
    pub written_bytes: u64,
}

impl Resources {
    /// Reads what the whole process has used since its start.
    pub fn now() -> Resources {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Resources {
            cpu_ms: cpu.tv_sec as u64 * 1000 + cpu.tv_nsec as u64 / 1_000_000,
            peak_memory_bytes: field("/proc/self/status", "VmHWM:") * 1024,
            resident_bytes: field("/proc/self/status", "VmRSS:") * 1024,
            written_bytes: field("/proc/self/io", "write_bytes:"),
        }
    }
}

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}
