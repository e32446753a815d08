//! PyTorch's writer, in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::{Outcome, Run};

/// The Python process with PyTorch's writer; it waits while others are measured.
pub struct Torch(Child);

impl Torch {
    pub fn start(python: &Path) -> Outcome<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("torch_scalars.py");
        let child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", python.display()))?;
        Ok(Self(child))
    }

    pub fn run(&mut self, directory: &Path, scalars: usize, each: bool) -> Outcome<Run> {
        let (Some(requests), Some(answers)) = (&mut self.0.stdin, &mut self.0.stdout) else {
            return Err("torch's process has no pipes".into());
        };
        let request = json!({"directory": directory, "scalars": scalars, "each": each});
        writeln!(requests, "{request}")?;
        let mut line = String::new();
        // It answers with one line and then waits, so that nothing is left in the reader that is
        // dropped.
        BufReader::new(answers).read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        let nanoseconds = answer["nanoseconds"].as_array().into_iter().flatten();
        Ok(Run {
            seconds: answer["seconds"].as_f64().unwrap_or(f64::NAN),
            nanoseconds: nanoseconds.filter_map(Value::as_u64).collect(),
        })
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if let Err(error) = self.0.wait() {
            eprintln!("torch: {error}");
        }
    }
}
