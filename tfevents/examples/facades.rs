//! A program that knows `tracing` and `metrics` alone, and whose numbers TensorBoard shows all the same: `cargo run --release -p
//! tfevents --example facades`, then `tensorboard --logdir runs`. An argument names another directory than `runs/facades`.

use std::error::Error;
use std::process::ExitCode;

use metrics::{counter, gauge, histogram};
use tfevents::{MetricsRecorder, TracingLayer, Writer};
use tracing_subscriber::layer::SubscriberExt;

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
    let events = Writer::create(directory.as_deref().unwrap_or("runs/facades"))?;

    // Once, at the beginning. Other layers, such as one that prints, stand beside ours.
    let layer = TracingLayer::new(events.clone());
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    let recorder = MetricsRecorder::new(events.clone());
    metrics::set_global_recorder(recorder.clone())?;

    for epoch in 0..3 {
        train(epoch, &recorder);
    }
    if let Some(path) = events.path() {
        println!("written: {}", path.display());
    }
    // Layer and recorder live as long as the program: without this, the file would not be closed.
    let closed = events.close()?;
    println!("{} events", closed.events);
    Ok(())
}

/// An epoch of ten pretended steps.
fn train(epoch: u32, recorder: &MetricsRecorder) {
    let span = tracing::info_span!(target: "tensorboard", "train", step = tracing::field::Empty);
    let _inside = span.enter();
    for batch in 0..10 {
        let step = 10 * epoch + batch;
        span.record("step", step);
        let loss = 1.0 / f64::from(1 + step);
        // The curves train/loss and train/accuracy, at the step of the span.
        tracing::info!(target: "tensorboard", loss, accuracy = 1.0 - loss);
        // An event of another target is none of ours.
        tracing::debug!(step, "a batch is done");

        counter!("examples").increment(32);
        gauge!("learning_rate").set(0.1 * loss);
        histogram!("gradient.norm").record(loss);
        recorder.publish(step);
    }
}
