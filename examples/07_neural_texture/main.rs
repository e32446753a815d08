//! A picture learned inside a frame loop: `cargo run --release --example 07_neural_texture`.
//! `-- --help` lists the options.
//!
//! A network of 32-64-64-3 learns the colour at each position of a picture, positions being encoded
//! by sines and cosines (Tancik et al., "Fourier features let networks learn high frequency
//! functions in low dimensional domains", 2020). As in a game or a renderer, the application has a
//! device, a queue and an encoder of its own: each frame a shader of the application writes random
//! positions and their colours into the application's buffers, the network learns from them, and
//! all of it is one encoder and one submission. Target and result are left side by side as PNG.

#[path = "../support/errors.rs"]
mod errors;
mod on_device;
mod on_twin;
mod picture;

use std::cell::OnceCell;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use picture::{INPUTS, Picture};
use wgpu_linear::model::{Activation, AdamSettings, Loss, NetworkConfig, Optimizer};

/// Learns a picture inside a frame loop.
#[derive(Debug, Parser)]
struct Arguments {
    /// Compute on the CPU twin instead of a device
    #[arg(long)]
    cpu: bool,
    /// Seconds to learn
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    seconds: f64,
    /// Positions a frame
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    batch: u32,
    /// Pixels on a side of the picture that is drawn where no file is given
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=4096))]
    side: u32,
    /// PNG file to learn instead, of 8 bits a channel
    #[arg(long)]
    image: Option<PathBuf>,
    /// Seed of the first weights and of the positions
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to write target and result
    #[arg(long, default_value = "neural_texture.png")]
    out: PathBuf,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number < 1e6 => Ok(number),
        _ => Err("a number of seconds above 0, and below a million".to_owned()),
    }
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    errors::finish(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let target = match &arguments.image {
        Some(path) => Picture::read(path)?,
        None => Picture::draw(arguments.side),
    };
    // Said before the work, not behind it.
    std::fs::File::create(&arguments.out)
        .map_err(|error| format!("cannot write {}: {error}", arguments.out.display()))?;
    let config = NetworkConfig::new(INPUTS)
        .layer(64, Activation::Relu)
        .layer(64, Activation::Relu)
        .layer(3, Activation::Sigmoid)
        .loss(Loss::MeanSquaredError)
        .optimizer(Optimizer::Adam(AdamSettings {
            learning_rate: LEARNING_RATE,
            ..AdamSettings::default()
        }))
        .seed(arguments.seed);
    let clock = Clock::new(arguments.seconds);
    let learned = if arguments.cpu {
        on_twin::learn(config, &target, arguments.batch, arguments.seed, &clock)?
    } else {
        on_device::learn(
            config,
            &target,
            arguments.batch,
            arguments.seed as u32,
            &clock,
        )?
    };
    clock.bar.finish_and_clear();
    target.save_beside(&learned.picture, &arguments.out)?;
    println!("{}", learned.device);
    println!(
        "{} frames of {} positions; PSNR {:.2} dB",
        learned.frames,
        arguments.batch,
        target.psnr(&learned.picture)
    );
    println!("target and result: {}", arguments.out.display());
    Ok(())
}

/// What the work brought.
struct Learned {
    picture: Picture,
    frames: u64,
    device: String,
}

const LEARNING_RATE: f32 = 1e-2;

/// How much of the time has gone, shown in a bar.
struct Clock {
    /// When it was first looked at: opening a device does not count.
    begin: OnceCell<Instant>,
    duration: Duration,
    bar: ProgressBar,
}

impl Clock {
    fn new(seconds: f64) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {msg}");
        let bar = ProgressBar::new(1000);
        Self {
            begin: OnceCell::new(),
            duration: Duration::from_secs_f64(seconds),
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
        }
    }

    /// From 0 to 1, at the end.
    fn passed(&self) -> f32 {
        let begin = self.begin.get_or_init(Instant::now);
        (begin.elapsed().as_secs_f32() / self.duration.as_secs_f32()).min(1.0)
    }

    /// Half a cosine down to a hundredth.
    fn learning_rate(&self) -> f32 {
        let cosine = 0.5 + 0.5 * (std::f32::consts::PI * self.passed()).cos();
        LEARNING_RATE * (0.01 + 0.99 * cosine)
    }

    /// The mean squared error of late.
    fn show(&self, frames: u64, loss: f32) {
        self.bar.set_position((1000.0 * self.passed()) as u64);
        let psnr = -10.0 * loss.log10();
        self.bar
            .set_message(format!("frame {frames}, {psnr:.1} dB"));
    }
}
