//! Kernels are run once before they are used: on a small problem whose results are known.
//!
//! What came of it holds for the device, and all caches of kernels of one device share it. No lock
//! is held while the device works but one that lets runs take turns, and nobody waits for that one
//! for long: where two threads want the same kernel at the same moment, both run it.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::probe::{Given, Probe};
use super::{Dispatch, Kernel, Operand, ShaderChecks};
use crate::time::Instant;

/// Who can run work and wait for it.
pub(crate) trait Runner: fmt::Debug + Send + Sync {
    /// Runs `dispatch`, then copies the words of `buffer`.
    fn run(&self, dispatch: &Dispatch, buffer: &wgpu::Buffer) -> Result<Vec<u32>, Stopped>;
}

/// Why there are no results.
#[derive(Debug)]
pub(crate) enum Stopped {
    Lost,
    Timeout(Duration),
    Other(Box<dyn Error + Send + Sync>),
}

/// What is known of the kernels of a device.
#[derive(Debug)]
pub(crate) struct FirstUse {
    runner: Box<dyn Runner>,
    known: Mutex<HashMap<(Arc<Kernel>, ShaderChecks), Verdict>>,
    /// Whether any of them is wrong.
    condemned: AtomicBool,
    turn: Mutex<()>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// With the first thing that is wrong, in words.
    Wrong(Box<str>),
}

/// A turn is waited for so long. It only spares wgpu several threads that wait for one device; a
/// callback of the application, called while a run is waited for, may want a turn itself.
const PATIENCE: Duration = Duration::from_secs(3);

impl FirstUse {
    pub(crate) fn new(runner: Box<dyn Runner>) -> Self {
        Self {
            runner,
            known: Mutex::default(),
            condemned: AtomicBool::new(false),
            turn: Mutex::default(),
        }
    }

    pub(super) fn verdict(&self, kernel: &Arc<Kernel>, checks: ShaderChecks) -> Option<Verdict> {
        self.known().get(&(kernel.clone(), checks)).cloned()
    }

    pub(super) fn note(&self, kernel: &Arc<Kernel>, checks: ShaderChecks, verdict: Verdict) {
        if verdict != Verdict::Right {
            self.condemned.store(true, Ordering::Release);
        }
        self.known().insert((kernel.clone(), checks), verdict);
    }

    pub(super) fn run(
        &self,
        dispatch: &Dispatch,
        buffer: &wgpu::Buffer,
    ) -> Result<Vec<u32>, Stopped> {
        let _turn = self.turn();
        self.runner.run(dispatch, buffer)
    }

    /// The names of the kernels that are wrong, with what is wrong with each.
    pub(crate) fn condemned(&self) -> Vec<(String, Box<str>)> {
        if !self.condemned.load(Ordering::Acquire) {
            return Vec::new();
        }
        let known = self.known();
        let wrong = known
            .iter()
            .filter_map(|((kernel, _), verdict)| match verdict {
                Verdict::Right => None,
                Verdict::Wrong(found) => Some((kernel.name(), found.clone())),
            });
        wrong.collect()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(Arc<Kernel>, ShaderChecks), Verdict>> {
        // A panic elsewhere cannot leave it half written: entries are inserted whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            match self.turn.try_lock() {
                Ok(turn) => return Some(turn),
                Err(std::sync::TryLockError::Poisoned(turn)) => return Some(turn.into_inner()),
                Err(std::sync::TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        }
        None
    }
}

/// Where every device can bind an operand: 256 bytes.
const ALIGNMENT_WORDS: usize = 64;
/// What stands behind each operand, and must stay: 12345 as f32.
const GUARD: u32 = 0x4640_e400;

/// The operands of a probe on a device.
pub(super) struct Placed {
    read: wgpu::Buffer,
    pub(super) written: wgpu::Buffer,
    settings: Vec<Option<wgpu::Buffer>>,
    /// Where each begins, and how long it is, in words.
    places: Vec<[usize; 2]>,
}

impl Placed {
    /// Puts what is read into one buffer, and what is written into another. `filled` makes buffers.
    pub(super) fn new(
        probe: &Probe,
        filled: impl Fn(wgpu::BufferUsages, &[u8]) -> wgpu::Buffer,
    ) -> Self {
        let (mut read, mut written) = (Vec::new(), Vec::new());
        let (mut settings, mut places) = (Vec::new(), Vec::new());
        for given in &probe.operands {
            let mut uniform = None;
            places.push(match given {
                Given::Absent => [0, 0],
                Given::Settings(contents) => {
                    uniform = Some(filled(wgpu::BufferUsages::UNIFORM, &contents.padded()));
                    [0, 0]
                }
                Given::Read(words) => place(&mut read, words),
                Given::Written { before, .. } => place(&mut written, before),
            });
            settings.push(uniform);
        }
        let storage = |words: &mut Vec<u32>| {
            words.resize(words.len().max(1), GUARD);
            let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
            filled(usage, bytemuck::cast_slice(words))
        };
        Self {
            read: storage(&mut read),
            written: storage(&mut written),
            settings,
            places,
        }
    }

    /// What is bound, in the order of the bindings.
    pub(super) fn operands(&self, probe: &Probe) -> Vec<Option<Operand<'_>>> {
        let mut operands = Vec::new();
        for ((given, settings), place) in
            probe.operands.iter().zip(&self.settings).zip(&self.places)
        {
            let [first, len] = place.map(|words| 4 * words as u64);
            let part = |buffer| Operand {
                offset_bytes: first,
                ..Operand::buffer("probe", buffer, len)
            };
            operands.push(match given {
                Given::Absent => None,
                Given::Settings(_) => settings
                    .as_ref()
                    .map(|buffer| Operand::buffer("settings", buffer, buffer.size())),
                Given::Read(_) => Some(part(&self.read)),
                Given::Written { .. } => Some(part(&self.written)),
            });
        }
        operands
    }

    /// What came of the probe, from the words of `written`.
    pub(super) fn judge(&self, kernel: &Kernel, probe: &Probe, words: &[u32]) -> Verdict {
        let before = kernel.bindings.len().saturating_sub(probe.operands.len());
        let names = kernel.bindings.iter().skip(before);
        let mut end = 0;
        for ((given, place), binding) in probe.operands.iter().zip(&self.places).zip(names) {
            let (Given::Written { wanted, .. }, [first, len]) = (given, *place) else {
                continue;
            };
            let part = words.get(first..first + len).unwrap_or_default();
            let objection = wanted.objection(binding.name, part);
            let guards = words.get(end..first).unwrap_or_default();
            if let Some(wrong) = objection.or_else(|| disturbed(guards)) {
                return Verdict::Wrong(wrong.into());
            }
            end = first + len;
        }
        match disturbed(words.get(end..).unwrap_or_default()) {
            Some(wrong) => Verdict::Wrong(wrong.into()),
            None => Verdict::Right,
        }
    }
}

/// What the operands of a probe take at most, all of them together, in bytes.
pub(super) fn required_bytes(probe: &Probe) -> u64 {
    let words = |given: &Given| match given {
        Given::Absent | Given::Settings(_) => 0,
        Given::Read(words) | Given::Written { before: words, .. } => words.len() + ALIGNMENT_WORDS,
    };
    4 * probe.operands.iter().map(words).sum::<usize>() as u64
}

/// Behind what is there, with guards behind it.
fn place(all: &mut Vec<u32>, words: &[u32]) -> [usize; 2] {
    let first = all.len();
    all.extend(words);
    let end = (all.len() + 1).next_multiple_of(ALIGNMENT_WORDS);
    all.resize(end, GUARD);
    [first, words.len()]
}

fn disturbed(guards: &[u32]) -> Option<String> {
    let disturbed = guards.iter().any(|word| *word != GUARD);
    disturbed.then(|| "it writes outside of its results".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Binding, File, Wanted};

    const BINDINGS: &[Binding] = &[Binding::write(1, "sum"), Binding::write(2, "mean")];

    #[test]
    fn what_is_written_beside_the_results_is_seen() {
        let (name, source) = ("adds", "");
        let kernel = Kernel::new(name, (File { name, source }, name), &[], 1, BINDINGS);
        let (device, _) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let filled = |usage, contents: &[u8]| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: contents.len() as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let probe = Probe::without_dims(1)
            .writes(Wanted::exactly([1.0, 2.0]))
            .writes(Wanted::exactly([3.0]));
        let placed = Placed::new(&probe, filled);
        let mut words = vec![GUARD; 2 * ALIGNMENT_WORDS];
        for (place, value) in [(0, 1.0_f32), (1, 2.0), (ALIGNMENT_WORDS, 3.0)] {
            words[place] = value.to_bits();
        }
        assert_eq!(placed.judge(&kernel, &probe, &words), Verdict::Right);
        for place in 0..words.len() {
            let mut words = words.clone();
            words[place] = 0;
            let verdict = placed.judge(&kernel, &probe, &words);
            assert!(matches!(verdict, Verdict::Wrong(_)), "{place}");
        }
        words[ALIGNMENT_WORDS] = 0;
        let told = Verdict::Wrong("mean[0] is 0 instead of 3".into());
        assert_eq!(placed.judge(&kernel, &probe, &words), told);
    }
}
