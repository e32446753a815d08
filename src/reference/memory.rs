//! Whether there is memory for what is wanted, asked before it is allocated: an allocation that
//! fails ends the program, and one that an operating system grants and cannot keep does so later.

use std::hint::black_box;

use crate::model::ModelError;

/// What is not worth a question.
const LITTLE: u64 = 64 << 20;

/// Refuses what the allocator or the operating system cannot give.
pub(super) fn ask(bytes: u64) -> Result<(), ModelError> {
    if bytes <= LITTLE {
        return Ok(());
    }
    ask_of(available(), bytes)
}

fn ask_of(available: Option<u64>, bytes: u64) -> Result<(), ModelError> {
    if available.is_none_or(|available| bytes <= available) && is_granted(bytes) {
        Ok(())
    } else {
        Err(ModelError::Memory { bytes })
    }
}

/// Bytes of `rows` × `columns` elements of `F`, or as many as can be counted.
pub(super) fn bytes<F>(rows: usize, columns: usize) -> u64 {
    let elements = (rows as u64).saturating_mul(columns as u64);
    elements.saturating_mul(size_of::<F>() as u64)
}

/// Whether the allocator would take the request. Nothing is written to the memory, so it costs
/// none.
fn is_granted(bytes: u64) -> bool {
    let Ok(len) = usize::try_from(bytes) else {
        return false;
    };
    let mut memory = Vec::<u8>::new();
    let granted = memory.try_reserve_exact(len).is_ok();
    // Compilers may leave out an allocation that nobody looks at, and say that it worked.
    black_box(&mut memory);
    granted
}

/// Bytes that the operating system can give without ending a process for it, where it says so:
/// Linux promises more than it has, and keeps a list.
fn available() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let limits = [
        read("/proc/meminfo").and_then(|text| machine(&text)),
        // Of a container.
        read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok()),
        read("/sys/fs/cgroup/memory/memory.limit_in_bytes")
            .and_then(|text| text.trim().parse().ok()),
    ];
    limits.into_iter().flatten().min()
}

/// Memory and swap that are free or can be freed, from `/proc/meminfo`.
fn machine(meminfo: &str) -> Option<u64> {
    let kibibytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    let memory = kibibytes("MemAvailable:")?;
    let all = memory.saturating_add(kibibytes("SwapFree:").unwrap_or(0));
    Some(all.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_has_what_is_available_and_swap() {
        let text = "MemTotal:  400 kB\nMemFree:  1 kB\nMemAvailable:   300 kB\nSwapFree: 20 kB\n";
        assert_eq!(machine(text), Some(320 * 1024));
        assert_eq!(machine("MemAvailable: 7 kB\n"), Some(7 * 1024));
        assert_eq!(machine("MemTotal: 7 kB\n"), None);
        assert_eq!(machine("MemAvailable: many\n"), None);
    }

    /// What Linux may well promise is refused too.
    #[test]
    fn ask_refuses_more_than_is_available() {
        ask_of(Some(5000), 5000).unwrap();
        ask_of(None, 5000).unwrap();
        assert!(ask_of(Some(4999), 5000).is_err());
        ask(LITTLE + 1).unwrap();
    }

    /// More than any address space, where nobody knows what is available.
    #[test]
    fn ask_refuses_what_no_allocator_gives() {
        for bytes in [1 << 60, u64::MAX] {
            let result = ask_of(None, bytes);
            assert!(
                matches!(result, Err(ModelError::Memory { bytes: asked }) if asked == bytes),
                "{result:?}"
            );
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_says_what_is_available() {
        let there_is = available().unwrap();
        assert!(ask(there_is.saturating_mul(2)).is_err());
    }

    #[test]
    fn bytes_are_counted_without_overflow() {
        assert_eq!(bytes::<f64>(3, 5), 120);
        assert_eq!(bytes::<f32>(usize::MAX, 2), u64::MAX);
        assert_eq!(bytes::<u8>(1 << 40, 1 << 24), u64::MAX);
        assert_eq!(bytes::<f32>(1 << 40, 1 << 22), u64::MAX);
    }
}
