//! What a run does where the settings say nothing: every default, spelled out.

use wgpu_linear::model::{Loss, MlpConfig, TargetKind};

use crate::CliError;
use crate::config::{
    Device, NetworkSettings, Optimizer, Precision, RunSettings, Settings, SplitSettings,
    TrainingSettings, parse_activation, parse_hidden, parse_initialization, parse_loss,
};
use crate::data::TargetRule;
use crate::training::Prepared;

/// About as many steps are enough for most tables.
const STEPS: usize = 10_000;
const EPOCHS: [u32; 2] = [20, 200];

/// Where epochs or trials are compared, some rows must be kept to compare them by.
const VALIDATION: f64 = 0.2;

/// The same settings with what the split was not told; `compares`: whether trials are compared.
#[must_use]
pub fn with_split(settings: Settings, compares: bool) -> Settings {
    let training = &settings.training;
    let patience = [training.early_stopping, training.plateau];
    let compares = compares || patience.iter().flatten().any(|epochs| *epochs > 0);
    let has_test = settings.data.test_file.is_some() || settings.split.test_every.is_some();
    let split = SplitSettings {
        test_fraction: (!has_test).then_some(0.2),
        test_every: None,
        validation_fraction: Some(if compares { VALIDATION } else { 0.0 }),
        split_seed: Some(0),
    };
    settings.over(Settings {
        split,
        ..Settings::default()
    })
}

/// The same settings with all that was not said.
#[must_use]
pub fn spelled_out(settings: Settings, data: &Prepared) -> Settings {
    let rows = data.train.len();
    let training = training(&settings.training, rows);
    let loss = match data.preprocessing.target {
        TargetRule::Classes { .. } => Loss::SoftmaxCrossEntropy,
        TargetRule::Values { .. } => Loss::MeanSquaredError,
    };
    let network = NetworkSettings {
        hidden: Some(vec!["128".into()]),
        activation: Some("relu".into()),
        dropout: Some(0.0),
        initialization: Some("xavier".into()),
        loss: Some(loss.name().into()),
        initial: None,
        initial_names: None,
    };
    let run = RunSettings {
        out: None,
        device: Some(Device::Auto),
        checkpoint_every: Some(10),
        keep: Some(2),
        recover: Some(3),
        grace: Some(10.0),
        report: Some(true),
    };
    settings.over(Settings {
        training,
        network,
        run,
        ..Settings::default()
    })
}

fn training(said: &TrainingSettings, rows: usize) -> TrainingSettings {
    let batch = said.batch.unwrap_or_else(|| (rows / 10).clamp(8, 64));
    let steps = rows.div_ceil(batch.max(1)).max(1);
    let [least, most] = EPOCHS;
    let epochs = u32::try_from(STEPS / steps).unwrap_or(most);
    TrainingSettings {
        epochs: Some(epochs.clamp(least, most)),
        batch: Some(batch),
        seed: Some(0),
        optimizer: Some(Optimizer::Adam),
        learning_rate: Some(said.optimizer().learning_rate()),
        weight_decay: Some(0.0),
        schedule: Some("constant".into()),
        warmup: Some(0),
        plateau: Some(0),
        early_stopping: Some(0),
        label_smoothing: Some(0.0),
        accumulation: Some(1),
        precision: Some(Precision::F32),
        ..TrainingSettings::default()
    }
}

/// The network of these settings.
///
/// # Errors
/// [`CliError::Input`] where a name is not known, or what is minimized does not suit the targets.
pub fn network(settings: &Settings, data: &Prepared) -> Result<MlpConfig, CliError> {
    let (network, training) = (&settings.network, &settings.training);
    let preprocessing = &data.preprocessing;
    let mut sizes = vec![preprocessing.inputs()];
    sizes.extend(parse_hidden(network.hidden.as_deref().unwrap_or_default())?);
    sizes.push(preprocessing.outputs());
    let loss = parse_loss(network.loss.as_deref().unwrap_or_default())?;
    check_loss(loss, &preprocessing.target)?;
    let smoothing = training.label_smoothing.unwrap_or(0.0);
    if smoothing != 0.0 && preprocessing.class_names().is_empty() {
        return Err(CliError::input(
            "--label-smoothing is for classes; this target has values",
        ));
    }
    Ok(MlpConfig {
        activation: parse_activation(network.activation.as_deref().unwrap_or("relu"))?,
        initialization: parse_initialization(
            network.initialization.as_deref().unwrap_or("xavier"),
        )?,
        loss,
        optimizer: training.optimizer(),
        clip_norm: training.clip_norm,
        seed: training.seed.unwrap_or(0),
        class_weights: class_weights(training.class_weights.as_deref(), data)?,
        dropout: network.dropout.unwrap_or(0.0),
        label_smoothing: smoothing,
        accumulation: training.accumulation.unwrap_or(1),
        precision: training.precision(),
        ..MlpConfig::new(&sizes)
    })
}

fn check_loss(loss: Loss, target: &TargetRule) -> Result<(), CliError> {
    let wanted = match target {
        TargetRule::Classes { .. } => TargetKind::Classes,
        TargetRule::Values { .. } => TargetKind::Values,
    };
    if loss.targets() == wanted && loss != Loss::BinaryCrossEntropy {
        return Ok(());
    }
    let what = match wanted {
        TargetKind::Classes => "classes take softmax_cross_entropy",
        _ => "values take mean_squared_error, mean_absolute_error or huber",
    };
    Err(CliError::input(format!(
        "--loss {} does not suit the target: {what}; --task says which of the two it is",
        loss.name()
    )))
}

/// The weight of each class: 1 where none are wished for, rows / (classes · rows of the class) where
/// they are balanced.
fn class_weights(said: Option<&[String]>, data: &Prepared) -> Result<Vec<f32>, CliError> {
    let classes = data.preprocessing.class_names().len();
    match said {
        None | Some([]) => Ok(Vec::new()),
        Some([one]) if one == "none" => Ok(Vec::new()),
        Some(_) if classes == 0 => Err(CliError::input(
            "--class-weights are for classes; this target has values",
        )),
        Some([one]) if one == "balanced" => Ok(balanced(data.train.labels(), classes)),
        Some(weights) => {
            let parsed: Result<Vec<f32>, _> = weights.iter().map(|w| w.trim().parse()).collect();
            match parsed {
                Ok(parsed) if parsed.iter().all(|weight| *weight == 0.0) => Err(CliError::input(
                    "--class-weights: one of them must be above 0",
                )),
                Ok(parsed) if parsed.len() == classes => Ok(parsed),
                _ => Err(CliError::input(format!(
                    "--class-weights: {} is neither none, balanced nor {classes} numbers, one for each of {}",
                    weights.join(","),
                    data.preprocessing.class_names().join(", ")
                ))),
            }
        }
    }
}

fn balanced(labels: &[u32], classes: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; classes];
    for label in labels {
        counts[*label as usize] += 1;
    }
    let weight = |count: &usize| labels.len() as f32 / (classes * (*count).max(1)) as f32;
    counts.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_get_small_batches_and_many_epochs() {
        let of = |rows| {
            let training = training(&TrainingSettings::default(), rows);
            (training.batch, training.epochs)
        };
        assert_eq!(of(120), (Some(12), Some(200)));
        assert_eq!(of(1437), (Some(64), Some(200)));
        assert_eq!(of(54_000), (Some(64), Some(20)));
        assert_eq!(of(3), (Some(8), Some(200)));
    }

    #[test]
    fn balanced_weights_make_classes_count_alike() {
        let weights = balanced(&[0, 0, 0, 1], 2);
        assert_eq!(weights, [4.0 / 6.0, 2.0]);
        assert_eq!(3.0 * weights[0], weights[1]);
    }
}
