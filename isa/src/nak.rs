//! Machine code of NVIDIA GPUs as NAK, the compiler of NVK, prints it.

use crate::program::{Block, Instruction, Kind, Program, Wait};

pub(crate) fn parse(text: &str) -> Program {
    let mut blocks: Vec<Block> = Vec::new();
    for line in text.lines() {
        if line.starts_with("block") {
            blocks.push(Block::default());
            continue;
        }
        let Some(block) = blocks.last_mut() else {
            continue;
        };
        if let Some(next) = line.strip_prefix("} -> [") {
            let numbers = next.trim_end_matches(']').split(',');
            block.next = numbers
                .filter_map(|number| number.trim().parse().ok())
                .collect();
        } else if line.contains("// delay=") {
            block.instructions.push(instruction(line));
        }
    }
    let count = blocks.len();
    for block in &mut blocks {
        block.next.retain(|next| *next < count);
    }
    Program { blocks }
}

fn instruction(line: &str) -> Instruction {
    let (code, schedule) = line.split_once("//").unwrap_or((line, ""));
    let (written, operation) = match code.split_once('=') {
        Some((written, operation)) => (behind_predicate(written), operation),
        None => ("", code),
    };
    let name = behind_predicate(operation);
    let mut instruction = if name.starts_with("ld.") || name.starts_with("st.") {
        memory(name)
    } else if let Some(matrices) = name.strip_prefix("ldsm.") {
        shared_matrices(matrices)
    } else {
        Instruction::new(kind(name, written))
    };
    let field = |key: &str| {
        let mut words = schedule.split_whitespace();
        words.find_map(|word| word.strip_prefix(key))
    };
    if instruction.kind == Kind::Load {
        instruction.slot = field("wr:").and_then(|slot| slot.parse().ok());
    }
    if let Some(mask) = field("wt=").and_then(|mask| u32::from_str_radix(mask, 2).ok()) {
        instruction.wait = Wait::Slots(mask);
    }
    instruction
}

/// The first word that is no predicate such as `@!p1`.
fn behind_predicate(code: &str) -> &str {
    let mut words = code.split_whitespace();
    words
        .find(|word| !word.starts_with('@'))
        .unwrap_or_default()
}

fn memory(name: &str) -> Instruction {
    let is_load = name.starts_with("ld");
    let is_shared = name.contains(".shared");
    let bits = name.rsplit(".b").next().and_then(|bits| bits.parse().ok());
    let kind = match (is_load, is_shared) {
        (true, true) => Kind::SharedLoad,
        (false, true) => Kind::SharedStore,
        (true, false) => Kind::Load,
        (false, false) => Kind::Store,
    };
    Instruction::moving(kind, bits.unwrap_or(32) / 8)
}

/// One, two or four matrices of 8 × 8 numbers of 16 bits, four bytes of each for a thread.
fn shared_matrices(name: &str) -> Instruction {
    let count = name.split('.').find_map(|word| word.strip_prefix('x'));
    let count: u32 = count.and_then(|count| count.parse().ok()).unwrap_or(1);
    Instruction::moving(Kind::SharedLoad, 4 * count)
}

fn kind(name: &str, written: &str) -> Kind {
    let begins = |names: &[&str]| names.iter().any(|begin| name.starts_with(begin));
    // Registers of the whole warp are `ur0`, its predicates `up0`.
    let is_uniform = written.starts_with("ur") || written.starts_with("up");
    if name.starts_with("ffma") {
        Kind::MultiplyAdd
    } else if begins(&["hmma", "imma"]) {
        Kind::MatrixMultiply
    } else if begins(&["bar.", "bar "]) || name == "bar" {
        Kind::Barrier
    } else if begins(&["nop", "membar", "depbar"]) {
        Kind::Wait
    } else if begins(&[
        "bra", "bssy", "bsync", "bclear", "break", "exit", "warpsync",
    ]) {
        Kind::Branch
    } else if is_uniform || begins(&["ldc"]) {
        Kind::Scalar
    } else {
        Kind::Vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
block.u 0 L3 [] -> {
      ur0     = s2r sr[0x25]                                  // delay=1 wr:0
} -> [1]
block 1 L5 [0, 1] -> {
      r5      = ld.global.a64.constant.b128 [r6..8+rZ], p1    // delay=1 wr:2
      r6      = fadd.ftz r4 r5                                // delay=1 wt=000100
@!p1  r7      = ffma.ftz r4 r5 r7                             // delay=2
                st.shared.strong.cta.b32 [r3.x4+rZ] r6        // delay=1 rd:0
                bar.sync                                      // delay=6 yld
@!p1            bra pT L5                                     // delay=1
} -> [1, 2]
block 2 L6 [1] -> {
                exit                                          // delay=5
} -> []
";

    #[test]
    fn blocks_and_instructions_are_read() {
        let program = parse(TEXT);
        let next: Vec<_> = program
            .blocks
            .iter()
            .map(|block| block.next.clone())
            .collect();
        assert_eq!(next, [vec![1], vec![1, 2], vec![]]);
        let body = &program.blocks[1];
        let kinds: Vec<_> = body.instructions.iter().map(|one| one.kind).collect();
        let expected = [
            Kind::Load,
            Kind::Vector,
            Kind::MultiplyAdd,
            Kind::SharedStore,
            Kind::Barrier,
            Kind::Branch,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(body.bytes(Kind::Load), 16);
        assert_eq!(body.instructions[0].slot, Some(2));
        assert_eq!(body.instructions[1].wait, Wait::Slots(4));
        assert_eq!(program.blocks[0].instructions[0].kind, Kind::Scalar);
    }
}
