//! Everything that TensorBoard shows, from a pretended training: `cargo run --release -p tfevents --example metrics`, then
//! `tensorboard --logdir runs`. An argument names another directory than `runs/metrics`.

use std::error::Error;
use std::process::ExitCode;

use tfevents::{
    Category, Graph, HParams, Histogram, Image, Layout, Margin, Node, PrCurve, SessionStatus,
    Summary, Writer,
};

const STEPS: i64 = 100;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1);
    let events = Writer::create(directory.as_deref().unwrap_or("runs/metrics"))?;
    describe(&events);
    let mut random = fastrand::Rng::with_seed(0);
    for step in 0..STEPS {
        log_step(&events, step, &mut random);
        if step % 10 == 0 {
            look_closer(&events, step, &mut random)?;
        }
    }
    events.hparams_end(SessionStatus::Success);
    if let Some(path) = events.path() {
        println!("written: {}", path.display());
    }
    events.close()?;
    Ok(())
}

/// What is known before the first step.
fn describe(events: &Writer) {
    let hparams = HParams::new()
        .param("learning_rate", 0.1_f32)
        .param("optimizer", "sgd")
        .param("nesterov", true)
        .metric("accuracy/test");
    events.hparams(&hparams);
    events.text(
        "notes",
        0,
        "*Nothing* was trained here:\n\n- the loss is `exp(-t)`\n- with noise",
    );
    events.graph(&network());
    let bounds = Margin {
        value: "loss/mean",
        lower: "loss/least",
        upper: "loss/greatest",
    };
    let charts = Category::new("loss")
        .multiline("all three", &["loss/.*"])
        .margin("with its bounds", &[bounds]);
    events.summary(0, &Summary::new().layout(&Layout::new().category(charts)));
}

/// Two layers and a loss, as a graph.
fn network() -> Graph {
    let x = Node::new("x", "Placeholder").shape(&[None, Some(64)]);
    let mut graph = Graph::new().node(x);
    let layers = [("layer1", "x", 64, 128), ("layer2", "layer1/relu", 128, 10)];
    for (layer, x, inputs, outputs) in layers {
        let [w, product, result] = ["w", "matmul", "relu"].map(|name| format!("{layer}/{name}"));
        let shape = [None, Some(outputs)];
        graph = graph
            .node(Node::new(&w, "Variable").shape(&[Some(inputs), Some(outputs)]))
            .node(
                Node::new(&product, "MatMul")
                    .input(x)
                    .input(&w)
                    .shape(&shape),
            )
            .node(Node::new(&result, "Relu").input(&product).shape(&shape));
    }
    graph.node(Node::new("loss", "SoftmaxCrossEntropy").input("layer2/relu"))
}

/// Curves: one by one, several in one event, and several runs in one chart.
fn log_step(events: &Writer, step: i64, random: &mut fastrand::Rng) {
    let loss = (-step as f32 / 30.0).exp() + 0.05 * random.f32();
    events.scalar("accuracy/test", step, 1.0 - 0.9 * loss);
    let bounds = [
        ("loss/mean", loss),
        ("loss/least", 0.8 * loss),
        ("loss/greatest", 1.3 * loss),
    ];
    events.scalars(step, &bounds);
    events.scalar_group("pace", step, &[("cpu", loss), ("gpu", 0.5 * loss)]);
}

/// A histogram that narrows, a picture that brightens, a classifier that improves.
fn look_closer(
    events: &Writer,
    step: i64,
    random: &mut fastrand::Rng,
) -> Result<(), Box<dyn Error>> {
    let progress = step as f32 / STEPS as f32;
    let mut noise = || random.f32() + random.f32() + random.f32() - 1.5;
    let weights: Vec<f32> = (0..2000)
        .map(|_| noise() * (1.1 - progress) + progress)
        .collect();
    events.histogram("weights", step, &Histogram::of(weights));

    let (width, height) = (64, 32);
    let blue = (255.0 * progress) as u8;
    let pixel = |i: u32| [4 * (i % width) as u8, 8 * (i / width) as u8, blue];
    let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
    events.image("picture", step, &Image::from_rgb8(width, height, &pixels)?);

    let labels: Vec<bool> = (0..500).map(|i| i % 3 == 0).collect();
    let sure = |label: &bool| f32::from(u8::from(*label)) * progress;
    let predictions: Vec<f32> = labels
        .iter()
        .map(|label| (0.25 + 0.5 * sure(label) + 0.2 * noise()).clamp(0.0, 1.0))
        .collect();
    let curve = PrCurve::of(&labels, &predictions, 50)?;
    events.summary(step, &Summary::new().pr_curve("found", &curve));
    Ok(())
}
