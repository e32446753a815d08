//! The operations of a linear layer: `bench kernels`.

use std::time::Instant;

use ndarray::Array2;
use serde_json::json;
use wgpu_linear::LinearKernels;
use wgpu_linear::linear::TuneCache;

use crate::Arguments;
use crate::contenders::{Contender, Operands, Step};
use crate::problem::{Case, Group, Operation, Outcome, Problem};
use crate::report::{KERNEL_COLUMNS, Report, guarded, rounded};
use crate::timing::{Samples, Session, Work, measure};

/// The largest matrix on the host: more would rather end the program than fail.
const HOST_BYTES: u64 = 8 << 30;

/// A case that has given the right result.
pub(crate) struct Checked<'a> {
    pub(crate) case: Case,
    pub(crate) work: Work<'a>,
    pub(crate) first: f64,
    pub(crate) error: f64,
}

pub(crate) fn bench_kernels(
    arguments: &Arguments,
    session: Option<&Session>,
    report: &mut Report,
) -> Outcome<()> {
    report.measure_peaks(session, arguments.min_time)?;
    report.heading(&KERNEL_COLUMNS)?;
    let max_bytes = session.map_or(HOST_BYTES, |session| {
        session.gpu.device().limits().max_buffer_size
    });
    for (shape, swept) in arguments.shapes() {
        let prepared = guarded(|| {
            let problem = Problem::new(shape, max_bytes)?;
            let operands = session
                .map(|session| Operands::new(&session.gpu, &problem))
                .transpose()?;
            Ok((problem, operands))
        });
        for contender in arguments.contenders() {
            let [m, k, n] = shape;
            let tuned = arguments.tuned.is_some().then_some(true);
            report.common(
                json!({"contender": contender.name(), "m": m, "k": k, "n": n, "sweep": swept, "tuned": tuned}),
            );
            for group in &arguments.ops {
                match &prepared {
                    Ok((problem, operands)) => {
                        let device = session.zip(operands.as_ref());
                        bench_group(arguments, device, problem, contender, *group, report)?;
                    }
                    Err(error) => {
                        for (name, _) in group.cases() {
                            report.failure(name, &**error)?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Checks the cases of a group and times those that are right, in turn.
pub(crate) fn bench_group(
    arguments: &Arguments,
    device: Option<(&Session, &Operands)>,
    problem: &Problem,
    contender: Contender,
    group: Group,
    report: &mut Report,
) -> Outcome<()> {
    let mut right = Vec::new();
    for case in group.cases() {
        match guarded(|| start(arguments, device, problem, contender, *case)) {
            Ok(checked) => right.push(checked),
            Err(error) => report.failure(case.0, &*error)?,
        }
    }
    let works: Vec<_> = right.iter().map(|checked| &checked.work).collect();
    if works.is_empty() {
        return Ok(());
    }
    let [each, end] = match guarded(|| measure(&works, arguments.min_time)) {
        Ok(samples) => samples,
        Err(error) => {
            return right
                .iter()
                .try_for_each(|checked| report.failure(checked.case.0, &*error));
        }
    };
    // How much longer the backward pass takes for having db with it: the medians of samples taken
    // in turn.
    let db_cost = |samples: &[Samples]| {
        (samples.len() == 2).then(|| rounded(samples[0].median() / samples[1].median()))
    };
    for (checked, (one, many)) in right.iter().zip(each.iter().zip(&end)) {
        let costs = [&each, &end].map(|samples| {
            if checked.case.0 == "bwd" {
                db_cost(samples)
            } else {
                None
            }
        });
        report.kernel(problem.shape, checked, [one, many], costs)?;
    }
    Ok(())
}

/// Prepares a case, runs it a first time, and checks its results.
pub(crate) fn start<'a>(
    arguments: &Arguments,
    device: Option<(&'a Session, &'a Operands)>,
    problem: &'a Problem,
    contender: Contender,
    case: Case,
) -> Outcome<Checked<'a>> {
    let begin = Instant::now();
    let work = prepare(arguments, device, problem, contender, case.1)?;
    work.seconds(1)?;
    let first = begin.elapsed().as_secs_f64();
    let results = results(device, problem, &work, case.1)?;
    let mut error = 0.0_f64;
    for (operation, actual) in case.1.iter().zip(&results) {
        let checked = problem.check(*operation, actual);
        error = error.max(
            checked
                .map_err(|reason| format!("wrong result, not timed: {operation:?}: {reason}"))?,
        );
    }
    for _ in 0..arguments.rerun {
        if bits(&self::results(device, problem, &work, case.1)?) != bits(&results) {
            return Err("wrong result, not timed: other bits on another run".into());
        }
    }
    Ok(Checked {
        case,
        work,
        first,
        error,
    })
}

pub(crate) fn prepare<'a>(
    arguments: &Arguments,
    device: Option<(&'a Session, &'a Operands)>,
    problem: &'a Problem,
    contender: Contender,
    operations: &'static [Operation],
) -> Outcome<Work<'a>> {
    let Some((session, operands)) = device.filter(|_| contender != Contender::Ndarray) else {
        return Ok(Work::Host {
            problem,
            operations,
        });
    };
    let steps = if contender == Contender::Naive {
        let naive = |operation: &Operation| {
            operands
                .prepare_naive(&session.gpu, problem, *operation)
                .map(Step::Raw)
        };
        operations.iter().map(naive).collect::<Outcome<_>>()?
    } else {
        // New kernels, so that no case profits from the pipelines of another.
        let kernels = LinearKernels::new(session.gpu.device());
        if let Some(path) = &arguments.tuned {
            kernels.use_plans(&TuneCache::at(path));
        }
        let dispatches = operands.prepare(&kernels, problem.shape, operations)?;
        dispatches.into_iter().map(Step::Crate).collect()
    };
    Ok(Work::Device { session, steps })
}

/// The results of one run, on outputs that held zeros before.
pub(crate) fn results(
    device: Option<(&Session, &Operands)>,
    problem: &Problem,
    work: &Work<'_>,
    operations: &[Operation],
) -> Outcome<Vec<Array2<f32>>> {
    let (Some((session, operands)), Work::Device { steps, .. }) = (device, work) else {
        return Ok(operations
            .iter()
            .map(|operation| problem.on_host(*operation))
            .collect());
    };
    let gpu = &session.gpu;
    let mut encoder = gpu
        .device()
        .create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for operation in operations {
        encoder.clear_buffer(operands.output(*operation), 0, None);
    }
    gpu.queue().submit([encoder.finish()]);
    session.run(steps, 1, None)?;
    let read = |operation: &Operation| {
        let (a, b, _) = problem.factors(*operation);
        let values = gpu.read_range(operands.output(*operation), 0, a.nrows() * b.ncols())?;
        Ok(Array2::from_shape_vec((a.nrows(), b.ncols()), values)?)
    };
    operations.iter().map(read).collect()
}

/// To be compared: NaN equals itself, and 0 is not −0.
pub(crate) fn bits(results: &[Array2<f32>]) -> Vec<Array2<u32>> {
    results
        .iter()
        .map(|result| result.mapv(f32::to_bits))
        .collect()
}
