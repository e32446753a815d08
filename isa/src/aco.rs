//! Machine code of AMD GPUs as ACO, the compiler of RADV, prints it.

use std::collections::HashMap;

use crate::program::{Block, Instruction, Kind, Program, Wait};

pub(crate) fn parse(text: &str) -> Program {
    let mut names = HashMap::new();
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| name.starts_with("BB")) {
            names.insert(name, blocks.len());
            blocks.push(Vec::new());
            continue;
        }
        let code = line.split(';').next().unwrap_or_default().trim();
        let is_code = code.starts_with(|c: char| c.is_ascii_lowercase());
        if let Some(block) = blocks.last_mut().filter(|_| is_code) {
            block.push(code);
        }
    }
    let count = blocks.len();
    let block = |(index, lines): (usize, &Vec<&str>)| Block {
        instructions: lines.iter().flat_map(|line| instructions(line)).collect(),
        next: next(lines, index, count, &names),
    };
    Program {
        blocks: blocks.iter().enumerate().map(block).collect(),
    }
}

/// Where control goes at the end of a block.
fn next(lines: &[&str], index: usize, blocks: usize, names: &HashMap<&str, usize>) -> Vec<usize> {
    let mut next = Vec::new();
    for line in lines {
        let (name, target) = line.split_once(' ').unwrap_or((line, ""));
        if name.starts_with("s_branch") || name.starts_with("s_cbranch") {
            next.extend(names.get(target.trim()));
        }
        if name == "s_branch" || name == "s_endpgm" || name.starts_with("s_setpc") {
            return next;
        }
    }
    if index + 1 < blocks && !next.contains(&(index + 1)) {
        next.push(index + 1);
    }
    next
}

/// One, or both halves of a dual-issued one.
fn instructions(line: &str) -> Vec<Instruction> {
    line.split("::")
        .map(|half| instruction(half.trim()))
        .collect()
}

fn instruction(code: &str) -> Instruction {
    let name = code.split_whitespace().next().unwrap_or_default();
    if let Some(of_lds) = name.strip_prefix("ds_") {
        return shared(of_lds);
    }
    for memory in ["buffer_", "global_", "scratch_", "flat_"] {
        let Some(rest) = name.strip_prefix(memory) else {
            continue;
        };
        if rest.starts_with("load") {
            let mut load = Instruction::moving(Kind::Load, width(rest));
            load.slot = Some(0);
            return load;
        }
        if rest.starts_with("store") {
            return Instruction::moving(Kind::Store, width(rest));
        }
    }
    let mut instruction = Instruction::new(kind(name));
    instruction.wait = wait(code);
    instruction
}

fn shared(name: &str) -> Instruction {
    let pair = if name.contains('2') && !name.ends_with("b128") && is_pair(name) {
        2
    } else {
        1
    };
    if name.starts_with("load") || name.starts_with("read") {
        Instruction::moving(Kind::SharedLoad, pair * width(name))
    } else if name.starts_with("store") || name.starts_with("write") {
        Instruction::moving(Kind::SharedStore, pair * width(name))
    } else {
        Instruction::new(Kind::Vector)
    }
}

/// Whether it moves two values between places of their own.
fn is_pair(name: &str) -> bool {
    ["_2addr", "read2", "write2"]
        .iter()
        .any(|two| name.contains(two))
}

/// Bytes of what a name ends in: `b128`, or `dwordx4` in the older language.
fn width(name: &str) -> u32 {
    let last = name.rsplit('_').next().unwrap_or_default();
    if let Some(words) = last.strip_prefix("dword") {
        return 4 * words.trim_start_matches('x').parse().unwrap_or(1);
    }
    let bits = last.trim_start_matches(|c: char| c.is_ascii_lowercase());
    bits.parse().unwrap_or(32) / 8
}

fn kind(name: &str) -> Kind {
    let fused = [
        "v_fma_f32",
        "v_fmac_f32",
        "v_fmaak_f32",
        "v_fmamk_f32",
        "v_mac_f32",
        "v_mad_f32",
    ];
    let dual = ["v_dual_fmac_f32", "v_dual_fmaak_f32", "v_dual_fmamk_f32"];
    let hints = [
        "s_wait",
        "s_delay",
        "s_clause",
        "s_nop",
        "s_set_inst",
        "s_barrier_signal",
    ];
    let begins = |names: &[&str]| names.iter().any(|begin| name.starts_with(begin));
    if begins(&fused) || begins(&dual) {
        Kind::MultiplyAdd
    } else if begins(&["v_wmma", "v_swmmac"]) {
        Kind::MatrixMultiply
    } else if begins(&hints) {
        Kind::Wait
    } else if name.starts_with("s_barrier") {
        Kind::Barrier
    } else if begins(&["s_branch", "s_cbranch", "s_endpgm"]) {
        Kind::Branch
    } else if name.starts_with("s_") {
        Kind::Scalar
    } else {
        Kind::Vector
    }
}

/// `s_waitcnt vmcnt(2)`, since RDNA4 `s_wait_loadcnt 0x2`.
fn wait(code: &str) -> Wait {
    let number = |text: &str| {
        let digits = text
            .trim()
            .split(|c: char| !c.is_ascii_hexdigit() && c != 'x')
            .next()?;
        match digits.strip_prefix("0x") {
            Some(hex) => usize::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        }
    };
    let count = code
        .split_once("vmcnt(")
        .or_else(|| code.split_once("s_wait_loadcnt"));
    match count.and_then(|(_, rest)| number(rest)) {
        Some(count) => Wait::Down(count),
        None => Wait::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
BB0:
\ts_mov_b32 s2, s1                 ; be820001
BB1:
\tbuffer_load_b128 v[1:4], v0, s[4:7], 0 offen ; e0500000 80410505
\tbuffer_load_dwordx2 v[1:2], v0, s[4:7], 0 offen ; e0500000
\ts_waitcnt vmcnt(1)               ; bf8903f7
\tds_load_2addr_b32 v[1:2], v3     ; d8340000
\tv_dual_fmac_f32 v1, v2, v3 :: v_dual_mov_b32 v4, v5
\ts_cbranch_scc0 BB1               ; bfa10000
BB2:
\ts_wait_loadcnt 0x0
\ts_endpgm
";

    #[test]
    fn blocks_and_branches_are_read() {
        let program = parse(TEXT);
        let next: Vec<_> = program
            .blocks
            .iter()
            .map(|block| block.next.clone())
            .collect();
        assert_eq!(next, [vec![1], vec![1, 2], vec![]]);
        let loops = program.loops();
        assert_eq!(loops.len(), 1);
        assert_eq!(loops[0].count(&program, Kind::MultiplyAdd), 1);
        assert_eq!(loops[0].len(&program), 7);
    }

    #[test]
    fn widths_and_waits_are_read() {
        let program = parse(TEXT);
        let body = &program.blocks[1];
        assert_eq!(body.bytes(Kind::Load), 24);
        assert_eq!(body.bytes(Kind::SharedLoad), 8);
        assert_eq!(body.instructions[2].wait, Wait::Down(1));
        assert_eq!(program.blocks[2].instructions[0].wait, Wait::Down(0));
        assert_eq!(shared("read2st64_b64").bytes, 16);
        assert_eq!(shared("load_b128").bytes, 16);
    }
}
