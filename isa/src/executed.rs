//! How often instructions are executed, which is not how often they are written.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::{Instruction, Kind, Loop, Program, Wait};
use crate::spirv;

/// What one K step of a staged kernel takes, known from its constants; terms of a step, multiply-
/// adds of a thread, and bytes that a thread loads, on average over the workgroup.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) terms: f64,
    pub(crate) multiply_adds: f64,
    pub(crate) bytes: f64,
    /// Of the workgroup.
    pub(crate) threads: f64,
}

impl Step {
    /// Multiply-adds of one of four subgroups, in 16 terms.
    pub(crate) fn multiply_adds_of_subgroup(&self) -> f64 {
        self.multiply_adds * self.threads / 4.0 * 16.0 / self.terms
    }

    /// `None` where the shader has no `TILE_K`: it stages nothing.
    pub(crate) fn of(module: &naga::Module) -> Option<Self> {
        let value = |name| spirv::constant(module, name).map(f64::from);
        let [rows, columns, terms] = [
            value("TILE_ROWS")?,
            value("TILE_COLUMNS")?,
            value("TILE_K")?,
        ];
        // Matrix units take numbers of 16 bits.
        let staged = if value("MATRIX").is_some() { 2.0 } else { 4.0 };
        let size = module.entry_points.first()?.workgroup_size;
        let threads = f64::from(size.iter().product::<u32>());
        Some(Self {
            terms,
            multiply_adds: rows * columns * terms / threads,
            bytes: staged * (rows + columns) * terms / threads,
            threads,
        })
    }
}

/// What a wave executes, on average over those of a workgroup: of a staged kernel in 16 terms, of
/// any other in one iteration of its innermost loop.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Executed {
    pub(crate) counts: BTreeMap<Kind, f64>,
    pub(crate) bytes: BTreeMap<Kind, f64>,
    /// The most loads from buffers that are under way at the same time.
    pub(crate) loads_in_flight: usize,
}

impl Executed {
    pub(crate) fn of(program: &Program, step: Option<Step>) -> Self {
        match step {
            Some(step) => staged(program, step),
            None => innermost(program),
        }
    }

    pub(crate) fn total(&self) -> f64 {
        self.counts.values().sum()
    }

    pub(crate) fn count(&self, kind: Kind) -> f64 {
        self.counts.get(&kind).copied().unwrap_or(0.0)
    }

    /// Bytes that an instruction of this kind moves for a thread, on average.
    pub(crate) fn width(&self, kind: Kind) -> f64 {
        let bytes = self.bytes.get(&kind).copied().unwrap_or(0.0);
        bytes / self.count(kind).max(f64::MIN_POSITIVE)
    }

    fn add(&mut self, instruction: Instruction, times: f64) {
        *self.counts.entry(instruction.kind).or_default() += times;
        *self.bytes.entry(instruction.kind).or_default() += times * f64::from(instruction.bytes);
    }
}

fn innermost(program: &Program) -> Executed {
    let loops = program.loops();
    let has_inner = |one: &Loop| loops.iter().any(|other| other.is_within(one));
    let work = |one: &&Loop| {
        let loads = one.count(program, Kind::Load);
        (one.count(program, Kind::MultiplyAdd), loads)
    };
    let mut executed = Executed::default();
    if let Some(hot) = loops.iter().filter(|one| !has_inner(one)).max_by_key(work) {
        for block in &hot.blocks {
            for instruction in &program.blocks[*block].instructions {
                executed.add(*instruction, 1.0);
            }
        }
        executed.loads_in_flight = loads_in_flight(program, hot);
    }
    executed
}

/// The K loop: the outermost with barriers and the most multiply-adds. Of several, such as one for
/// whole tiles and one with guards, the shortest.
fn k_loop<'a>(program: &Program, loops: &'a [Loop]) -> Option<&'a Loop> {
    let work = |one: &&Loop| {
        let waits = one.count(program, Kind::Barrier) > 0;
        let multiply_adds = one.count(program, Kind::MultiplyAdd);
        let multiply_adds = multiply_adds + one.count(program, Kind::MatrixMultiply);
        (waits, multiply_adds, std::cmp::Reverse(one.len(program)))
    };
    let is_outermost = |one: &&Loop| !loops.iter().any(|other| one.is_within(other));
    loops.iter().filter(is_outermost).max_by_key(work)
}

fn staged(program: &Program, step: Step) -> Executed {
    let loops = program.loops();
    let mut executed = Executed::default();
    let Some(hot) = k_loop(program, &loops) else {
        return executed;
    };
    let inner = depth_loop(program, &loops, hot);
    let outside = sum(program, &(&hot.blocks - &inner), Kind::MultiplyAdd);
    let inside = sum(program, &inner, Kind::MultiplyAdd);
    let trips = (step.multiply_adds - outside) / inside.max(1.0);
    let staging = staging(program, hot, step);
    // A kernel may stage more or fewer terms at a time than sixteen.
    let scale = 16.0 / step.terms;
    for block in &hot.blocks {
        let times = if inner.contains(block) {
            trips
        } else {
            staging.get(block).copied().unwrap_or(1.0)
        };
        for instruction in &program.blocks[*block].instructions {
            executed.add(*instruction, times * scale);
        }
    }
    executed.loads_in_flight = loads_in_flight(program, hot);
    executed
}

/// The blocks of the loop over the terms of a tile; none where it is unrolled.
fn depth_loop(program: &Program, loops: &[Loop], hot: &Loop) -> BTreeSet<usize> {
    let multiply_adds = |one: &&Loop| one.count(program, Kind::MultiplyAdd);
    let inner = loops.iter().filter(|one| one.is_within(hot));
    let most = inner.max_by_key(multiply_adds);
    let has_any = |one: &&Loop| multiply_adds(one) > 0;
    most.filter(has_any)
        .map(|one| one.blocks.clone())
        .unwrap_or_default()
}

/// How often the blocks run that load and that not every iteration passes. A thread takes those of
/// the left factor or those of the right, and some waves take none, so that all together stage the
/// tiles once: in what they store into workgroup memory or, where every iteration stores, in what
/// they load. Some compilers load sizes there too.
fn staging(program: &Program, hot: &Loop, step: Step) -> BTreeMap<usize, f64> {
    let dominators = program.dominators();
    let is_passed = |block: &usize| {
        let mut latches = hot.latches.iter();
        latches.all(|latch| dominators[*latch].contains(block))
    };
    let (always, sometimes): (BTreeSet<usize>, BTreeSet<usize>) =
        hot.blocks.iter().partition(|block| is_passed(block));
    let kind = if bytes(program, &sometimes, Kind::SharedStore) > 0.0 {
        Kind::SharedStore
    } else {
        Kind::Load
    };
    let missing = step.bytes - bytes(program, &always, kind);
    let share = (missing / bytes(program, &sometimes, kind).max(1.0)).max(0.0);
    let stages = |block: &usize| {
        let block = &program.blocks[*block];
        block.count(Kind::Load) > 0 || block.count(Kind::SharedStore) > 0
    };
    sometimes
        .into_iter()
        .filter(stages)
        .map(|block| (block, share))
        .collect()
}

fn bytes(program: &Program, blocks: &BTreeSet<usize>, kind: Kind) -> f64 {
    let bytes = blocks
        .iter()
        .map(|block| program.blocks[*block].bytes(kind));
    f64::from(bytes.sum::<u32>())
}

fn sum(program: &Program, blocks: &BTreeSet<usize>, kind: Kind) -> f64 {
    let counts = blocks
        .iter()
        .map(|block| program.blocks[*block].count(kind));
    counts.map(|count| count as f64).sum()
}

/// As the blocks are written, twice over, so that loads may be under way from one iteration into the
/// next.
fn loads_in_flight(program: &Program, hot: &Loop) -> usize {
    let (mut under_way, mut most) = (Vec::<u32>::new(), 0);
    let blocks = hot.blocks.iter().chain(&hot.blocks);
    for instruction in blocks.flat_map(|block| &program.blocks[*block].instructions) {
        match instruction.wait {
            Wait::Nothing => {}
            Wait::Down(count) => {
                let done = under_way.len().saturating_sub(count);
                under_way.drain(..done);
            }
            Wait::Slots(mask) => under_way.retain(|slot: &u32| mask & (1_u32 << *slot) == 0),
        }
        if let (Kind::Load, Some(slot)) = (instruction.kind, instruction.slot) {
            under_way.push(slot);
            most = most.max(under_way.len());
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::tests::program;

    const STEP: Step = Step {
        terms: 16.0,
        multiply_adds: 64.0,
        bytes: 8.0,
        threads: 64.0,
    };
    use Kind::{Barrier, Load, MultiplyAdd, Vector};

    /// Left or right is loaded (blocks 2 and 3), then a loop over four terms at a time (block 4).
    fn rolled() -> Program {
        program(&[
            (&[(Vector, 9)], &[1]),
            (&[(Vector, 1)], &[2, 3]),
            (&[(Load, 2), (Vector, 4)], &[4]),
            (&[(Load, 2), (Vector, 2)], &[4]),
            (&[(MultiplyAdd, 16)], &[4, 5]),
            (&[(Barrier, 2)], &[1, 6]),
            (&[(Vector, 9)], &[]),
        ])
    }

    #[test]
    fn a_step_counts_trips_and_takes_left_or_right() {
        let executed = Executed::of(&rolled(), Some(STEP));
        assert_eq!(executed.count(MultiplyAdd), 64.0);
        assert_eq!(executed.count(Load), 2.0);
        assert_eq!(executed.count(Vector), 1.0 + 3.0);
        assert_eq!(executed.width(Load), 4.0);
    }

    #[test]
    fn waves_that_load_nothing_are_counted() {
        let half = Step { bytes: 4.0, ..STEP };
        let executed = Executed::of(&rolled(), Some(half));
        assert_eq!(executed.count(Load), 1.0);
        assert_eq!(executed.count(Vector), 1.0 + 1.5);
    }

    /// As on Apple's GPUs, where the sizes of a factor are loaded in each iteration.
    #[test]
    fn what_is_stored_tells_how_often_a_wave_stages() {
        let stage = [(Load, 3), (Kind::SharedStore, 2), (Vector, 4)];
        let stored = program(&[
            (&[], &[1]),
            (&[(Vector, 1)], &[2, 3]),
            (&stage, &[4]),
            (&stage, &[4]),
            (&[(MultiplyAdd, 64), (Barrier, 2)], &[1, 5]),
            (&[], &[]),
        ]);
        let executed = Executed::of(&stored, Some(STEP));
        assert_eq!(executed.count(Kind::SharedStore), 2.0);
        assert_eq!(executed.count(Load), 3.0);
        assert_eq!(executed.count(Vector), 1.0 + 4.0);
    }

    #[test]
    fn a_step_of_eight_terms_is_counted_twice() {
        let short = Step {
            terms: 8.0,
            multiply_adds: 32.0,
            ..STEP
        };
        let executed = Executed::of(&rolled(), Some(short));
        assert_eq!(executed.count(MultiplyAdd), 64.0);
        assert_eq!(executed.count(Barrier), 4.0);
    }

    /// A loop without guards, then the same with guards, then the tail behind both.
    #[test]
    fn the_loop_without_guards_is_the_k_loop() {
        let guarded = program(&[
            (&[], &[1]),
            (&[(Load, 2), (MultiplyAdd, 64), (Barrier, 2)], &[1, 2]),
            (
                &[(Load, 2), (Vector, 50), (MultiplyAdd, 64), (Barrier, 2)],
                &[2, 3],
            ),
            (
                &[(Load, 2), (Vector, 50), (MultiplyAdd, 64), (Barrier, 2)],
                &[],
            ),
        ]);
        let executed = Executed::of(&guarded, Some(STEP));
        assert_eq!(executed.total(), 68.0);
    }

    #[test]
    fn without_steps_the_innermost_loop_counts() {
        let executed = Executed::of(&rolled(), None);
        assert_eq!(executed.total(), 16.0);
    }

    #[test]
    fn loads_in_flight_end_with_waits() {
        let load = |slot| Instruction {
            slot: Some(slot),
            ..Instruction::moving(Load, 4)
        };
        let waiting = |wait| Instruction {
            wait,
            ..Instruction::new(Kind::Wait)
        };
        let flight = |instructions: &[Instruction]| {
            let mut looped = program(&[(&[], &[0])]);
            looped.blocks[0].instructions = instructions.to_vec();
            Executed::of(&looped, None).loads_in_flight
        };
        let all = waiting(Wait::Down(0));
        assert_eq!(flight(&[load(0), all, load(0), all]), 1);
        assert_eq!(flight(&[load(0), load(0), all]), 2);
        assert_eq!(flight(&[load(0), load(0), waiting(Wait::Down(1))]), 3);
        let slot = waiting(Wait::Slots(2));
        assert_eq!(
            flight(&[load(0), load(1), slot, load(1), waiting(Wait::Slots(3))]),
            2
        );
    }
}
