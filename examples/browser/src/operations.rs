//! The four operations against the twin, bit for bit on small integers.

use ndarray::{Array1, Array2, ArrayView2};
use wgpu_linear::{
    BiasGrad, Forward, Gpu, InputGrad, LinearKernels, Matrix, Vector, WeightGrad, reference,
};

use crate::{Checked, ensure};

/// Batch, inputs and outputs: a small one, ragged ones, and one beyond a tile.
const SHAPES: [[usize; 3]; 4] = [[1, 1, 1], [3, 5, 2], [65, 33, 70], [130, 257, 67]];

pub(crate) async fn check(gpu: &Gpu) -> Checked {
    let kernels = LinearKernels::of(gpu);
    for shape in SHAPES {
        check_shape(gpu, &kernels, shape).await?;
    }
    Ok(format!("exact at {SHAPES:?}"))
}

async fn check_shape(
    gpu: &Gpu,
    kernels: &LinearKernels,
    [batch, inputs, outputs]: [usize; 3],
) -> Result<(), Box<dyn std::error::Error>> {
    let [x, w] = [integers(batch, inputs, 1), integers(inputs, outputs, 2)];
    let (dt, b) = (integers(batch, outputs, 3), integers(1, outputs, 4));
    let b = Array1::from_iter(b);
    let up =
        |label: &str, values: &Array2<f32>| gpu.upload(label, values.as_slice().unwrap_or(&[]));
    let [gx, gw, gdt] = [up("x", &x)?, up("w", &w)?, up("dt", &dt)?];
    let gb = gpu.upload("b", b.as_slice().unwrap_or(&[]))?;
    let [t, dx] = [
        gpu.zeros("t", batch * outputs)?,
        gpu.zeros("dx", batch * inputs)?,
    ];
    let [dw, db] = [
        gpu.zeros("dw", inputs * outputs)?,
        gpu.zeros("db", outputs)?,
    ];
    let [m, k, n] = [batch as u32, inputs as u32, outputs as u32];
    let (mx, mw, mdt) = (
        Matrix::new(&gx, m, k),
        Matrix::new(&gw, k, n),
        Matrix::new(&gdt, m, n),
    );
    let vb = Some(Vector::new(&gb, n));
    gpu.run(&[
        kernels.forward(Forward {
            x: mx,
            w: mw,
            b: vb,
            t: Matrix::new(&t, m, n),
        })?,
        kernels.input_grad(InputGrad {
            dt: mdt,
            w: mw,
            dx: Matrix::new(&dx, m, k),
        })?,
        kernels.weight_grad(WeightGrad {
            x: mx,
            dt: mdt,
            dw: Matrix::new(&dw, k, n),
            db: None,
        })?,
        kernels.bias_grad(BiasGrad {
            dt: mdt,
            db: Vector::new(&db, n),
        })?,
    ])?;
    let db_twin = reference::bias_grad(dt.view()).insert_axis(ndarray::Axis(0));
    for (name, buffer, wanted) in [
        (
            "T",
            &t,
            reference::forward(x.view(), w.view(), Some(b.view())),
        ),
        ("dX", &dx, reference::input_grad(dt.view(), w.view())),
        ("dW", &dw, reference::weight_grad(x.view(), dt.view())),
        ("db", &db, db_twin),
    ] {
        let got = gpu.read_range_async::<f32>(buffer, 0, wanted.len()).await?;
        let same = got.iter().eq(wanted.iter());
        ensure(
            same,
            format!("{name} differs at {batch} × {inputs} × {outputs}"),
        )?;
    }
    Ok(())
}

/// From −3 to 3, differently everywhere.
fn integers(rows: usize, columns: usize, seed: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        ((i * 31 + j * 17 + i * j * 7 + seed * 13) % 7) as f32 - 3.0
    })
}

/// The largest difference.
pub(crate) fn distance(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}
