//! `sum_rows.wgsl`: db = Σ_i dT_i·, the rows of dT added up.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::cost::{SOFTWARE_LOAD, Work, like_llvmpipe};
use super::hardware::hardware;
use super::launch::{Launch, cached_bytes};
use super::room::{self, Loops, Room};
use crate::kernel::{
    Binding, Constant, Dispatch, ElementType, File, Grid, Kernel, KernelCache, Matrix, Operand,
    PrepareError, Probe, Uniform, Vector, Wanted, check_operands, file, passes, quarters, uniform,
};
use crate::linear::capabilities::Capabilities;
use crate::linear::shape::{Operation, Shape};

/// Columns that one workgroup sums, and threads that share the rows of each.
const COLUMNS: u32 = 32;
const LANES: u32 = 8;

uniform! {
    /// `Dims` in `sum_rows.wgsl`.
    pub(super) struct SumRowsDims {
        columns: u32,
        first_row: u32,
        end_row: u32,
        slab_rows: u32,
        adds: u32,
    }
}

pub(in crate::linear) const BIAS_GRAD: Kernel = Kernel {
    label: "wgpu_linear::bias_grad",
    variant: Cow::Borrowed(""),
    file: file!("sum_rows.wgsl"),
    choices: Cow::Borrowed(&[]),
    entry_point: "sum_rows",
    constants: Cow::Borrowed(&[
        ("COLUMNS", Constant::U32(COLUMNS)),
        ("LANES", Constant::U32(LANES)),
        ("BY_EIGHT", Constant::Bool(true)),
    ]),
    workgroup: [COLUMNS, LANES, 1],
    shared_bytes: 4 * COLUMNS * LANES,
    bindings: &[
        Binding::dims::<SumRowsDims>(),
        Binding::read(1, "dt"),
        Binding::write(2, "db"),
    ],
    trusted: true,
};

/// For fewer than [`MANY_ROWS`] rows: on software adapters a loop that is not entered takes time.
const OF_FEW_ROWS: Kernel = Kernel {
    variant: Cow::Borrowed("few_rows"),
    constants: Cow::Borrowed(&[
        ("COLUMNS", Constant::U32(COLUMNS)),
        ("LANES", Constant::U32(LANES)),
        ("BY_EIGHT", Constant::Bool(false)),
    ]),
    ..BIAS_GRAD
};
/// Rows that the threads of a column load at a time.
const MANY_ROWS: u32 = 8 * LANES;

/// The kernel for rows that are stored as `element`, few of them or many.
fn kernel(of_few_rows: bool, element: ElementType) -> Kernel {
    let kernel = if of_few_rows { OF_FEW_ROWS } else { BIAS_GRAD };
    if element == ElementType::F32 {
        return kernel;
    }
    let words = if of_few_rows { "few_rows-" } else { "" };
    let alias = [("Summed", Constant::Type(element))];
    Kernel {
        variant: Cow::Owned(format!("{words}{element}")),
        constants: Cow::Owned([&kernel.constants, &alias[..]].concat()),
        ..kernel
    }
}

/// All of them.
pub(in crate::linear) fn kernels() -> [Kernel; 4] {
    let of = |element| [false, true].map(|of_few_rows| kernel(of_few_rows, element));
    let ([a, b], [c, d]) = (of(ElementType::F32), of(ElementType::F16));
    [a, b, c, d]
}

/// One dispatch, or two where the rows are dealt out to several slabs; as many again for each
/// further part, where a slab would have more rows than `slab_rows`.
pub(in crate::linear) fn prepare(
    cache: &KernelCache,
    [slabs, slab_rows]: [u32; 2],
    dt: Matrix<'_>,
    db: Vector<'_>,
) -> Result<Dispatch, PrepareError> {
    let label = BIAS_GRAD.label;
    let operands = [
        Operand::matrix("dt", dt).of_any_type(),
        Operand::vector("db", db),
    ];
    check_operands(label, &BIAS_GRAD.bindings[1..], &operands, cache.limits())?;
    let mut grids = Vec::new();
    if dt.columns > 0 {
        let columns = dt.columns;
        // All slabs are bound as one buffer.
        let most = cache.limits().max_storage_buffer_binding_size / (4 * u64::from(columns));
        let slabs = slabs.min(u32::try_from(most).unwrap_or(u32::MAX)).max(1);
        let slab_rows = dt.rows.div_ceil(slabs).clamp(1, slab_rows);
        let sum = Sum {
            cache,
            columns,
            slabs,
            slab_rows,
        };
        for part in passes(dt.rows, slab_rows.saturating_mul(slabs)) {
            sum.prepare(operands, part, &mut grids)?;
        }
    }
    Ok(Dispatch { label, grids })
}

struct Sum<'a> {
    cache: &'a KernelCache,
    columns: u32,
    slabs: u32,
    slab_rows: u32,
}

impl Sum<'_> {
    /// Adds `rows` of dT up.
    fn prepare(
        &self,
        [dt, db]: [Operand<'_>; 2],
        rows: Range<u32>,
        grids: &mut Vec<Grid>,
    ) -> Result<(), PrepareError> {
        let adds = rows.start > 0;
        if self.slabs == 1 {
            grids.push(self.grid([dt, db], rows, 1, adds)?);
            return Ok(());
        }
        let bytes = 4 * u64::from(self.slabs) * u64::from(self.columns);
        let scratch = self.cache.scratch(BIAS_GRAD.label, bytes)?;
        let scratch = Operand::buffer("slabs", &scratch, bytes);
        grids.push(self.grid([dt, scratch], rows, self.slabs, false)?);
        grids.push(self.grid([scratch, db], 0..self.slabs, 1, adds)?);
        Ok(())
    }

    /// Sums of `rows` of the first operand, dealt out to so many slabs, as rows of the second.
    fn grid(
        &self,
        operands: [Operand<'_>; 2],
        rows: Range<u32>,
        slabs: u32,
        adds: bool,
    ) -> Result<Grid, PrepareError> {
        let slab_rows = match slabs {
            1 => rows.end - rows.start,
            _ => self.slab_rows,
        };
        let (of_few_rows, element) = (slab_rows < MANY_ROWS, operands[0].element);
        let kernel = kernel(of_few_rows, element);
        let dims = SumRowsDims {
            columns: self.columns,
            first_row: rows.start,
            end_row: rows.end,
            slab_rows,
            adds: adds.into(),
        };
        let workgroups = SumRows.workgroups(1, self.columns);
        let (contents, operands) = (dims.contents(), operands.map(Some));
        let workgroups = [workgroups, slabs.into()];
        let probe = || probe(of_few_rows, element);
        self.cache
            .grid(&kernel, Some(&contents), &operands, workgroups, &probe)
    }
}

/// More columns than a workgroup has, and rows in two slabs, the second of which is shorter.
fn probe(of_few_rows: bool, element: ElementType) -> Probe {
    let (columns, slab_rows) = (COLUMNS + 3, if of_few_rows { 19 } else { MANY_ROWS + 3 });
    let rows = 2 * slab_rows - 1;
    let dt = quarters(1, (rows * columns) as usize);
    let mut sums = vec![0.0; 2 * columns as usize];
    for (row, values) in dt.chunks_exact(columns as usize).enumerate() {
        let slab = row / slab_rows as usize;
        let sums = sums.chunks_exact_mut(columns as usize).nth(slab);
        let pairs = sums.into_iter().flatten().zip(values);
        pairs.for_each(|(sum, value)| *sum += f64::from(*value));
    }
    let dims = SumRowsDims {
        columns,
        end_row: rows,
        slab_rows,
        ..SumRowsDims::default()
    };
    Probe::new(dims.contents(), SumRows.workgroups(1, columns))
        .layers(2)
        .reads_as(element, &dt)
        .writes(Wanted::exactly(sums))
}

pub(super) struct SumRows;

impl Room for SumRows {
    fn file(&self) -> File {
        BIAS_GRAD.file
    }

    fn entry_point(&self) -> &'static str {
        BIAS_GRAD.entry_point
    }

    fn name(&self) -> String {
        "sum_rows".to_owned()
    }

    fn constants(&self, _: room::Sum) -> Vec<(&'static str, Constant)> {
        BIAS_GRAD.constants.to_vec()
    }

    fn workgroup(&self) -> [u32; 3] {
        BIAS_GRAD.workgroup
    }

    fn shared_bytes(&self) -> u32 {
        BIAS_GRAD.shared_bytes
    }

    fn tile(&self) -> [u32; 2] {
        [1, COLUMNS]
    }

    /// Up to seven rows at the end are added one by one.
    fn loops(&self) -> Loops {
        Loops {
            iterations: 2,
            terms: MANY_ROWS,
        }
    }

    fn serves(&self, _: Shape, operation: Operation, capabilities: &Capabilities) -> bool {
        operation == Operation::BiasGrad
            && COLUMNS * LANES <= capabilities.max_invocations
            && self.shared_bytes() <= capabilities.max_workgroup_bytes
    }

    fn nanoseconds(&self, work: &Work<'_>) -> f64 {
        let [_, rows, columns] = work.product;
        let workgroups = self.workgroups(1, columns);
        if work.capabilities.is_software() {
            let slab_rows = f64::from(rows) / f64::from(work.slabs);
            return like_llvmpipe(work, workgroups, slab_rows * SOFTWARE_LOAD);
        }
        let launch = Launch {
            workgroups,
            threads: COLUMNS * LANES,
            registers: 32 * COLUMNS * LANES,
            shared_bytes: self.shared_bytes(),
            results: COLUMNS,
            step: MANY_ROWS,
            efficiency: 0.2,
            // No barrier keeps the next rows from being loaded: an H200 takes 220 ns a step, from
            // memory 600.
            prefetches: 4.0 * f64::from(rows) * f64::from(columns)
                <= cached_bytes(work.capabilities),
        };
        hardware(work, &launch, self.tile())
    }
}

impl fmt::Display for SumRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sum_rows")
    }
}
