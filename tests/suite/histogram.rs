//! Histograms counted on the GPU against their twin.

use wgpu_linear::events::Histogram;
use wgpu_linear::model::{MlpConfig, Model, Targets};
use wgpu_linear::nn::{HISTOGRAM_WORDS, HistogramOf, NetworkKernels, histogram_from_words};
use wgpu_linear::{Gpu, PrepareError, Vector, nn, reference};

use crate::compare::gamma;
use crate::support::{Guarded, gpu, reals};
use crate::windows::narrow_gpu;

/// What the GPU counts, into words that were NaN before; the dispatches are recorded twice and must
/// leave the same bits.
fn count(values: &[f32]) -> Histogram {
    let kernels = NetworkKernels::new(gpu().device());
    let (input, output) = (
        Guarded::input(values),
        Guarded::output(HISTOGRAM_WORDS as usize),
    );
    let dispatch = kernels
        .histogram(HistogramOf {
            values: input.vector(),
            result: output.vector(),
        })
        .unwrap();
    let run = || {
        gpu().run(std::slice::from_ref(&dispatch)).unwrap();
        let words: Vec<u32> = output.read().into_iter().map(f32::to_bits).collect();
        words
    };
    let words = run();
    assert_eq!(words, run(), "the same values give the same bits");
    histogram_from_words(&words).unwrap()
}

/// Counts, minimum and maximum as the twin's; sums within the bound for the additions that follow
/// each other: those of a thread, the tree, and the slabs. One more is the rounding of a square.
fn check(actual: &Histogram, values: &[f32]) {
    let expected = reference::histogram(values);
    assert!(
        actual.buckets() == expected.buckets(),
        "{} values: buckets differ",
        values.len()
    );
    let exact = |h: &Histogram| (h.num(), h.non_finite(), h.min(), h.max());
    assert_eq!(exact(actual), exact(&expected));
    let additions = values.len().div_ceil(64 * 256).max(8) + 8 + 64 + 1;
    let magnitude: f64 = values
        .iter()
        .filter(|value| value.is_finite())
        .map(|value| f64::from(value.abs()))
        .sum();
    // Denormals may be flushed.
    let flushed = values.len() as f64 * f64::from(f32::MIN_POSITIVE);
    let (sum, squares) = (expected.sum(), expected.sum_squares());
    let bound = gamma(additions) * magnitude + flushed;
    assert!(
        (actual.sum() - sum).abs() <= bound,
        "{} instead of {sum}, allowed {bound:e}",
        actual.sum()
    );
    let bound = gamma(additions) * squares + flushed * f64::from(f32::MIN_POSITIVE);
    assert!(
        (actual.sum_squares() - squares).abs() <= bound,
        "{} instead of {squares}, allowed {bound:e}",
        actual.sum_squares()
    );
}

/// Both signs, every magnitude from 1e-15 to 1e15.
fn spread(len: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut number = || {
        let size = 10_f64.powf(30.0 * random.f64() - 15.0) as f32;
        if random.bool() { size } else { -size }
    };
    std::iter::repeat_with(&mut number).take(len).collect()
}

#[test]
fn histogram_matches_the_twin_at_every_size() {
    for len in [
        0, 1, 63, 64, 65, 2047, 2048, 2049, 100_003, 131_072, 600_001,
    ] {
        let values = spread(len, len as u64);
        check(&count(&values), &values);
    }
}

#[test]
fn histogram_is_exact_on_the_edges_and_beside_them() {
    let edges = Histogram::edges_f32();
    let values: Vec<f32> = edges
        .iter()
        .flat_map(|edge| [*edge, edge.next_up(), edge.next_down(), -edge])
        .collect();
    check(&count(&values), &values);
    // One by one as well: a mistake that moves as many values in as out would not show above.
    let picked = [0, 1, 773, 774, 775, 776, 1023, 1024, 1547, 1548];
    for edge in picked.map(|i| edges[i]) {
        for value in [edge, edge.next_up(), edge.next_down()] {
            check(&count(&[value]), &[value]);
        }
    }
}

#[test]
fn histogram_keeps_zeros_denormals_and_huge_values() {
    let values = [
        0.0,
        -0.0,
        1e-45,
        -1e-45,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        1e-12,
        -1e-12,
        0.99e-12,
        1e20,
        -1e20,
        3e20,
        -3e20,
        2.0_f32.powi(40),
        2.0_f32.powi(40).next_down(),
        2.0_f32.powi(-40),
        2.0_f32.powi(-40).next_down(),
    ];
    check(&count(&values), &values);
    check(&count(&[-0.0; 3]), &[-0.0; 3]);
    check(&count(&[1e-45, 1e-40]), &[1e-45, 1e-40]);
    check(&count(&[f32::MAX; 5000]), &[f32::MAX; 5000]);
    check(&count(&[f32::MIN, f32::MAX]), &[f32::MIN, f32::MAX]);
    // Squares far below what f32 holds.
    check(&count(&[1e-30; 5000]), &[1e-30; 5000]);
}

#[test]
fn histogram_counts_what_is_not_finite_apart() {
    let odd = [
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::from_bits(0x7f80_0001),
        f32::from_bits(0xffff_ffff),
    ];
    let counted = count(&odd);
    assert_eq!((counted.num(), counted.non_finite()), (0, 6));
    check(&counted, &odd);
    let mut values = spread(50_000, 5);
    for (i, odd) in odd.iter().cycle().take(3000).enumerate() {
        values[i * 16] = *odd;
    }
    let counted = count(&values);
    assert_eq!((counted.num(), counted.non_finite()), (47_000, 3000));
    check(&counted, &values);
}

#[test]
fn histogram_of_weights_is_close_to_the_twin() {
    let values: Vec<f32> = reals(&mut fastrand::Rng::with_seed(3), 300, 700)
        .into_iter()
        .collect();
    check(&count(&values), &values);
}

/// 300,000 values in parts of 131,072, each with slabs of its own.
#[test]
fn histogram_of_more_than_a_binding_is_counted_in_parts() {
    let gpu = narrow_gpu(512 << 10);
    let values = spread(300_000, 9);
    let (dispatch, counted) = count_on(&gpu, &values);
    assert_eq!(dispatch.workgroups().len(), 4);
    check(&counted, &values);
}

/// Every thread of 256 · 64 takes 1,100 values.
#[test]
fn histogram_of_many_values_is_exact() {
    let values: Vec<f32> = (0..18_000_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 - 8_000_000.5)
        .collect();
    let (_, counted) = count_on(gpu(), &values);
    check(&counted, &values);
}

fn count_on(gpu: &Gpu, values: &[f32]) -> (wgpu_linear::Dispatch, Histogram) {
    let kernels = NetworkKernels::new(gpu.device());
    let input = gpu.upload("values", values).unwrap();
    let result = gpu
        .upload("result", &[f32::NAN; HISTOGRAM_WORDS as usize])
        .unwrap();
    let dispatch = kernels
        .histogram(HistogramOf {
            values: Vector::new(&input, values.len() as u32),
            result: Vector::new(&result, HISTOGRAM_WORDS),
        })
        .unwrap();
    gpu.run(std::slice::from_ref(&dispatch)).unwrap();
    let words = gpu.read::<u32>(&result).unwrap();
    (dispatch, histogram_from_words(&words).unwrap())
}

#[test]
fn histogram_refuses_operands_that_do_not_fit() {
    let kernels = NetworkKernels::new(gpu().device());
    let buffer = gpu().zeros("both", 4096).unwrap();
    let short = gpu().zeros("short", 8).unwrap();
    let result = Vector::new(&buffer, HISTOGRAM_WORDS);
    let histogram = |values, result| kernels.histogram(HistogramOf { values, result });
    let error = histogram(Vector::new(&short, 9), result).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::BufferTooSmall {
                operand: "values",
                ..
            }
        ),
        "{error:?}"
    );
    let few = Vector::new(&buffer, HISTOGRAM_WORDS - 1);
    let error = histogram(Vector::new(&short, 8), few).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Shape {
                operand: "result",
                ..
            }
        ),
        "{error:?}"
    );
    let error = histogram(Vector::new(&buffer, 8), result).unwrap_err();
    assert!(matches!(error, PrepareError::Aliased { .. }), "{error:?}");
}

/// Weights and gradients of both implementors before and after a step on the same batch.
#[test]
fn models_agree_on_their_histograms() {
    let config = MlpConfig::new(&[70, 60, 5]);
    let mut on_gpu = nn::Mlp::new(gpu(), config.clone()).unwrap();
    let mut twin = reference::Mlp::<f32>::new(config).unwrap();
    let zeros = twin.histograms().unwrap();
    assert_eq!(zeros[0].dw.num(), 70 * 60);
    assert_eq!((zeros[0].dw.min(), zeros[0].dw.max()), (0.0, 0.0));
    let x = reals(&mut fastrand::Rng::with_seed(1), 33, 70);
    let classes: Vec<u32> = (0..33).map(|i| i % 5).collect();
    for step in 0..3 {
        check_model(&mut on_gpu, step == 0);
        // Both begin a step with the same weights, or buckets would drift apart.
        twin.set_parameters(&on_gpu.parameters().unwrap()).unwrap();
        let (ours, theirs) = (on_gpu.histograms().unwrap(), twin.histograms().unwrap());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.w.buckets(), theirs.w.buckets());
            assert_eq!(ours.b.buckets(), theirs.b.buckets());
            assert_eq!(
                (ours.dw.num(), ours.db.num()),
                (theirs.dw.num(), theirs.db.num())
            );
            let norms = |h: &Histogram| h.sum_squares().sqrt();
            for (a, b) in [(&ours.dw, &theirs.dw), (&ours.db, &theirs.db)] {
                let (a, b) = (norms(a), norms(b));
                assert!((a - b).abs() <= 1e-5 * b, "{a} and {b}");
            }
        }
        for model in [&mut on_gpu as &mut dyn Model, &mut twin] {
            model
                .train_batch(x.view(), Targets::Classes(&classes))
                .unwrap();
        }
    }
}

/// Against the numbers themselves.
fn check_model(mlp: &mut nn::Mlp, untrained: bool) {
    let histograms = mlp.histograms().unwrap();
    let parameters = mlp.parameters().unwrap();
    let gradients = pollster::block_on(mlp.gradients_async()).unwrap();
    assert_eq!(histograms.len(), parameters.len());
    for ((layer, p), g) in histograms.iter().zip(&parameters).zip(&gradients) {
        check(&layer.w, p.w.as_slice().unwrap());
        check(&layer.b, p.b.as_slice().unwrap());
        check(&layer.dw, g.w.as_slice().unwrap());
        check(&layer.db, g.b.as_slice().unwrap());
        assert_eq!(layer.dw.sum_squares() == 0.0, untrained);
    }
}
