//! A page that computes and trains in a browser, and says of each thing whether it went as it
//! should.
#![cfg(target_arch = "wasm32")]

mod errors;
mod operations;
mod training;

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wgpu_linear::{Gpu, GpuOptions};

type Checked = Result<String, Box<dyn std::error::Error>>;

/// Runs every check, and hands `say` a line for each as it is done: `ok` or `FAILED`, what was
/// checked, and what there is to say of it. How many failed.
#[wasm_bindgen]
pub async fn check_all(say: Function) -> u32 {
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
    }));
    let mut report = Report { say, failed: 0 };
    let gpu = match Gpu::request(&GpuOptions::default()).await {
        Ok(gpu) => gpu,
        Err(error) => {
            report.line("device", Err(error.into()));
            return report.failed;
        }
    };
    report.line("device", Ok(gpu.description()));
    report.line("four operations", operations::check(&gpu).await);
    report.line("clocks, an event stream", training::check_events());
    report.line("trainer, on the twin", training::check_trainer());
    report.line("training by batches", training::check_batches(&gpu).await);
    report.line(
        "training on the device",
        training::check_resident(&gpu).await,
    );
    report.line("setters", training::check_setters(&gpu).await);
    report.line("no error without one", errors::check_none(&gpu).await);
    report.line(
        "a buffer of another device",
        errors::check_foreign(&gpu).await,
    );
    report.line(
        "an error is not read as numbers",
        errors::check_reading(&gpu).await,
    );
    report.line("a loss after an error", errors::check_loss(&gpu).await);
    report.line("too much memory", errors::check_memory(&gpu).await);
    report.line(
        "the same device after errors",
        operations::check(&gpu).await,
    );
    report.line("a lost device", errors::check_lost().await);
    report.failed
}

struct Report {
    say: Function,
    failed: u32,
}

impl Report {
    fn line(&mut self, what: &str, checked: Checked) {
        let line = match checked {
            Ok(said) => format!("ok      {what}: {said}"),
            Err(error) => {
                self.failed += 1;
                format!("FAILED  {what}: {error}")
            }
        };
        let _ = self.say.call1(&JsValue::NULL, &line.into());
    }
}

/// An error with this text unless `holds`.
fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), Box<dyn std::error::Error>> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.into().into())
    }
}
