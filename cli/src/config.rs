//! What a training is told: the same names as options of the command line and as keys of a TOML
//! file.
//!
//! Three layers, each over the one below: options of the command line, the file, the defaults. What
//! comes out is written beside the run, with every default spelled out, so that `train --config`
//! repeats the run even where a later version has other defaults.

mod data;
mod network;
mod over;
mod run;
mod training;

use std::path::Path;

use clap::Args;
use serde::{Deserialize, Serialize};

pub use data::{DataSettings, Header, SplitSettings, Task};
pub use network::{
    NetworkSettings, parse_activation, parse_hidden, parse_initialization, parse_loss,
};
pub use run::{Device, RunSettings};
pub use training::{Optimizer, Precision, TrainingSettings};

use crate::CliError;

/// All settings of a training. What is `None` is not said: the layer below decides.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the data are and how to read them.
    #[command(flatten)]
    pub data: DataSettings,
    /// Which rows are kept for the validation and the test.
    #[command(flatten)]
    pub split: SplitSettings,
    /// The network.
    #[command(flatten)]
    pub network: NetworkSettings,
    /// How it learns.
    #[command(flatten)]
    pub training: TrainingSettings,
    /// Where the run happens and what it leaves.
    #[command(flatten)]
    pub run: RunSettings,
}

impl Settings {
    /// Those of a TOML file.
    ///
    /// # Errors
    /// [`CliError::Input`] where it cannot be read, is no TOML, or has a key that is not known.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::input(format!(
                "cannot read the configuration {}: {error}",
                path.display()
            ))
        })?;
        let settings = Self::parse(&text)
            .map_err(|why| CliError::input(format!("{}: {why}", path.display())))?;
        let split = &settings.split;
        if split.test_fraction.is_some() && split.test_every.is_some() {
            return Err(CliError::input(format!(
                "{}: test-fraction and test-every say the same in two ways; leave one out",
                path.display()
            )));
        }
        Ok(settings)
    }

    /// Those of TOML, or why it is none, in one line.
    ///
    /// # Errors
    /// Line, column and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let place = error.span().map_or(String::new(), |span| {
                let before = text.get(..span.start).unwrap_or_default();
                format!("line {}: ", before.matches('\n').count() + 1)
            });
            format!("{place}{}", error.message().replace('\n', " "))
        })
    }

    /// As TOML, with a heading that says what it is for.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // What is here are numbers, texts and lists in tables: that can always be written.
        let settings = toml::to_string(self).unwrap_or_default();
        format!(
            "# All settings of a training with wgpu-linear {}.\n\
             # To repeat it: wgpu-linear train --config FILE --out FOLDER\n\n{settings}",
            env!("CARGO_PKG_VERSION")
        )
    }

    /// These, and below them `others`.
    #[must_use]
    pub fn over(self, others: Self) -> Self {
        Self {
            data: self.data.over(others.data),
            split: self.split.over(others.split),
            network: self.network.over(others.network),
            training: self.training.over(others.training),
            run: self.run.over(others.run),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_the_command_line_does_not() {
        let file = Settings::parse("[training]\nepochs = 7\nbatch = 9\n").unwrap();
        let mut line = Settings::default();
        line.training.epochs = Some(3);
        let both = line.over(file);
        assert_eq!(
            (both.training.epochs, both.training.batch),
            (Some(3), Some(9))
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut settings = Settings::default();
        settings.data.path = Some("a b.csv".into());
        settings.data.target = Some(vec!["y".into()]);
        settings.network.hidden = Some(vec!["64".into(), "32".into()]);
        settings.training.learning_rate = Some(3e-4);
        settings.run.device = Some(Device::Cpu);
        assert_eq!(Settings::parse(&settings.to_toml()), Ok(settings));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let error = Settings::parse("[training]\nepochs = 7\nepoch = 9\n").unwrap_err();
        assert!(
            error.starts_with("line 3: unknown field `epoch`"),
            "{error}"
        );
        let error = Settings::parse("[trainnig]\n").unwrap_err();
        assert!(error.contains("unknown field `trainnig`"), "{error}");
        let error = Settings::parse("[training]\nepochs = -1\n").unwrap_err();
        assert!(error.starts_with("line 2: "), "{error}");
    }
}
