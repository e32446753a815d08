//! `dropout.wgsl`: elements that are dropped in training, by counter-based random numbers.

use std::borrow::Cow;

use super::elements::{self, PROBED, PROBED_WORKGROUPS};
use super::kernels::NetworkKernels;
use crate::device::{Gpu, GpuError};
use crate::kernel::{
    Binding, Constant, Contents, Dispatch, ElementType, Kernel, Operand, PrepareError, Probe,
    Uniform, Vector, Wanted, expect_vector, file, quarters, uniform,
};
use crate::model::DropoutSettings;
use crate::reference;

/// Elements of a [`Dropout::batches`].
const BATCH_WORDS: u32 = 2;

/// Elements that a thread takes: the words of one block of random numbers.
const BLOCK: u64 = 4;

/// Operands of [`NetworkKernels::dropout`].
#[derive(Clone, Copy, Debug)]
pub struct Dropout<'a> {
    /// How many are dropped, and which.
    pub settings: DropoutSettings,
    /// The number of the batch, two elements of u32, the lower word first, that
    /// [`NetworkKernels::dropout_advance`] keeps; read.
    pub batches: Vector<'a>,
    /// x, activations or their gradients, row by row, of f32 or f16; updated.
    pub x: Vector<'a>,
}

uniform! {
    /// `Dims` in `dropout.wgsl`.
    struct Dims {
        count: u32,
        threshold: u32,
        scale: f32,
        layer: u32,
        seed_low: u32,
        seed_high: u32,
    }
}

pub(super) const DROPOUT_ADVANCE: Kernel = Kernel::new(
    "wgpu_linear::dropout_advance",
    (file!("dropout.wgsl"), "dropout_advance"),
    elements::CONSTANTS,
    1,
    &[Binding::write(1, "batches")],
);

pub(super) const DROPOUT: Kernel = elements::kernel(
    "wgpu_linear::dropout",
    (file!("dropout.wgsl"), "dropout"),
    &[
        Binding::dims::<Dims>(),
        Binding::write(1, "batches"),
        Binding::write(2, "x"),
    ],
);

/// The same of numbers of f16.
pub(super) fn of_f16() -> Kernel {
    let stored = [("Stored", Constant::Type(ElementType::F16))];
    Kernel {
        variant: Cow::Borrowed("f16"),
        constants: Cow::Owned([elements::CONSTANTS, &stored].concat()),
        ..DROPOUT
    }
}

impl NetworkKernels {
    /// x ← x / (1 − p), or 0 with probability p: inverted dropout (Srivastava et al. 2014), the
    /// same elements for activations and their gradients.
    ///
    /// Which elements are dropped depends on the settings, the number of the batch and the number
    /// of the element alone, by Philox-4x32-10 (Salmon et al. 2011), and is the same on every
    /// device and in [`reference::dropout`](crate::reference::dropout).
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn dropout(&self, operands: Dropout<'_>) -> Result<Dispatch, PrepareError> {
        let Dropout {
            settings,
            batches,
            x,
        } = operands;
        expect_vector(DROPOUT.label, "batches", batches, BATCH_WORDS)?;
        let kernel = match x.element {
            ElementType::F32 => DROPOUT,
            ElementType::F16 => of_f16(),
        };
        let operands = [
            Operand::vector("batches", batches),
            Operand::vector("x", x).of_any_type(),
        ];
        let threads = u64::from(x.len).div_ceil(BLOCK);
        let probe = || probe(x.element);
        self.elementwise(&kernel, dims(settings, x.len), &operands, threads, &probe)
    }

    /// Moves on to the next batch: behind the last [`Self::dropout`] of one.
    ///
    /// # Errors
    /// As [`crate::LinearKernels::forward`].
    pub fn dropout_advance(&self, batches: Vector<'_>) -> Result<Dispatch, PrepareError> {
        let kernel = DROPOUT_ADVANCE;
        expect_vector(kernel.label, "batches", batches, BATCH_WORDS)?;
        let operands = [Operand::vector("batches", batches)];
        self.cache
            .prepare_without_dims(&kernel, &operands, 1, &advance_probe)
    }
}

fn dims(settings: DropoutSettings, count: u32) -> Contents {
    let [seed_low, seed_high] = settings.key();
    let dims = Dims {
        count,
        threshold: settings.threshold(),
        scale: settings.scale() as f32,
        layer: settings.layer,
        seed_low,
        seed_high,
    };
    dims.contents()
}

/// A batch of a number that does not fit one word.
fn probe(element: ElementType) -> Probe {
    let settings = DropoutSettings {
        rate: 0.5,
        seed: 0x0123_4567_89ab_cdef,
        layer: 3,
    };
    let batch = [5, 7];
    let before = quarters(1, 4 * PROBED + 1);
    let mut x = before.clone();
    reference::dropout(settings, (7 << 32) + 5, &mut x);
    let x = x.into_iter().map(f64::from);
    Probe::new(dims(settings, before.len() as u32), PROBED_WORKGROUPS)
        .updates_words(batch.to_vec(), Wanted::words(batch))
        .updates_as(element, &before, Wanted::exactly(x))
}

/// The lower word overflows.
fn advance_probe() -> Probe {
    Probe::without_dims(1).updates_words(vec![u32::MAX, 7], Wanted::words([0, 8]))
}

/// The number of the batch on the device.
#[derive(Debug)]
pub(in crate::nn) struct BatchNumber {
    buffer: wgpu::Buffer,
}

impl BatchNumber {
    /// 0.
    pub(in crate::nn) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let buffer = gpu.zeros("wgpu_linear::batches", BATCH_WORDS as usize)?;
        Ok(Self { buffer })
    }

    /// Another number for whatever is submitted from now on.
    pub(in crate::nn) fn set(&self, gpu: &Gpu, batches: u64) -> Result<(), GpuError> {
        let words = [batches as u32, (batches >> 32) as u32];
        gpu.write(&self.buffer, 0, bytemuck::cast_slice(&words))
    }

    pub(in crate::nn) fn vector(&self) -> Vector<'_> {
        Vector::new(&self.buffer, BATCH_WORDS)
    }
}
