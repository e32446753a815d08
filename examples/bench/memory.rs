//! What training takes of the device's memory, in f32 and in mixed precision: `bench memory`.

use serde_json::json;
use wgpu_linear::Gpu;
use wgpu_linear::model::{MlpConfig, Precision, Targets};
use wgpu_linear::nn::Mlp;

use crate::Arguments;
use crate::problem::Outcome;
use crate::report::{MEMORY_COLUMNS, Report, guarded};
use crate::training::Batches;

pub(crate) fn bench_memory(arguments: &Arguments, report: &mut Report) -> Outcome<()> {
    report.heading(&MEMORY_COLUMNS)?;
    for (sizes, batch) in &arguments.mlps {
        for precision in [Precision::F32, Precision::Mixed] {
            let name = sizes.iter().map(usize::to_string).collect::<Vec<_>>();
            let name = name.join("-");
            report.common(json!({
                "contender": "wgpu-linear", "mlp": name, "m": batch, "precision": precision.name(),
            }));
            match guarded(|| bytes(arguments, sizes, *batch, precision)) {
                Ok(bytes) => report.memory(&name, *batch, precision.name(), bytes)?,
                Err(error) => report.failure("memory", &*error)?,
            }
        }
    }
    Ok(())
}

/// All that is allocated after a step with Adam, whose loss was read. On a device of its own, where
/// nobody else allocates.
fn bytes(
    arguments: &Arguments,
    sizes: &[usize],
    batch: usize,
    precision: Precision,
) -> Outcome<u64> {
    let gpu: Gpu = arguments.open()?.ok_or("a GPU has memory of its own")?;
    let config = MlpConfig {
        precision,
        ..MlpConfig::new(sizes)
    };
    let mut mlp = Mlp::new(&gpu, config)?;
    let Batches { x, classes } = Batches::new(sizes, batch);
    mlp.train_batch(x[0].view(), Targets::Classes(&classes[0]))?;
    pollster::block_on(mlp.take_loss_async())?;
    let allocated = gpu.device().generate_allocator_report();
    let allocated = allocated.ok_or("this backend does not tell what is allocated")?;
    Ok(allocated.total_allocated_bytes)
}
