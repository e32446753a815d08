//! T = X·W + b on the GPU, in twenty lines: `cargo run --release --example 01_forward`.

use wgpu_linear::{Forward, Gpu, LinearKernels, Matrix, Vector};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::new()?; // the best adapter of this machine
    let x = gpu.upload("x", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?; // batch 2 × inputs 3, row-major
    let w = gpu.upload("w", &[1.0, -1.0, 0.5, 0.0, 2.0, 1.0])?; // inputs 3 × outputs 2
    let b = gpu.upload("b", &[0.5, -0.5])?; // outputs 2
    let t = gpu.zeros("t", 4)?; // batch 2 × outputs 2

    let kernels = LinearKernels::new(gpu.device());
    let forward = kernels.forward(Forward {
        x: Matrix::new(&x, 2, 3),
        w: Matrix::new(&w, 3, 2),
        b: Some(Vector::new(&b, 2)),
        t: Matrix::new(&t, 2, 2),
    })?;
    gpu.run(&[forward])?;
    let result: Vec<f32> = gpu.read(&t)?;
    println!("{result:?} on {}", gpu.description());
    assert_eq!(result, [8.5, 1.5, 19.0, 1.5]);
    Ok(())
}
