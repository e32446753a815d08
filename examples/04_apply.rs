//! Checks the crate against your own framework: `cargo run --release --example 04_apply --
//! IN.safetensors OUT.safetensors`.
//!
//! Reads `x` (batch × inputs), `w` (inputs × outputs) and, if they are there, `b` (outputs) and
//! `dt` (batch × outputs), all f32. Writes `t` = x·w + b and, where `dt` was given, `dx` = dt·wᵀ,
//! `dw` = xᵀ·dt and `db` = Σ_i dt_i·.
//!
//! PyTorch stores the weights of `nn.Linear` as outputs × inputs: `--weight-layout out-in` takes
//! them as they are, and gives `dw` back in the same layout.

mod support;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ndarray::{Array1, Array2};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use support::Device;
use wgpu_linear::{
    BiasGrad, Forward, Gpu, InputGrad, LinearKernels, Matrix, Vector, WeightGrad, reference,
};

/// Applies a linear layer, and its backward pass, to the tensors of a safetensors file.
#[derive(Debug, Parser)]
struct Arguments {
    /// File with x, w and, optionally, b and dt
    input: PathBuf,
    /// File to write t and, where dt is given, dx, dw and db to
    output: PathBuf,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    device: Device,
    /// How w is stored, and dw is to be: inputs × outputs, or outputs × inputs as in PyTorch
    #[arg(long, value_enum, default_value_t = WeightLayout::InOut)]
    weight_layout: WeightLayout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WeightLayout {
    /// inputs × outputs
    InOut,
    /// outputs × inputs, as in PyTorch
    OutIn,
}

struct Inputs {
    x: Array2<f32>,
    w: Array2<f32>,
    b: Option<Array1<f32>>,
    dt: Option<Array2<f32>>,
}

struct Gradients {
    dx: Array2<f32>,
    dw: Array2<f32>,
    db: Array1<f32>,
}

struct Outputs {
    t: Array2<f32>,
    gradients: Option<Gradients>,
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    support::finish(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let bytes = std::fs::read(&arguments.input)
        .map_err(|error| format!("{}: {error}", arguments.input.display()))?;
    let inputs = Inputs::parse(&bytes, arguments.weight_layout)?;
    let outputs = match arguments.device.open()? {
        Some(gpu) => {
            println!("device: {}", gpu.description());
            inputs.apply_on_gpu(&gpu)?
        }
        None => {
            println!("device: CPU twin (ndarray, f32)");
            inputs.apply_on_cpu()
        }
    };
    let bytes = outputs.serialize(arguments.weight_layout)?;
    std::fs::write(&arguments.output, bytes)
        .map_err(|error| format!("{}: {error}", arguments.output.display()))?;
    Ok(())
}

impl Inputs {
    fn parse(bytes: &[u8], layout: WeightLayout) -> Result<Self, Box<dyn Error>> {
        let file = SafeTensors::deserialize(bytes)?;
        if let Some(unknown) = file
            .names()
            .iter()
            .find(|name| !["x", "w", "b", "dt"].contains(name))
        {
            return Err(format!(
                "the file holds a tensor `{unknown}`; only x, w, b and dt are known"
            )
            .into());
        }
        let mut w = matrix(&file, "w")?.ok_or("the file holds no tensor `w`")?;
        if layout == WeightLayout::OutIn {
            w = w.reversed_axes().as_standard_layout().into_owned();
        }
        let x = matrix(&file, "x")?.ok_or("the file holds no tensor `x`")?;
        let inputs = Self {
            x,
            w,
            b: vector(&file, "b")?,
            dt: matrix(&file, "dt")?,
        };
        inputs.check()?;
        Ok(inputs)
    }

    fn check(&self) -> Result<(), Box<dyn Error>> {
        let ((batch, inputs), outputs) = (self.x.dim(), self.w.ncols());
        if self.w.nrows() != inputs {
            let rows = self.w.nrows();
            let hint = "is --weight-layout right?";
            return Err(format!(
                "x has {inputs} columns, but w has {rows} inputs and {outputs} outputs; {hint}"
            )
            .into());
        }
        if let Some(b) = self.b.as_ref().filter(|b| b.len() != outputs) {
            return Err(format!("w has {outputs} outputs, but b has {} elements", b.len()).into());
        }
        if let Some(dt) = self.dt.as_ref().filter(|dt| dt.dim() != (batch, outputs)) {
            return Err(format!(
                "t is {batch} × {outputs}, but dt is {} × {}",
                dt.nrows(),
                dt.ncols()
            )
            .into());
        }
        Ok(())
    }

    fn apply_on_cpu(&self) -> Outputs {
        let Self { x, w, b, dt } = self;
        let gradients = dt.as_ref().map(|dt| Gradients {
            dx: reference::input_grad(dt.view(), w.view()),
            dw: reference::weight_grad(x.view(), dt.view()),
            db: reference::bias_grad(dt.view()),
        });
        Outputs {
            t: reference::forward(x.view(), w.view(), b.as_ref().map(|b| b.view())),
            gradients,
        }
    }

    fn apply_on_gpu(&self, gpu: &Gpu) -> Result<Outputs, Box<dyn Error>> {
        let ((batch, inputs), outputs) = (self.x.dim(), self.w.ncols());
        let sizes = [batch, inputs, outputs].map(u32::try_from);
        let [Ok(rows), Ok(ins), Ok(outs)] = sizes else {
            return Err("a side is longer than 2³² − 1".into());
        };
        let upload = |label, values: &[f32]| gpu.upload(label, values);
        let [x, w] = [upload("x", &flat(&self.x))?, upload("w", &flat(&self.w))?];
        let b = self
            .b
            .as_ref()
            .map(|b| upload("b", &b.to_vec()))
            .transpose()?;
        let t = gpu.zeros("t", batch * outputs)?;
        let (x_view, w_view) = (Matrix::new(&x, rows, ins), Matrix::new(&w, ins, outs));
        let kernels = LinearKernels::new(gpu.device());
        let b_view = b.as_ref().map(|b| Vector::new(b, outs));
        gpu.run(&[kernels.forward(Forward {
            x: x_view,
            w: w_view,
            b: b_view,
            t: Matrix::new(&t, rows, outs),
        })?])?;
        let read = |buffer, rows: usize, columns: usize| -> Result<Array2<f32>, Box<dyn Error>> {
            Ok(Array2::from_shape_vec(
                (rows, columns),
                gpu.read_range(buffer, 0, rows * columns)?,
            )?)
        };
        let Some(upstream) = &self.dt else {
            return Ok(Outputs {
                t: read(&t, batch, outputs)?,
                gradients: None,
            });
        };
        let dt = upload("dt", &flat(upstream))?;
        let [dx, dw] = [
            gpu.zeros("dx", batch * inputs)?,
            gpu.zeros("dw", inputs * outputs)?,
        ];
        let db = gpu.zeros("db", outputs)?;
        let dt_view = Matrix::new(&dt, rows, outs);
        gpu.run(&[
            kernels.input_grad(InputGrad {
                dt: dt_view,
                w: w_view,
                dx: Matrix::new(&dx, rows, ins),
            })?,
            kernels.weight_grad(WeightGrad {
                x: x_view,
                dt: dt_view,
                dw: Matrix::new(&dw, ins, outs),
                db: None,
            })?,
            kernels.bias_grad(BiasGrad {
                dt: dt_view,
                db: Vector::new(&db, outs),
            })?,
        ])?;
        let gradients = Gradients {
            dx: read(&dx, batch, inputs)?,
            dw: read(&dw, inputs, outputs)?,
            db: gpu.read_range(&db, 0, outputs)?.into(),
        };
        Ok(Outputs {
            t: read(&t, batch, outputs)?,
            gradients: Some(gradients),
        })
    }
}

impl Outputs {
    fn serialize(&self, layout: WeightLayout) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut tensors = vec![("t", vec![self.t.nrows(), self.t.ncols()], flat(&self.t))];
        if let Some(Gradients { dx, dw, db }) = &self.gradients {
            let dw = match layout {
                WeightLayout::InOut => dw.view(),
                WeightLayout::OutIn => dw.t(),
            };
            tensors.push(("dx", vec![dx.nrows(), dx.ncols()], flat(dx)));
            tensors.push((
                "dw",
                vec![dw.nrows(), dw.ncols()],
                dw.iter().copied().collect(),
            ));
            tensors.push(("db", vec![db.len()], db.to_vec()));
        }
        let view = |(name, shape, values): &'_ (&'static str, Vec<usize>, Vec<f32>)| {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            (*name, shape.clone(), bytes)
        };
        let encoded: Vec<_> = tensors.iter().map(view).collect();
        let views: Vec<_> = encoded
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<_, Box<dyn Error>>>()?;
        Ok(safetensors::serialize(views, None)?)
    }
}

fn flat(matrix: &Array2<f32>) -> Vec<f32> {
    matrix.iter().copied().collect()
}

fn matrix(file: &SafeTensors<'_>, name: &str) -> Result<Option<Array2<f32>>, Box<dyn Error>> {
    let Some((shape, values)) = tensor(file, name)? else {
        return Ok(None);
    };
    let [rows, columns] = shape[..] else {
        return Err(format!("`{name}` has shape {shape:?}, not two sizes").into());
    };
    Ok(Some(Array2::from_shape_vec((rows, columns), values)?))
}

fn vector(file: &SafeTensors<'_>, name: &str) -> Result<Option<Array1<f32>>, Box<dyn Error>> {
    let Some((shape, values)) = tensor(file, name)? else {
        return Ok(None);
    };
    if shape.len() != 1 {
        return Err(format!("`{name}` has shape {shape:?}, not one size").into());
    }
    Ok(Some(values.into()))
}

type Tensor = (Vec<usize>, Vec<f32>);

fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Option<Tensor>, Box<dyn Error>> {
    if !file.names().contains(&name) {
        return Ok(None);
    }
    let view = file.tensor(name)?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("`{name}` is {:?}, not F32", view.dtype()).into());
    }
    let values = view
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    Ok(Some((view.shape().to_vec(), values.collect())))
}
