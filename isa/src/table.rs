//! A record as a table for people.

use crate::record::{Figures, Record};

/// Headings, and the figures below them.
const COLUMNS: [(&str, &str); 21] = [
    ("regs", "registers"),
    ("occ", "occupancy"),
    ("wgmem", "workgroup_bytes"),
    ("spill", "spills"),
    ("scr", "scratch_bytes"),
    ("instr", "instructions"),
    ("fma", "fma"),
    ("matrix", "matrix"),
    ("alu", "alu"),
    ("scal", "scalar"),
    ("lds", "lds_loads"),
    ("B", "lds_load_width"),
    ("ldsst", "lds_stores"),
    ("ld", "loads"),
    ("B", "load_width"),
    ("fly", "loads_in_flight"),
    ("br", "branches"),
    ("wait", "waits"),
    ("share", "share"),
    ("ofALU", "share_of_alu"),
    ("units", "units"),
];

pub(crate) fn table(record: &Record) -> String {
    let width = record.kernels.keys().map(String::len).max().unwrap_or(0);
    let headings: String = COLUMNS
        .map(|(heading, _)| format!(" {heading:>6}"))
        .concat();
    let mut lines = vec![
        format!("{}, Mesa {}", record.device, record.mesa),
        format!("{:width$}{headings}", "kernel"),
    ];
    let row = |(name, figures): (&String, &Figures)| {
        let cells = COLUMNS.map(|(_, figure)| format!(" {:>6}", figures.number(figure)));
        format!("{name:width$}{}", cells.concat())
    };
    lines.extend(record.kernels.iter().map(row));
    lines.join("\n") + "\n"
}
