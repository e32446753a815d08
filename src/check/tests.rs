//! What needs kernels with faults, or no device at all.

use std::collections::BTreeSet;

use super::case::{Case, Kernels, Prepared};
use super::cases::{cases, prepare_next, run, selfcheck_of};
use super::outcome::{Check, CheckName, SelfCheck, Verdict};
use crate::device::Gpu;
use crate::kernel::{Fault, PrepareError, ShaderChecks};
use crate::linear::{Capabilities, LinearKernels};
use crate::nn::NetworkKernels;

/// Prepares all cases, a few at a time, and hands each over.
pub(super) fn prepare_each(gpu: &Gpu, mut ahead: Vec<Case>, mut visit: impl FnMut(Prepared)) {
    let (linear, network) = (LinearKernels::of(gpu), NetworkKernels::of(gpu));
    let kernels = Kernels {
        gpu,
        linear: &linear,
        network: &network,
    };
    while !ahead.is_empty() {
        prepare_next(&mut ahead, &kernels)
            .into_iter()
            .for_each(&mut visit);
    }
}

/// A kernel with a fault, and the checks to be made.
struct Planted {
    fault: Fault,
    operations: &'static [&'static str],
    shapes: &'static [&'static str],
}

fn planted(
    kernel: &'static str,
    [text, instead]: [&'static str; 2],
    operations: &'static [&'static str],
    shapes: &'static [&'static str],
) -> Planted {
    Planted {
        fault: Fault {
            kernel,
            text,
            instead,
            checks: ShaderChecks::default(),
            slack_bytes: 0,
        },
        operations,
        shapes,
    }
}

impl Planted {
    fn takes(&self, name: &CheckName) -> bool {
        let shape = name.shape.as_str();
        self.operations.contains(&name.operation)
            && (self.shapes.is_empty() || self.shapes.contains(&shape))
    }

    fn check(&self, gpu: &Gpu) -> SelfCheck {
        let gpu = gpu.clone().with_first_use_checks(false);
        let gpu = gpu.with_fault(self.fault);
        let (linear, network) = (LinearKernels::of(&gpu), NetworkKernels::of(&gpu));
        let kernels = Kernels {
            gpu: &gpu,
            linear: &linear,
            network: &network,
        };
        let cases = cases(linear.capabilities(), |name| self.takes(name));
        run(cases, &kernels).unwrap()
    }

    fn runs_in(&self, check: &Check) -> bool {
        check.kernels.iter().any(|name| self.fault.is_in(name))
    }
}

/// Faults as a driver with a bug would have them: one element, one thread, one digit.
fn faults() -> Vec<Planted> {
    const STORE: &str = "store_product(row, column, sum);\n    }";
    const ONE_ROW: &str = "store_product(row, column, sum + select(0.0, 1.0, row == 2u));\n    }";
    let products = &["3×5×7", "13×517×35"];
    vec![
        planted("forward/", [STORE, ONE_ROW], &["forward"], products),
        planted("input_grad/", [STORE, ONE_ROW], &["input_grad"], products),
        planted("weight_grad/", [STORE, ONE_ROW], &["weight_grad"], products),
        planted(
            "forward/sum_slabs",
            ["sum += loaded[i];", "sum += f32(i != 1u) * loaded[i];"],
            &["forward"],
            &["13×517×35"],
        ),
        planted(
            "forward/",
            [
                "value4(sum));\n    }\n    if ACTIVATE {",
                "0.99 * value4(sum));\n    }\n    if ACTIVATE {",
            ],
            &["forward_inference", "forward"],
            &["9×4×12", "64×64×64"],
        ),
        planted(
            "forward_quantised/dequantise",
            [
                "/ dims.outputs * 4u;",
                "/ dims.outputs * 4u + u32(i == 300u);",
            ],
            &["forward_quantised"],
            &["67×38×256"],
        ),
        planted(
            "forward_quantised/int8-quantise_rows",
            ["select(0u, NAN, largest >= INFINITY)", "0u"],
            &["forward_quantised"],
            &["13×517×35"],
        ),
        planted(
            "forward_quantised/int8-quantise_rows",
            ["round(x", "floor(x"],
            &["forward_quantised"],
            &["70×2×67"],
        ),
        planted(
            "forward_quantised/int8-add_bias",
            ["dot4I8Packed(p4, q4.z)", "dot4I8Packed(p4, q4.y)"],
            &["forward_quantised"],
            &[],
        ),
        planted(
            "bias_grad",
            ["lane < LANES;", "lane < LANES - 1u;"],
            &["bias_grad"],
            &[],
        ),
        planted(
            "activation/gelu",
            ["value(t[i])", "value(t[i]) * 1.00001"],
            &["activation"],
            &[],
        ),
        planted(
            "activation_grad/tanh",
            ["da[i] *", "da[i] * 0.9999 *"],
            &["activation_grad"],
            &[],
        ),
        planted(
            "softmax_cross_entropy",
            ["log(sum) -", "log2(sum) -"],
            &["softmax_cross_entropy", "softmax_cross_entropy_small"],
            &[],
        ),
        planted(
            "softmax_cross_entropy/",
            [
                "own = (1.0 - dims.smoothing)",
                "own = 1.0001 * (1.0 - dims.smoothing)",
            ],
            &["softmax_cross_entropy"],
            &[],
        ),
        planted(
            "softmax_cross_entropy/",
            ["* class_weight(j)", "* class_weight(0u)"],
            &["softmax_cross_entropy"],
            &[],
        ),
        planted(
            "softmax_cross_entropy_small",
            ["+ dims.smoothing / f32", "+ 1.001 * dims.smoothing / f32"],
            &["softmax_cross_entropy_small"],
            &[],
        ),
        planted(
            "elementwise_loss/huber",
            ["own * slope", "1.0001 * own * slope"],
            &["elementwise_loss"],
            &[],
        ),
        planted(
            "class_weight_sum",
            ["dims.first + lane;", "dims.first + lane + 1u;"],
            &["softmax_cross_entropy"],
            &[],
        ),
        planted(
            "row_weight_sum",
            ["dims.first + lane;", "dims.first + lane + 1u;"],
            &["elementwise_loss"],
            &["65×7"],
        ),
        planted(
            "accumulate_loss",
            ["dims.first + lane;", "dims.first + lane + 1u;"],
            &["accumulate_loss"],
            &[],
        ),
        planted("sgd", ["settings.nesterov != 0u", "false"], &["sgd"], &[]),
        planted(
            "adam_advance",
            ["+ (1.0 - beta)", "+ 1.0001 * (1.0 - beta)"],
            &["adam"],
            &[],
        ),
        planted(
            "adam",
            ["square / corrections.y", "square / corrections.x"],
            &["adam"],
            &[],
        ),
        planted(
            "lion",
            ["(1.0 - settings.beta2) * g", "(1.0 - settings.beta1) * g"],
            &["lion"],
            &[],
        ),
        planted(
            "gather_bytes",
            ["8u * (i % 4u)", "8u * (i % 3u)"],
            &["gather"],
            &[],
        ),
        planted(
            "gather",
            ["k % dims.outputs", "0u * k + 1u"],
            &["gather"],
            &[],
        ),
        planted(
            "histogram",
            ["<= ordered", "< ordered"],
            &["histogram"],
            &[],
        ),
        planted(
            "merge_histograms",
            [
                "non_finite += slabs[i].non_finite",
                "non_finite = slabs[i].non_finite",
            ],
            &["histogram"],
            &[],
        ),
        planted(
            "gradient_norm",
            ["i < dims.count; i +=", "i + 1u < dims.count; i +="],
            &["clip"],
            &[],
        ),
        planted(
            "clip_factor",
            ["(norm + 1e-6)", "(norm * 1.0001)"],
            &["clip"],
            &[],
        ),
        planted(
            "clip",
            ["scaled * clipping.factor", "scaled"],
            &["clip"],
            &[],
        ),
        planted(
            "dropout_advance",
            ["select(0u, 1u, low == 0u)", "0u"],
            &["dropout"],
            &[],
        ),
        planted(
            "dropout",
            ["(middle & vec2<u32>(0xffffu))", "middle"],
            &["dropout"],
            &[],
        ),
        planted(
            "dropout",
            [
                "drop_or_scale(first + 3u, words.w)",
                "drop_or_scale(first + 3u, words.z)",
            ],
            &["dropout"],
            &[],
        ),
        planted(
            "scale_gradients",
            ["x[i] *= loss", "x[i] *= 1.0001 * loss"],
            &["loss_scale"],
            &[],
        ),
        planted(
            "copy_scaled",
            ["* source[i]", "* source[i / 2u]"],
            &["loss_scale"],
            &[],
        ),
        planted(
            "unscale_gradients",
            [
                "atomicStore(&verdict.found, 1u)",
                "atomicStore(&verdict.found, 0u)",
            ],
            &["loss_scale"],
            &[],
        ),
        planted(
            "next_scale",
            ["verdict.skip = found", "verdict.skip = 1u"],
            &["loss_scale"],
            &[],
        ),
        planted(
            "convert/to_f16",
            ["x[i] = To(source[i]);", "x[i] = To(1.01 * source[i]);"],
            &["convert"],
            &[],
        ),
        planted(
            "convert/to_f32",
            ["i < dims.count", "i + 1u < dims.count"],
            &["convert"],
            &[],
        ),
        planted(
            "keep_gradients",
            ["sum[i] = gradients[i]", "sum[i] += gradients[i]"],
            &["accumulate_gradients"],
            &[],
        ),
        planted(
            "add_gradients",
            [
                "sum[i] += gradients[i]",
                "sum[i] += f32(i != 299u) * gradients[i]",
            ],
            &["accumulate_gradients"],
            &[],
        ),
        planted(
            "mean_gradients",
            [
                "dims.factor * (sum[i] + gradients[i])",
                "dims.factor * sum[i] + gradients[i]",
            ],
            &["accumulate_gradients"],
            &[],
        ),
    ]
}

/// Whether the kernel with the fault needs f16 and there is none, which it says.
pub(super) fn lacks_f16(gpu: &Gpu, fault: &Fault) -> bool {
    let has_f16 = gpu.device().features().contains(wgpu::Features::SHADER_F16);
    let lacks = fault.kernel.starts_with("convert") && !has_f16;
    if lacks {
        let adapter = gpu.description();
        eprintln!("SKIPPED: {adapter} has no SHADER_F16 for {}", fault.kernel);
    }
    lacks
}

#[test]
fn a_wrong_kernel_is_named_whichever_it_is() {
    let gpu = Gpu::new().unwrap();
    for planted in faults() {
        if lacks_f16(&gpu, &planted.fault) {
            continue;
        }
        let (found, fault) = (planted.check(&gpu), planted.fault);
        let failures: Vec<_> = found.failures().collect();
        assert!(
            !failures.is_empty(),
            "nobody sees {fault:?}: {:?}",
            found.checks
        );
        for failure in failures {
            assert!(planted.runs_in(failure), "{fault:?}: {failure}");
            let is_wrong = matches!(&failure.verdict, Verdict::Wrong(wrong) if wrong.elements > 0);
            assert!(is_wrong, "{fault:?}: {failure}");
        }
    }
}

mod slow {
    use super::*;

    /// What a self-check would run on a GPU, wherever this runs.
    #[test]
    fn kernels_for_hardware_are_right_here_too() {
        let gpu = Gpu::new().unwrap();
        let (linear, network) = (LinearKernels::of(&gpu), NetworkKernels::of(&gpu));
        let kernels = Kernels {
            gpu: &gpu,
            linear: &linear,
            network: &network,
        };
        let products = ["forward", "forward_quantised", "input_grad", "weight_grad"];
        let of_products = |name: &CheckName| products.contains(&name.operation);
        let hardware = Capabilities {
            has_f16: linear.capabilities().has_f16,
            ..Capabilities::hardware()
        };
        let found = run(cases(&hardware, of_products), &kernels).unwrap();
        for failure in found.failures() {
            println!("{failure}");
        }
        assert!(found.is_right());
        let checks = found.checks.iter();
        let tiled = checks.filter(|check| check.name.variant.starts_with("tiled 128×128"));
        assert!(tiled.count() > 50);
    }
}

/// Every operation has a check, on hardware with every algorithm, whole and in slabs. Nothing is
/// computed, so no such adapter is needed.
#[test]
fn every_kernel_is_checked() {
    let limits = wgpu::Limits {
        max_compute_workgroup_storage_size: Capabilities::hardware().max_workgroup_bytes,
        ..wgpu::Limits::default()
    };
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor {
        required_limits: limits,
        required_features: wgpu::Features::SHADER_F16,
        ..wgpu::DeviceDescriptor::default()
    });
    let hardware = Capabilities {
        has_f16: true,
        ..Capabilities::hardware()
    };
    let ahead = cases(&hardware, |_| true);
    let mut checked = BTreeSet::new();
    prepare_each(&Gpu::wrap(device, queue), ahead, |prepared| {
        assert!(!prepared.kernels().is_empty(), "{}", prepared.name());
        checked.extend(prepared.kernels());
    });
    let networks = crate::nn::kernels().into_iter().map(|kernel| kernel.name());
    let linear = crate::linear::kernels()
        .into_iter()
        .map(|kernel| kernel.name());
    let quantised = linear.filter(|name| name.starts_with("forward_quantised/"));
    let wanted = networks.chain(quantised);
    let missing: Vec<_> = wanted.filter(|name| !checked.contains(name)).collect();
    assert!(missing.is_empty(), "no case in src/check/ runs {missing:?}");
    for algorithm in [
        "tiled_128-",
        "tiled_64-",
        "tiled_32-",
        "tiled_128_prefetch-",
        "tiled_64_prefetch-",
        "tiled_32_prefetch-",
        "small_batch_1-",
        "small_batch_2-",
        "small_batch_4-",
        "small_batch_8-",
        "naive-",
        "sum_slabs_2-",
        "sum_slabs_4-",
        "sum_slabs_8-",
    ] {
        for operation in ["forward", "input_grad", "weight_grad"] {
            if operation == "weight_grad" && algorithm.starts_with("small") {
                continue;
            }
            let names = || {
                checked
                    .iter()
                    .filter(|name| name.starts_with(&format!("{operation}/{algorithm}")))
            };
            assert!(names().count() > 0, "{operation} {algorithm}: {checked:?}");
            let in_slabs = names().any(|name| name.contains("to_slab"));
            assert!(
                in_slabs || algorithm.starts_with("sum"),
                "{operation} {algorithm}"
            );
        }
    }
}

#[test]
fn what_a_device_has_no_limits_for_is_no_failure() {
    let limits = wgpu::Limits {
        max_storage_buffers_per_shader_stage: 3,
        ..wgpu::Limits::default()
    };
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: limits,
        ..Default::default()
    };
    let (device, queue) = wgpu::Device::noop(&descriptor);
    let gpu = Gpu::wrap(device, queue);
    let only = |name: &CheckName| name.operation == "forward" && name.shape == "3×5×7";
    let found = selfcheck_of(&gpu, only).unwrap();
    let limit =
        |check: &Check| matches!(check.verdict, Verdict::Refused(PrepareError::Limit { .. }));
    assert!(!found.checks.is_empty() && found.checks.iter().all(limit));
    assert!(found.is_right());
}

#[test]
fn a_lost_device_is_an_error_with_what_was_being_checked() {
    let gpu = Gpu::new().unwrap();
    gpu.device().destroy();
    let error = selfcheck_of(&gpu, |name| name.operation == "lion").unwrap_err();
    assert_eq!(error.name.operation, "lion");
    assert!(matches!(*error.source, crate::GpuError::DeviceLost));
    assert!(error.to_string().contains("lion 300"), "{error}");
}
