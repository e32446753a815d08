//! What a run keeps while devices come and go: its files, and its last state.

use super::checkpoint::{CheckpointError, Saver};
use super::event_log::EventLog;
use super::position::Position;
use super::snapshot::Snapshot;
use super::{Recovery, Summary, TrainError};

/// What a run keeps while devices come and go.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) log: EventLog,
    pub(super) saver: Option<Saver>,
    /// How it recovers, if it does.
    pub(super) recovery: Option<Recovery>,
    /// What it goes on from.
    pub(super) snapshot: Option<Snapshot>,
    /// Where the callback has ended it.
    pub(super) stop_at: Option<Position>,
    /// How often it has gone on on another device.
    pub(super) recoveries: u32,
}

impl Kept {
    /// Whether the state is to be taken here, where the last one is old.
    pub(super) fn wants_snapshot(&self, position: Position) -> bool {
        let Some(Recovery {
            every_epochs,
            every_steps,
            ..
        }) = self.recovery
        else {
            return false;
        };
        let Some(last) = self.snapshot.as_ref().map(Snapshot::position) else {
            return true;
        };
        let is_after = |every, since| every > 0 && since >= every;
        is_after(
            u64::from(every_epochs),
            u64::from(position.epochs.saturating_sub(last.epochs)),
        ) || is_after(every_steps, position.step.saturating_sub(last.step))
    }

    /// Closes the event file and the checkpoints; what becomes of the run with that.
    pub(super) fn close(self, result: Result<Summary, TrainError>) -> Result<Summary, TrainError> {
        let folder = self.saver.as_ref().map(Saver::folder).unwrap_or_default();
        let path = self.log.path();
        let saved: Result<(), CheckpointError> = self.saver.map_or(Ok(()), Saver::close);
        let logged = self.log.close();
        let is_last = result.is_err() || saved.is_err();
        if let (true, Err(error)) = (is_last, &logged) {
            log::warn!("{}: incomplete: {error}", path.display());
        }
        let summary = result?;
        match (saved, logged) {
            (Ok(()), Ok(())) => Ok(summary),
            (Err(source), _) => Err(TrainError::Checkpoints {
                folder,
                summary: Box::new(summary),
                source: Box::new(source),
            }),
            (_, Err(source)) => Err(TrainError::Events {
                path,
                summary: Box::new(summary),
                source,
            }),
        }
    }
}
