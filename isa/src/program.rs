//! Machine code as blocks of instructions, and its loops.

use std::collections::BTreeSet;

/// What an instruction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A multiply-add of f32.
    MultiplyAdd,
    /// Matrices multiplied by a matrix unit, and added.
    MatrixMultiply,
    /// Other arithmetic of all threads, moves included.
    Vector,
    /// Arithmetic once for the whole subgroup, and loads of what is the same for all of it.
    Scalar,
    /// From workgroup memory.
    SharedLoad,
    SharedStore,
    /// From a buffer, by each thread.
    Load,
    Store,
    Branch,
    Barrier,
    /// Waits, and hints to the scheduler.
    Wait,
}

/// What an instruction waits for before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wait {
    #[default]
    Nothing,
    /// Until so many loads are under way still.
    Down(usize),
    /// For the loads with one of these numbers.
    Slots(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) kind: Kind,
    /// Bytes that a load or store moves for a thread; else 0.
    pub(crate) bytes: u32,
    /// The number by which others wait for this load.
    pub(crate) slot: Option<u32>,
    pub(crate) wait: Wait,
}

impl Instruction {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            bytes: 0,
            slot: None,
            wait: Wait::Nothing,
        }
    }

    pub(crate) const fn moving(kind: Kind, bytes: u32) -> Self {
        let mut instruction = Self::new(kind);
        instruction.bytes = bytes;
        instruction
    }
}

/// Instructions that run one after the other, and the blocks that may come then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) next: Vec<usize>,
}

impl Block {
    pub(crate) fn count(&self, kind: Kind) -> usize {
        let of_kind = |one: &&Instruction| one.kind == kind;
        self.instructions.iter().filter(of_kind).count()
    }

    pub(crate) fn bytes(&self, kind: Kind) -> u32 {
        let of_kind = |one: &&Instruction| one.kind == kind;
        self.instructions
            .iter()
            .filter(of_kind)
            .map(|one| one.bytes)
            .sum()
    }
}

/// Blocks, in the order in which they are written; the first is the entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) blocks: Vec<Block>,
}

/// A natural loop: the blocks from which control comes back to a header that they cannot be reached
/// without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) header: usize,
    pub(crate) blocks: BTreeSet<usize>,
    /// Blocks with a branch back to the header.
    pub(crate) latches: Vec<usize>,
}

impl Loop {
    /// Whether it lies within `other`.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self != other && self.blocks.is_subset(&other.blocks)
    }

    pub(crate) fn count(&self, program: &Program, kind: Kind) -> usize {
        let blocks = self.blocks.iter();
        blocks.map(|block| program.blocks[*block].count(kind)).sum()
    }

    pub(crate) fn len(&self, program: &Program) -> usize {
        let blocks = self.blocks.iter();
        blocks
            .map(|block| program.blocks[*block].instructions.len())
            .sum()
    }
}

impl Program {
    pub(crate) fn loops(&self) -> Vec<Loop> {
        let dominators = self.dominators();
        let before = self.predecessors();
        let mut found: Vec<Loop> = Vec::new();
        for (latch, block) in self.blocks.iter().enumerate() {
            for header in block.next.iter().copied() {
                if !dominators[latch].contains(&header) {
                    continue;
                }
                let blocks = body(header, latch, &before);
                if let Some(known) = found.iter_mut().find(|one| one.header == header) {
                    known.blocks.extend(blocks);
                    known.latches.push(latch);
                } else {
                    let latches = vec![latch];
                    found.push(Loop {
                        header,
                        blocks,
                        latches,
                    });
                }
            }
        }
        found
    }

    fn predecessors(&self) -> Vec<Vec<usize>> {
        let mut before = vec![Vec::new(); self.blocks.len()];
        for (from, block) in self.blocks.iter().enumerate() {
            for to in &block.next {
                before[*to].push(from);
            }
        }
        before
    }

    /// For each block those that every way to it passes, itself included; none for a block that no
    /// way leads to.
    pub(crate) fn dominators(&self) -> Vec<BTreeSet<usize>> {
        let before = self.predecessors();
        let mut dominators: Vec<Option<BTreeSet<usize>>> = vec![None; self.blocks.len()];
        if let Some(entry) = dominators.first_mut() {
            *entry = Some(BTreeSet::from([0]));
        }
        let mut changed = true;
        while changed {
            changed = false;
            for block in 1..self.blocks.len() {
                let known = before[block]
                    .iter()
                    .filter_map(|from| dominators[*from].as_ref());
                let Some(mut common) = known
                    .cloned()
                    .reduce(|a, b| a.intersection(&b).copied().collect())
                else {
                    continue;
                };
                common.insert(block);
                if dominators[block].as_ref() != Some(&common) {
                    dominators[block] = Some(common);
                    changed = true;
                }
            }
        }
        dominators
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect()
    }
}

/// The blocks from which `latch` is reached without passing `header`.
fn body(header: usize, latch: usize, before: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut blocks = BTreeSet::from([header, latch]);
    let mut open = vec![latch];
    while let Some(block) = open.pop() {
        if block == header {
            continue;
        }
        for from in &before[block] {
            if blocks.insert(*from) {
                open.push(*from);
            }
        }
    }
    blocks
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    type Sketch<'a> = (&'a [(Kind, usize)], &'a [usize]);

    /// A program of blocks with so many instructions of a kind each, and what comes then.
    pub(crate) fn program(blocks: &[Sketch<'_>]) -> Program {
        let block = |(kinds, next): &Sketch<'_>| Block {
            instructions: kinds
                .iter()
                .flat_map(|(kind, count)| vec![Instruction::moving(*kind, 4); *count])
                .collect(),
            next: next.to_vec(),
        };
        Program {
            blocks: blocks.iter().map(block).collect(),
        }
    }

    #[test]
    fn loops_are_found_with_those_inside_of_them() {
        let nested = program(&[
            (&[], &[1]),
            (&[], &[2, 4]),
            (&[], &[2, 3]),
            (&[], &[1]),
            (&[], &[]),
        ]);
        let loops = nested.loops();
        let blocks: Vec<_> = loops.iter().map(|one| one.blocks.clone()).collect();
        assert_eq!(blocks, [BTreeSet::from([2]), BTreeSet::from([1, 2, 3])]);
        assert!(loops[0].is_within(&loops[1]) && !loops[1].is_within(&loops[0]));
        assert_eq!(loops[1].latches, [3]);
    }

    #[test]
    fn a_branch_back_to_where_others_come_in_is_no_loop() {
        let two_entries = program(&[(&[], &[1, 2]), (&[], &[2]), (&[], &[1])]);
        assert_eq!(two_entries.loops(), []);
    }
}
