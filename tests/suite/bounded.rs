//! No dispatch and no submission that takes long: what is large is cut, and computes the same bits.

use std::time::Duration;

use ndarray::Array2;
use wgpu_linear::linear::{Operation, Shape, candidates};
use wgpu_linear::model::{Activation, MlpConfig, Targets};
use wgpu_linear::nn::{DeviceDataset, Mlp};
use wgpu_linear::{
    Dispatch, ForwardActivated, Gpu, InputGradActivated, LinearKernels, Matrix, Vector, WeightGrad,
};

use crate::support::{gpu, reals, square_product};

/// Sizes of a layer, with its operands on the device.
struct Layer {
    sizes: [usize; 3],
    buffers: [wgpu::Buffer; 4],
    b: wgpu::Buffer,
}

impl Layer {
    fn new(sizes: [usize; 3]) -> Self {
        let [batch, inputs, outputs] = sizes;
        let mut random = fastrand::Rng::with_seed(7);
        let mut upload = |rows, columns| {
            let values = reals(&mut random, rows, columns);
            gpu().upload("in", values.as_slice().unwrap()).unwrap()
        };
        let buffers = [
            upload(batch, inputs),
            upload(inputs, outputs),
            upload(batch, outputs),
            upload(batch, inputs),
        ];
        let b = upload(1, outputs);
        Self { sizes, buffers, b }
    }

    fn shape(&self) -> Shape {
        let [batch, inputs, outputs] = self.sizes.map(|size| size as u32);
        Shape {
            batch,
            inputs,
            outputs,
        }
    }

    /// What an operation computes, in bits, and in how many dispatches.
    fn compute(&self, kernels: &LinearKernels, operation: Operation) -> (Vec<u32>, usize) {
        let Shape {
            batch,
            inputs,
            outputs,
        } = self.shape();
        let [x, w, dt, t_below] = &self.buffers;
        let (x, w) = (
            Matrix::new(x, batch, inputs),
            Matrix::new(w, inputs, outputs),
        );
        let (dt, t_below) = (
            Matrix::new(dt, batch, outputs),
            Matrix::new(t_below, batch, inputs),
        );
        let nan = |len: u32| gpu().upload("out", &vec![f32::NAN; len as usize]).unwrap();
        let function = Activation::Tanh;
        let (results, dispatch) = match operation {
            Operation::Forward => {
                let [t, a] = [nan(batch * outputs), nan(batch * outputs)];
                let dispatch = kernels.forward_activated(ForwardActivated {
                    x,
                    w,
                    b: Some(Vector::new(&self.b, outputs)),
                    function,
                    t: Matrix::new(&t, batch, outputs),
                    a: Matrix::new(&a, batch, outputs),
                });
                (vec![t, a], dispatch)
            }
            Operation::InputGrad => {
                let dx = nan(batch * inputs);
                let dispatch = kernels.input_grad_activated(InputGradActivated {
                    dt,
                    w,
                    function,
                    t_below,
                    dt_below: Matrix::new(&dx, batch, inputs),
                });
                (vec![dx], dispatch)
            }
            _ => {
                let [dw, db] = [nan(inputs * outputs), nan(outputs)];
                let dispatch = kernels.weight_grad(WeightGrad {
                    x,
                    dt,
                    dw: Matrix::new(&dw, inputs, outputs),
                    db: Some(Vector::new(&db, outputs)),
                });
                (vec![dw, db], dispatch)
            }
        };
        let dispatch = dispatch.unwrap();
        gpu().run([&dispatch]).unwrap();
        let read = |buffer| gpu().read::<f32>(buffer).unwrap();
        let bits = results.iter().flat_map(read).map(f32::to_bits).collect();
        (bits, dispatch.estimates().len())
    }
}

const OPERATIONS: [Operation; 3] = [
    Operation::Forward,
    Operation::InputGrad,
    Operation::WeightGrad,
];

/// Every plan that the planner tries here, ragged and whole tiles, in slabs and without.
#[test]
fn products_that_are_cut_compute_the_same_bits() {
    let whole = LinearKernels::new(gpu().device()).with_longest_dispatch(Duration::MAX);
    let cut = LinearKernels::new(gpu().device()).with_longest_dispatch(Duration::from_nanos(1));
    for sizes in [[70, 300, 133], [128, 256, 160], [40, 65, 3]] {
        let layer = Layer::new(sizes);
        for operation in OPERATIONS {
            let plans = candidates(layer.shape(), operation, whole.capabilities());
            let without = plans.iter().filter(|plan| plan.slabs == 1);
            let split = plans.iter().find(|plan| plan.slabs > 1);
            for plan in without.take(3).chain(split) {
                whole.use_plan(layer.shape(), operation, *plan);
                cut.use_plan(layer.shape(), operation, *plan);
                let (expected, dispatches) = layer.compute(&whole, operation);
                let (bits, pieces) = layer.compute(&cut, operation);
                assert!(expected == bits, "{sizes:?} {operation:?} {plan}");
                let [rows, columns] = plan.algorithm.tile();
                let [m, _, n] = operation.product(layer.shape());
                let tiles = m.div_ceil(rows) as usize * n.div_ceil(columns) as usize;
                // With slabs there is one more, which adds them up.
                assert_eq!(dispatches, plan.slabs.min(2) as usize, "{plan}");
                assert_eq!(
                    pieces,
                    tiles + dispatches - 1,
                    "{sizes:?} {operation:?} {plan}"
                );
            }
        }
    }
}

/// The number that wgpu gives a submission.
fn number(submission: &wgpu::SubmissionIndex) -> u64 {
    let text = format!("{submission:?}");
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// A device that executes nothing, for which dispatches are planned as for hardware.
fn idle() -> Gpu {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    Gpu::wrap(device, queue)
}

#[test]
fn what_should_take_long_is_submitted_in_portions_of_a_second() {
    let gpu = idle();
    let (dispatch, _) = square_product(&gpu, 1024);
    let estimate: Duration = dispatch.estimates().sum();
    let many = Duration::from_millis(3500).div_duration_f64(estimate) as usize;
    let before = number(&gpu.run([&dispatch]).unwrap());
    let last = number(&gpu.run(std::iter::repeat_n(&dispatch, many)).unwrap());
    assert_eq!(last - before, 4, "{estimate:?} {many}");
    let one = number(&gpu.run(&[]).unwrap());
    assert_eq!(one - last, 1);
}

/// A network that has seen its steps take no time at all would submit 256 of them.
#[test]
fn steps_are_submitted_in_portions_of_a_second() {
    let gpu = idle();
    let config = MlpConfig::new(&[256, 512, 256]);
    let mut mlp = Mlp::new(&gpu, config).unwrap();
    let x = Array2::zeros((8, 256));
    let data = DeviceDataset::new(&gpu, x.view(), Targets::Classes(&[0; 8])).unwrap();
    mlp.load_dataset(data).unwrap();
    let batch = 64;
    let submissions = |mlp: &mut Mlp, steps: usize| {
        mlp.set_order(&vec![0; steps * batch], batch).unwrap();
        let before = number(&gpu.queue().submit([]));
        while mlp.train_next().unwrap() {}
        mlp.submit().unwrap();
        number(&gpu.queue().submit([])) - before - 1
    };
    submissions(&mut mlp, 600);
    // 256 at a time; a step is estimated to take some ten milliseconds.
    let taken = submissions(&mut mlp, 256);
    assert!((2..=32).contains(&taken), "{taken}");
}

/// Minutes of a software adapter.
mod slow {
    use std::time::Instant;

    use wgpu_linear::BiasGrad;
    use wgpu_linear::model::{DropoutSettings, Loss};
    use wgpu_linear::nn::{
        ActivationForward, Adam, Dropout, ElementwiseLoss, HISTOGRAM_WORDS, HistogramOf,
        SoftmaxCrossEntropy,
    };

    use super::*;

    /// What it takes, unless somebody else has the machine the first time.
    fn quicker(dispatch: &Dispatch) -> Duration {
        let time = || {
            let begin = Instant::now();
            gpu().wait(gpu().run([dispatch]).unwrap()).unwrap();
            begin.elapsed()
        };
        let first = time();
        first.min(time())
    }

    /// A product that should take 5 s on two cores, piece by piece.
    #[test]
    fn a_long_product_becomes_many_short_dispatches() {
        if std::env::var_os("WGPU_LINEAR_LONG").is_none() {
            return;
        }
        let (dispatch, _) = square_product(gpu(), 5120);
        let estimate: Duration = dispatch.estimates().sum();
        let pieces: Vec<_> = dispatch.parts().collect();
        println!("{estimate:?} in {} dispatches", pieces.len());
        let at_least = estimate.as_millis() as usize / 500;
        assert!(pieces.len() >= at_least, "{estimate:?}");
        assert!(pieces.len() >= 10);
        for (i, piece) in pieces.iter().enumerate() {
            let taken = quicker(piece);
            println!("{i}: {taken:?}");
            assert!(taken <= Duration::from_millis(500), "{i}: {taken:?}");
        }
    }

    /// Whatever goes through elements, on as many as one binding holds.
    #[test]
    fn the_largest_dispatches_of_all_others_are_short() {
        if std::env::var_os("WGPU_LINEAR_LONG").is_none() {
            return;
        }
        let limits = gpu().device().limits();
        let most = limits.max_storage_buffer_binding_size.min(128 << 20);
        let len = (most / 4) as u32;
        let buffers: Vec<_> = (0..4)
            .map(|_| gpu().zeros("operand", len as usize).unwrap())
            .collect();
        let vectors: Vec<_> = buffers.iter().map(|b| Vector::new(b, len)).collect();
        let matrix = |i: usize| Matrix::new(&buffers[i], len / 1024, 1024);
        let kernels = crate::support::network_kernels();
        let words = HISTOGRAM_WORDS;
        let result = gpu().zeros("result", words as usize).unwrap();
        let bias = gpu().zeros("db", 1024).unwrap();
        let settings = gpu().device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 256,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: false,
        });
        let corrections = gpu().zeros("corrections", 2).unwrap();
        let batches = gpu().zeros("batches", 2).unwrap();
        let labels = gpu().zeros("labels", len as usize / 1024).unwrap();
        let losses = gpu().zeros("losses", len as usize / 1024).unwrap();
        let dispatches = [
            kernels.activation(ActivationForward {
                function: Activation::Gelu,
                t: vectors[0],
                a: vectors[1],
            }),
            kernels.adam(Adam {
                settings: &settings,
                corrections: Vector::new(&corrections, 2),
                gradients: vectors[0],
                m: vectors[1],
                v: vectors[2],
                parameters: vectors[3],
                verdict: None,
            }),
            kernels.dropout(Dropout {
                settings: DropoutSettings {
                    rate: 0.5,
                    seed: 0,
                    layer: 0,
                },
                batches: Vector::new(&batches, 2),
                x: vectors[0],
            }),
            kernels.elementwise_loss(ElementwiseLoss {
                loss: Loss::Huber { delta: 1.0 },
                t: matrix(0),
                y: matrix(1),
                weight_sum: None,
                element_loss: matrix(2),
                dt: matrix(3),
            }),
            kernels.softmax_cross_entropy(SoftmaxCrossEntropy {
                t: matrix(0),
                labels: Vector::new(&labels, len / 1024),
                weights: None,
                label_smoothing: 0.0,
                row_loss: Vector::new(&losses, len / 1024),
                dt: matrix(1),
            }),
            kernels.histogram(HistogramOf {
                values: vectors[0],
                result: Vector::new(&result, words),
            }),
            crate::support::linear_kernels().bias_grad(BiasGrad {
                dt: matrix(0),
                db: Vector::new(&bias, 1024),
            }),
        ];
        for dispatch in dispatches {
            for part in dispatch.unwrap().parts() {
                let taken = quicker(&part);
                let estimate: Duration = part.estimates().sum();
                println!("{}: {taken:?}, estimated {estimate:?}", part.label());
                assert!(
                    taken <= Duration::from_millis(500),
                    "{}: {taken:?}",
                    part.label()
                );
            }
        }
    }
}
