//! Machine code of Apple's M1 as the compiler of HoneyKrisp prints it under
//! `AGX_MESA_DEBUG=shaders`.

use std::collections::BTreeSet;

use crate::program::{Block, Instruction, Kind, Program, Wait};

/// An instruction: its address, its name, and its operands.
type Line<'a> = (i64, &'a str, &'a str);

/// The main program of each shader in the order in which they were compiled. Each has a preamble
/// too, which runs once and is shorter.
pub(crate) fn parse_all(log: &str) -> Vec<Program> {
    let sections = log.split("shader: MESA_SHADER_COMPUTE").skip(1);
    sections.map(parse).collect()
}

fn parse(section: &str) -> Program {
    let lines: Vec<_> = section.lines().filter_map(line).collect();
    // Addresses begin again with the next program.
    let programs = lines.chunk_by(|(before, ..), (after, ..)| before < after);
    let Some(main) = programs.max_by_key(|lines| lines.len()) else {
        return Program::default();
    };
    let begins = begins(main);
    let end = main.last().map_or(0, |(address, ..)| address + 1);
    let ends = begins.iter().skip(1).copied().chain([end]);
    let blocks = begins.iter().zip(ends).enumerate();
    Program {
        blocks: blocks
            .map(|(index, (begin, end))| {
                let of_block: Vec<_> = main
                    .iter()
                    .filter(|(address, ..)| (*begin..end).contains(address))
                    .collect();
                Block {
                    instructions: of_block.iter().map(|line| instruction(line)).collect(),
                    next: next(of_block.last().copied(), index, &begins),
                }
            })
            .collect(),
    }
}

/// `48: 1215234028821030   csel   r5, 35, $r2`.
fn line(text: &str) -> Option<Line<'_>> {
    let (address, rest) = text.trim_start().split_once(": ")?;
    let address = i64::from_str_radix(address, 16).ok()?;
    let (code, rest) = rest.trim_start().split_once(' ')?;
    u128::from_str_radix(code, 16).ok()?;
    let rest = rest.trim();
    let (name, operands) = rest.split_once(' ').unwrap_or((rest, ""));
    Some((address, name, operands.trim()))
}

fn target(&(address, name, operands): &Line<'_>) -> Option<i64> {
    let distance = operands.split([' ', ',']).next()?;
    let distance: i64 = distance.parse().ok()?;
    name.starts_with("jmp").then_some(address + distance)
}

/// Addresses at which blocks begin: the first, what is jumped to, and what comes behind a jump.
fn begins(lines: &[Line<'_>]) -> Vec<i64> {
    let mut begins: BTreeSet<i64> = lines
        .first()
        .map(|(address, ..)| *address)
        .into_iter()
        .collect();
    for (jump, after) in lines.iter().zip(&lines[1.min(lines.len())..]) {
        if let Some(target) = target(jump) {
            begins.extend([after.0, target]);
        }
    }
    let exists = |address: &i64| lines.iter().any(|(other, ..)| other == address);
    begins.retain(exists);
    begins.into_iter().collect()
}

fn next(last: Option<&Line<'_>>, index: usize, begins: &[i64]) -> Vec<usize> {
    let behind = (index + 1 < begins.len()).then_some(index + 1);
    let Some(last) = last else {
        return behind.into_iter().collect();
    };
    if last.1 == "stop" {
        return Vec::new();
    }
    let jump = target(last).and_then(|target| begins.binary_search(&target).ok());
    behind.into_iter().chain(jump).collect()
}

fn instruction(&(_, name, operands): &Line<'_>) -> Instruction {
    let mut instruction = match name {
        "load" => Instruction::moving(Kind::Load, bytes(operands)),
        "store" => Instruction::moving(Kind::Store, bytes(operands)),
        "lload" => Instruction::moving(Kind::SharedLoad, bytes(operands)),
        "lstore" => Instruction::moving(Kind::SharedStore, bytes(operands)),
        _ => Instruction::new(kind(name)),
    };
    let slot = operands
        .rsplit([' ', ','])
        .next()
        .and_then(|slot| match slot {
            "a" => Some(0),
            "b" => Some(1),
            _ => None,
        });
    if name == "wait" {
        instruction.wait = slot.map_or(Wait::Nothing, |slot| Wait::Slots(1 << slot));
    } else if instruction.kind == Kind::Load {
        instruction.slot = slot;
    }
    instruction
}

/// `i32, xyzw` is four components of four bytes.
fn bytes(operands: &str) -> u32 {
    let words: Vec<_> = operands.split([' ', ',']).collect();
    let is_component = |c: char| "xyzw".contains(c);
    let components = words
        .iter()
        .rev()
        .find(|word| !word.is_empty() && word.chars().all(is_component))
        .map_or(1, |word| word.chars().count());
    let size = if words.contains(&"i16") { 2 } else { 4 };
    components.try_into().unwrap_or(1) * size
}

fn kind(name: &str) -> Kind {
    match name {
        "ffma" => Kind::MultiplyAdd,
        "wait" | "nop" => Kind::Wait,
        "stop" | "else" | "pop_exec" => Kind::Branch,
        _ if name.contains("barrier") => Kind::Barrier,
        _ if ["jmp", "if", "while", "break"]
            .iter()
            .any(|begin| name.starts_with(begin)) =>
        {
            Kind::Branch
        }
        _ => Kind::Vector,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
shader: MESA_SHADER_COMPUTE
   0: 0501500d00c87200       load     r0_r1_r2_r3, du0, 5, lsl 2, i32, xyzw, a
   8: 3800                   wait     a
   a: ba11c8aa2830           ffma     $r4, ^r4.neg, $r5, 1.0
  10: 521c3e080000           while    r48, r11, 1, ult
  16: 00c000f0ffffff         jmp_any  -22
  1c: 8800                   stop
   0: 8800                   stop
";

    #[test]
    fn the_longest_program_of_a_section_is_read() {
        let programs = parse_all(LOG);
        assert_eq!(programs.len(), 1);
        let program = &programs[0];
        let next: Vec<_> = program
            .blocks
            .iter()
            .map(|block| block.next.clone())
            .collect();
        assert_eq!(next, [vec![1, 0], vec![]]);
        let body = &program.blocks[0];
        assert_eq!(body.count(Kind::MultiplyAdd), 1);
        assert_eq!(body.bytes(Kind::Load), 16);
        assert_eq!(body.instructions[0].slot, Some(0));
        assert_eq!(body.instructions[1].wait, Wait::Slots(1));
    }
}
