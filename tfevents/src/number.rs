//! Steps and values, as training loops have them.

use sealed::{Number, Whole};

/// The step of an event: any integer of up to 64 bits, such as the `usize` of a loop.
///
/// Event files store steps as `i64`. A larger `u64` or `usize` is stored as [`i64::MAX`]; every
/// other step is stored as it is. A literal needs no suffix, unless it is too large for `i32`.
///
/// ```
/// use tfevents::StreamWriter;
///
/// let mut events = StreamWriter::new(std::io::sink());
/// for (step, loss) in [0.5, 0.25].iter().enumerate() {
///     events.scalar("loss", step, *loss)?; // usize and f64
/// }
/// events.scalar("examples", 2, 128_u32)?;
/// # Ok::<(), tfevents::WriteError>(())
/// ```
///
/// The trait is sealed.
pub trait Step: Whole {}

/// The value of a scalar: `f32`, `f64`, or any integer of up to 64 bits.
///
/// Event files store scalars as `f32`. Other numbers are rounded to the nearest one, and to the
/// even one of two that are equally near: integers beyond 2²⁴ and most `f64` lose digits, and what
/// rounds to more than [`f32::MAX`] becomes infinite. NaN stays NaN.
///
/// The trait is sealed.
pub trait Scalar: Number {}

/// Reachable for bounds alone.
mod sealed {
    pub trait Whole: Copy {
        fn to_i64(self) -> i64;
    }

    pub trait Number: Copy {
        fn to_f32(self) -> f32;
    }
}

/// `$step`, from the integer `$integer`.
macro_rules! integers {
    ($($type:ty),*: |$integer:ident| $step:expr) => {$(
        impl Step for $type {}

        impl Whole for $type {
            #[inline]
            fn to_i64(self) -> i64 {
                let $integer = self;
                $step
            }
        }
    )*};
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Scalar for $type {}

        impl Number for $type {
            #[inline]
            fn to_f32(self) -> f32 {
                self as f32
            }
        }
    )*};
}

integers!(i64: |integer| integer);
integers!(i8, i16, i32, u8, u16, u32: |integer| i64::from(integer));
// Pointers of 128 bits are not known to Rust.
integers!(isize: |integer| integer as i64);
integers!(u64, usize: |integer| i64::try_from(integer).unwrap_or(i64::MAX));
numbers!(f32, f64, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// The step as it is stored.
#[inline]
pub(crate) fn stored_step(step: impl Step) -> i64 {
    step.to_i64()
}

/// The value as it is stored.
#[inline]
pub(crate) fn stored_value(value: impl Scalar) -> f32 {
    value.to_f32()
}
