//! Whether a run can go on from a checkpoint with the same bits.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::run_state::RunState;
use super::setup::Setup;
use crate::model::{MlpConfig, Model, Optimizer};

/// Refuses a checkpoint that is of no run, or of one whose steps depend on something else.
pub(super) fn check(
    checkpoint: &Checkpoint,
    setup: &Setup<'_>,
    model: &dyn Model,
) -> Result<(), CheckpointError> {
    let missing = |what| CheckpointError::Incomplete { what };
    let progress = checkpoint.progress.as_ref();
    let progress = progress.ok_or(missing("progress of a run"))?;
    if checkpoint.state.is_none() {
        return Err(missing("training state"));
    }
    checkpoint.check_sizes(model)?;
    check_order(progress, setup)?;
    check_stopping(progress, setup)?;
    model
        .config()
        .map_or(Ok(()), |config| check_config(&checkpoint.config, config))
}

/// What the order of examples follows from.
fn check_order(progress: &RunState, setup: &Setup<'_>) -> Result<(), CheckpointError> {
    let options = &setup.options;
    check_same("the seed of the order", progress.seed, options.seed)?;
    check_same("the batch size", progress.batch, options.batch)?;
    let examples = setup.train.len();
    check_same(
        "the number of training examples",
        progress.examples,
        examples,
    )
}

fn check_stopping(progress: &RunState, setup: &Setup<'_>) -> Result<(), CheckpointError> {
    match (&progress.stopping, &setup.stopping) {
        (Some(before), Some(now)) => {
            check_same("the metric to stop by", &before.metric, &now.metric)
        }
        _ => Ok(()),
    }
}

/// Learning rates may differ: that of the checkpoint counts.
pub(super) fn check_config(before: &MlpConfig, now: &MlpConfig) -> Result<(), CheckpointError> {
    let plain = |config: &MlpConfig| MlpConfig {
        optimizer: without_rate(config.optimizer),
        ..config.clone()
    };
    let (before, now) = (plain(before), plain(now));
    if before == now {
        return Ok(());
    }
    check_same("the seed of the model", before.seed, now.seed)?;
    check_same_text("the activation", &before.activation, &now.activation)?;
    check_same_text("the loss", &before.loss, &now.loss)?;
    check_same_text("the optimizer", &before.optimizer, &now.optimizer)?;
    check_same_text(
        "the norm that gradients are clipped to",
        &before.clip_norm,
        &now.clip_norm,
    )?;
    check_same("the precision", before.precision, now.precision)?;
    check_same_text("the configuration", &before, &now)
}

fn without_rate(mut optimizer: Optimizer) -> Optimizer {
    // 0 is in the range of every optimizer.
    let _ = optimizer.set_learning_rate(0.0);
    optimizer
}

fn check_same<T: PartialEq + std::fmt::Display>(
    name: &'static str,
    before: T,
    now: T,
) -> Result<(), CheckpointError> {
    if before == now {
        return Ok(());
    }
    Err(CheckpointError::Differs {
        name,
        before: before.to_string(),
        now: now.to_string(),
    })
}

fn check_same_text<T: PartialEq + std::fmt::Debug>(
    name: &'static str,
    before: &T,
    now: &T,
) -> Result<(), CheckpointError> {
    if before == now {
        return Ok(());
    }
    Err(CheckpointError::Differs {
        name,
        before: format!("{before:?}"),
        now: format!("{now:?}"),
    })
}
