//! `loss_scale.wgsl`: dynamic loss scaling, with its state.

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use crate::device::{Gpu, GpuError};
use crate::kernel::{
    Binding, Contents, Dispatch, File, Kernel, Operand, PrepareError, Probe, Uniform, Vector,
    Wanted, expect_vector, file, quarters, uniform,
};
use crate::model::LossScaling;

uniform! {
    /// `Dims` in `loss_scale.wgsl`.
    struct Dims {
        count: u32,
        interval: u32,
    }
}

/// Words of the scale and the updates since it was changed.
const SCALE_WORDS: u32 = 2;
/// Words of what was found, and whether the update is left out.
const VERDICT_WORDS: u32 = 2;

const FILE: File = file!("loss_scale.wgsl");
const STATE: Binding = Binding::write(1, "loss_scale");
const VERDICT: Binding = Binding::write(2, "verdict");
const X: Binding = Binding::write(3, "x");

pub(super) const SCALE_GRADIENTS: Kernel = elements::kernel(
    "wgpu_linear::scale_gradients",
    (FILE, "scale_gradients"),
    &[Binding::dims::<Dims>(), STATE, X],
);

pub(super) const COPY_SCALED: Kernel = elements::kernel(
    "wgpu_linear::copy_scaled",
    (FILE, "copy_scaled"),
    &[
        Binding::dims::<Dims>(),
        STATE,
        X,
        Binding::read(4, "source"),
    ],
);

pub(super) const UNSCALE_GRADIENTS: Kernel = elements::kernel(
    "wgpu_linear::unscale_gradients",
    (FILE, "unscale_gradients"),
    &[Binding::dims::<Dims>(), STATE, VERDICT, X],
);

pub(super) const NEXT_SCALE: Kernel = Kernel::new(
    "wgpu_linear::next_scale",
    (FILE, "next_scale"),
    elements::CONSTANTS,
    1,
    &[Binding::dims::<Dims>(), STATE, VERDICT],
);

/// Operands of [`NetworkKernels::scale_gradients`].
#[derive(Clone, Copy, Debug)]
pub struct ScaleGradients<'a> {
    /// s and the updates since it was changed, two elements; read.
    pub loss_scale: Vector<'a>,
    /// x; updated.
    pub x: Vector<'a>,
}

/// Operands of [`NetworkKernels::copy_scaled`].
#[derive(Clone, Copy, Debug)]
pub struct CopyScaled<'a> {
    /// s and the updates since it was changed, two elements; read.
    pub loss_scale: Vector<'a>,
    /// What is copied; read.
    pub source: Vector<'a>,
    /// x, as many elements; overwritten.
    pub x: Vector<'a>,
}

/// Operands of [`NetworkKernels::unscale_gradients`].
#[derive(Clone, Copy, Debug)]
pub struct UnscaleGradients<'a> {
    /// s and the updates since it was changed, two elements; read.
    pub loss_scale: Vector<'a>,
    /// Two of u32, 0 at first; the first becomes 1 where an element of x is not finite.
    pub verdict: Vector<'a>,
    /// x; updated.
    pub x: Vector<'a>,
}

/// Operands of [`NetworkKernels::next_scale`].
#[derive(Clone, Copy, Debug)]
pub struct NextScale<'a> {
    /// How the scale moves.
    pub scaling: LossScaling,
    /// s and the updates since it was changed, two elements; updated.
    pub loss_scale: Vector<'a>,
    /// Two of u32: what was found, which becomes 0, and whether the update is left out, which is
    /// overwritten.
    pub verdict: Vector<'a>,
}

impl NetworkKernels {
    /// x ← s · x: the gradient of a loss that is multiplied by s.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn scale_gradients(&self, operands: ScaleGradients<'_>) -> Result<Dispatch, PrepareError> {
        let ScaleGradients { loss_scale, x } = operands;
        let state = state_operand(&SCALE_GRADIENTS, loss_scale)?;
        let operands = [state, Operand::vector("x", x)];
        let dims = dims(x.len);
        let elements = u64::from(x.len);
        self.elementwise(&SCALE_GRADIENTS, dims, &operands, elements, &scale_probe)
    }

    /// x = s · source.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn copy_scaled(&self, operands: CopyScaled<'_>) -> Result<Dispatch, PrepareError> {
        let CopyScaled {
            loss_scale,
            source,
            x,
        } = operands;
        expect_vector(COPY_SCALED.label, "source", source, x.len)?;
        let operands = [
            state_operand(&COPY_SCALED, loss_scale)?,
            Operand::vector("x", x),
            Operand::vector("source", source),
        ];
        let elements = u64::from(x.len);
        self.elementwise(&COPY_SCALED, dims(x.len), &operands, elements, &copy_probe)
    }

    /// x ← x / s, noting in the verdict where an element is not finite.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn unscale_gradients(
        &self,
        operands: UnscaleGradients<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let UnscaleGradients {
            loss_scale,
            verdict,
            x,
        } = operands;
        let kernel = UNSCALE_GRADIENTS;
        let operands = [
            state_operand(&kernel, loss_scale)?,
            verdict_operand(&kernel, verdict)?,
            Operand::vector("x", x),
        ];
        let elements = u64::from(x.len);
        self.elementwise(&kernel, dims(x.len), &operands, elements, &unscale_probe)
    }

    /// The scale of the next update, and whether this one is left out: as [`LossScaling::next`]
    /// says. Once an update, behind the last [`Self::unscale_gradients`] of it and before the
    /// optimizer.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn next_scale(&self, operands: NextScale<'_>) -> Result<Dispatch, PrepareError> {
        let NextScale {
            scaling,
            loss_scale,
            verdict,
        } = operands;
        let operands = [
            state_operand(&NEXT_SCALE, loss_scale)?,
            verdict_operand(&NEXT_SCALE, verdict)?,
        ];
        let dims = Dims {
            count: 0,
            interval: scaling.interval,
        };
        self.cache
            .prepare(&NEXT_SCALE, &[dims.contents()], &operands, 1, &next_probe)
    }
}

fn dims(count: u32) -> Contents {
    Dims { count, interval: 0 }.contents()
}

fn state_operand<'a>(kernel: &Kernel, view: Vector<'a>) -> Result<Operand<'a>, PrepareError> {
    expect_vector(kernel.label, "loss_scale", view, SCALE_WORDS)?;
    Ok(Operand::vector("loss_scale", view))
}

fn verdict_operand<'a>(kernel: &Kernel, view: Vector<'a>) -> Result<Operand<'a>, PrepareError> {
    expect_vector(kernel.label, "verdict", view, VERDICT_WORDS)?;
    Ok(Operand::vector("verdict", view))
}

/// The loss scale of a network, on the device.
#[derive(Debug)]
pub(in crate::nn) struct ScaledLoss {
    scaling: LossScaling,
    state: wgpu::Buffer,
    verdict: wgpu::Buffer,
}

impl ScaledLoss {
    /// Before the first update.
    pub(in crate::nn) fn new(gpu: &Gpu, scaling: LossScaling) -> Result<Self, GpuError> {
        Ok(Self {
            scaling,
            state: gpu.upload("wgpu_linear::loss_scale", &scaling.begin().numbers())?,
            verdict: gpu.zeros("wgpu_linear::verdict", VERDICT_WORDS as usize)?,
        })
    }

    /// The scale and the updates since it was changed, two of f32.
    pub(in crate::nn) fn state(&self) -> &wgpu::Buffer {
        &self.state
    }

    fn loss_scale(&self) -> Vector<'_> {
        Vector::new(&self.state, SCALE_WORDS)
    }

    /// What an optimizer looks at to leave an update out.
    pub(in crate::nn) fn verdict(&self) -> Vector<'_> {
        Vector::new(&self.verdict, VERDICT_WORDS)
    }

    /// x ← s · x
    pub(in crate::nn) fn scale(
        &self,
        kernels: &NetworkKernels,
        x: Vector<'_>,
    ) -> Result<Dispatch, PrepareError> {
        let loss_scale = self.loss_scale();
        kernels.scale_gradients(ScaleGradients { loss_scale, x })
    }

    /// x = s · source
    pub(in crate::nn) fn copy(
        &self,
        kernels: &NetworkKernels,
        source: Vector<'_>,
        x: Vector<'_>,
    ) -> Result<Dispatch, PrepareError> {
        kernels.copy_scaled(CopyScaled {
            loss_scale: self.loss_scale(),
            source,
            x,
        })
    }

    /// x ← x / s, and whether each is finite.
    pub(in crate::nn) fn unscale(
        &self,
        kernels: &NetworkKernels,
        x: Vector<'_>,
    ) -> Result<Dispatch, PrepareError> {
        kernels.unscale_gradients(UnscaleGradients {
            loss_scale: self.loss_scale(),
            verdict: self.verdict(),
            x,
        })
    }

    /// The scale of the next update, and whether this one is left out.
    pub(in crate::nn) fn next(&self, kernels: &NetworkKernels) -> Result<Dispatch, PrepareError> {
        kernels.next_scale(NextScale {
            scaling: self.scaling,
            loss_scale: self.loss_scale(),
            verdict: self.verdict(),
        })
    }
}

/// A scale of 8, two updates old.
const PROBED_STATE: [f32; 2] = [8.0, 2.0];

fn probed() -> Probe {
    let dims = Dims {
        count: PROBED as u32,
        interval: 3,
    };
    let same = PROBED_STATE.map(f64::from);
    Probe::new(dims.contents(), PROBED_WORKGROUPS).updates(&PROBED_STATE, Wanted::exactly(same))
}

fn scale_probe() -> Probe {
    let x = quarters(1, PROBED);
    let scaled = x.iter().map(|x| 8.0 * f64::from(*x));
    probed().updates(&x, Wanted::exactly(scaled))
}

fn copy_probe() -> Probe {
    let source = quarters(1, PROBED);
    let scaled = source.iter().map(|x| 8.0 * f64::from(*x));
    probed().writes(Wanted::exactly(scaled)).reads(&source)
}

/// The first element of the second workgroup is infinite.
fn unscale_probe() -> Probe {
    let mut x = quarters(1, PROBED);
    x[elements::WORKGROUP as usize] = f32::INFINITY;
    let words = x.iter().map(|x| (x / 8.0).to_bits());
    let before = x.iter().map(|x| x.to_bits()).collect();
    probed()
        .updates_words(vec![0, 7], Wanted::words([1, 7]))
        .updates_words(before, Wanted::words(words))
}

/// The third update in a row.
fn next_probe() -> Probe {
    let dims = Dims {
        count: 0,
        interval: 3,
    };
    Probe::new(dims.contents(), 1)
        .updates(&PROBED_STATE, Wanted::exactly([16.0, 0.0]))
        .updates_words(vec![0, 7], Wanted::words([0, 0]))
}
