//! The self-check, and what else is known of an adapter.

use std::collections::HashSet;
use std::time::Duration;

use ndarray::Array2;
use wgpu_linear::check::{self, Peaks, Verdict, selfcheck_of};
use wgpu_linear::linear::{Operation, Shape, TuneCache, TuneCacheError, TuneOptions, Tuner};
use wgpu_linear::model::{MlpConfig, Optimizer, SgdSettings, Targets};
use wgpu_linear::{Gpu, GpuOptions, LinearKernels, Requirements, nn, reference};

use crate::support::{gpu, reals};

mod slow {
    use wgpu_linear::selfcheck;

    use crate::support::gpu;

    #[test]
    fn every_kernel_of_this_adapter_is_right() {
        let found = selfcheck(gpu()).unwrap();
        for failure in found.failures() {
            println!("{failure}");
        }
        assert!(found.is_right());
        assert!(found.checks.len() > 150, "{}", found.checks.len());
    }
}

/// As an application would have it on first use: one of each operation.
#[test]
fn one_check_of_each_operation_is_right() {
    let mut seen = HashSet::new();
    let found = selfcheck_of(gpu(), |name| seen.insert(name.operation)).unwrap();
    assert_eq!(found.checks.len(), seen.len());
    assert!(
        seen.contains("forward") && seen.contains("histogram") && seen.len() > 15,
        "{seen:?}"
    );
    for check in &found.checks {
        assert!(matches!(check.verdict, Verdict::Right { .. }), "{check}");
        assert!(!check.kernels.is_empty(), "{check}");
    }
}

#[test]
fn peaks_are_measured_and_bound_what_work_can_reach() {
    let peaks = check::peaks(gpu(), Duration::from_millis(20)).unwrap();
    assert!(peaks.flops > 1e8 && peaks.flops < 1e16, "{peaks:?}");
    assert!(peaks.bytes > 1e7 && peaks.bytes < 1e15, "{peaks:?}");
    let (flops, bytes) = (1e12, 1e11);
    let peaks = Peaks { flops, bytes };
    // Ten operations a byte are what both allow.
    assert_eq!(peaks.of(100.0, 1.0), 1e12);
    assert_eq!(peaks.of(1.0, 1.0), 1e11);
}

#[test]
fn training_is_compared_with_the_twin() {
    let config = |learning_rate| MlpConfig {
        optimizer: Optimizer::Sgd(SgdSettings {
            learning_rate,
            ..SgdSettings::default()
        }),
        ..MlpConfig::new(&[5, 16, 3])
    };
    let x: Array2<f32> = reals(&mut fastrand::Rng::with_seed(81), 8, 5);
    let batches = [(x.view(), Targets::Classes(&[0, 1, 2, 0, 1, 2, 0, 1])); 3];
    let mut model = nn::Mlp::new(gpu(), config(0.1)).unwrap();
    let errors = check::training(&mut model, config(0.1), &batches).unwrap();
    assert!(errors.are_small(), "{errors:?}");
    let mut other = reference::Mlp::<f32>::new(config(0.11)).unwrap();
    let errors = check::training(&mut other, config(0.1), &batches).unwrap();
    assert!(!errors.are_small() && errors.update > 0.05, "{errors:?}");
}

#[test]
fn the_survey_of_limits_says_what_is_lacking_and_what_is_not() {
    let limits = wgpu::Limits {
        max_storage_buffers_per_shader_stage: 6,
        max_compute_workgroup_storage_size: 12_000,
        ..wgpu::Limits::default()
    };
    let survey = Requirements::survey(&limits);
    let lacks: Vec<_> = survey
        .iter()
        .filter_map(|limit| limit.lack.clone())
        .collect();
    let lacking: Vec<_> = lacks
        .iter()
        .map(|lack| (lack.name, lack.is_required))
        .collect();
    assert_eq!(
        lacking,
        [
            ("max_storage_buffers_per_shader_stage", true),
            ("max_compute_workgroup_storage_size", false)
        ]
    );
    assert!(
        survey
            .iter()
            .all(|limit| limit.required <= limit.recommended)
    );
    let enough = survey.iter().filter(|limit| limit.lack.is_none());
    assert!(
        enough
            .clone()
            .all(|limit| limit.actual >= limit.recommended)
    );
    assert_eq!(enough.count(), survey.len() - 2);
}

#[test]
fn adapters_are_told_in_words_and_as_wgpu_has_them() {
    let options = GpuOptions::default();
    let infos = pollster::block_on(Gpu::adapter_infos(&options));
    let words = pollster::block_on(Gpu::adapters(&options));
    assert!(!infos.is_empty());
    assert_eq!(infos.len(), words.len());
    for (info, words) in infos.iter().zip(&words) {
        assert!(words.starts_with(&info.name), "{words}");
    }
}

#[test]
fn tuned_plans_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TuneCache::at(folder.path().join("tuned.tsv"));
    assert_eq!(cache.count().unwrap(), 0);
    let kernels = LinearKernels::new(gpu().device());
    let tuner = Tuner::new(gpu(), &kernels).with_cache(cache.clone());
    let tuner = tuner.with_options(TuneOptions {
        most_candidates: 1,
        budget: Duration::ZERO,
        ..TuneOptions::default()
    });
    for outputs in [3, 4] {
        let (batch, inputs) = (5, 6);
        let shape = Shape {
            batch,
            inputs,
            outputs,
        };
        tuner.tune(shape, Operation::Forward).unwrap();
    }
    assert_eq!(cache.count().unwrap(), 2);
    std::fs::write(cache.path(), "a letter").unwrap();
    assert!(matches!(cache.count(), Err(TuneCacheError::Foreign { .. })));
    let folder = TuneCache::at(folder.path());
    assert!(matches!(folder.count(), Err(TuneCacheError::Read { .. })));
}
