//! Kernels with faults, when they are first used.

use std::time::{Duration, Instant};

use ndarray::Array2;

use super::case::Kernels;
use super::cases::{cases, prepare_next};
use super::tests::lacks_f16;
use crate::device::{Gpu, GpuOptions};
use crate::kernel::{Dispatch, ElementType, Fault, Matrix, PrepareError, ShaderChecks, Vector};
use crate::linear::{
    Algorithm, Forward, ForwardQuantised, LinearKernels, Operation, Plan, Precision,
    QuantisedMatrix, Shape, Tuner, candidates,
};
use crate::model::{AdamSettings, MlpConfig, Model, ModelError, Optimizer, Targets};
use crate::nn::{Mlp, NetworkKernels};
use crate::reference;

/// What a driver that goes wrong makes of a kernel.
const fn fault(kernel: &'static str, [text, instead]: [&'static str; 2]) -> Fault {
    Fault {
        kernel,
        text,
        instead,
        checks: ShaderChecks::WhereNeeded,
        slack_bytes: 0,
    }
}

/// Each kernel beside the products, with a fault, and the operation whose check runs it.
const FAULTS: [(&str, Fault); 31] = [
    (
        "activation",
        fault("activation/gelu", ["value(t[i])", "value(t[i] + 0.01)"]),
    ),
    (
        "activation_grad",
        fault("activation_grad/tanh", ["da[i] *", "1.01 *"]),
    ),
    (
        "forward_quantised",
        fault(
            "forward_quantised/dequantise",
            ["s[column] * four[l]", "s[0] * four[l]"],
        ),
    ),
    (
        "softmax_cross_entropy_small",
        fault("softmax_cross_entropy_small", ["log(sum) -", "log2(sum) -"]),
    ),
    (
        "softmax_cross_entropy",
        fault("softmax_cross_entropy", ["log(sum) -", "log2(sum) -"]),
    ),
    (
        "softmax_cross_entropy",
        fault(
            "class_weight_sum",
            ["dims.first + lane;", "dims.first + lane + 1u;"],
        ),
    ),
    (
        "elementwise_loss",
        fault(
            "elementwise_loss/huber",
            ["own * slope", "1.01 * own * slope"],
        ),
    ),
    (
        "elementwise_loss",
        fault(
            "row_weight_sum",
            ["dims.first + lane;", "dims.first + lane + 1u;"],
        ),
    ),
    (
        "accumulate_loss",
        fault(
            "accumulate_loss",
            ["dims.first + lane;", "dims.first + lane + 1u;"],
        ),
    ),
    ("sgd", fault("sgd", ["settings.nesterov != 0u", "false"])),
    (
        "adam",
        fault("adam_advance", ["+ (1.0 - beta)", "+ 1.01 * (1.0 - beta)"]),
    ),
    (
        "adam",
        fault("adam", ["square / corrections.y", "square / corrections.x"]),
    ),
    (
        "lion",
        fault(
            "lion",
            ["(1.0 - settings.beta2) * g", "(1.0 - settings.beta1) * g"],
        ),
    ),
    (
        "gather",
        fault("gather_bytes", ["8u * (i % 4u)", "8u * (i % 3u)"]),
    ),
    (
        "gather",
        fault("gather", ["k % dims.outputs", "0u * k + 1u"]),
    ),
    ("histogram", fault("histogram", ["<= ordered", "< ordered"])),
    (
        "histogram",
        fault(
            "merge_histograms",
            [
                "non_finite += slabs[i].non_finite",
                "non_finite = slabs[i].non_finite",
            ],
        ),
    ),
    (
        "clip",
        fault(
            "gradient_norm",
            ["i < dims.count; i +=", "i + 1u < dims.count; i +="],
        ),
    ),
    (
        "clip",
        fault("clip_factor", ["(norm + 1e-6)", "(norm * 1.01)"]),
    ),
    (
        "clip",
        fault("clip", ["scaled * clipping.factor", "scaled"]),
    ),
    (
        "dropout",
        fault("dropout_advance", ["select(0u, 1u, low == 0u)", "0u"]),
    ),
    (
        "dropout",
        fault("dropout", ["(middle & vec2<u32>(0xffffu))", "middle"]),
    ),
    (
        "loss_scale",
        fault("scale_gradients", ["x[i] *= loss", "x[i] *= 1.01 * loss"]),
    ),
    (
        "loss_scale",
        fault("copy_scaled", ["* source[i]", "* source[i / 2u]"]),
    ),
    (
        "loss_scale",
        fault(
            "unscale_gradients",
            [
                "atomicStore(&verdict.found, 1u)",
                "atomicStore(&verdict.found, 0u)",
            ],
        ),
    ),
    (
        "loss_scale",
        fault("next_scale", ["verdict.skip = found", "verdict.skip = 1u"]),
    ),
    (
        "convert",
        fault(
            "convert/to_f16",
            ["x[i] = To(source[i]);", "x[i] = To(1.01 * source[i]);"],
        ),
    ),
    (
        "convert",
        fault("convert/to_f32", ["i < dims.count", "i + 1u < dims.count"]),
    ),
    (
        "accumulate_gradients",
        fault(
            "keep_gradients",
            ["sum[i] = gradients[i]", "sum[i] += gradients[i]"],
        ),
    ),
    (
        "accumulate_gradients",
        fault(
            "add_gradients",
            [
                "sum[i] += gradients[i]",
                "sum[i] += f32(i != 290u) * gradients[i]",
            ],
        ),
    ),
    (
        "accumulate_gradients",
        fault(
            "mean_gradients",
            [
                "dims.factor * (sum[i] + gradients[i])",
                "dims.factor * sum[i] + gradients[i]",
            ],
        ),
    ),
];

/// Wrong in one row.
const STORE: [&str; 2] = [
    "store_product(row, column, sum);\n    }",
    "store_product(row, column, sum + select(0.0, 1.0, row == 2u));\n    }",
];

fn gpu_with(fault: Fault) -> Gpu {
    Gpu::new().unwrap().with_fault(fault)
}

/// Whether the error names the kernel with the fault, the adapter and the driver.
fn names(error: &PrepareError, gpu: &Gpu, fault: &Fault) -> bool {
    let info = gpu.device().adapter_info();
    let PrepareError::Miscompiled {
        kernel,
        adapter,
        driver,
        found,
        ..
    } = error
    else {
        return false;
    };
    let text = error.to_string();
    fault.is_in(kernel)
        && *adapter == info.name
        && driver.contains(&info.driver_info)
        && [kernel, adapter, driver, &found.to_string()]
            .iter()
            .all(|part| !part.is_empty() && text.contains(part.as_str()))
}

#[test]
fn a_wrong_kernel_beside_the_products_is_an_error_that_names_it() {
    for (operation, fault) in FAULTS {
        let gpu = gpu_with(fault);
        if lacks_f16(&gpu, &fault) {
            continue;
        }
        let (linear, network) = (LinearKernels::of(&gpu), NetworkKernels::of(&gpu));
        let kernels = Kernels {
            gpu: &gpu,
            linear: &linear,
            network: &network,
        };
        let cases = cases(linear.capabilities(), |name| name.operation == operation);
        let refused = cases
            .iter()
            .filter_map(|case| case.prepare(&kernels).refusal());
        let refused: Vec<_> = refused.collect();
        assert!(!refused.is_empty(), "nobody sees {fault:?}");
        for error in &refused {
            assert!(names(error, &gpu, &fault), "{fault:?}: {error}");
        }
        let condemned = gpu.condemned_kernels();
        assert!(!condemned.is_empty(), "{fault:?}");
        assert!(condemned.iter().all(|told| {
            let name = told.split(": ").next().unwrap();
            fault.is_in(name)
        }));
    }
}

/// Every kernel that the self-check of this adapter runs.
#[test]
fn no_kernel_is_condemned_without_a_fault() {
    let gpu = Gpu::new().unwrap();
    let (linear, network) = (LinearKernels::of(&gpu), NetworkKernels::of(&gpu));
    let kernels = Kernels {
        gpu: &gpu,
        linear: &linear,
        network: &network,
    };
    let mut ahead = cases(linear.capabilities(), |_| true);
    while !ahead.is_empty() {
        for prepared in prepare_next(&mut ahead, &kernels) {
            let name = prepared.name().clone();
            if let Some(error) = prepared.refusal() {
                panic!("{name}: {error}");
            }
        }
        assert_eq!(gpu.condemned_kernels(), [""; 0]);
    }
}

fn shape([batch, inputs, outputs]: [u32; 3]) -> Shape {
    Shape {
        batch,
        inputs,
        outputs,
    }
}

/// X, W and what the product must be, in small whole numbers.
fn factors(sizes: [u32; 3]) -> [Array2<f32>; 3] {
    let [m, k, n] = sizes.map(|size| size as usize);
    let number = |(i, j): (usize, usize)| ((7 * i + 5 * j) % 11) as f32 - 5.0;
    let x = Array2::from_shape_fn((m, k), number);
    let w = Array2::from_shape_fn((k, n), number);
    let t = reference::forward(x.view(), w.view(), None);
    [x, w, t]
}

/// T = X·W by these kernels, with the buffer of T.
fn forward(
    gpu: &Gpu,
    linear: &LinearKernels,
    sizes: [u32; 3],
) -> Result<(Dispatch, wgpu::Buffer), PrepareError> {
    let [x, w, t] = factors(sizes).map(|values| gpu.upload("matrix", values.as_slice().unwrap()));
    let [x, w, t] = [x, w, t].map(Result::unwrap);
    let [m, k, n] = sizes;
    let dispatch = linear.forward(Forward {
        x: Matrix::new(&x, m, k),
        w: Matrix::new(&w, k, n),
        b: None,
        t: Matrix::new(&t, m, n),
    })?;
    Ok((dispatch, t))
}

/// Whether T = X·W is right by these kernels.
fn product(gpu: &Gpu, linear: &LinearKernels, sizes: [u32; 3]) -> Result<bool, PrepareError> {
    let (dispatch, t) = forward(gpu, linear, sizes)?;
    let [_, _, expected] = factors(sizes);
    gpu.write(&t, 0, &vec![0; 4 * expected.len()]).unwrap();
    gpu.run(&[dispatch]).unwrap();
    Ok(gpu.read::<f32>(&t).unwrap() == expected.into_raw_vec_and_offset().0)
}

const SIZES: [u32; 3] = [40, 36, 24];

/// A fault in the kernel that this device plans for it, and the plan.
fn planned_fault() -> (Fault, Plan) {
    let gpu = Gpu::new().unwrap();
    let plan = LinearKernels::of(&gpu).plan(shape(SIZES), Operation::Forward);
    let name: String = format!("forward/{}-", plan.kernel_name());
    (fault(name.leak(), STORE), plan)
}

/// T = X·Ŵ + b of zeros.
fn quantised(gpu: &Gpu, linear: &LinearKernels) -> Result<Dispatch, PrepareError> {
    let [m, k, n] = SIZES;
    let zeros = |len: u32| gpu.zeros("operand", len as usize).unwrap();
    let [x, w, s, b, t] = [m * k, k * n, n, n, m * n].map(zeros);
    linear.forward_quantised(ForwardQuantised {
        x: Matrix::new(&x, m, k),
        w: QuantisedMatrix::new(&w, k, n),
        scales: Vector::new(&s, n),
        b: Some(Vector::new(&b, n)),
        t: Matrix::new(&t, m, n),
    })
}

/// Nobody has measured it.
#[test]
fn int8_does_not_take_the_place_of_wrong_kernels() {
    let gpu = gpu_with(fault("forward/", STORE));
    let linear = LinearKernels::of(&gpu);
    for _ in 0..2 {
        let refused = quantised(&gpu, &linear);
        let is_wrong = matches!(refused, Err(PrepareError::Miscompiled { .. }));
        assert!(is_wrong, "{refused:?}");
        let planned = linear.plan(shape(SIZES), Operation::QuantisedForward);
        assert_ne!(planned.algorithm, Algorithm::Int8);
    }
}

/// Asked for, it is not used where a part of it is wrong, and is no candidate to the tuner.
#[test]
fn int8_gives_way_to_f32_where_it_is_wrong() {
    for (kernel, texts) in [
        (
            "forward_quantised/int8-quantise_rows",
            ["/ 127.0", "/ 126.0"],
        ),
        (
            "forward_quantised/int8-add_bias",
            ["s[j] * f32", "s[0] * f32"],
        ),
    ] {
        let fault = fault(kernel, texts);
        let gpu = gpu_with(fault);
        let linear = LinearKernels::of(&gpu);
        let operation = Operation::QuantisedForward;
        let plans = candidates(shape(SIZES), operation, linear.capabilities());
        let in_int8 = plans
            .into_iter()
            .find(|plan| plan.algorithm == Algorithm::Int8);
        linear.use_plan(shape(SIZES), operation, in_int8.unwrap());
        let planned = |linear: &LinearKernels| linear.plan(shape(SIZES), operation).algorithm;
        assert_eq!(planned(&linear), Algorithm::Int8);
        let forward = quantised(&gpu, &linear).unwrap();
        let first = forward.kernels().next().unwrap().name();
        assert_eq!(first, "forward_quantised/dequantise");
        assert_eq!(gpu.condemned_kernels().len(), 1, "{kernel}");
        assert!(fault.is_in(&gpu.condemned_kernels()[0]));
        assert_ne!(planned(&linear), Algorithm::Int8);
        let tuned = Tuner::new(&gpu, &linear).tune(shape(SIZES), operation);
        let tuned = tuned.unwrap();
        let algorithms = tuned.measurements.iter().map(|m| m.plan.algorithm);
        assert!(algorithms.into_iter().all(|found| found != Algorithm::Int8));
    }
}

/// Where the device was opened with them.
#[test]
fn matrix_units_give_way_where_they_are_wrong() {
    let fault = fault("forward/cooperative", STORE);
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    let capabilities = linear.capabilities().rounding_factors();
    let is_by_units = |plan: &Plan| matches!(plan.algorithm, Algorithm::Cooperative(_));
    let mut plans = candidates(shape(SIZES), Operation::Forward, &capabilities).into_iter();
    let Some(by_units) = plans.find(is_by_units) else {
        let adapter = gpu.description();
        eprintln!("SKIPPED: {adapter} was opened without matrix units");
        return;
    };
    linear.use_plan(shape(SIZES), Operation::Forward, by_units);
    let planned = || linear.plan_for(shape(SIZES), Operation::Forward, Precision::F16);
    assert_eq!(planned(), by_units);
    let [m, k, n] = SIZES;
    let [x, w, t] = [m * k, k * n, m * n].map(|len| gpu.zeros("halves", len as usize).unwrap());
    let view =
        |buffer, rows, columns| Matrix::new(buffer, rows, columns).stored_as(ElementType::F16);
    let operands = Forward {
        x: view(&x, m, k),
        w: view(&w, k, n),
        b: None,
        t: view(&t, m, n),
    };
    let forward = linear.forward(operands).unwrap();
    assert!(forward.kernels().all(|kernel| !kernel.uses_matrix_units()));
    assert_eq!(gpu.condemned_kernels().len(), 1);
    assert!(fault.is_in(&gpu.condemned_kernels()[0]));
    assert!(!is_by_units(&planned()));
}

#[test]
fn the_planner_goes_on_without_a_wrong_kernel() {
    let (fault, wrong) = planned_fault();
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    assert_eq!(linear.plan(shape(SIZES), Operation::Forward), wrong);
    assert!(product(&gpu, &linear, SIZES).unwrap());
    let condemned = gpu.condemned_kernels();
    assert!(
        condemned.len() == 1 && fault.is_in(&condemned[0]),
        "{condemned:?}"
    );
    // Whoever comes next knows: other kernels of this device, whoever wants to use the plan, and
    // the tuner.
    let other = LinearKernels::of(&gpu.clone());
    let planned = other.plan(shape(SIZES), Operation::Forward);
    assert_ne!(planned.algorithm, wrong.algorithm);
    other.use_plan(shape(SIZES), Operation::Forward, wrong);
    assert_eq!(other.plan(shape(SIZES), Operation::Forward), planned);
    let tuned = Tuner::new(&gpu, &other)
        .tune(shape(SIZES), Operation::Forward)
        .unwrap();
    let tried = tuned
        .measurements
        .iter()
        .map(|measurement| measurement.plan);
    let all = tried.chain([tuned.plan, tuned.planned]);
    assert!(
        all.into_iter()
            .all(|plan| plan.algorithm != wrong.algorithm)
    );
    // Other operations by the same algorithm are checked by themselves.
    let backward = |linear: &LinearKernels| linear.plan(shape(SIZES), Operation::InputGrad);
    assert_eq!(
        backward(&other),
        backward(&LinearKernels::new(gpu.device()))
    );
}

#[test]
fn a_plan_that_was_chosen_is_left_where_its_kernel_is_wrong() {
    let (fault, wrong) = planned_fault();
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    linear.use_plan(shape(SIZES), Operation::Forward, wrong);
    assert!(product(&gpu, &linear, SIZES).unwrap());
    assert_ne!(linear.plan(shape(SIZES), Operation::Forward), wrong);
}

/// On software all candidates are of one family.
#[test]
fn another_family_takes_the_place_of_one_that_is_all_wrong() {
    let name = planned_fault().1.kernel_name();
    let family = name.split('_').next().unwrap();
    let gpu = gpu_with(fault(format!("forward/{family}").leak(), STORE));
    let linear = LinearKernels::of(&gpu);
    assert!(product(&gpu, &linear, SIZES).unwrap());
    let planned = linear.plan(shape(SIZES), Operation::Forward);
    assert!(!planned.kernel_name().starts_with(family), "{planned}");
}

#[test]
fn an_operation_whose_kernels_are_all_wrong_is_an_error_that_names_one() {
    let fault = fault("forward/", STORE);
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    let error = product(&gpu, &linear, SIZES).unwrap_err();
    assert!(names(&error, &gpu, &fault), "{error}");
    let config = MlpConfig::new(&[36, 24]);
    let mut mlp = Mlp::new(&gpu, config).unwrap();
    let x = Array2::zeros((40, 36));
    let error = mlp
        .train_batch(x.view(), Targets::Classes(&[0; 40]))
        .unwrap_err();
    let ModelError::Prepare(error) = error else {
        panic!("{error}");
    };
    assert!(names(&error, &gpu, &fault), "{error}");
}

#[test]
fn what_is_not_checked_is_taken_as_it_is() {
    let gpu = gpu_with(fault("forward/", STORE)).with_first_use_checks(false);
    assert!(!product(&gpu, &LinearKernels::of(&gpu), SIZES).unwrap());
    assert!(gpu.condemned_kernels().is_empty());
    let (device, queue) = (gpu.device().clone(), gpu.queue().clone());
    let wrapped = Gpu::wrap(device, queue).with_fault(fault("forward/", STORE));
    assert!(product(&wrapped, &LinearKernels::of(&wrapped), SIZES).is_err());
    let options = GpuOptions {
        first_use_checks: false,
        ..GpuOptions::default()
    };
    let opened = Gpu::open(&options)
        .unwrap()
        .with_fault(fault("forward/", STORE));
    assert!(!product(&opened, &LinearKernels::of(&opened), SIZES).unwrap());
}

#[test]
fn a_bias_that_is_left_out_is_noticed() {
    let load = "return load_bias(min(column, (dims.n - 1u) / 4u * 4u));";
    let fault = fault("forward/", [load, "return vec4<f32>();"]);
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    let [x, w, b, t] = ["x", "w", "b", "t"].map(|name| gpu.zeros(name, 16).unwrap());
    let with = |b| Forward {
        x: Matrix::new(&x, 4, 4),
        w: Matrix::new(&w, 4, 4),
        b,
        t: Matrix::new(&t, 4, 4),
    };
    assert!(linear.forward(with(None)).is_ok());
    let error = linear.forward(with(Some(Vector::new(&b, 4)))).unwrap_err();
    assert!(names(&error, &gpu, &fault), "{error}");
}

/// A sum over slabs whose second half is wrong is taken whole instead.
#[test]
fn slabs_are_left_where_their_sum_is_wrong() {
    let fault = fault(
        "weight_grad/sum_slabs",
        ["sum += loaded[i];", "sum += f32(i != 1u) * loaded[i];"],
    );
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    let sizes = shape([4096, 8, 8]);
    assert!(linear.plan(sizes, Operation::WeightGrad).slabs > 1);
    let config = MlpConfig::new(&[8, 8]);
    let mut mlp = Mlp::new(&gpu, config.clone()).unwrap();
    let x = Array2::from_shape_fn((4096, 8), |(i, j)| ((i * 3 + j * 5) % 17) as f32 / 17.0);
    let labels: Vec<u32> = (0..4096).map(|i| i % 8).collect();
    let batches = [(x.view(), Targets::Classes(&labels))];
    let errors = super::training(&mut mlp, config, &batches).unwrap();
    assert!(errors.are_small(), "{errors:?}");
    assert!(gpu.condemned_kernels().iter().all(|told| fault.is_in(told)));
    assert_eq!(linear.plan(sizes, Operation::WeightGrad).slabs, 1);
}

#[test]
fn a_device_that_is_lost_is_no_verdict() {
    let gpu = Gpu::new().unwrap();
    let linear = LinearKernels::of(&gpu);
    let buffer = gpu.zeros("zeros", 16).unwrap();
    let matrix = Matrix::new(&buffer, 4, 4);
    let t = gpu.zeros("t", 16).unwrap();
    gpu.device().destroy();
    let forward = linear.forward(Forward {
        x: matrix,
        w: matrix,
        b: None,
        t: Matrix::new(&t, 4, 4),
    });
    assert!(
        matches!(forward, Err(PrepareError::DeviceLost { .. })),
        "{forward:?}"
    );
    assert!(gpu.condemned_kernels().is_empty());
}

/// Eight threads want the same kernels at the same time, some of them wrong.
#[test]
fn threads_that_want_the_same_kernels_all_get_them() {
    let (fault, _) = planned_fault();
    let gpu = gpu_with(fault);
    let linear = LinearKernels::of(&gpu);
    std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(|| product(&gpu, &linear, SIZES).unwrap()));
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    });
    assert_eq!(gpu.condemned_kernels().len(), 1);
}

/// The application's error scope stays as it is, and its handler hears nothing.
#[test]
fn error_scopes_and_handlers_of_the_application_hear_nothing() {
    let (fault, _) = planned_fault();
    let gpu = gpu_with(fault);
    let heard = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let hears = heard.clone();
    gpu.device()
        .on_uncaptured_error(std::sync::Arc::new(move |_| {
            hears.store(true, std::sync::atomic::Ordering::SeqCst);
        }));
    let scope = gpu.device().push_error_scope(wgpu::ErrorFilter::Validation);
    assert!(product(&gpu, &LinearKernels::of(&gpu), SIZES).unwrap());
    assert!(pollster::block_on(scope.pop()).is_none());
    assert!(!heard.load(std::sync::atomic::Ordering::SeqCst));
}

/// A network of 64-128-10 with Adam, on a batch of so many rows; how long it takes to its first
/// step's end.
fn first_step(gpu: &Gpu, rows: usize) -> (Duration, Vec<f32>) {
    let optimizer = Optimizer::Adam(AdamSettings::default());
    let config = MlpConfig {
        optimizer,
        ..MlpConfig::new(&[64, 128, 10])
    };
    let x = Array2::from_shape_fn((rows, 64), |(i, j)| ((i * 3 + j * 5) % 17) as f32 / 17.0);
    let labels: Vec<u32> = (0..rows as u32).map(|i| i % 10).collect();
    let begin = Instant::now();
    let mut mlp = Mlp::new(gpu, config).unwrap();
    mlp.train_batch(x.view(), Targets::Classes(&labels))
        .unwrap();
    let loss = mlp.take_loss().unwrap();
    let time = begin.elapsed();
    assert!(loss.mean.is_finite());
    let parameters = mlp.parameters().unwrap().into_iter();
    (time, parameters.flat_map(|layer| layer.w).collect())
}

#[test]
fn checks_change_no_bit_of_a_result() {
    let gpu = Gpu::new().unwrap();
    let unchecked = gpu.clone().with_first_use_checks(false);
    assert_eq!(first_step(&gpu, 300).1, first_step(&unchecked, 300).1);
}

mod slow {
    use super::*;

    /// What the checks add to a first network once the driver's cache is filled. The least times,
    /// taken in turn, since the machine may be busy.
    #[test]
    fn a_first_network_pays_less_than_fifty_milliseconds() {
        let mut least = [Duration::MAX; 2];
        for round in 0..6 {
            for (least, checks) in least.iter_mut().zip([false, true]) {
                let gpu = Gpu::new().unwrap().with_first_use_checks(checks);
                let (time, _) = first_step(&gpu, 64);
                // The first fills the caches.
                if round > 0 {
                    *least = time.min(*least);
                }
            }
        }
        let [without, with] = least;
        println!("first step {without:?} without checks, {with:?} with them");
        assert!(with.saturating_sub(without) <= Duration::from_millis(50));
    }
}
