//! What a compiler said, in a folder: written where the compiler is, read where the analysis runs.
//!
//! `index.tsv` has the device on its first line, then a kernel a line: name, bytes of workgroup
//! memory, statistics. `NAME.wgsl` and `NAME.txt`, with dots for slashes, are source and machine
//! code. `log.txt` is what the driver printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::executed::{Executed, Step};
use crate::kernels::{Job, suits};
use crate::program::Program;
use crate::record::{Figures, Record};
use crate::vulkan::Device;
use crate::{aco, agx, nak, spirv, units};

fn file(folder: &Path, name: &str, extension: &str) -> PathBuf {
    folder.join(format!("{}.{extension}", name.replace('/', ".")))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    // The driver's log need not be UTF-8.
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Compiles the kernels.
pub(crate) fn compile(folder: &Path, jobs: &[Job]) -> Result<(), String> {
    let device = Device::open()?;
    let mut index = format!("{}\n", device.name);
    let key = folder.file_name().unwrap_or_default().to_string_lossy();
    let (mut of_units, mut without_units) = (0, 0);
    for job in jobs.iter().filter(|job| suits(job, &key)) {
        if job.uses_units && !device.has_units {
            without_units += 1;
            continue;
        }
        of_units += u32::from(job.uses_units);
        let named = |error| format!("{}: {error}", job.name);
        let shader = spirv::compile(&job.wgsl).map_err(named)?;
        let compiled = device.compile(&shader).map_err(named)?;
        let statistics: Vec<_> = compiled
            .statistics
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let fields = [
            &job.name,
            &job.shared_bytes.to_string(),
            &statistics.join(";"),
        ];
        index += &(fields.map(String::as_str).join("\t") + "\n");
        write(&file(folder, &job.name, "wgsl"), &job.wgsl)?;
        let code = compiled.texts.last().map_or("", |(_, text)| text);
        write(&file(folder, &job.name, "txt"), code)?;
    }
    match without_units {
        0 => eprintln!("{key}: {of_units} kernels use matrix units"),
        _ => eprintln!("{key}: no matrix units, {without_units} kernels are left out"),
    }
    write(&folder.join("index.tsv"), &index)
}

/// Figures from what [`compile`] wrote.
pub(crate) fn record(folder: &Path, mesa: &str) -> Result<Record, String> {
    let index = read(&folder.join("index.tsv"))?;
    let mut lines = index.lines();
    let key = folder.file_name().unwrap_or_default().to_string_lossy();
    let mut record = Record {
        device: format!("{key}, {}", lines.next().unwrap_or_default().trim()),
        mesa: mesa.to_owned(),
        ..Record::default()
    };
    let lines: Vec<_> = lines.collect();
    let logged = agx::parse_all(&read(&folder.join("log.txt"))?);
    if !logged.is_empty() && logged.len() != lines.len() {
        let (programs, kernels) = (logged.len(), lines.len());
        return Err(format!(
            "{programs} programs of {kernels} kernels in the log"
        ));
    }
    let mut logged = logged.into_iter();
    for line in lines {
        let fields: Vec<_> = line.split('\t').collect();
        let [name, shared_bytes, statistics] = fields[..] else {
            return Err(format!("not an index: {line}"));
        };
        let program = match logged.next() {
            Some(program) => program,
            None => parse(name, &read(&file(folder, name, "txt"))?)?,
        };
        let wgsl = read(&file(folder, name, "wgsl"))?;
        let step = Step::of(&spirv::parse(&wgsl)?);
        let executed = Executed::of(&program, step);
        let figures = Figures::new(
            format!("{:08x}", crc32c::crc32c(wgsl.as_bytes())),
            shared_bytes.parse().unwrap_or(0),
            &numbers(statistics),
            &executed,
            units::share(&key, step, &executed),
        );
        record.kernels.insert(name.to_owned(), figures);
    }
    Ok(record)
}

fn parse(name: &str, text: &str) -> Result<Program, String> {
    let program = if text.contains("// delay=") {
        nak::parse(text)
    } else {
        aco::parse(text)
    };
    if program.blocks.is_empty() {
        return Err(format!("{name}: no machine code that is understood"));
    }
    Ok(program)
}

fn numbers(statistics: &str) -> BTreeMap<String, f64> {
    let pairs = statistics
        .split(';')
        .filter_map(|pair| pair.split_once('='));
    let parsed = pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    parsed.collect()
}
