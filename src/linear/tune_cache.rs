//! Tuned plans in a file: a line each, appended to a header, with a checksum at its end.
//!
//! ```text
//! wgpu-linear tuned plans, format 1
//! 0.1.0 ⇥ name ⇥ vendor ⇥ device ⇥ backend ⇥ driver ⇥ driver info ⇥ conditions ⇥ operation ⇥ batch ⇥ inputs ⇥ outputs ⇥ plan ⇥ ns ⇥ planned ns ⇥ crc32c
//! ```
//!
//! The operation has the precision behind it, where that is not f32: `Forward f16`. The first eight
//! fields say where a plan was measured, and are compared as text. A plan is the
//! text that it displays; where none of today's candidates displays it, it is of no use any more.
//! The last line for a shape counts.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::operations::LinearKernels;
use super::plan::{Plan, candidates};
use super::precision::Precision;
use super::shape::{Operation, Shape};
use super::tune_file::FileLock;
use crate::kernel::{cache_folder, replace};

/// A file of tuned plans, shared by all programs of a user. Making one touches nothing: the file is
/// read and written when it is needed.
///
/// Entries are keyed by the adapter (name, vendor, device, backend), its driver, the version of
/// this crate, and what was asked of the device; those of other adapters stay in the file and are
/// not used. Whatever is not understood is left out with a warning in the log.
///
/// ```
/// use wgpu_linear::linear::{Operation, Shape, TuneCache, Tuner};
/// use wgpu_linear::{Gpu, LinearKernels};
///
/// # let folder = tempfile::tempdir()?;
/// let gpu = Gpu::new()?;
/// let cache = TuneCache::at(folder.path().join("tuned.tsv")); // or TuneCache::at_default_path()?
/// let shape = Shape { batch: 32, inputs: 64, outputs: 16 };
/// let tuned = {
///     let kernels = LinearKernels::new(gpu.device());
///     Tuner::new(&gpu, &kernels).with_cache(cache.clone()).tune(shape, Operation::Forward)?
/// };
///
/// // A program that is started later:
/// let kernels = LinearKernels::new(gpu.device());
/// assert_eq!(kernels.use_plans(&cache), 1);
/// assert_eq!(kernels.plan(shape, Operation::Forward), tuned.plan);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TuneCache {
    path: PathBuf,
}

/// Tuned plans could not be kept.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TuneCacheError {
    /// The environment names no folder for caches: neither `XDG_CACHE_HOME` (`LOCALAPPDATA` on
    /// Windows) nor a home folder.
    #[error("no folder for caches is known: set XDG_CACHE_HOME or HOME (on Windows LOCALAPPDATA)")]
    NoFolder,
    /// What is there is no file of tuned plans, and is left as it is.
    #[error("{} is no file of tuned plans; delete it or choose another path", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("{} could not be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system reported.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("{} could not be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system reported.
        source: io::Error,
    },
}

/// A winner with its time and that of the planner's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Winner {
    pub(super) plan: Plan,
    pub(super) time: Duration,
    pub(super) planned_time: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// The first eight fields, with the tabs between them.
    adapter: String,
    /// As `{:?}` writes it.
    operation: String,
    shape: [u32; 3],
    /// As it displays.
    plan: String,
    nanoseconds: u64,
    /// 0 where the planner's choice did not run.
    planned_nanoseconds: u64,
}

const HEADER: &str = "wgpu-linear tuned plans, format 1";
const ADAPTER_FIELDS: usize = 8;
/// Larger files are not ours: [`MOST_ENTRIES`] take a few MiB.
const MOST_BYTES: u64 = 1 << 24;
/// The oldest entries go first.
const MOST_ENTRIES: usize = 10_000;

impl TuneCache {
    /// The file at `path`. It, and its folder, are made when there is something to write.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// `wgpu-linear/tuned.tsv` in the user's folder for caches: `$XDG_CACHE_HOME` or `~/.cache`;
    /// `~/Library/Caches` on Apple's systems, `%LOCALAPPDATA%` on Windows.
    ///
    /// # Errors
    /// [`TuneCacheError::NoFolder`].
    pub fn at_default_path() -> Result<Self, TuneCacheError> {
        let folder = cache_folder(|name| std::env::var_os(name).map(PathBuf::from));
        let folder = folder.ok_or(TuneCacheError::NoFolder)?;
        Ok(Self::at(folder.join("wgpu-linear").join("tuned.tsv")))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many plans the file holds, those of other adapters and versions too; 0 where there is no
    /// file. [`LinearKernels::use_plans`] says how many are of use.
    ///
    /// # Errors
    /// [`TuneCacheError::Foreign`] or [`TuneCacheError::Read`].
    pub fn count(&self) -> Result<usize, TuneCacheError> {
        let path = || self.path.clone();
        match self.read() {
            Ok(Contents::Entries(entries)) => Ok(entries.len()),
            Ok(Contents::Foreign) => Err(TuneCacheError::Foreign { path: path() }),
            Err(source) => Err(TuneCacheError::Read {
                path: path(),
                source,
            }),
        }
    }

    /// What the file knows for `operation` on `shape`, where it is still a candidate.
    pub(super) fn find(
        &self,
        kernels: &LinearKernels,
        shape: Shape,
        tuned: (Operation, Precision),
    ) -> Option<Winner> {
        let adapter = adapter(kernels);
        let entries = self.read_or_warn();
        let entry = entries
            .iter()
            .rfind(|entry| entry.is_for(&adapter, &in_words(tuned), shape_sizes(shape)))?;
        let plan = entry.candidate(kernels)?.2;
        let planned = entry.planned_nanoseconds;
        Some(Winner {
            plan,
            time: Duration::from_nanos(entry.nanoseconds),
            planned_time: (planned > 0).then_some(Duration::from_nanos(planned)),
        })
    }

    /// Adds a winner to what the file holds at this moment.
    pub(super) fn insert(
        &self,
        kernels: &LinearKernels,
        shape: Shape,
        tuned: (Operation, Precision),
        winner: &Winner,
    ) -> Result<(), TuneCacheError> {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let entry = Entry {
            adapter: adapter(kernels),
            operation: in_words(tuned),
            shape: shape_sizes(shape),
            plan: winner.plan.to_string(),
            nanoseconds: nanoseconds(winner.time),
            planned_nanoseconds: winner.planned_time.map_or(0, nanoseconds),
        };
        self.merge(entry)
    }

    fn merge(&self, entry: Entry) -> Result<(), TuneCacheError> {
        let failed = |source| TuneCacheError::Write {
            path: self.path.clone(),
            source,
        };
        let folder = self.path.parent().unwrap_or(Path::new(""));
        if !folder.as_os_str().is_empty() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let _lock = FileLock::acquire(&self.path);
        let mut entries = match self.read() {
            Ok(Contents::Entries(entries)) => entries,
            Ok(Contents::Foreign) => {
                let path = self.path.clone();
                return Err(TuneCacheError::Foreign { path });
            }
            Err(source) => return Err(failed(source)),
        };
        entries.retain(|old| !old.is_for(&entry.adapter, &entry.operation, entry.shape));
        entries.push(entry);
        let excess = entries.len().saturating_sub(MOST_ENTRIES);
        replace(&self.path, encode(&entries[excess..]).as_bytes()).map_err(failed)
    }

    fn read_or_warn(&self) -> Vec<Entry> {
        let path = self.path.display();
        match self.read() {
            Ok(Contents::Entries(entries)) => entries,
            Ok(Contents::Foreign) => {
                log::warn!("{path} is no file of tuned plans; nothing is taken from it");
                Vec::new()
            }
            Err(error) => {
                log::warn!("{path} cannot be read, nothing is taken from it: {error}");
                Vec::new()
            }
        }
    }

    fn read(&self) -> io::Result<Contents> {
        let mut bytes = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(decode(&bytes, &self.path))
    }
}

impl LinearKernels {
    /// Uses the plans of `cache` that were tuned for this adapter, without measuring anything, and
    /// says how many there are.
    ///
    /// A file that is missing, unreadable or damaged gives fewer plans, with a warning in the log,
    /// and never an error.
    pub fn use_plans(&self, cache: &TuneCache) -> usize {
        let adapter = adapter(self);
        let entries = cache.read_or_warn();
        let own = entries.iter().filter(|entry| entry.adapter == adapter);
        let mut plans: Vec<_> = own.filter_map(|entry| entry.candidate(self)).collect();
        // What holds for all products first.
        plans.sort_by_key(|(_, (_, precision), _)| *precision != Precision::F32);
        for (shape, (operation, precision), plan) in &plans {
            self.use_tuned(*shape, *operation, *precision, *plan);
        }
        plans.len()
    }
}

/// Where and under which conditions plans are measured.
fn adapter(kernels: &LinearKernels) -> String {
    let info = kernels.cache.device().adapter_info();
    let capabilities = kernels.capabilities();
    let fields: [String; ADAPTER_FIELDS] = [
        env!("CARGO_PKG_VERSION").into(),
        info.name,
        format!("{:#06x}", info.vendor),
        format!("{:#06x}", info.device),
        format!("{:?}", info.backend),
        info.driver,
        info.driver_info,
        format!(
            "subgroups {:?}, {} parallel, {} threads, {} bytes, checks {:?}",
            capabilities.subgroup_sizes,
            capabilities.parallel_workgroups,
            capabilities.max_invocations,
            capabilities.max_workgroup_bytes,
            kernels.cache.checks(),
        ),
    ];
    fields
        .map(|field| field.replace(char::is_control, " "))
        .join("\t")
}

/// As a file has it.
fn in_words((operation, precision): (Operation, Precision)) -> String {
    match precision {
        Precision::F32 => format!("{operation:?}"),
        _ => format!("{operation:?} {precision}"),
    }
}

fn shape_sizes(shape: Shape) -> [u32; 3] {
    [shape.batch, shape.inputs, shape.outputs]
}

impl Entry {
    fn is_for(&self, adapter: &str, operation: &str, shape: [u32; 3]) -> bool {
        self.adapter == adapter && self.operation == operation && self.shape == shape
    }

    /// The plan, if it is one of today's candidates.
    fn candidate(&self, kernels: &LinearKernels) -> Option<(Shape, (Operation, Precision), Plan)> {
        let [batch, inputs, outputs] = self.shape;
        let shape = Shape {
            batch,
            inputs,
            outputs,
        };
        let of = |operation| Precision::ALL.map(|precision| (operation, precision));
        let found = OPERATIONS
            .into_iter()
            .flat_map(of)
            .find(|tuned| in_words(*tuned) == self.operation)
            .and_then(|(operation, precision)| {
                let capabilities = kernels.capabilities_for(precision.has_rounded_factor());
                candidates(shape, operation, &capabilities)
                    .into_iter()
                    .find(|plan| plan.to_string() == self.plan)
                    .map(|plan| (shape, (operation, precision), plan))
            });
        if found.is_none() {
            let Self {
                operation, plan, ..
            } = self;
            log::warn!("the tuned plan `{plan}` is no candidate for {operation} {shape}; ignored");
        }
        found
    }

    fn encode(&self) -> String {
        let Self {
            adapter,
            operation,
            shape: [batch, inputs, outputs],
            plan,
            nanoseconds,
            planned_nanoseconds,
        } = self;
        let line = format!(
            "{adapter}\t{operation}\t{batch}\t{inputs}\t{outputs}\t{plan}\t{nanoseconds}\t{planned_nanoseconds}"
        );
        let checksum = crc32c::crc32c(line.as_bytes());
        format!("{line}\t{checksum:08x}\n")
    }

    fn decode(line: &str) -> Option<Self> {
        let (line, checksum) = line.rsplit_once('\t')?;
        let expected = format!("{:08x}", crc32c::crc32c(line.as_bytes()));
        if checksum != expected && !cfg!(fuzzing) {
            return None;
        }
        let fields: Vec<_> = line.split('\t').collect();
        let (adapter, rest) = fields.split_at_checked(ADAPTER_FIELDS)?;
        let &[operation, batch, inputs, outputs, plan, time, planned_time] = rest else {
            return None;
        };
        Some(Self {
            adapter: adapter.join("\t"),
            operation: operation.into(),
            shape: [
                batch.parse().ok()?,
                inputs.parse().ok()?,
                outputs.parse().ok()?,
            ],
            plan: plan.into(),
            nanoseconds: time.parse().ok()?,
            planned_nanoseconds: planned_time.parse().ok()?,
        })
    }
}

const OPERATIONS: [Operation; 5] = [
    Operation::Forward,
    Operation::InputGrad,
    Operation::WeightGrad,
    Operation::BiasGrad,
    Operation::QuantisedForward,
];

enum Contents {
    Entries(Vec<Entry>),
    /// Something else, which must not be overwritten.
    Foreign,
}

fn encode(entries: &[Entry]) -> String {
    let lines = entries.iter().map(Entry::encode);
    std::iter::once(format!("{HEADER}\n"))
        .chain(lines)
        .collect()
}

fn decode(bytes: &[u8], path: &Path) -> Contents {
    if bytes.is_empty() {
        return Contents::Entries(Vec::new());
    }
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    // A header that was cut off is ours; another format is not.
    let cut_off = text.len() <= HEADER.len() && HEADER.starts_with(&*text);
    if bytes.len() as u64 > MOST_BYTES || (header != HEADER && !cut_off) {
        return Contents::Foreign;
    }
    let mut entries = Vec::new();
    let mut damaged = 0;
    for line in lines {
        match Entry::decode(line) {
            Some(entry) => entries.push(entry),
            None => damaged += 1,
        }
    }
    if damaged > 0 {
        log::warn!("{}: {damaged} damaged lines are ignored", path.display());
    }
    Contents::Entries(entries)
}
