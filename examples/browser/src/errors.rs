//! What a browser refuses, and when that is told.

use ndarray::array;
use wgpu_linear::model::{MlpConfig, ModelError, Targets};
use wgpu_linear::nn::Mlp;
use wgpu_linear::{Forward, Gpu, GpuError, GpuOptions, LinearKernels, Matrix, wgpu};

use crate::{Checked, ensure};

/// T = X·W for a buffer X that this device does not know, which the browser takes its time to say.
fn refused(gpu: &Gpu, foreign: &Gpu) -> Result<wgpu::Buffer, Box<dyn std::error::Error>> {
    let x = foreign.upload("x", &[1.0])?;
    let (w, t) = (gpu.upload("w", &[1.0])?, gpu.zeros("t", 1)?);
    let dispatch = LinearKernels::of(gpu).forward(Forward {
        x: Matrix::new(&x, 1, 1),
        w: Matrix::new(&w, 1, 1),
        b: None,
        t: Matrix::new(&t, 1, 1),
    })?;
    gpu.run([&dispatch])?;
    Ok(t)
}

async fn another() -> Result<Gpu, GpuError> {
    Gpu::request(&GpuOptions::default()).await
}

fn expect_refusal<T>(result: Result<T, GpuError>) -> Checked {
    match result {
        Err(GpuError::Refused { source }) => {
            let text = source.to_string();
            let first = text.lines().find(|line| !line.trim().is_empty());
            Ok(format!("{:.60}…", first.unwrap_or_default().trim()))
        }
        Err(error) => Err(format!("another error: {error:?}").into()),
        Ok(_) => Err("no error".into()),
    }
}

pub(crate) async fn check_none(gpu: &Gpu) -> Checked {
    gpu.check_async().await?;
    gpu.check_async().await?;
    Ok("twice".into())
}

pub(crate) async fn check_foreign(gpu: &Gpu) -> Checked {
    refused(gpu, &another().await?)?;
    let said = expect_refusal(gpu.check_async().await)?;
    gpu.check_async()
        .await
        .map_err(|error| format!("told twice: {error:?}"))?;
    Ok(said)
}

/// Whoever reads hears of it, though the buffer itself is in order.
pub(crate) async fn check_reading(gpu: &Gpu) -> Checked {
    let t = refused(gpu, &another().await?)?;
    let said = expect_refusal(gpu.read_range_async::<f32>(&t, 0, 1).await)?;
    let after = gpu.read_range_async::<f32>(&t, 0, 1).await?;
    ensure(after == [0.0], "nothing was to be written")?;
    Ok(said)
}

pub(crate) async fn check_loss(gpu: &Gpu) -> Checked {
    let x = array![[0.0, 1.0]];
    let mut mlp = Mlp::new(gpu, MlpConfig::new(&[2, 2]))?;
    mlp.train_batch(x.view(), Targets::Classes(&[1]))?;
    refused(gpu, &another().await?)?;
    let said = match mlp.take_loss_async().await {
        Err(ModelError::Gpu(error)) => expect_refusal::<()>(Err(error))?,
        other => return Err(format!("no error: {other:?}").into()),
    };
    let loss = mlp.take_loss_async().await?;
    ensure(loss.examples == 1, format!("the loss after it: {loss:?}"))?;
    Ok(said)
}

/// More than the limits allow is refused at once; what the device has not is told later, by name.
pub(crate) async fn check_memory(gpu: &Gpu) -> Checked {
    let most = gpu.device().limits().max_buffer_size;
    match gpu.zeros("too large", most as usize / 4 + 1) {
        Err(GpuError::BufferTooLarge { .. }) => {}
        other => return Err(format!("no error: {other:?}").into()),
    }
    // Nothing is written there, so a browser may well say yes; the first that does not ends it.
    let mut buffers = Vec::new();
    for _ in 0..64 {
        buffers.push(gpu.zeros("a large one", most as usize / 4)?);
        match gpu.check_async().await {
            Ok(()) => {}
            Err(GpuError::OutOfMemory { label, bytes }) => {
                ensure(
                    label == "a large one" && bytes == most / 4 * 4,
                    "another buffer",
                )?;
                return Ok(format!(
                    "`{label}` of {bytes} bytes, after {} of them",
                    buffers.len()
                ));
            }
            Err(error) => return Err(format!("another error: {error:?}").into()),
        }
        if buffers.len() as u64 * most > (1 << 36) {
            break;
        }
    }
    Ok(format!(
        "{} buffers of {most} bytes were to be had",
        buffers.len()
    ))
}

/// On a device of its own, which is destroyed.
pub(crate) async fn check_lost() -> Checked {
    let gpu = another().await?;
    let buffer = gpu.upload("x", &[1.0])?;
    gpu.check_async().await?;
    gpu.device().destroy();
    let read = gpu.read_range_async::<f32>(&buffer, 0, 1).await;
    ensure(
        matches!(read, Err(GpuError::DeviceLost)),
        format!("read: {read:?}"),
    )?;
    let checked = gpu.check_async().await;
    ensure(
        matches!(checked, Err(GpuError::DeviceLost)),
        format!("check: {checked:?}"),
    )?;
    Ok("told by reading and by asking".into())
}
