//! Adapters, devices, and the way back to the host.

use std::time::Duration;

use wgpu_linear::{
    AdapterChoice, BiasGrad, Gpu, GpuError, GpuOptions, LinearKernels, Matrix, PrepareError, Vector,
};

use crate::busy::{LONG_READ, excuse_missing_time_out};
use crate::support::{gpu, square_product};

fn no_adapter(options: &GpuOptions) -> (String, Vec<String>, &'static str) {
    match Gpu::open(options) {
        Err(GpuError::NoAdapter { wanted, seen, hint }) => (wanted, seen, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gpu_open_lists_what_was_seen_when_the_name_is_unknown() {
    gpu();
    let name = "no such adapter".to_owned();
    let (wanted, seen, _) = no_adapter(&GpuOptions {
        adapter: AdapterChoice::Name(name),
        ..GpuOptions::default()
    });
    assert!(wanted.contains("no such adapter"), "{wanted}");
    assert!(!seen.is_empty());
}

#[test]
fn gpu_open_refuses_an_index_past_the_end() {
    let options = GpuOptions {
        adapter: AdapterChoice::Index(1000),
        ..GpuOptions::default()
    };
    let (wanted, ..) = no_adapter(&options);
    assert!(wanted.contains("1000"), "{wanted}");
}

#[test]
fn gpu_open_says_what_to_install_when_there_is_no_backend() {
    let (wanted, seen, hint) = no_adapter(&GpuOptions {
        backends: Some(wgpu::Backends::empty()),
        ..GpuOptions::default()
    });
    assert!(wanted.contains("this machine"), "{wanted}");
    assert_eq!(seen, Vec::<String>::new());
    assert!(!hint.is_empty());
}

#[test]
fn gpu_open_takes_of_the_features_what_the_adapter_has() {
    // No adapter has both of the last two: one is for phones, one for desktops.
    let features = wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::TEXTURE_COMPRESSION_ASTC_HDR
        | wgpu::Features::TEXTURE_COMPRESSION_BC_SLICED_3D;
    let options = GpuOptions {
        features,
        ..GpuOptions::default()
    };
    let opened = Gpu::open(&options).unwrap().device().features();
    // These are always taken along: kernels for software adapters use them, and operands of f16.
    let always =
        wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64 | wgpu::Features::SHADER_F16;
    assert!((features | always).contains(opened), "{opened:?}");
    assert!(always.contains(gpu().device().features()));
}

#[test]
fn gpu_open_finds_an_adapter_by_part_of_its_name_and_by_index() {
    let adapters = pollster::block_on(Gpu::adapters(&GpuOptions::default()));
    let part: String = adapters[0].chars().take(5).collect();
    for adapter in [
        AdapterChoice::Name(part.to_uppercase()),
        AdapterChoice::Index(0),
    ] {
        let opened = Gpu::open(&GpuOptions {
            adapter,
            ..GpuOptions::default()
        })
        .unwrap();
        assert_eq!(opened.description(), adapters[0]);
    }
}

#[test]
fn gpu_open_takes_no_software_adapter_when_told_so() {
    match Gpu::open(&GpuOptions {
        allow_software: false,
        ..GpuOptions::default()
    }) {
        Ok(gpu) => assert!(!gpu.is_software()),
        Err(error) => assert!(
            error.to_string().contains("software adapters excluded"),
            "{error}"
        ),
    }
}

#[test]
fn gpu_requests_the_limits_of_the_adapter() {
    let limits = gpu().device().limits();
    assert!(limits.max_buffer_size >= wgpu::Limits::default().max_buffer_size);
    assert!(limits.max_storage_buffer_binding_size >= 128 << 20);
}

#[test]
fn upload_and_read_return_the_elements() {
    // Without a suffix: the type of the elements is inferred as f32, not as f64.
    let buffer = gpu().upload("numbers", &[1.5, -0.0, 1e-45]).unwrap();
    assert_eq!(buffer.size(), 12);
    let bits: Vec<u32> = gpu()
        .read::<f32>(&buffer)
        .unwrap()
        .iter()
        .map(|x| x.to_bits())
        .collect();
    assert_eq!(bits, [0x3fc0_0000, 0x8000_0000, 1]);
    let labels = gpu().upload("labels", &[7_u32, u32::MAX]).unwrap();
    assert_eq!(gpu().read::<u32>(&labels).unwrap(), [7, u32::MAX]);
}

#[test]
fn read_range_returns_a_part() {
    let buffer = gpu().upload("numbers", &[1.0_f32, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(gpu().read_range::<f32>(&buffer, 4, 2).unwrap(), [2.0, 3.0]);
    assert_eq!(gpu().read_range::<f32>(&buffer, 16, 0).unwrap(), [0.0; 0]);
}

#[test]
fn read_refuses_ranges_outside_and_buffers_without_copy_src() {
    let buffer = gpu().upload("numbers", &[1.0_f32, 2.0]).unwrap();
    for (offset, len) in [
        (8, 1),
        (0, 3),
        (2, 1),
        (u64::MAX - 3, 1),
        (0, usize::MAX / 2),
    ] {
        let error = gpu().read_range::<f32>(&buffer, offset, len).unwrap_err();
        assert!(
            matches!(
                error,
                GpuError::Unreadable {
                    buffer_bytes: 8,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    let secret = gpu().device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    assert!(matches!(
        gpu().read::<f32>(&secret),
        Err(GpuError::Unreadable { .. })
    ));
    assert_eq!(gpu().read::<f32>(&buffer).unwrap(), [1.0, 2.0]);
}

#[test]
fn zeros_refuses_more_than_a_buffer_may_hold() {
    let allowed = gpu().device().limits().max_buffer_size;
    let len = usize::try_from(allowed / 4 + 1).unwrap();
    let error = gpu().zeros("huge", len).unwrap_err();
    assert!(
        matches!(error, GpuError::BufferTooLarge { .. }),
        "{error:?}"
    );
}

#[test]
fn zeros_refuses_lengths_whose_bytes_overflow() {
    for len in [1 << 62, usize::MAX] {
        let error = gpu().zeros("huge", len).unwrap_err();
        assert!(
            matches!(error, GpuError::BufferTooLarge { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn read_and_wait_refuse_what_belongs_to_another_device_and_recover() {
    let other = Gpu::new().unwrap();
    let (ours, foreign) = (
        gpu().upload("ours", &[1.0]).unwrap(),
        other.upload("foreign", &[2.0]).unwrap(),
    );
    let error = gpu().read::<f32>(&foreign).unwrap_err();
    assert!(matches!(error, GpuError::Refused { .. }), "{error:?}");
    // Another device counts its submissions from 1 as well: only one that ours has not reached is
    // told apart.
    for _ in 0..10 {
        other.run(&[]).unwrap();
    }
    let error = Gpu::new()
        .unwrap()
        .wait(other.run(&[]).unwrap())
        .unwrap_err();
    assert!(matches!(error, GpuError::ForeignSubmission), "{error:?}");
    ours.destroy();
    let error = gpu().read::<f32>(&ours).unwrap_err();
    assert!(matches!(error, GpuError::Refused { .. }), "{error:?}");
    assert_eq!(other.read::<f32>(&foreign).unwrap(), [2.0]);
}

/// A wait ends in a typed error when the device is busy for longer, and the device serves on.
#[test]
fn read_times_out_and_the_device_stays_usable() {
    let impatient = Gpu::open(&GpuOptions {
        timeout: Duration::from_nanos(1),
        ..GpuOptions::default()
    })
    .unwrap();
    let (busy, _) = square_product(&impatient, 512);
    let t = impatient.zeros("t", LONG_READ).unwrap();
    // Twice the work each time, until the device is still busy when we come to ask.
    let error = (0..10).find_map(|doublings| {
        impatient.run(&vec![busy.clone(); 1 << doublings]).unwrap();
        impatient.read::<f32>(&t).err()
    });
    match error {
        Some(error) => assert!(matches!(error, GpuError::Timeout { .. }), "{error:?}"),
        None => excuse_missing_time_out("a read that times out"),
    }
    let patient = Gpu::wrap(impatient.device().clone(), impatient.queue().clone());
    let values = patient.read::<f32>(&t).unwrap();
    assert!(values.iter().all(|value| *value == 0.0));
}

/// A device without enough memory says so, and serves on. The noop device's memory is the host's,
/// so 2⁵⁰ bytes are too many.
#[test]
fn zeros_reports_out_of_memory_and_the_device_stays_usable() {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop.enable = true;
    descriptor.flags = wgpu::InstanceFlags::empty(); // validation would cap buffers at 4 GiB
    let limits = wgpu::Limits {
        max_buffer_size: 1 << 60,
        ..wgpu::Limits::default()
    };
    descriptor.backend_options.noop.limits = Some(limits.clone());
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: limits,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapters[0].request_device(&descriptor)).unwrap();
    let small = Gpu::wrap(device, queue);
    let error = small.zeros("huge", 1 << 48).unwrap_err();
    assert!(
        matches!(
            error,
            GpuError::OutOfMemory {
                bytes: 0x4_0000_0000_0000,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(small.zeros("small", 4).unwrap().size(), 16);
}

/// Each device of the process numbers its buffers; one must never be taken for another's.
#[test]
fn operations_refuse_buffers_of_another_device_and_recover() {
    let (one, other) = (Gpu::new().unwrap(), Gpu::new().unwrap());
    let [dt, db] = ["dt", "db"].map(|label| one.zeros(label, 4).unwrap());
    let foreign = other.zeros("foreign", 4).unwrap();
    let kernels = LinearKernels::new(one.device());
    let operands = |db| BiasGrad {
        dt: Matrix::new(&dt, 1, 4),
        db: Vector::new(db, 4),
    };
    let error = kernels.bias_grad(operands(&foreign)).unwrap_err();
    assert!(
        matches!(
            error,
            PrepareError::Refused {
                operation: "wgpu_linear::bias_grad",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(kernels.bias_grad(operands(&db)).is_ok());
}
