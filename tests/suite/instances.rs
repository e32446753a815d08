//! wgpu numbers buffers per instance. What belongs to another one must not be taken for ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wgpu_linear::{
    BiasGrad, Forward, Gpu, GpuError, GpuOptions, LinearKernels, Matrix, PrepareError, Vector,
};

/// A device of an instance, with a handler that counts.
struct Heard {
    gpu: Gpu,
    errors: Arc<AtomicUsize>,
}

impl Heard {
    fn of(instance: &wgpu::Instance) -> Self {
        let options = GpuOptions {
            instance: Some(instance.clone()),
            ..GpuOptions::default()
        };
        let gpu = Gpu::open(&options).unwrap();
        let errors = Arc::new(AtomicUsize::new(0));
        let counter = errors.clone();
        let handler = move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        gpu.device().on_uncaptured_error(Arc::new(handler));
        Self { gpu, errors }
    }

    fn errors(&self) -> usize {
        self.errors.load(Ordering::SeqCst)
    }
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// db of six numbers in two rows.
fn sum(
    kernels: &LinearKernels,
    dt: &wgpu::Buffer,
    db: &wgpu::Buffer,
) -> Result<wgpu_linear::Dispatch, PrepareError> {
    kernels.bias_grad(BiasGrad {
        dt: Matrix::new(dt, 2, 3),
        db: Vector::new(db, 3),
    })
}

fn assert_foreign(result: Result<wgpu_linear::Dispatch, PrepareError>, name: &str) {
    let Err(PrepareError::Foreign { operation, operand }) = result else {
        panic!("{result:?}");
    };
    assert_eq!((operation, operand), ("wgpu_linear::bias_grad", name));
}

/// The buffers are made in the same order, so each has the number of its counterpart.
#[test]
fn operations_refuse_buffers_with_the_number_of_ours() {
    let [ours, theirs] = [instance(), instance()].map(|instance| Heard::of(&instance));
    let [dt, foreign_dt] = [&ours, &theirs].map(|side| side.gpu.upload("dt", &[1.0; 6]).unwrap());
    let [db, foreign_db] = [&ours, &theirs].map(|side| side.gpu.zeros("db", 3).unwrap());
    assert_eq!((&dt, &db), (&foreign_dt, &foreign_db), "the numbers differ");
    let kernels = LinearKernels::new(ours.gpu.device());
    assert_foreign(sum(&kernels, &foreign_dt, &db), "dt");
    assert_foreign(sum(&kernels, &dt, &foreign_db), "db");
    let error = ours.gpu.read::<f32>(&foreign_dt).unwrap_err();
    assert!(
        matches!(error, GpuError::Foreign { what: "buffer" }),
        "{error:?}"
    );
    // Its own device hears of each, ours of nothing.
    assert_eq!((ours.errors(), theirs.errors()), (0, 3));

    ours.gpu.run(&[sum(&kernels, &dt, &db).unwrap()]).unwrap();
    assert_eq!(ours.gpu.read::<f32>(&db).unwrap(), [2.0; 3]);
    assert_eq!(theirs.gpu.read::<f32>(&foreign_dt).unwrap(), [1.0; 6]);
}

/// wgpu panics where it does not know a number; its default handler panics as well. Neither gets
/// out.
#[test]
fn operations_refuse_buffers_that_wgpu_does_not_know() {
    let ours = Heard::of(&instance());
    let theirs = Gpu::open(&GpuOptions {
        instance: Some(instance()),
        ..GpuOptions::default()
    })
    .unwrap();
    let [dt, db] = ["dt", "db"].map(|label| ours.gpu.zeros(label, 6).unwrap());
    let many: Vec<_> = (0..200)
        .map(|_| theirs.zeros("foreign", 6).unwrap())
        .collect();
    let foreign = many.last().unwrap();
    let kernels = LinearKernels::new(ours.gpu.device());
    assert_foreign(sum(&kernels, foreign, &db), "dt");
    assert_foreign(sum(&kernels, &dt, foreign), "db");
    let error = ours.gpu.read::<f32>(foreign).unwrap_err();
    assert!(matches!(error, GpuError::Foreign { .. }), "{error:?}");
    assert_eq!(ours.errors(), 0);
    ours.gpu.run(&[sum(&kernels, &dt, &db).unwrap()]).unwrap();
    assert_eq!(ours.gpu.read::<f32>(&db).unwrap(), [0.0; 6]);
}

/// Products have a way of their own to their bindings, and slabs between their operands.
#[test]
fn products_refuse_foreign_buffers() {
    let [ours, theirs] = [instance(), instance()].map(|instance| Heard::of(&instance));
    let k = 4096;
    let make = |side: &Heard| {
        [("x", 2 * k), ("w", 4 * k), ("b", 4), ("t", 8)]
            .map(|(label, len)| side.gpu.zeros(label, len).unwrap())
    };
    let (own, foreign) = (make(&ours), make(&theirs));
    let kernels = LinearKernels::new(ours.gpu.device());
    for k in [4, k as u32] {
        for (i, name) in ["x", "w", "b", "t"].into_iter().enumerate() {
            let [x, w, b, t] = std::array::from_fn(|j| if i == j { &foreign[j] } else { &own[j] });
            let result = kernels.forward(Forward {
                x: Matrix::new(x, 2, k),
                w: Matrix::new(w, k, 4),
                b: Some(Vector::new(b, 4)),
                t: Matrix::new(t, 2, 4),
            });
            assert!(
                matches!(result, Err(PrepareError::Foreign { operand, .. }) if operand == name),
                "{name}: {result:?}"
            );
        }
    }
}

/// What cannot be noticed: the documentation of `LinearKernels::new` says so.
#[test]
fn buffers_that_are_mapped_are_not_told_apart() {
    let [ours, theirs] = [instance(), instance()].map(|instance| Heard::of(&instance));
    let [dt, foreign] = [&ours, &theirs].map(|side| {
        side.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("mapped"),
            size: 24,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: true,
        })
    });
    let db = ours.gpu.zeros("db", 3).unwrap();
    let kernels = LinearKernels::new(ours.gpu.device());
    // A buffer may be filled after it was bound, so neither is touched.
    for buffer in [&dt, &foreign] {
        assert!(sum(&kernels, buffer, &db).is_ok());
        assert!(buffer.get_mapped_range_mut(..).is_ok(), "it was unmapped");
    }
    foreign.unmap();
    assert_foreign(sum(&kernels, &foreign, &db), "dt");
}

/// With the application's instance there is one for everything: wgpu tells devices apart by itself,
/// and no handler hears of it.
#[test]
fn devices_of_one_instance_are_told_apart_by_wgpu() {
    let instance = instance();
    let [one, other] = [(); 2].map(|()| Heard::of(&instance));
    let db = one.gpu.zeros("db", 3).unwrap();
    let foreign = other.gpu.zeros("foreign", 6).unwrap();
    let kernels = LinearKernels::new(one.gpu.device());
    let result = sum(&kernels, &foreign, &db);
    assert!(
        matches!(result, Err(PrepareError::Refused { .. })),
        "{result:?}"
    );
    let error = one.gpu.read::<f32>(&foreign).unwrap_err();
    assert!(matches!(error, GpuError::Refused { .. }), "{error:?}");
    let dt = other.gpu.zeros("dt", 6).unwrap();
    let db = other.gpu.zeros("db", 3).unwrap();
    let theirs = LinearKernels::new(other.gpu.device());
    let error = one.gpu.run(&[sum(&theirs, &dt, &db).unwrap()]).unwrap_err();
    assert!(matches!(error, GpuError::Refused { .. }), "{error:?}");
    assert_eq!((one.errors(), other.errors()), (0, 0));
}

/// Numbers that wgpu does not know make it panic; that does not get out.
#[test]
fn run_refuses_dispatches_that_wgpu_does_not_know() {
    let [ours, theirs] = [instance(), instance()].map(|instance| Heard::of(&instance));
    let [dt, db] = ["dt", "db"].map(|label| theirs.gpu.zeros(label, 6).unwrap());
    let kernels = LinearKernels::new(theirs.gpu.device());
    let dispatch = sum(&kernels, &dt, &db).unwrap();
    let error = ours.gpu.run(&[dispatch]).unwrap_err();
    assert!(
        matches!(error, GpuError::Foreign { what: "dispatch" }),
        "{error:?}"
    );
    // The device goes on.
    let dt = ours.gpu.upload("dt", &[1.0; 6]).unwrap();
    assert_eq!(ours.gpu.read::<f32>(&dt).unwrap(), [1.0; 6]);
    assert_eq!(ours.errors(), 0);
}

#[test]
fn adapters_are_those_of_the_instance_in_the_options() {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop.enable = true;
    let noop = wgpu::Instance::new(descriptor);
    let options = GpuOptions {
        instance: Some(noop),
        backends: Some(wgpu::Backends::all() | wgpu::Backends::NOOP),
        ..GpuOptions::default()
    };
    let gpu = Gpu::open(&options).unwrap();
    assert_eq!(gpu.device().adapter_info().backend, wgpu::Backend::Noop);
    let adapters = pollster::block_on(Gpu::adapters(&options));
    assert_eq!(adapters, [gpu.description()]);
}
