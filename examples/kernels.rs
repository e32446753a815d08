//! Every kernel as it is compiled: which there are, and the WGSL of each.
//!
//! ```text
//! cargo run --example kernels -- --list
//! cargo run --example kernels -- --print forward/tiled_64-vec4-add_bias
//! cargo run --example kernels -- --write FOLDER
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use wgpu_linear::{Kernel, kernels};

/// Every kernel of wgpu-linear as it is compiled.
#[derive(Parser)]
#[group(required = true, multiple = false)]
struct Arguments {
    /// One kernel a line: name, threads of a workgroup, and the files that it is made of.
    #[arg(long)]
    list: bool,
    /// The WGSL of this kernel.
    #[arg(long, value_name = "NAME")]
    print: Option<String>,
    /// The WGSL of each kernel in a file of this folder.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(error) if is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    if let Some(name) = &arguments.print {
        let kernel = kernels()
            .find(|kernel| kernel.name() == *name)
            .ok_or_else(|| format!("there is no kernel {name}; --list shows all of them"))?;
        write!(out, "{}", kernel.wgsl()?)?;
    }
    if arguments.list {
        for kernel in kernels() {
            writeln!(out, "{}", line(&kernel)?)?;
        }
    }
    if let Some(folder) = &arguments.write {
        fs::create_dir_all(folder)?;
        for kernel in kernels() {
            let name = format!("{}.wgsl", kernel.name().replace('/', "-"));
            fs::write(folder.join(name), kernel.wgsl()?)?;
        }
    }
    Ok(out.flush()?)
}

fn line(kernel: &Kernel) -> Result<String, Box<dyn std::error::Error>> {
    let files: Vec<_> = kernel.files()?.iter().map(|file| file.name).collect();
    let [x, y, _] = kernel.workgroup;
    let threads = format!("{x}×{y}");
    Ok(format!(
        "{:<56} {threads:>7}  {}",
        kernel.name(),
        files.join(" ")
    ))
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
