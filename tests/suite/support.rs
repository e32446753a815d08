//! What the tests share: a device, random matrices, and outputs with guard cells around them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use ndarray::{Array1, Array2};
use wgpu_linear::model::{MeanLoss, ModelError};
use wgpu_linear::nn::NetworkKernels;
use wgpu_linear::{Dispatch, Forward, Gpu, LinearKernels, Matrix, Vector};

/// The device of all tests. Without any adapter a test that needs one fails here, and says what to
/// install.
pub(crate) fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| match Gpu::new() {
        Ok(gpu) => gpu,
        Err(error) => panic!("this test needs a GPU adapter, a software one will do: {error}; `scripts/test` sets one up"),
    })
}

/// The linear kernels of all tests that leave plans as they are, so that each is compiled once.
pub(crate) fn linear_kernels() -> &'static LinearKernels {
    static KERNELS: OnceLock<LinearKernels> = OnceLock::new();
    KERNELS.get_or_init(|| LinearKernels::new(gpu().device()))
}

/// The kernels of networks, compiled once for all tests.
pub(crate) fn network_kernels() -> &'static NetworkKernels {
    static KERNELS: OnceLock<NetworkKernels> = OnceLock::new();
    KERNELS.get_or_init(|| NetworkKernels::new(gpu().device()))
}

/// A matrix of whole numbers from −`largest` to `largest`.
pub(crate) fn integers(
    random: &mut fastrand::Rng,
    rows: usize,
    columns: usize,
    largest: i32,
) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || random.i32(-largest..=largest) as f32)
}

/// A matrix of numbers uniform in ±1.
pub(crate) fn reals(random: &mut fastrand::Rng, rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || 2.0 * random.f32() - 1.0)
}

pub(crate) fn row(matrix: Array2<f32>) -> Array1<f32> {
    matrix.into_iter().collect()
}

/// Behind and before every operand, in bytes: the largest alignment that WebGPU allows a device to
/// ask for.
pub(crate) const GUARD_BYTES: u64 = 256;
const GUARD_LEN: usize = GUARD_BYTES as usize / 4;
const GUARD: f32 = 12_345.0;

/// A buffer with guard cells, then `len` elements, then guard cells again.
pub(crate) struct Guarded {
    buffer: wgpu::Buffer,
    len: usize,
}

impl Guarded {
    pub(crate) fn input<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let values: Vec<f32> = values.into_iter().copied().collect();
        Self::filled(&values)
    }

    /// An output that begins as NaN, so that a missing store shows.
    pub(crate) fn output(len: usize) -> Self {
        Self::filled(&vec![f32::NAN; len])
    }

    fn filled(values: &[f32]) -> Self {
        let guard = [GUARD; GUARD_LEN];
        let contents = [&guard, values, &guard].concat();
        Self {
            buffer: gpu().upload("guarded", &contents).unwrap(),
            len: values.len(),
        }
    }

    pub(crate) fn matrix(&self, rows: usize, columns: usize) -> Matrix<'_> {
        assert_eq!(rows * columns, self.len);
        Matrix::new(&self.buffer, rows as u32, columns as u32).at(GUARD_BYTES)
    }

    pub(crate) fn vector(&self) -> Vector<'_> {
        Vector::new(&self.buffer, self.len as u32).at(GUARD_BYTES)
    }

    /// The elements, after a check that the guard cells are untouched.
    pub(crate) fn read(&self) -> Vec<f32> {
        let all: Vec<f32> = gpu().read(&self.buffer).unwrap();
        let (before, rest) = all.split_at(GUARD_LEN);
        let (values, after) = rest.split_at(self.len);
        assert!(
            before.iter().chain(after).all(|guard| *guard == GUARD),
            "guard cells were written"
        );
        values.to_vec()
    }

    pub(crate) fn read_matrix(&self, rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_vec((rows, columns), self.read()).unwrap()
    }
}

/// The application's handlers of a device: how often each was called.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    errors: Arc<AtomicUsize>,
    losses: Arc<AtomicUsize>,
}

impl Heard {
    pub(crate) fn of(device: &wgpu::Device) -> Self {
        let heard = Self::default();
        let Self { errors, losses } = heard.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            eprintln!("heard: {error}");
            errors.fetch_add(1, Ordering::SeqCst);
        }));
        device.set_device_lost_callback(move |_, _| {
            losses.fetch_add(1, Ordering::SeqCst);
        });
        heard
    }

    /// Errors, and losses of the device.
    pub(crate) fn counts(&self) -> [usize; 2] {
        [&self.errors, &self.losses].map(|count| count.load(Ordering::SeqCst))
    }
}

/// T = X·W of square matrices, with the buffer of T.
pub(crate) fn square_product(gpu: &Gpu, side: u32) -> (Dispatch, wgpu::Buffer) {
    let len = (side as usize).pow(2);
    let [x, w, t] = ["x", "w", "t"].map(|label| gpu.zeros(label, len).unwrap());
    let matrix = |buffer| Matrix::new(buffer, side, side);
    let kernels = LinearKernels::new(gpu.device());
    let operands = Forward {
        x: matrix(&x),
        w: matrix(&w),
        b: None,
        t: matrix(&t),
    };
    (kernels.forward(operands).unwrap(), t)
}

/// The event files of a run, in the order of their names.
pub(crate) fn event_files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("tfevents"))
        .collect();
    files.sort();
    files
}

/// A network on the CPU that learns by plain gradient descent.
pub(crate) fn sgd_twin(sizes: &[usize], learning_rate: f32) -> wgpu_linear::reference::Mlp {
    use wgpu_linear::model::{MlpConfig, Optimizer, SgdSettings};
    let optimizer = Optimizer::Sgd(SgdSettings {
        learning_rate,
        ..SgdSettings::default()
    });
    let config = MlpConfig {
        optimizer,
        ..MlpConfig::new(sizes)
    };
    wgpu_linear::reference::Mlp::new(config).unwrap()
}

/// What `poll` brings in the end.
pub(crate) fn loss_of(
    mut poll: impl FnMut() -> Result<Option<MeanLoss>, ModelError>,
) -> Result<MeanLoss, ModelError> {
    let begin = std::time::Instant::now();
    loop {
        if let Some(loss) = poll()? {
            return Ok(loss);
        }
        assert!(begin.elapsed().as_secs() < 60, "the loss never comes");
        std::thread::yield_now();
    }
}
