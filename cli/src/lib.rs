//! The parts of the program `wgpu-linear`: what reads tables, trains, explains and exports.

pub mod commands;
pub mod data;
pub mod error;
pub mod explain;
pub mod output;
pub mod report;

pub use error::CliError;
