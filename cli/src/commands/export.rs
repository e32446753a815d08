//! `wgpu-linear export`: a network for other programs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use wgpu_linear::exchange::onnx::{self, OnnxModel, Standardisation};
use wgpu_linear::exchange::pytorch::{self, Naming, OptimizerState};
use wgpu_linear::model::NetworkConfig;

use crate::data::{Preprocessing, Rule, TargetRule};
use crate::error::with_causes;
use crate::output::Output;
use crate::training::SavedModel;
use crate::{CliError, file};

const EXAMPLES: &str = "\
Examples:
  wgpu-linear export --model runs/iris iris.onnx
  wgpu-linear export --model runs/iris iris.safetensors --training";

/// Writes a network as ONNX, with its preprocessing, or as a state dict of PyTorch
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// File to write: FILE.onnx, or FILE.safetensors for PyTorch
    to: PathBuf,
    /// A model, or the folder of the run that made it
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Which of the two, where the name does not say it
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// ONNX: the outputs of the last layer as they are, not probabilities of classes
    #[arg(long)]
    logits: bool,
    /// PyTorch: from one linear layer to the next in nn.Sequential; 3 with a dropout behind each
    /// activation
    #[arg(long, default_value_t = 2, value_name = "N")]
    stride: usize,
    /// PyTorch: names of the layers in place of numbers, such as fc1,fc2
    #[arg(long, value_delimiter = ',', value_name = "PREFIXES")]
    names: Option<Vec<String>>,
    /// PyTorch: also what the optimizer remembers, so that the training can go on there
    #[arg(long)]
    training: bool,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// ONNX
    Onnx,
    /// A state dict of PyTorch as safetensors
    Pytorch,
}

/// Exports.
///
/// # Errors
/// [`CliError::Input`] where the model cannot be read or the names do not fit,
/// [`CliError::Failure`] where the file cannot be written.
pub fn run(arguments: &Arguments, output: Output) -> Result<(), CliError> {
    let saved = SavedModel::load(&arguments.model)?;
    let format = format(arguments)?;
    check_options(arguments, format)?;
    file::check_apart(&saved.path, &arguments.to)?;
    let (bytes, notes) = match format {
        Format::Onnx => of_onnx(&saved, arguments.logits)?,
        Format::Pytorch => (of_pytorch(&saved, arguments)?, Vec::new()),
    };
    let to = &arguments.to;
    file::replace(to, &bytes).map_err(|error| file::refused(to, &error))?;
    let mut text = format!("{}: {} bytes", to.display(), bytes.len());
    for note in &notes {
        text += &format!("\n{note}");
    }
    output.result(
        &text,
        &json!({"file": to, "bytes": bytes.len(), "notes": notes}),
    )
}

fn format(arguments: &Arguments) -> Result<Format, CliError> {
    let extension = arguments
        .to
        .extension()
        .and_then(|extension| extension.to_str());
    match (arguments.format, extension) {
        (Some(format), _) => Ok(format),
        (None, Some("onnx")) => Ok(Format::Onnx),
        (None, Some("safetensors")) => Ok(Format::Pytorch),
        _ => Err(CliError::input(format!(
            "{}: neither .onnx nor .safetensors; say --format onnx or --format pytorch",
            arguments.to.display()
        ))),
    }
}

/// Refuses what the format knows nothing of.
fn check_options(arguments: &Arguments, format: Format) -> Result<(), CliError> {
    let (option, only) = match format {
        Format::Pytorch if arguments.logits => ("--logits", "onnx"),
        Format::Onnx if arguments.training => ("--training", "pytorch"),
        Format::Onnx if arguments.names.is_some() => ("--names", "pytorch"),
        _ => return Ok(()),
    };
    Err(CliError::input(format!(
        "{option} is for --format {only} alone; leave it out"
    )))
}

fn of_pytorch(saved: &SavedModel, arguments: &Arguments) -> Result<Vec<u8>, CliError> {
    let naming = match &arguments.names {
        Some(names) => Naming::prefixes(names),
        None => Naming::Sequential {
            stride: arguments.stride,
        },
    };
    let parameters = &saved.checkpoint.parameters;
    let bytes = match (&saved.checkpoint.state, arguments.training) {
        (_, false) => pytorch::export(parameters, &naming),
        (Some(state), true) => {
            let accumulation = u64::from(saved.checkpoint.config.accumulation.max(1));
            let state = OptimizerState::of(state, state.batches / accumulation);
            pytorch::export_training(parameters, &state, &naming)
        }
        (None, true) => {
            return Err(CliError::input(format!(
                "{} does not say what the optimizer remembers; leave --training out",
                saved.path.display()
            )));
        }
    };
    bytes.map_err(|error| CliError::input(with_causes(&error)))
}

/// The file, and what its user must know.
fn of_onnx(saved: &SavedModel, logits: bool) -> Result<(Vec<u8>, Vec<String>), CliError> {
    let refused = |error: onnx::OnnxError| CliError::input(with_causes(&error));
    let preprocessing = &saved.preprocessing;
    let config = NetworkConfig::from(&saved.checkpoint.config);
    let mut model =
        OnnxModel::new(&config, saved.checkpoint.parameters.clone()).map_err(refused)?;
    model.input = Some(standardisation(preprocessing));
    model.output = match &preprocessing.target {
        TargetRule::Classes { .. } if logits => onnx::Output::Logits,
        TargetRule::Classes { .. } => onnx::Output::Softmax,
        TargetRule::Values { means, scales } => onnx::Output::Values {
            mean: means.iter().map(|mean| *mean as f32).collect(),
            scale: scales.iter().map(|scale| *scale as f32).collect(),
        },
    };
    model.classes = preprocessing.class_names().to_vec();
    for (i, name) in preprocessing.input_names().into_iter().enumerate() {
        model.metadata.insert(format!("input.{i}"), name);
    }
    let bytes = onnx::export(&model).map_err(refused)?;
    Ok((bytes, notes(preprocessing)))
}

/// What is done to the inputs: to those of categories, which are 0 or 1, nothing.
fn standardisation(preprocessing: &Preprocessing) -> Standardisation {
    let (mut means, mut scales) = (Vec::new(), Vec::new());
    for column in &preprocessing.columns {
        let (mean, scale) = match &column.rule {
            Rule::Number { mean, scale, .. } => (*mean as f32, *scale as f32),
            Rule::Category { .. } => (0.0, 1.0),
        };
        let inputs = column.rule.inputs();
        means.extend(std::iter::repeat_n(mean, inputs));
        scales.extend(std::iter::repeat_n(scale, inputs));
    }
    Standardisation {
        mean: means,
        scale: scales,
    }
}

/// What of the preprocessing is left to the user of the file.
fn notes(preprocessing: &Preprocessing) -> Vec<String> {
    let categories = preprocessing
        .columns
        .iter()
        .filter(|column| match &column.rule {
            Rule::Number { .. } => false,
            Rule::Category { .. } => true,
        });
    let names: Vec<_> = categories.map(|column| column.name.as_str()).collect();
    let mut notes = Vec::new();
    if !names.is_empty() {
        notes.push(format!(
            "Categories are inputs of 0 and 1, one for each value ({}); the names input.0, input.1, … in the file's metadata say which.",
            names.join(", ")
        ));
    }
    let fills = preprocessing
        .columns
        .iter()
        .any(|column| match &column.rule {
            Rule::Number { fill, .. } => fill.is_some(),
            Rule::Category { fill, .. } => fill.is_some(),
        });
    if fills {
        notes.push("Missing values are not filled in by the file.".to_owned());
    }
    notes
}
