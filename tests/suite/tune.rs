//! Measured plans: right results, and a file that survives whatever happens to it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use wgpu_linear::kernel::ElementType;
use wgpu_linear::linear::{
    Operation, Plan, Precision, Shape, TuneCache, TuneCacheError, TuneError, TuneOptions, Tuned,
    Tuner, candidates, plan, ranked_candidates,
};
use wgpu_linear::{BiasGrad, Forward, Gpu, LinearKernels, Matrix, ShaderChecks, Vector, reference};

use crate::compare::same;
use crate::halves::gpu_with_f16;
use crate::support::{Guarded, gpu, integers};

const SHAPE: Shape = Shape {
    batch: 70,
    inputs: 300,
    outputs: 33,
};
const OPERATIONS: [Operation; 4] = [
    Operation::Forward,
    Operation::InputGrad,
    Operation::WeightGrad,
    Operation::BiasGrad,
];

fn quick() -> TuneOptions {
    TuneOptions {
        budget: Duration::from_millis(300),
        most_candidates: 3,
        ..TuneOptions::default()
    }
}

fn kernels() -> LinearKernels {
    LinearKernels::new(gpu().device())
}

fn tune(kernels: &LinearKernels, cache: &TuneCache, shape: Shape) -> Tuned {
    let tuner = Tuner::new(gpu(), kernels).with_options(quick());
    let tuner = tuner.with_cache(cache.clone());
    tuner.tune(shape, Operation::Forward).unwrap()
}

/// A file with one entry, that of [`SHAPE`].
fn tuned_file(path: &Path) -> (TuneCache, Plan) {
    let cache = TuneCache::at(path);
    let plan = tune(&kernels(), &cache, SHAPE).plan;
    assert_eq!(kernels().use_plans(&cache), 1);
    (cache, plan)
}

/// One whose plan is not the planner's, so that it shows where it is used.
fn edited_file(path: &Path) -> (TuneCache, Plan) {
    let (cache, winner) = tuned_file(path);
    let planned = kernels().plan(SHAPE, Operation::Forward);
    let other = candidates(SHAPE, Operation::Forward, kernels().capabilities())
        .into_iter()
        .filter(|plan| *plan != planned)
        // Where there are but two, the winner is the other one already.
        .max_by_key(|plan| *plan != winner)
        .unwrap();
    edit(path, |fields| fields[12] = other.to_string());
    (cache, other)
}

/// Changes the fields of the only entry and makes its checksum right again.
fn edit(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(path).unwrap();
    let (header, entry) = text.split_once('\n').unwrap();
    let mut fields: Vec<String> = entry.trim_end().split('\t').map(Into::into).collect();
    fields.pop();
    change(&mut fields);
    let line = fields.join("\t");
    let checksum = crc32c(line.as_bytes());
    fs::write(path, format!("{header}\n{line}\t{checksum:08x}\n")).unwrap();
}

/// Castagnoli's checksum, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

#[test]
fn ranked_candidates_are_all_candidates_and_begin_with_the_plan() {
    let kernels = kernels();
    let capabilities = kernels.capabilities();
    for operation in OPERATIONS {
        let ranked = ranked_candidates(SHAPE, operation, capabilities);
        let all = candidates(SHAPE, operation, capabilities);
        assert_eq!(ranked[0], plan(SHAPE, operation, capabilities));
        assert_eq!(ranked.len(), all.len());
        assert!(all.iter().all(|plan| ranked.contains(plan)));
    }
}

#[test]
fn tune_finds_a_candidate_for_every_operation_and_has_it_used() {
    let kernels = kernels();
    let tuner = Tuner::new(gpu(), &kernels).with_options(quick());
    for operation in OPERATIONS {
        let tuned = tuner.tune(SHAPE, operation).unwrap();
        let layer = match operation {
            Operation::BiasGrad => Shape { inputs: 0, ..SHAPE },
            _ => SHAPE,
        };
        assert!(candidates(SHAPE, operation, kernels.capabilities()).contains(&tuned.plan));
        assert_eq!(kernels.plan(layer, operation), tuned.plan);
        assert!(!tuned.from_cache && tuned.unsaved.is_none());
        assert!((1..=3).contains(&tuned.measurements.len()), "{tuned:?}");
        let fastest = tuned.measurements.iter().map(|m| m.time).min();
        assert_eq!(fastest, Some(tuned.time));
        assert_eq!(tuned.measurements[0].plan, tuned.planned);
        assert_eq!(tuned.planned_time, Some(tuned.measurements[0].time));
        assert!(tuned.time > Duration::ZERO && Some(tuned.time) <= tuned.planned_time);
    }
}

#[test]
fn tuned_plan_is_exact_on_integers() {
    let kernels = kernels();
    let tuner = Tuner::new(gpu(), &kernels).with_options(quick());
    tuner.tune(SHAPE, Operation::Forward).unwrap();
    let mut random = fastrand::Rng::with_seed(20);
    let [x, w] =
        [[70, 300], [300, 33]].map(|[rows, columns]| integers(&mut random, rows, columns, 9));
    let [x_input, w_input] = [&x, &w].map(Guarded::input);
    let t = Guarded::output(70 * 33);
    let forward = kernels.forward(Forward {
        x: x_input.matrix(70, 300),
        w: w_input.matrix(300, 33),
        b: None,
        t: t.matrix(70, 33),
    });
    gpu().run(&[forward.unwrap()]).unwrap();
    let [x, w] = [x, w].map(|a| a.mapv(f64::from));
    let expected = reference::forward(x.view(), w.view(), None);
    same(t.read_matrix(70, 33).view(), expected.view()).unwrap();
}

/// wgpu's noop device computes nothing at all.
#[test]
fn tune_lets_no_wrong_result_win() {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let noop = Gpu::wrap(device, queue);
    let kernels = LinearKernels::new(noop.device());
    let folder = tempfile::tempdir().unwrap();
    let cache = TuneCache::at(folder.path().join("tuned.tsv"));
    let tuner = Tuner::new(&noop, &kernels).with_cache(cache.clone());
    for operation in OPERATIONS {
        let error = tuner.tune(SHAPE, operation).unwrap_err();
        assert!(matches!(error, TuneError::WrongResult { .. }), "{error}");
    }
    assert!(!cache.path().exists());
}

#[test]
fn tune_takes_at_most_ten_seconds() {
    let kernels = kernels();
    let tuner = Tuner::new(gpu(), &kernels);
    let shape = Shape {
        batch: 256,
        inputs: 256,
        outputs: 256,
    };
    let start = Instant::now();
    let tuned = tuner.tune(shape, Operation::WeightGrad).unwrap();
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}: {tuned:?}");
    assert!(tuned.measurements.len() > 1, "{tuned:?}");
}

#[test]
fn tune_measures_at_least_the_planners_choice_whatever_the_budget() {
    let kernels = kernels();
    let tuner = Tuner::new(gpu(), &kernels).with_options(TuneOptions {
        budget: Duration::ZERO,
        ..TuneOptions::default()
    });
    let tuned = tuner.tune(SHAPE, Operation::InputGrad).unwrap();
    assert_eq!(tuned.measurements.len(), 1);
    assert_eq!(tuned.plan, tuned.planned);

    let tuner = tuner.with_options(TuneOptions {
        most_candidates: 0,
        ..TuneOptions::default()
    });
    let tuned = tuner.tune(SHAPE, Operation::InputGrad).unwrap();
    assert_eq!(tuned.measurements.len(), 1);
}

#[test]
fn tune_computes_nothing_where_there_is_nothing_to_compute() {
    let kernels = kernels();
    for empty in 0..3 {
        let mut sizes = [5, 6, 7];
        sizes[empty] = 0;
        let [batch, inputs, outputs] = sizes;
        let shape = Shape {
            batch,
            inputs,
            outputs,
        };
        for operation in OPERATIONS {
            let tuned = Tuner::new(gpu(), &kernels).tune(shape, operation).unwrap();
            let measures = operation == Operation::BiasGrad && empty == 1;
            assert_eq!(tuned.measurements.is_empty(), !measures);
        }
    }
}

#[test]
fn tune_refuses_what_is_too_large() {
    let kernels = kernels();
    let tuner = Tuner::new(gpu(), &kernels);
    let shape = Shape {
        batch: u32::MAX,
        inputs: u32::MAX,
        outputs: u32::MAX,
    };
    let error = tuner.tune(shape, Operation::Forward).unwrap_err();
    assert!(
        matches!(
            error,
            TuneError::TooLarge {
                required_bytes: u64::MAX,
                ..
            }
        ),
        "{error}"
    );
    let most_bytes = 4 * (70 * 300 + 300 * 33 + 70 * 33);
    for (most_bytes, fits) in [(most_bytes, true), (most_bytes - 1, false)] {
        let tuner = Tuner::new(gpu(), &kernels).with_options(TuneOptions {
            most_bytes,
            ..quick()
        });
        assert_eq!(tuner.tune(SHAPE, Operation::Forward).is_ok(), fits);
    }
}

/// A file may have a plan for f16 and none for f32.
#[test]
fn what_was_tuned_for_f16_is_used_there_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let (cache, other) = edited_file(&path);
    edit(&path, |fields| fields[8] = "Forward f16".to_owned());
    let kernels = kernels();
    let planned = kernels.plan(SHAPE, Operation::Forward);
    assert_eq!(kernels.use_plans(&cache), 1);
    let plan_for = |precision| kernels.plan_for(SHAPE, Operation::Forward, precision);
    assert_eq!(plan_for(Precision::F32), planned);
    assert_eq!(plan_for(Precision::F16), other);
    assert_ne!(planned, other);
    let tuner = || Tuner::new(gpu(), &kernels).with_options(quick());
    let of_f16 = tuner()
        .with_cache(cache.clone())
        .with_precision(Precision::F16);
    let recalled = of_f16.tune(SHAPE, Operation::Forward).unwrap();
    assert!(recalled.from_cache && recalled.plan == other);
    assert!(!tune(&kernels, &cache, SHAPE).from_cache);
    assert_eq!(cache.count().unwrap(), 2);
}

/// db of a dT of f16 follows it as well, and no other.
#[test]
fn bias_gradients_follow_what_was_tuned_for_f16() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let shape = Shape {
        batch: 4096,
        inputs: 0,
        outputs: 33,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let (cache, _) = tuned_file(&path);
    let kernels = kernels();
    let planned = kernels.plan(shape, Operation::BiasGrad);
    let mut others = candidates(shape, Operation::BiasGrad, kernels.capabilities()).into_iter();
    let other = others
        .find(|plan| (plan.slabs > 1) != (planned.slabs > 1))
        .unwrap();
    edit(&path, |fields| {
        let of_db = ["BiasGrad f16", "4096", "0", "33", &other.to_string()];
        for (field, text) in fields[8..].iter_mut().zip(of_db) {
            *field = text.to_owned();
        }
    });
    assert_eq!(kernels.use_plans(&cache), 1);
    let [dt, db] = [4096 * 33, 33].map(|len| gpu.zeros("operand", len).unwrap());
    let dt = Matrix::new(&dt, 4096, 33);
    let db = Vector::new(&db, 33);
    let has_slabs = |dt| {
        let dispatch = kernels.bias_grad(BiasGrad { dt, db }).unwrap();
        dispatch.parts().count() > 1
    };
    assert_eq!(has_slabs(dt), planned.slabs > 1);
    assert_eq!(has_slabs(dt.stored_as(ElementType::F16)), other.slabs > 1);
}

/// Quantised weights are for f32, whatever is tuned beside them.
#[test]
fn quantised_layers_are_tuned_for_f32() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TuneCache::at(folder.path().join("tuned.tsv"));
    let kernels = kernels();
    let tuner = || {
        let tuner = Tuner::new(gpu(), &kernels).with_options(quick());
        tuner.with_cache(cache.clone())
    };
    let of_f16 = tuner().with_precision(Precision::F16);
    let tuned = of_f16.tune(SHAPE, Operation::QuantisedForward).unwrap();
    let plan = kernels.plan(SHAPE, Operation::QuantisedForward);
    assert_eq!(plan, tuned.plan);
    let again = tuner().tune(SHAPE, Operation::QuantisedForward).unwrap();
    assert!(again.from_cache && !tuned.from_cache);
}

#[test]
fn layers_of_f16_are_tuned_as_such() {
    let Some(gpu) = gpu_with_f16() else {
        return;
    };
    let kernels = kernels();
    let tuner = Tuner::new(gpu, &kernels).with_options(quick());
    for precision in [Precision::F16, Precision::Mixed] {
        let tuner = Tuner::new(gpu, &kernels)
            .with_options(quick())
            .with_precision(precision);
        let before = kernels.plan(SHAPE, Operation::WeightGrad);
        let tuned = tuner.tune(SHAPE, Operation::WeightGrad).unwrap();
        assert!(!tuned.measurements.is_empty());
        let plan = kernels.plan_for(SHAPE, Operation::WeightGrad, precision);
        assert_eq!(plan, tuned.plan);
        assert_eq!(kernels.plan(SHAPE, Operation::WeightGrad), before);
    }
    let of_all = tuner.tune(SHAPE, Operation::WeightGrad).unwrap().plan;
    for precision in Precision::ALL {
        let plan = kernels.plan_for(SHAPE, Operation::WeightGrad, precision);
        assert_eq!(plan, of_all);
    }
}

#[test]
fn second_tune_comes_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TuneCache::at(folder.path().join("made/when needed/tuned.tsv"));
    let first = tune(&kernels(), &cache, SHAPE);
    let later = kernels();
    let second = tune(&later, &cache, SHAPE);
    assert!(!first.from_cache && second.from_cache);
    assert!(second.measurements.is_empty());
    assert_eq!((first.plan, first.time), (second.plan, second.time));
    assert_eq!(first.planned_time, second.planned_time);
    assert_eq!(later.plan(SHAPE, Operation::Forward), first.plan);

    let remeasure = Tuner::new(gpu(), &later)
        .with_cache(cache.clone())
        .with_options(TuneOptions {
            remeasure: true,
            ..quick()
        });
    assert!(
        !remeasure
            .tune(SHAPE, Operation::Forward)
            .unwrap()
            .from_cache
    );
    let lines = fs::read_to_string(cache.path()).unwrap().lines().count();
    assert_eq!(lines, 2, "the new entry replaces the old one");
}

/// db does not depend on the inputs.
#[test]
fn bias_grad_is_tuned_once_for_all_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let kernels = kernels();
    let tuner = Tuner::new(gpu(), &kernels)
        .with_options(quick())
        .with_cache(TuneCache::at(folder.path().join("tuned.tsv")));
    let other = Shape { inputs: 5, ..SHAPE };
    for (shape, known) in [(SHAPE, false), (other, true)] {
        let tuned = tuner.tune(shape, Operation::BiasGrad).unwrap();
        assert_eq!(tuned.from_cache, known);
    }
}

#[test]
fn cached_plans_are_used_by_kernels_made_later() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, other) = edited_file(&folder.path().join("tuned.tsv"));
    let kernels = kernels();
    assert_eq!(kernels.use_plans(&cache), 1);
    assert_eq!(kernels.plan(SHAPE, Operation::Forward), other);
    assert_eq!(tune(&kernels, &cache, SHAPE).plan, other);
}

#[test]
fn other_adapters_and_versions_stay_in_the_file_and_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    for field in 0..8 {
        let _ = fs::remove_file(&path);
        let (cache, _) = edited_file(&path);
        edit(&path, |fields| fields[field].push('9'));
        let foreign = fs::read_to_string(&path).unwrap();
        assert_eq!(kernels().use_plans(&cache), 0, "field {field}");
        assert!(!tune(&kernels(), &cache, SHAPE).from_cache);
        assert!(fs::read_to_string(&path).unwrap().starts_with(&foreign));
    }
}

#[test]
fn other_shader_checks_are_tuned_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, _) = tuned_file(&folder.path().join("tuned.tsv"));
    if std::env::var_os("WGPU_LINEAR_SHADER_CHECKS").is_none() {
        let checked = LinearKernels::with_checks(gpu().device(), ShaderChecks::All);
        assert_eq!(checked.use_plans(&cache), 0);
    }
}

#[test]
fn cached_plan_that_is_no_candidate_is_measured_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let changes: [(usize, &str); 3] = [(12, "tiled 7×7, 3 slabs"), (8, "Convolution"), (12, "")];
    for (field, value) in changes {
        let _ = fs::remove_file(&path);
        let (cache, _) = tuned_file(&path);
        edit(&path, |fields| fields[field] = value.into());
        assert_eq!(kernels().use_plans(&cache), 0, "{value}");
        assert!(!tune(&kernels(), &cache, SHAPE).from_cache, "{value}");
        assert!(tune(&kernels(), &cache, SHAPE).from_cache, "{value}");
    }
}

/// Wherever the file was cut off, and whichever byte was changed, nothing else than the whole entry
/// counts.
#[test]
fn damaged_entries_are_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let (cache, _) = tuned_file(&path);
    let whole = fs::read(&path).unwrap();
    let kernels = kernels();
    for length in 0..whole.len() - 1 {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(kernels.use_plans(&cache), 0, "cut off at {length}");
    }
    for index in 0..whole.len() - 1 {
        let mut bytes = whole.clone();
        bytes[index] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(kernels.use_plans(&cache), 0, "byte {index}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(kernels.use_plans(&cache), 1);
}

#[test]
fn damaged_file_is_mended_by_the_next_tune() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let (cache, _) = tuned_file(&path);
    let whole = fs::read(&path).unwrap();
    for length in [0, 10, 33, 34, whole.len() / 2, whole.len() - 2] {
        fs::write(&path, &whole[..length]).unwrap();
        let tuned = tune(&kernels(), &cache, SHAPE);
        assert!(!tuned.from_cache && tuned.unsaved.is_none(), "{length}");
        assert_eq!(kernels().use_plans(&cache), 1, "{length}");
    }
}

#[test]
fn foreign_files_are_neither_used_nor_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let mut random = fastrand::Rng::with_seed(21);
    let garbage: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
        .take(5000)
        .collect();
    let other_format = b"wgpu-linear tuned plans, format 2\nwhatever\n".to_vec();
    for contents in [garbage, other_format, vec![0; 4096], b"\n\n\n".to_vec()] {
        fs::write(&path, &contents).unwrap();
        let cache = TuneCache::at(&path);
        let kernels = kernels();
        assert_eq!(kernels.use_plans(&cache), 0);
        let tuned = tune(&kernels, &cache, SHAPE);
        assert!(matches!(
            tuned.unsaved,
            Some(TuneCacheError::Foreign { .. })
        ));
        assert_eq!(kernels.plan(SHAPE, Operation::Forward), tuned.plan);
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
}

#[test]
fn plan_is_used_where_the_cache_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    for path in [file.join("tuned.tsv"), folder.path().to_owned()] {
        let cache = TuneCache::at(path);
        let kernels = kernels();
        assert_eq!(kernels.use_plans(&cache), 0);
        let tuned = tune(&kernels, &cache, SHAPE);
        assert!(
            matches!(tuned.unsaved, Some(TuneCacheError::Write { .. })),
            "{tuned:?}"
        );
        assert_eq!(kernels.plan(SHAPE, Operation::Forward), tuned.plan);
    }
}

/// Each writer has a cache and kernels of its own, as processes have: they meet in the file alone.
#[test]
fn writers_at_the_same_time_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let write = |writer: u32| {
        let kernels = kernels();
        let tuner = Tuner::new(gpu(), &kernels)
            .with_cache(TuneCache::at(&path))
            .with_options(TuneOptions {
                budget: Duration::ZERO,
                ..quick()
            });
        for outputs in 1..=12 {
            let shape = Shape {
                batch: 1 + writer,
                inputs: 3,
                outputs,
            };
            assert!(
                tuner
                    .tune(shape, Operation::Forward)
                    .unwrap()
                    .unsaved
                    .is_none()
            );
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || write(writer));
        }
    });
    assert_eq!(kernels().use_plans(&TuneCache::at(&path)), 4 * 12);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(
        left.len(),
        1,
        "no temporary file and no lock is left: {left:?}"
    );
}

#[test]
fn lock_of_a_dead_program_holds_nobody_up_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.tsv");
    let lock = folder.path().join("tuned.tsv.lock");
    fs::write(&lock, "").unwrap();
    let start = Instant::now();
    tuned_file(&path);
    assert!(start.elapsed() < Duration::from_secs(8));
    let old = std::time::SystemTime::now() - Duration::from_secs(60);
    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(old).unwrap();
    fs::remove_file(&path).unwrap();
    tuned_file(&path);
    assert!(!lock.exists(), "a stale lock is taken away");
}

#[test]
fn default_path_is_in_a_folder_of_our_own() {
    let cache = TuneCache::at_default_path().unwrap();
    assert!(cache.path().is_absolute());
    assert!(cache.path().ends_with("wgpu-linear/tuned.tsv"));
}
