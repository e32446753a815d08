//! Kicks that reach a goal, by the gradient of a learned model:
//! `cargo run --release --example 06_surrogate`. `-- --help` lists the options.
//!
//! How far and how high a kicked ball flies is a simulation that gives no gradient. A network of
//! 3-64-64-2 learns it from samples: a surrogate. Then 256 random kicks descend through it at once,
//! along the gradient of the loss with respect to the inputs (`Training::dx`); the optimizer's
//! kernel moves the inputs in the place of the parameters, and nothing leaves the device between.
//! In the end the simulation judges what was found. Speed, angle and spin are three numbers and the
//! goal is two: there are many ways.

#[path = "support/errors.rs"]
mod errors;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use wgpu_linear::model::{
    Activation, AdamSettings, Loss, ModelError, NetworkConfig, Optimizer, SgdSettings,
};
use wgpu_linear::nn::{Goal, Network, NetworkKernels, Sgd, Training, settings_bytes};
use wgpu_linear::wgpu::{self, util::DeviceExt};
use wgpu_linear::{Gpu, Matrix, Vector};

/// Finds kicks that send a ball as far and as high as you say.
#[derive(Debug, Parser)]
struct Arguments {
    /// How far the ball shall fly, in metres
    #[arg(long, default_value_t = 30.0)]
    range: f32,
    /// How high, in metres
    #[arg(long, default_value_t = 6.0)]
    height: f32,
    /// Seed of samples, weights and first kicks
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Speed, angle and spin, each from −1 to 1 where the surrogate has learned.
type Kick = [f32; 3];
/// Range and greatest height, in metres.
type Flight = [f32; 2];
const INPUTS: u32 = 3;
const OUTPUTS: u32 = 2;

/// Kicks to learn from, in batches, and others to judge the surrogate by.
const SAMPLES: u32 = 4096;
const BATCH: u32 = 256;
const UNSEEN: u32 = 1024;
const EPOCHS: u32 = 300;
/// Kicks that descend, and in how many steps.
const CANDIDATES: u32 = 256;
const STEPS: u32 = 300;
/// The network's unit of length, in metres, so that its outputs are about 1.
const UNIT: f32 = 20.0;
/// A candidate that comes so near, in metres, has reached the goal.
const NEAR: f32 = 0.05;

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    errors::finish(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let gpu = Gpu::new()?;
    println!("device: {}", gpu.description());
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let mut draw = |count| -> Vec<Kick> {
        let mut input = || 2.0 * random.f32() - 1.0;
        (0..count).map(|_| [input(), input(), input()]).collect()
    };
    let network = train(&gpu, arguments.seed, &draw(SAMPLES))?;

    let unseen = draw(UNSEEN);
    let learned = predict(&gpu, &network, &unseen)?;
    let misses = unseen.iter().zip(learned);
    let squares = misses.map(|(kick, flight)| distance(fly(*kick), flight).powi(2));
    let miss = (squares.sum::<f32>() / UNSEEN as f32).sqrt();
    println!("surrogate: {miss:.2} m off in {UNSEEN} flights it has not seen (root mean square)");

    let goal = [arguments.range, arguments.height];
    let kicks = descend(&gpu, &network, &draw(CANDIDATES), goal)?;
    let flights = predict(&gpu, &network, &kicks)?;
    let found = kicks.into_iter().zip(flights).filter(|(kick, flight)| {
        // Beyond what it was shown, the surrogate knows nothing.
        distance(*flight, goal) < NEAR && kick.iter().all(|input| input.abs() <= 1.0)
    });
    report(found.map(|(kick, _)| kick).collect(), goal)
}

/// Says what the simulation makes of the kicks found.
fn report(mut kicks: Vec<Kick>, goal: Flight) -> Result<(), Box<dyn Error>> {
    let aim = format!("{} m far and {} m high", goal[0], goal[1]);
    let found = kicks.len();
    if found == 0 {
        return Err(format!("no kick was found that flies {aim}").into());
    }
    println!("goal: {aim}, which {found} of {CANDIDATES} kicks reach");
    println!("    m/s  degrees   spin  simulated: far    high    miss");
    kicks.sort_by(|a, b| a[2].total_cmp(&b[2]));
    for kick in kicks.iter().step_by(found.div_ceil(6)) {
        let ([speed, angle, spin], flight) = (physical(*kick), fly(*kick));
        let ([far, high], miss) = (flight, distance(flight, goal));
        print!("{speed:7.2} {:8.2} {spin:6.2} ", angle.to_degrees());
        println!("{far:15.2} {high:7.2} {miss:7.2}");
    }
    let misses = kicks.iter().map(|kick| distance(fly(*kick), goal));
    let worst = misses.fold(0.0, f32::max);
    println!("worst miss of all, simulated: {worst:.2} m");
    Ok(())
}

/// The surrogate. Each batch is a part of what lies on the device, and a step prepared once.
fn train(gpu: &Gpu, seed: u64, kicks: &[Kick]) -> Result<Network, Box<dyn Error>> {
    let adam = AdamSettings {
        learning_rate: 1e-2,
        ..AdamSettings::default()
    };
    let config = NetworkConfig::new(INPUTS as usize)
        .layer(64, Activation::Silu)
        .layer(64, Activation::Silu)
        .layer(OUTPUTS as usize, Activation::Identity)
        .loss(Loss::MeanSquaredError)
        .optimizer(Optimizer::Adam(adam))
        .seed(seed);
    let mut network = Network::new(gpu, config)?;
    let flights: Vec<_> = kicks.iter().map(|kick| fly(*kick).map(to_units)).collect();
    let x = gpu.upload("kicks", kicks.as_flattened())?;
    let y = gpu.upload("flights", flights.as_flattened())?;
    let batch = |batch: u32| {
        let first = 4 * u64::from(batch * BATCH); // the bytes of a column
        let x = Matrix::new(&x, BATCH, INPUTS).at(first * u64::from(INPUTS));
        let y = Matrix::new(&y, BATCH, OUTPUTS).at(first * u64::from(OUTPUTS));
        network.training(Training::new(x, Goal::Values(y)))
    };
    let batches = (0..SAMPLES / BATCH).map(batch);
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    for epoch in 0..EPOCHS {
        let cosine = (std::f32::consts::PI * epoch as f32 / EPOCHS as f32).cos();
        network.set_learning_rate(adam.learning_rate * (0.505 + 0.495 * cosine))?;
        submit(gpu, |pass| {
            batches.iter().for_each(|step| step.record(pass));
        });
    }
    Ok(network)
}

/// Where kicks come to that move against the gradient of the loss with respect to themselves. The
/// network stays as it is: the update of its parameters is not recorded.
fn descend(
    gpu: &Gpu,
    network: &Network,
    kicks: &[Kick],
    goal: Flight,
) -> Result<Vec<Kick>, Box<dyn Error>> {
    let inputs = CANDIDATES * INPUTS;
    let x = gpu.upload("kicks", kicks.as_flattened())?;
    let dx = gpu.zeros("gradient of kicks", inputs as usize)?;
    let goals = vec![goal.map(to_units); CANDIDATES as usize];
    let y = gpu.upload("goals", goals.as_flattened())?;
    let [kicks, gradient] = [&x, &dx].map(|buffer| Matrix::new(buffer, CANDIDATES, INPUTS));
    let goal = Goal::Values(Matrix::new(&y, CANDIDATES, OUTPUTS));
    let step = network.training(Training::new(kicks, goal).dx(gradient))?;

    // The loss is a mean over the kicks, and each shall move by a gradient of its own.
    let settings = settings_bytes(&Optimizer::Sgd(SgdSettings {
        learning_rate: 0.5 * CANDIDATES as f32,
        momentum: 0.8,
        ..SgdSettings::default()
    }));
    let settings = wgpu::util::BufferInitDescriptor {
        label: Some("settings"),
        contents: &settings,
        usage: wgpu::BufferUsages::UNIFORM,
    };
    let velocity = gpu.zeros("velocity", inputs as usize)?;
    let update = NetworkKernels::new(gpu.device()).sgd(Sgd {
        settings: &gpu.device().create_buffer_init(&settings),
        gradients: Vector::new(&dx, inputs),
        velocity: Vector::new(&velocity, inputs),
        parameters: Vector::new(&x, inputs),
        verdict: None,
    })?;
    submit(gpu, |pass| {
        for _ in 0..STEPS {
            step.record_forward(pass);
            step.record_backward(pass);
            update.record(pass);
        }
    });
    Ok(gpu.read(&x)?.as_chunks().0.to_vec())
}

/// The flights, by the network.
fn predict(gpu: &Gpu, network: &Network, kicks: &[Kick]) -> Result<Vec<Flight>, ModelError> {
    let rows = kicks.len() as u32;
    let x = gpu.upload("kicks", kicks.as_flattened())?;
    let y = gpu.zeros("flights", 2 * kicks.len())?;
    let outputs = Matrix::new(&y, rows, OUTPUTS);
    let predict = network.predict_into(Matrix::new(&x, rows, INPUTS), outputs)?;
    gpu.run(predict.dispatches())?;
    let in_units = gpu.read::<f32>(&y)?;
    let in_metres: Vec<f32> = in_units.iter().map(|length| UNIT * length).collect();
    Ok(in_metres.as_chunks().0.to_vec())
}

fn to_units(metres: f32) -> f32 {
    metres / UNIT
}

/// One encoder, one pass, one submission.
fn submit(gpu: &Gpu, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    record(&mut encoder.begin_compute_pass(&Default::default()));
    gpu.queue().submit([encoder.finish()]);
}

/// Speed in m/s, angle in radians, and spin from −1 (top) to 1 (back), of inputs from −1 to 1.
fn physical([speed, angle, spin]: Kick) -> [f32; 3] {
    [
        20.0 + 10.0 * speed,
        (45.0 + 25.0 * angle).to_radians(),
        spin,
    ]
}

/// Drag and lift of a football, 0.43 kg and 0.22 m across: ½ ρ A C / m, with coefficients of 0.25
/// and, where it spins most, 0.15.
const DRAG: f32 = 0.0133;
const LIFT: f32 = 0.008;

/// Range and greatest height in metres: dv/dt = g − DRAG |v| v + LIFT spin |v| v⊥, by the midpoint
/// method in steps of a millisecond.
fn fly(kick: Kick) -> Flight {
    let [speed, angle, spin] = physical(kick);
    let acceleration = |[vx, vy]: [f32; 2]| {
        let (drag, lift) = (DRAG * vx.hypot(vy), LIFT * spin * vx.hypot(vy));
        [-drag * vx - lift * vy, -9.81 - drag * vy + lift * vx]
    };
    let step = 1e-3;
    let moved = |[x, y]: [f32; 2], [vx, vy]: [f32; 2], time| [x + time * vx, y + time * vy];
    let (mut at, mut velocity) = ([0.0; 2], [speed * angle.cos(), speed * angle.sin()]);
    let mut height = 0.0_f32;
    loop {
        let middle = moved(velocity, acceleration(velocity), 0.5 * step);
        let next = moved(at, middle, step);
        if next[1] < 0.0 {
            // Where the last step crosses the ground.
            return [
                at[0] + (next[0] - at[0]) * at[1] / (at[1] - next[1]),
                height,
            ];
        }
        velocity = moved(velocity, acceleration(middle), step);
        (at, height) = (next, height.max(next[1]));
    }
}

fn distance([range, height]: Flight, goal: Flight) -> f32 {
    (range - goal[0]).hypot(height - goal[1])
}
