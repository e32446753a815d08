//! What the compilers of real GPUs make of this crate's kernels. `scripts/isa` runs it; see
//! *Machine code* in `CONTRIBUTING.md`.

mod aco;
mod agx;
mod executed;
mod folder;
mod kernels;
mod nak;
mod program;
mod record;
mod spirv;
mod table;
mod units;
mod vulkan;

use std::path::Path;
use std::process::ExitCode;

use record::Record;

const USAGE: &str = "\
usage: wgpu-linear-isa compile FOLDER [--only TEXT]... [--wgsl FILE]...
       wgpu-linear-isa record FOLDER MESA    what `compile` left there as JSON
       wgpu-linear-isa table RECORD
       wgpu-linear-isa compare RECORDED NEW  fails where NEW is worse";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["compile", folder, ref rest @ ..] => compile(folder, rest),
        ["record", folder, mesa] => folder::record(Path::new(folder), mesa).map(|record| {
            print!("{}", record.to_json());
        }),
        ["table", path] => read(path).map(|record| print!("{}", table::table(&record))),
        ["compare", recorded, new] => compare(recorded, new),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The kernels whose names have one of the texts, all where there is none, and files.
fn compile(folder: &str, mut rest: &[&str]) -> Result<(), String> {
    let (mut only, mut files) = (Vec::new(), Vec::new());
    while let [option, value, others @ ..] = rest {
        match *option {
            "--only" => only.push(*value),
            "--wgsl" => files.push(kernels::of_file(value)?),
            _ => return Err(USAGE.to_owned()),
        }
        rest = others;
    }
    let mut jobs = kernels::of_hardware()?;
    jobs.retain(|job| match &only[..] {
        [] => files.is_empty(),
        some => some.iter().any(|text| job.name.contains(text)),
    });
    jobs.extend(files);
    folder::compile(Path::new(folder), &jobs)
}

fn read(path: &str) -> Result<Record, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Record::from_json(&text).map_err(|error| format!("{path}: {error}"))
}

fn compare(recorded: &str, new: &str) -> Result<(), String> {
    match &record::compare(&read(recorded)?, &read(new)?)[..] {
        [] => Ok(()),
        complaints => Err(complaints.join("\n")),
    }
}
