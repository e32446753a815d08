//! The checkpoints of a run in a folder: the last few, and the best.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Checkpoint;
use super::error::CheckpointError;
use super::format::write;

const BEST: &str = "best.safetensors";

/// Which checkpoints [`Trainer`](crate::train::Trainer) writes, and where.
///
/// `checkpoint-STEP.safetensors` after so many epochs or steps, when the callback ends the run, and
/// at its end; `best.safetensors` after each epoch that is the best so far: with
/// [`EarlyStopping`](crate::train::EarlyStopping) by its metric, otherwise by the loss on the set
/// that epochs are judged by.
///
/// Each is the whole of what a run needs to go on. A file is written beside, synced, and renamed,
/// and the folder is synced: whenever the machine stops, the checkpoint before is there. A
/// checkpoint in the midst of training waits for the device, so have none after every few steps.
///
/// ```no_run
/// use wgpu_linear::train::checkpoint::Checkpoints;
///
/// let checkpoints = Checkpoints::new("runs/1").every_steps(10_000).keep_last(3);
/// let latest = Checkpoints::latest("runs/1")?;
/// # Ok::<(), wgpu_linear::train::checkpoint::CheckpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoints {
    folder: PathBuf,
    every_steps: u64,
    every_epochs: u32,
    keep_last: usize,
    keep_best: bool,
    extra: BTreeMap<String, String>,
}

impl Checkpoints {
    /// Checkpoints in `folder`, which is made where there is none: after every epoch, the last two
    /// and the best are kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            every_steps: 0,
            every_epochs: 1,
            keep_last: 2,
            keep_best: true,
            extra: BTreeMap::new(),
        }
    }

    /// The same, also after every `steps` steps; 0 for none of these.
    #[must_use]
    pub fn every_steps(self, steps: u64) -> Self {
        Self {
            every_steps: steps,
            ..self
        }
    }

    /// The same after every `epochs` epochs; 0 for none of these.
    #[must_use]
    pub fn every_epochs(self, epochs: u32) -> Self {
        Self {
            every_epochs: epochs,
            ..self
        }
    }

    /// The same, keeping the last `count`, at least 1: older ones are removed as new ones are there.
    #[must_use]
    pub fn keep_last(self, count: usize) -> Self {
        Self {
            keep_last: count.max(1),
            ..self
        }
    }

    /// The same, with or without `best.safetensors`.
    #[must_use]
    pub fn keep_best(self, keep: bool) -> Self {
        Self {
            keep_best: keep,
            ..self
        }
    }

    /// The same, with [`Checkpoint::extra`] in each.
    #[must_use]
    pub fn extra(self, extra: BTreeMap<String, String>) -> Self {
        Self { extra, ..self }
    }

    /// The checkpoint of the latest step in `folder`, with its file; `None` where there is none.
    /// Files that are damaged are passed over, with a warning in the log.
    ///
    /// # Errors
    /// [`CheckpointError::Read`] where folder or file cannot be read; [`CheckpointError::File`]
    /// for what is no damage, such as a newer version.
    pub fn latest(
        folder: impl AsRef<Path>,
    ) -> Result<Option<(PathBuf, Checkpoint)>, CheckpointError> {
        let files = files(folder.as_ref())?;
        for path in files.into_values().rev() {
            match Checkpoint::load(&path) {
                Ok(checkpoint) => return Ok(Some((path, checkpoint))),
                Err(CheckpointError::File { source, .. }) if is_damage(&source) => {
                    log::warn!("{}: {source}", path.display());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

fn is_damage(error: &CheckpointError) -> bool {
    use CheckpointError::{Damaged, NotACheckpoint};
    matches!(error, Damaged { .. } | NotACheckpoint)
}

/// The checkpoints of a folder by their steps; none where there is no folder.
fn files(folder: &Path) -> Result<BTreeMap<u64, PathBuf>, CheckpointError> {
    let list = || -> io::Result<BTreeMap<u64, PathBuf>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if let Some(step) = path.file_name().and_then(step) {
                files.insert(step, path);
            }
        }
        Ok(files)
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        result => result.map_err(|source| CheckpointError::Read {
            path: folder.to_owned(),
            source,
        }),
    }
}

/// The step in the name of a file.
fn step(name: &OsStr) -> Option<u64> {
    let name = name.to_str()?.strip_prefix("checkpoint-")?;
    name.strip_suffix(".safetensors")?.parse().ok()
}

/// Writes the checkpoints of a run. A disk that fails does not end it: what counts is whether the
/// last of each kind has been written in the end.
#[derive(Debug)]
pub(in crate::train) struct Saver {
    settings: Checkpoints,
    last: Option<PathBuf>,
    /// Why the last attempt to write a regular one failed, and one of the best.
    failures: [Option<CheckpointError>; 2],
}

impl Saver {
    /// Makes the folder. A run that goes on may find checkpoints there, a new one must not.
    pub(in crate::train) fn open(
        settings: Checkpoints,
        is_new: bool,
    ) -> Result<Self, CheckpointError> {
        let folder = &settings.folder;
        fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
            path: folder.clone(),
            source,
        })?;
        if is_new && (!files(folder)?.is_empty() || folder.join(BEST).exists()) {
            let folder = folder.clone();
            return Err(CheckpointError::Occupied { folder });
        }
        remove_unfinished(folder);
        Ok(Self {
            settings,
            last: None,
            failures: [None, None],
        })
    }

    pub(in crate::train) fn is_due_after_step(&self, step: u64) -> bool {
        let every = self.settings.every_steps;
        every > 0 && step.is_multiple_of(every)
    }

    /// The epoch counts from 1.
    pub(in crate::train) fn is_due_after_epoch(&self, epoch: u32) -> bool {
        let every = self.settings.every_epochs;
        every > 0 && epoch.is_multiple_of(every)
    }

    pub(in crate::train) fn keeps_best(&self) -> bool {
        self.settings.keep_best
    }

    /// Writes a regular checkpoint, the best one, or both.
    pub(in crate::train) fn save(
        &mut self,
        checkpoint: Checkpoint,
        step: u64,
        [is_regular, is_best]: [bool; 2],
    ) {
        let checkpoint = Checkpoint {
            extra: self.settings.extra.clone(),
            ..checkpoint
        };
        let name = format!("checkpoint-{step}.safetensors");
        let kinds = [(is_regular, name.as_str()), (is_best, BEST)];
        for (i, (_, name)) in kinds.into_iter().enumerate().filter(|(_, kind)| kind.0) {
            let path = self.settings.folder.join(name);
            let bytes = checkpoint.to_bytes();
            let written = bytes.and_then(|bytes| write(&path, &bytes));
            if let Err(error) = &written {
                log::warn!("{}: no checkpoint: {error}", path.display());
            } else if i == 0 {
                self.last = Some(path);
                self.remove_old(step);
            }
            self.failures[i] = written.err();
        }
    }

    /// Removes all but the last few up to `step`.
    fn remove_old(&self, step: u64) {
        let Ok(files) = files(&self.settings.folder) else {
            return;
        };
        let old = files.range(..=step).rev().skip(self.settings.keep_last);
        for (_, path) in old {
            if let Err(error) = fs::remove_file(path) {
                log::warn!("{}: cannot be removed: {error}", path.display());
            }
        }
    }

    /// The last regular checkpoint that was written.
    pub(in crate::train) fn last(&self) -> Option<PathBuf> {
        self.last.clone()
    }

    pub(in crate::train) fn folder(&self) -> PathBuf {
        self.settings.folder.clone()
    }

    /// An error means that the last checkpoint, or the best, could not be written.
    pub(in crate::train) fn close(self) -> Result<(), CheckpointError> {
        let failure = self.failures.into_iter().flatten().next();
        failure.map_or(Ok(()), Err)
    }
}

/// Removes what a process left that was ended while it wrote.
fn remove_unfinished(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_ours = name.starts_with("checkpoint-") || name.starts_with("best.");
        if is_ours && name.contains(".safetensors.") && name.ends_with(".tmp") {
            // Whoever writes there still fails to rename, and says so.
            let _ = fs::remove_file(&path);
        }
    }
}
