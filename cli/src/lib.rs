//! The parts of the program `wgpu-linear`: what reads tables, trains, explains and exports.

pub mod clock;
pub mod commands;
pub mod config;
pub mod data;
pub mod device;
pub mod error;
pub mod explain;
pub mod file;
pub mod output;
pub mod report;
pub mod stop;
pub mod training;

pub use error::CliError;
