//! What a process uses, as Linux tells it; elsewhere nothing is told.

use std::path::Path;
use std::time::Duration;

/// Ticks of a second in `/proc/<pid>/stat`, the same on every Linux that Rust runs on.
const TICKS_PER_S: u64 = 100;

/// CPU time of all threads of a process so far.
pub fn cpu_of(pid: u32) -> Option<Duration> {
    cpu_in(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn cpu_in(stat: &str) -> Option<Duration> {
    // The name, in parentheses, may hold anything; the fields after it are counted from the third.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_S))
}

/// CPU time of this thread so far.
pub fn cpu_of_this_thread() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// The most memory that a process has had, and what it has now; bytes.
pub fn memory_of(pid: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    Some((field(&status, "VmHWM:")?, field(&status, "VmRSS:")?))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_linux_writes_them() {
        let stat = "77 (a) b) S 1 77 77 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 9 0 1 2 3";
        assert_eq!(cpu_in(stat), Some(Duration::from_secs(3)));
        assert_eq!(cpu_in("77 (a"), None);
        assert_eq!(field("Name:\tx\nVmHWM:\t   12 kB\nVmRSS:\t 8 kB\n", "VmHWM:"), Some(12 << 10));
        assert_eq!(field("Name:\tx\n", "VmHWM:"), None);
    }
}
