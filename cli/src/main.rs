//! The program `wgpu-linear`.

use std::process::ExitCode;

use clap::Parser;
use wgpu_linear_cli::commands::{Cli, run};

fn main() -> ExitCode {
    // What a Vulkan loader without drivers says, the error says better.
    let filter = env_logger::Env::default().default_filter_or("error,wgpu_hal=off");
    env_logger::Builder::from_env(filter).init();
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}
