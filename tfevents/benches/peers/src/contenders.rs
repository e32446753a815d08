//! The writers that are measured, each used the way its documentation shows.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use clap::ValueEnum;
use tensorboard_rs::summary_writer::SummaryWriter;

use crate::Outcome;

const PINNED: &str = include_str!("../Cargo.toml");

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    WgpuLinear,
    /// Ten scalars in one event
    WgpuLinearTen,
    /// Without its automatic flush after each event
    TfrecordNoflush,
    /// As it is by default
    Tfrecord,
    TensorboardRs,
    Tboard,
    /// Over a `BufWriter` of 64 KiB
    TboardBuffered,
    /// PyTorch's `SummaryWriter`; takes --python
    Torch,
}

impl Contender {
    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// As the manifests have it; nothing for PyTorch.
    pub fn version(self) -> Option<&'static str> {
        let (manifest, key) = match self {
            Self::WgpuLinear | Self::WgpuLinearTen => {
                (include_str!("../../../Cargo.toml"), "version = ")
            }
            Self::Tfrecord | Self::TfrecordNoflush => (PINNED, "tfrecord = { version = "),
            Self::TensorboardRs => (PINNED, "tensorboard-rs = "),
            Self::Tboard | Self::TboardBuffered => (PINNED, "tboard = "),
            Self::Torch => return None,
        };
        let line = manifest.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim_start_matches(['"', '=']).split('"').next()
    }

    pub fn scalars_per_call(self) -> usize {
        if self == Self::WgpuLinearTen {
            crate::TAGS.len()
        } else {
            1
        }
    }
}

/// What a training loop does with a writer.
pub trait Writer: Sized {
    fn open(directory: &Path) -> Outcome<Self>;
    fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Outcome<()>;
    /// After which every scalar is in the file.
    fn close(self) -> Outcome<()>;
}

pub struct Ours(pub tfevents::Writer);

impl Writer for Ours {
    fn open(directory: &Path) -> Outcome<Self> {
        Ok(Self(tfevents::Writer::create(directory)?))
    }

    fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Outcome<()> {
        self.0.scalar(tag, step, value);
        Ok(())
    }

    fn close(self) -> Outcome<()> {
        self.0.close()?;
        Ok(())
    }
}

pub struct Tfrecord<const AUTO_FLUSH: bool>(tfrecord::EventWriter<BufWriter<File>>);

impl<const AUTO_FLUSH: bool> Writer for Tfrecord<AUTO_FLUSH> {
    fn open(directory: &Path) -> Outcome<Self> {
        fs::create_dir_all(directory)?;
        let prefix = directory.join("run").display().to_string();
        let config = tfrecord::EventWriterConfig {
            auto_flush: AUTO_FLUSH,
        };
        Ok(Self(tfrecord::EventWriter::from_prefix(
            prefix, "", config,
        )?))
    }

    fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Outcome<()> {
        Ok(self.0.write_scalar(tag, step, value)?)
    }

    fn close(mut self) -> Outcome<()> {
        Ok(self.0.flush()?)
    }
}

pub struct TensorboardRs(SummaryWriter);

impl Writer for TensorboardRs {
    fn open(directory: &Path) -> Outcome<Self> {
        Ok(Self(SummaryWriter::new(directory)))
    }

    fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Outcome<()> {
        self.0.add_scalar(tag, value, step.try_into()?);
        Ok(())
    }

    /// Its flush only leaves a message for its thread; dropping it waits for the thread.
    fn close(mut self) -> Outcome<()> {
        self.0.flush();
        Ok(())
    }
}

pub struct Tboard(tboard::EventWriter<File>);

impl Writer for Tboard {
    fn open(directory: &Path) -> Outcome<Self> {
        Ok(Self(tboard::EventWriter::create(directory)?))
    }

    fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Outcome<()> {
        Ok(self.0.write_scalar(step, tag, value)?)
    }

    fn close(mut self) -> Outcome<()> {
        Ok(self.0.flush()?)
    }
}

pub struct TboardBuffered(tboard::EventWriter<BufWriter<File>>);

impl Writer for TboardBuffered {
    fn open(directory: &Path) -> Outcome<Self> {
        fs::create_dir_all(directory)?;
        let file = File::create_new(directory.join("events.out.tfevents.1700000000.host"))?;
        let sink = BufWriter::with_capacity(64 * 1024, file);
        Ok(Self(tboard::EventWriter::from_writer(sink, None)?))
    }

    fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Outcome<()> {
        Ok(self.0.write_scalar(step, tag, value)?)
    }

    fn close(mut self) -> Outcome<()> {
        Ok(self.0.flush()?)
    }
}
