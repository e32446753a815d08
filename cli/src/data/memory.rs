//! Memory is asked for before it is taken: a small file may claim, or unpack to, any size.

use super::error::{DataError, Fault, Place};

/// How much memory a table may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    bytes: u64,
}

impl Budget {
    /// As many bytes as are allowed; if nothing is said, as the machine has.
    pub(super) fn new(max_bytes: Option<u64>) -> Self {
        let bytes = max_bytes.or_else(available).unwrap_or(u64::MAX);
        Self { bytes }
    }

    /// Refuses more than there is.
    pub(super) fn ask(self, bytes: u64, place: &Place) -> Result<(), DataError> {
        if bytes <= self.bytes {
            Ok(())
        } else {
            Err(self.refusal(bytes, place))
        }
    }

    /// An empty vector for `len` elements.
    pub(super) fn vector<T>(self, len: usize, place: &Place) -> Result<Vec<T>, DataError> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        self.ask(bytes, place)?;
        let mut vector = Vec::new();
        vector
            .try_reserve_exact(len)
            .map_err(|_| self.refusal(bytes, place))?;
        Ok(vector)
    }

    fn refusal(self, bytes: u64, place: &Place) -> DataError {
        place.clone().fault(Fault::Memory {
            needed: bytes.div_ceil(1 << 20),
            available: self.bytes >> 20,
        })
    }
}

/// Bytes that can be had without a process being ended for it, where the system says so.
fn available() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<u64>().ok();
    [
        read("/proc/meminfo").and_then(|text| machine(&text)),
        // Of a container.
        number("/sys/fs/cgroup/memory.max"),
        number("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    .into_iter()
    .flatten()
    .min()
}

fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_found_and_more_refused() {
        assert_eq!(
            machine("MemTotal: 9 kB\nMemAvailable:   3 kB\n"),
            Some(3072)
        );
        assert_eq!(machine("MemTotal: 9 kB\n"), None);
        let budget = Budget::new(Some(100));
        let place = Place::default();
        budget.ask(100, &place).unwrap();
        assert!(budget.ask(101, &place).is_err());
        assert!(budget.vector::<f32>(26, &place).is_err());
        let all = Budget::new(Some(u64::MAX));
        assert!(all.vector::<f64>(usize::MAX / 16, &place).is_err());
    }
}
