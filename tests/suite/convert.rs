//! Conversion between f32 and f16 on the device: every number of f16, bounds of rounding, and what
//! lies around.

use half::f16;
use wgpu_linear::kernel::ElementType;
use wgpu_linear::nn::{Convert, NetworkKernels};
use wgpu_linear::{Element, Gpu, PrepareError, Vector, reference};

use crate::halves::gpu_with_f16;
use crate::support::GUARD_BYTES;
use crate::windows::{gpu_with, gpu_with_features};

/// A number of one of both types.
trait Stored: Element + PartialEq + std::fmt::Debug {
    const ELEMENT: ElementType;
    /// Stands around operands.
    const GUARD: Self;
}

impl Stored for f32 {
    const ELEMENT: ElementType = ElementType::F32;
    const GUARD: Self = 12_345.0;
}

impl Stored for f16 {
    const ELEMENT: ElementType = ElementType::F16;
    const GUARD: Self = Self::from_f32_const(1_234.0);
}

/// Between guard cells; what is behind is more than a word.
struct Guarded(wgpu::Buffer, usize);

impl Guarded {
    fn new<T: Stored>(gpu: &Gpu, values: &[T]) -> Self {
        let guard = vec![T::GUARD; GUARD_BYTES as usize / size_of::<T>()];
        let contents = [&guard, values, &guard].concat();
        Self(gpu.upload("guarded", &contents).unwrap(), values.len())
    }

    fn vector<T: Stored>(&self) -> Vector<'_> {
        let vector = Vector::new(&self.0, self.1 as u32).at(GUARD_BYTES);
        vector.stored_as(T::ELEMENT)
    }

    fn read<T: Stored>(&self, gpu: &Gpu) -> Vec<T> {
        let guard = GUARD_BYTES as usize / size_of::<T>();
        let all: Vec<T> = gpu.read_range(&self.0, 0, 2 * guard + self.1).unwrap();
        let (before, rest) = all.split_at(guard);
        let (values, after) = rest.split_at(self.1);
        for cell in before.iter().chain(after) {
            assert_eq!(*cell, T::GUARD, "a guard cell of {}", self.1);
        }
        values.to_vec()
    }
}

/// The same numbers, as the device converts them; everything but 0 before.
fn converted<From: Stored, To: Stored>(gpu: &Gpu, source: &[From]) -> Vec<To> {
    let before = vec![To::GUARD; source.len()];
    let (source, x) = (Guarded::new(gpu, source), Guarded::new(gpu, &before));
    let operands = Convert {
        source: source.vector::<From>(),
        x: x.vector::<To>(),
    };
    let dispatch = NetworkKernels::new(gpu.device()).convert(operands).unwrap();
    gpu.run(&[dispatch]).unwrap();
    x.read(gpu)
}

fn every_f16() -> Vec<f16> {
    (0..=u16::MAX).map(f16::from_bits).collect()
}

/// Subnormal numbers, infinities and both zeros too; of a NaN its exponent is kept, and that there is
/// something behind.
#[test]
fn every_f16_becomes_its_f32() {
    let Some(gpu) = gpu_with_f16() else { return };
    let source = every_f16();
    let x: Vec<f32> = converted(gpu, &source);
    for (source, x) in source.iter().zip(&x) {
        let (bits, wanted) = (x.to_bits(), source.to_f32());
        if source.is_nan() {
            assert_eq!(bits & 0x7f80_0000, 0x7f80_0000, "{:x}", source.to_bits());
            assert_ne!(bits & 0x007f_ffff, 0, "{:x}", source.to_bits());
        } else {
            assert_eq!(bits, wanted.to_bits(), "{source} became {x}");
        }
    }
}

#[test]
fn every_f16_comes_back_from_its_f32() {
    let Some(gpu) = gpu_with_f16() else { return };
    let wanted = every_f16();
    let source: Vec<f32> = wanted.iter().copied().map(f16::to_f32).collect();
    let x: Vec<f16> = converted(gpu, &source);
    for (x, wanted) in x.iter().zip(&wanted) {
        let (bits, wanted) = (x.to_bits(), wanted.to_bits());
        if wanted & 0x7fff > 0x7c00 {
            assert!(bits & 0x7fff > 0x7c00, "{wanted:x} became {bits:x}");
        } else {
            assert_eq!(bits, wanted, "{wanted:x} became {bits:x}");
        }
    }
}

/// Of all magnitudes below 65,504, and subnormal ones of f32.
#[test]
fn what_f16_does_not_have_is_rounded_to_a_neighbour() {
    let Some(gpu) = gpu_with_f16() else { return };
    let mut random = fastrand::Rng::with_seed(1);
    let number = || {
        let size = (1.0 + random.f32()) * 2.0_f32.powi(random.i32(-40..16));
        if random.bool() { -size } else { size }
    };
    let mut source: Vec<f32> = std::iter::repeat_with(number).take(50_001).collect();
    source.retain(|x| x.abs() <= 65_504.0);
    source.extend([f32::from_bits(1), -f32::MIN_POSITIVE, 65_503.9, -65_503.9]);
    let x: Vec<f16> = converted(gpu, &source);
    let twin = reference::convert(ElementType::F16, &source);
    let (mut inexact, mut nearest) = (0, 0);
    for ((source, x), twin) in source.iter().zip(&x).zip(&twin) {
        let (source, x) = (f64::from(*source), f64::from(*x));
        let bound = f64::max(source.abs() * 2.0_f64.powi(-10), 2.0_f64.powi(-24));
        let error = (x - source).abs();
        assert!(error <= bound, "{source} became {x}");
        assert!((f64::from(*twin) - source).abs() <= bound / 2.0);
        inexact += usize::from(error > 0.0);
        nearest += usize::from(x == f64::from(*twin));
    }
    println!("{nearest} of {} rounded to the nearest", source.len());
    assert!(inexact > 40_000, "{inexact}");
}

/// An infinity, or the largest number where the device rounds towards zero.
#[test]
fn what_f16_cannot_hold_is_at_least_its_largest_number() {
    let Some(gpu) = gpu_with_f16() else { return };
    let sizes = [65_504.0, 65_505.0, 65_520.0, 1e5, 1e30, f32::MAX];
    let source: Vec<f32> = sizes.into_iter().flat_map(|size| [size, -size]).collect();
    let x: Vec<f16> = converted(gpu, &source);
    for (source, x) in source.iter().zip(&x) {
        assert!(x.to_f32() * source.signum() >= 65_504.0, "{source}: {x}");
    }
    assert_eq!([x[0], x[1]].map(f16::to_f32), [65_504.0, -65_504.0]);
    let others = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN];
    let x: Vec<f16> = converted(gpu, &others);
    assert_eq!(&x[..2], [f16::INFINITY, f16::NEG_INFINITY]);
    assert!(x[2].is_nan() && x[3].is_nan(), "{x:?}");
}

/// An odd number of f16 ends in the middle of a word, whose other half belongs to somebody else.
#[test]
fn nothing_is_written_beside_whatever_the_length() {
    let Some(gpu) = gpu_with_f16() else { return };
    for len in [0, 1, 2, 3, 255, 256, 257, 1_001] {
        let floats: Vec<f32> = (0..len).map(|i| 0.5 * i as f32 - 100.0).collect();
        let halves: Vec<f16> = floats.iter().copied().map(f16::from_f32).collect();
        assert_eq!(converted::<f32, f16>(gpu, &floats), halves, "{len}");
        assert_eq!(converted::<f16, f32>(gpu, &halves), floats, "{len}");
    }
}

/// On a device whose grids have four workgroups in a dimension, at most: 11 of them, and one past the
/// end.
#[test]
fn numbers_are_converted_where_the_grid_folds() {
    if gpu_with_f16().is_none() {
        return;
    }
    let narrow = gpu_with_features(wgpu::Features::SHADER_F16, |_| wgpu::Limits {
        max_compute_workgroups_per_dimension: 4,
        ..wgpu::Limits::default()
    });
    let halves: Vec<f16> = (0..10 * 256 + 5).map(|i| f16::from_f32(i as f32)).collect();
    let floats: Vec<f32> = halves.iter().copied().map(f16::to_f32).collect();
    assert_eq!(converted::<f16, f32>(&narrow, &halves), floats);
    assert_eq!(converted::<f32, f16>(&narrow, &floats), halves);
    let x = narrow.zeros("x", halves.len()).unwrap();
    let source = narrow.upload("source", &halves).unwrap();
    let len = halves.len() as u32;
    let operands = Convert {
        source: Vector::new(&source, len).stored_as(ElementType::F16),
        x: Vector::new(&x, len),
    };
    let dispatch = NetworkKernels::of(&narrow).convert(operands).unwrap();
    assert_eq!(dispatch.workgroups().collect::<Vec<_>>(), [[4, 3, 1]]);
}

#[test]
fn operands_that_do_not_fit_are_refused_by_name() {
    let Some(gpu) = gpu_with_f16() else { return };
    let kernels = NetworkKernels::of(gpu);
    let [source, x] = [0; 2].map(|_| gpu.zeros("operand", 8).unwrap());
    let [f32, f16] = [ElementType::F32, ElementType::F16];
    let convert = |from: ElementType, (to, len): (ElementType, u32)| {
        kernels.convert(Convert {
            source: Vector::new(&source, 8).stored_as(from),
            x: Vector::new(&x, len).stored_as(to),
        })
    };
    assert!(convert(f32, (f16, 8)).is_ok());
    for element in [f32, f16] {
        let error = convert(element, (element, 8)).unwrap_err();
        assert!(
            matches!(error, PrepareError::ElementType { operand: "x", expected, actual, .. }
                if actual == element && expected != element),
            "{error:?}"
        );
    }
    let error = convert(f32, (f16, 7)).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Shape {
                operand: "x",
                expected: [1, 8],
                actual: [1, 7],
                ..
            }
        ),
        "{error:?}"
    );
    let twice = kernels.convert(Convert {
        source: Vector::new(&x, 8),
        x: Vector::new(&x, 8).stored_as(f16),
    });
    assert!(matches!(
        twice,
        Err(PrepareError::Aliased { written: "x", .. })
    ));
    let none = gpu_with(|limits| limits); // opened with subgroups alone
    let [source, x] = [0; 2].map(|_| none.zeros("operand", 8).unwrap());
    let error = NetworkKernels::of(&none).convert(Convert {
        source: Vector::new(&source, 8),
        x: Vector::new(&x, 8).stored_as(f16),
    });
    assert!(
        matches!(
            error,
            Err(PrepareError::Feature {
                feature: "SHADER_F16",
                ..
            })
        ),
        "{error:?}"
    );
}
