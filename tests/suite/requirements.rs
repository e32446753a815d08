//! What devices need, what they lack, and what is said about it.

use wgpu::{Features, Limits};
use wgpu_linear::{AdapterChoice, Gpu, GpuOptions, Lack, PrepareError, Requirements};

use crate::operations::Operations;
use crate::support::gpu;

/// The limits below which operations are refused, each with its value and a way to lower it.
type Limit = (&'static str, u32, fn(&mut Limits) -> &mut u32);
const REQUIRED: [Limit; 6] = [
    ("max_storage_buffers_per_shader_stage", 7, |l| {
        &mut l.max_storage_buffers_per_shader_stage
    }),
    ("max_uniform_buffers_per_shader_stage", 2, |l| {
        &mut l.max_uniform_buffers_per_shader_stage
    }),
    ("max_dynamic_storage_buffers_per_pipeline_layout", 1, |l| {
        &mut l.max_dynamic_storage_buffers_per_pipeline_layout
    }),
    ("max_compute_invocations_per_workgroup", 256, |l| {
        &mut l.max_compute_invocations_per_workgroup
    }),
    ("max_compute_workgroup_size_x", 256, |l| {
        &mut l.max_compute_workgroup_size_x
    }),
    ("max_compute_workgroup_storage_size", 10_300, |l| {
        &mut l.max_compute_workgroup_storage_size
    }),
];

fn noop(limits: Limits) -> wgpu::Device {
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: limits,
        ..Default::default()
    };
    wgpu::Device::noop(&descriptor).0
}

fn required(device: &wgpu::Device) -> Vec<Lack> {
    let mut lacks = Requirements::explain(device);
    lacks.retain(|lack| lack.is_required);
    lacks
}

#[test]
fn every_operation_runs_with_what_is_required_and_no_less() {
    let mut limits = Limits::default();
    for (_, least, limit) in REQUIRED {
        *limit(&mut limits) = least;
    }
    let device = noop(limits.clone());
    assert_eq!(required(&device), []);
    for (operation, result) in Operations::new(&device).prepare() {
        assert!(result.is_ok(), "{operation}: {result:?}");
    }
    for (name, least, limit) in REQUIRED {
        let mut lower = limits.clone();
        *limit(&mut lower) = least - 1;
        let device = noop(lower);
        let lacks = required(&device);
        let [lack] = &lacks[..] else {
            panic!("{name}: {lacks:?}");
        };
        let expected = (name, u64::from(least), u64::from(least) - 1);
        assert_eq!((lack.name, lack.wanted, lack.actual), expected);
        let prepared = Operations::new(&device).prepare();
        let refused: Vec<_> = prepared
            .into_iter()
            .filter(|(_, result)| result.is_err())
            .collect();
        assert!(!refused.is_empty(), "{name}");
        for (operation, result) in refused {
            let refusal = result.unwrap_err();
            assert!(
                matches!(refusal, PrepareError::Limit { name: n, required, allowed, .. }
                    if n == name && required >= u64::from(least) && allowed == u64::from(least) - 1),
                "{operation}: {refusal:?}"
            );
        }
    }
}

/// The same on the adapter of the tests, which knows more limits than a device that executes
/// nothing. What is not refused runs.
#[test]
fn real_devices_with_less_refuse_by_name() {
    for (name, least, limit) in REQUIRED {
        let gpu = crate::windows::gpu_with(|_| {
            let mut limits = Limits::default();
            *limit(&mut limits) = least - 1;
            limits
        });
        let (mut refused, mut ready) = (0, Vec::new());
        for (operation, result) in Operations::new(gpu.device()).prepare() {
            match result {
                Ok(dispatch) => ready.push(dispatch),
                Err(PrepareError::Limit { name: n, .. }) if n == name => refused += 1,
                Err(error) => panic!("{name}: {operation}: {error:?}"),
            }
        }
        assert!(refused > 0, "{name}");
        // One kind of kernel will do: each is compiled now.
        for dispatch in ready.iter().take(1) {
            gpu.wait(gpu.run([dispatch]).unwrap()).unwrap();
        }
    }
}

/// The limits that wgpu suggests for old hardware: the first line of the refusal says which.
#[test]
fn downlevel_devices_get_a_refusal_that_names_the_limit() {
    let downlevel = Operations::new(&noop(Limits::downlevel_defaults()));
    let mut refusals = 0;
    for (operation, result) in downlevel.prepare() {
        let product = matches!(
            operation,
            "forward"
                | "forward_activated"
                | "forward_inference"
                | "forward_quantised"
                | "input_grad"
                | "input_grad_activated"
                | "weight_grad"
        );
        let Err(error) = result else {
            assert!(!product, "{operation}");
            continue;
        };
        refusals += 1;
        assert_eq!(
            error
                .to_string()
                .lines()
                .next()
                .unwrap()
                .split_once(": ")
                .unwrap()
                .1,
            format!(
                "needs max_storage_buffers_per_shader_stage = {}, this device allows 4",
                if product { 7 } else { 5 }
            ),
            "{operation}"
        );
    }
    assert!(refusals >= 5, "{refusals}");

    let webgl2 = Operations::new(&noop(Limits::downlevel_webgl2_defaults()));
    for (operation, result) in webgl2.prepare() {
        let Err(PrepareError::Limit {
            name, allowed: 0, ..
        }) = result
        else {
            panic!("{operation}: {result:?}");
        };
        assert!(name.starts_with("max_"), "{name}");
    }
}

#[test]
fn kernels_say_what_they_need() {
    let device = noop(Limits::default());
    let (_, forward) = Operations::new(&device).prepare().swap_remove(0);
    let forward = forward.unwrap();
    let kernel = forward.kernels().next().unwrap();
    let limits: Vec<_> = kernel.limits().collect();
    assert!(
        limits.contains(&("max_storage_buffers_per_shader_stage", 7)),
        "{limits:?}"
    );
    let threads = kernel
        .workgroup
        .iter()
        .map(|side| u64::from(*side))
        .product();
    assert!(limits.contains(&("max_compute_invocations_per_workgroup", threads)));
    // Every kernel fits WebGPU's default limits.
    assert_eq!(required(&device), []);
    assert_eq!(Requirements::explain(&device), []);
}

#[test]
fn what_is_recommended_is_said_with_its_cost() {
    let device = noop(Limits {
        max_storage_buffer_binding_size: 1 << 20,
        max_buffer_size: 1 << 21,
        max_compute_workgroup_storage_size: 12_000,
        ..Limits::default()
    });
    let lacks = Requirements::explain(&device);
    let names: Vec<_> = lacks.iter().map(|lack| lack.name).collect();
    assert_eq!(
        names,
        [
            "max_compute_workgroup_storage_size",
            "max_storage_buffer_binding_size",
            "max_buffer_size"
        ]
    );
    assert!(
        lacks
            .iter()
            .all(|lack| !lack.is_required && !lack.cost.is_empty())
    );
    let text = lacks[0].to_string();
    assert!(text.contains("is 12000, 16384 are wanted: "), "{text}");
}

/// A device opened by hand, with what this page says, is as good as our own; one opened with
/// nothing lacks subgroups and wide words where they matter.
#[test]
fn descriptors_open_a_device_that_lacks_nothing() {
    let instance =
        wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let described = gpu().device().adapter_info();
    let adapter = adapters
        .iter()
        .find(|adapter| adapter.get_info().name == described.name)
        .unwrap();
    let requirements = Requirements::of(adapter);
    let open = |descriptor| pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let (device, _) = open(requirements.descriptor());
    assert_eq!(device.features(), requirements.features());
    assert_eq!(device.limits(), requirements.limits());
    assert_eq!(device.features(), gpu().device().features());
    assert_eq!(
        Requirements::explain(&device),
        Requirements::explain(gpu().device())
    );
    assert_eq!(required(&device), []);

    let (bare, _) = open(wgpu::DeviceDescriptor::default());
    let info = bare.adapter_info();
    let matters = info.device_type == wgpu::DeviceType::Cpu
        && (info.subgroup_min_size, info.subgroup_max_size) == (8, 8);
    let lacks = Requirements::explain(&bare);
    for (name, feature, text) in [
        ("SUBGROUP", Features::SUBGROUP, "training takes"),
        ("SHADER_INT64", Features::SHADER_INT64, "products take"),
    ] {
        let lack = lacks.iter().find(|lack| lack.name == name);
        assert_eq!(lack.is_some(), matters, "{name}: {lacks:?}");
        if let Some(lack) = lack {
            assert!(!lack.is_required);
            let start = format!("opened without {name}: {text}");
            assert!(lack.to_string().starts_with(&start), "{lack}");
            assert!(adapter.features().contains(feature));
        }
    }
    let options = GpuOptions {
        adapter: AdapterChoice::Name(described.name.clone()),
        ..GpuOptions::default()
    };
    let opened = Gpu::open(&options).unwrap();
    assert!(
        !Requirements::explain(opened.device())
            .iter()
            .any(|lack| ["SUBGROUP", "SHADER_INT64"].contains(&lack.name))
    );
}

/// Software adapters load two elements as one word of 64 bits where the device was opened with such
/// words; others load four elements as they are.
#[test]
fn kernels_load_wide_words_where_the_device_has_them() {
    let narrow = crate::windows::gpu_with(|limits| limits);
    let features = [gpu(), &narrow].map(|gpu| gpu.device().features());
    let is_software = gpu().device().adapter_info().device_type == wgpu::DeviceType::Cpu;
    let has_words = features.map(|features| features.contains(Features::SHADER_INT64));
    assert!(!has_words[1]);
    for (gpu, has_words) in [gpu(), &narrow].into_iter().zip(has_words) {
        let prepared = Operations::new(gpu.device()).prepare();
        let dispatches = prepared.into_iter().map(|(_, dispatch)| dispatch.unwrap());
        let names: Vec<_> = dispatches
            .flat_map(|dispatch| dispatch.kernels().map(|k| k.name()).collect::<Vec<_>>())
            .filter(|name| name.contains("vec4"))
            .collect();
        assert!(!names.is_empty());
        let expected = is_software && has_words;
        for name in names {
            assert_eq!(name.contains("by_twos"), expected, "{name}");
        }
    }
}

/// A network on such a device is refused as well, by name and not by a panic.
#[test]
fn networks_name_the_limit_that_is_too_low() {
    use ndarray::Array2;
    use wgpu_linear::model::{MlpConfig, Model, ModelError};
    for limits in [
        Limits::downlevel_defaults(),
        Limits::downlevel_webgl2_defaults(),
    ] {
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = wgpu::Device::noop(&descriptor);
        let gpu = Gpu::wrap(device, queue);
        let mut mlp = wgpu_linear::nn::Mlp::new(&gpu, MlpConfig::new(&[4, 5, 3])).unwrap();
        let x = Array2::zeros((2, 4));
        let targets = wgpu_linear::model::Targets::Classes(&[0, 1]);
        for result in [
            mlp.predict(x.view()).map(drop),
            mlp.train_batch(x.view(), targets),
        ] {
            assert!(
                matches!(result, Err(ModelError::Prepare(PrepareError::Limit { .. }))),
                "{result:?}"
            );
        }
    }
}

thread_local! {
    /// What this thread has been warned of, since it began to listen.
    static WARNINGS: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

struct Ear;

impl log::Log for Ear {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("wgpu_linear") && metadata.level() == log::Level::Warn
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS.with_borrow_mut(|warnings| warnings.push(record.args().to_string()));
        }
    }
    fn flush(&self) {}
}

#[test]
fn linear_kernels_warn_of_what_a_device_lacks() {
    // No other test of this program listens to the log.
    log::set_logger(&Ear).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let _good = wgpu_linear::LinearKernels::new(&noop(Limits::default()));
    assert_eq!(WARNINGS.take(), [""; 0]);
    let device = noop(Limits::downlevel_defaults());
    let _kernels = wgpu_linear::LinearKernels::new(&device);
    let lacks = Requirements::explain(&device);
    let expected: Vec<_> = lacks.iter().map(Lack::to_string).collect();
    assert_eq!(WARNINGS.take(), expected);
    assert!(expected[0].starts_with(
        "max_storage_buffers_per_shader_stage is 4, 7 are wanted: matrix products are refused"
    ));
}

#[test]
fn kernels_ask_for_uniforms_that_hold_their_sizes() {
    for kernel in wgpu_linear::kernels() {
        let of = |wanted| {
            let mut limits = kernel.limits();
            let found = limits.find(|(name, _)| *name == wanted);
            found.unwrap().1
        };
        let uniforms = of("max_uniform_buffers_per_shader_stage");
        let bytes = of("max_uniform_buffer_binding_size");
        assert_eq!(bytes > 0, uniforms > 0, "{}", kernel.name());
    }
}

#[test]
fn all_limits_of_the_adapter_are_asked_for() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    assert_eq!(Requirements::of(&adapter).limits(), adapter.limits());
    assert_ne!(adapter.limits(), Limits::default());
}
