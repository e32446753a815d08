//! Operands: views under the names by which the caller knows them, and the checks that come before
//! anything is bound.

use std::ops::Range;

use super::{Access, Binding, ElementType, Matrix, PrepareError, Uniform, Vector, uniform};

/// An operand in the order of the kernel's bindings, under the name by which the caller knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    pub(crate) name: &'static str,
    pub(crate) buffer: &'a wgpu::Buffer,
    pub(crate) offset_bytes: u64,
    /// A multiple of 4: what is bound ends behind a whole word.
    pub(crate) size_bytes: u64,
    pub(crate) element: ElementType,
    /// May be of another type than f32.
    pub(crate) of_any_type: bool,
    /// May be larger than one binding: its rows are bound in parts.
    pub(crate) in_parts: bool,
}

impl<'a> Operand<'a> {
    pub(crate) fn matrix(name: &'static str, view: Matrix<'a>) -> Self {
        Self {
            offset_bytes: view.offset_bytes,
            element: view.element,
            ..Self::buffer(name, view.buffer, bytes_of(view.element, view.elements()))
        }
    }

    pub(crate) fn vector(name: &'static str, view: Vector<'a>) -> Self {
        Self {
            offset_bytes: view.offset_bytes,
            element: view.element,
            ..Self::buffer(name, view.buffer, bytes_of(view.element, view.len.into()))
        }
    }

    /// A uniform buffer with the members of `U`.
    pub(crate) fn uniform<U: Uniform>(name: &'static str, buffer: &'a wgpu::Buffer) -> Self {
        Self::buffer(name, buffer, uniform::bytes(U::MEMBERS))
    }

    /// The first `size_bytes` of a buffer.
    pub(crate) fn buffer(name: &'static str, buffer: &'a wgpu::Buffer, size_bytes: u64) -> Self {
        Self {
            name,
            buffer,
            offset_bytes: 0,
            size_bytes,
            element: ElementType::F32,
            of_any_type: false,
            in_parts: false,
        }
    }

    /// The same, which may be stored as another type than f32.
    pub(crate) fn of_any_type(self) -> Self {
        Self {
            of_any_type: true,
            ..self
        }
    }

    /// The same, which may be larger than a binding and is bound in parts.
    pub(crate) fn in_parts(self) -> Self {
        Self {
            in_parts: true,
            ..self
        }
    }

    fn is_disjoint(&self, other: &Self) -> bool {
        let end = |operand: &Self| operand.offset_bytes.saturating_add(operand.size_bytes);
        end(self) <= other.offset_bytes || end(other) <= self.offset_bytes
    }

    /// These rows of a matrix with so many columns.
    pub(crate) fn rows(self, columns: u32, rows: &Range<u32>) -> Self {
        let elements = |rows: u32| u64::from(rows) * u64::from(columns);
        let before_bytes = elements(rows.start) * self.element.bytes();
        Self {
            offset_bytes: self.offset_bytes + before_bytes,
            size_bytes: bytes_of(self.element, elements(rows.end - rows.start)),
            ..self
        }
    }
}

/// Bytes of so many elements, up to the end of the last word.
fn bytes_of(element: ElementType, elements: u64) -> u64 {
    let bytes = elements.saturating_mul(element.bytes());
    bytes.checked_next_multiple_of(4).unwrap_or(bytes)
}

/// Checks usage, size, alignment and limits of every operand, and that what is written shares no
/// buffer with what is read, nor bytes with anything.
pub(crate) fn check_operands(
    operation: &'static str,
    bindings: &[Binding],
    operands: &[Operand<'_>],
    limits: &wgpu::Limits,
) -> Result<(), PrepareError> {
    let operands: Vec<_> = operands
        .iter()
        .zip(bindings)
        .map(|(operand, binding)| (*operand, binding.access))
        .collect();
    for (operand, access) in &operands {
        check_operand(operation, operand, *access, limits)?;
    }
    check_aliasing(operation, &operands)
}

fn check_operand(
    operation: &'static str,
    operand: &Operand<'_>,
    access: Access,
    limits: &wgpu::Limits,
) -> Result<(), PrepareError> {
    check_type(operation, operand)?;
    check_usage(operation, operand, access)?;
    check_place(operation, operand, limits)?;
    if operand.in_parts {
        return Ok(());
    }
    check_size(operation, operand.size_bytes, operand.element, limits)
}

fn check_type(operation: &'static str, operand: &Operand<'_>) -> Result<(), PrepareError> {
    if operand.of_any_type || operand.element == ElementType::F32 {
        return Ok(());
    }
    Err(PrepareError::ElementType {
        operation,
        operand: operand.name,
        expected: ElementType::F32,
        actual: operand.element,
    })
}

/// So many bytes can be bound at once.
pub(super) fn check_size(
    operation: &'static str,
    size_bytes: u64,
    element: ElementType,
    limits: &wgpu::Limits,
) -> Result<(), PrepareError> {
    let limit = |name, required, allowed| {
        let error = PrepareError::Limit {
            operation,
            name,
            required,
            allowed,
        };
        if required <= allowed {
            Ok(())
        } else {
            Err(error)
        }
    };
    let allowed = limits.max_storage_buffer_binding_size;
    limit("max_storage_buffer_binding_size", size_bytes, allowed)?;
    // Kernels address elements by u32, and the last workgroups of a folded grid reach past the end.
    let allowed = u64::from(u32::MAX / 2);
    let elements = size_bytes / element.bytes();
    limit("elements of an operand", elements, allowed)
}

fn check_usage(
    operation: &'static str,
    operand: &Operand<'_>,
    access: Access,
) -> Result<(), PrepareError> {
    let required = match access {
        Access::Uniform(_) => wgpu::BufferUsages::UNIFORM,
        Access::Read | Access::ReadWrite => wgpu::BufferUsages::STORAGE,
    };
    let actual = operand.buffer.usage();
    if actual.contains(required) {
        return Ok(());
    }
    Err(PrepareError::MissingUsage {
        operation,
        operand: operand.name,
        required,
        actual,
    })
}

/// The buffer holds the operand, which begins where the device can bind it.
fn check_place(
    operation: &'static str,
    operand: &Operand<'_>,
    limits: &wgpu::Limits,
) -> Result<(), PrepareError> {
    let (name, offset_bytes) = (operand.name, operand.offset_bytes);
    let required_bytes = offset_bytes.saturating_add(operand.size_bytes);
    let actual_bytes = operand.buffer.size();
    if required_bytes > actual_bytes {
        return Err(PrepareError::BufferTooSmall {
            operation,
            operand: name,
            required_bytes,
            actual_bytes,
        });
    }
    let alignment_bytes = u64::from(limits.min_storage_buffer_offset_alignment);
    if !offset_bytes.is_multiple_of(alignment_bytes) {
        return Err(PrepareError::MisalignedOffset {
            operation,
            operand: name,
            offset_bytes,
            alignment_bytes,
        });
    }
    Ok(())
}

fn check_aliasing(
    operation: &'static str,
    operands: &[(Operand<'_>, Access)],
) -> Result<(), PrepareError> {
    let bound: Vec<_> = operands
        .iter()
        .filter(|(operand, _)| operand.size_bytes > 0)
        .collect();
    for (i, (written, access)) in bound.iter().enumerate() {
        if *access != Access::ReadWrite {
            continue;
        }
        let shares = |(j, (other, other_access)): &(usize, &&(Operand<'_>, Access))| {
            let both_written = *other_access == Access::ReadWrite;
            *j != i
                && other.buffer == written.buffer
                && !(both_written && written.is_disjoint(other))
        };
        if let Some((_, (other, _))) = bound.iter().enumerate().find(shares) {
            return Err(PrepareError::Aliased {
                operation,
                written: written.name,
                other: other.name,
            });
        }
    }
    Ok(())
}

pub(crate) fn expect_matrix(
    operation: &'static str,
    operand: &'static str,
    view: Matrix<'_>,
    rows: u32,
    columns: u32,
) -> Result<(), PrepareError> {
    expect_shape(
        operation,
        operand,
        [view.rows, view.columns],
        [rows, columns],
    )
}

pub(crate) fn expect_vector(
    operation: &'static str,
    operand: &'static str,
    view: Vector<'_>,
    len: u32,
) -> Result<(), PrepareError> {
    expect_shape(operation, operand, [1, view.len], [1, len])
}

fn expect_shape(
    operation: &'static str,
    operand: &'static str,
    actual: [u32; 2],
    expected: [u32; 2],
) -> Result<(), PrepareError> {
    if actual == expected {
        return Ok(());
    }
    Err(PrepareError::Shape {
        operation,
        operand,
        expected,
        actual,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_as_many_as_kernels_can_count_past_the_end() {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: u64::MAX,
            ..wgpu::Limits::default()
        };
        let most = u64::from(u32::MAX / 2);
        for element in [ElementType::F32, ElementType::F16] {
            let check =
                |elements| check_size("operation", elements * element.bytes(), element, &limits);
            assert!(check(most).is_ok());
            let error = check(most + 1).unwrap_err();
            assert!(
                matches!(error, PrepareError::Limit { name: "elements of an operand", required, allowed, .. }
                    if (required, allowed) == (most + 1, most)),
                "{error:?}"
            );
        }
    }
}
