//! The network.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use wgpu_linear::model::{Activation, Initialization, Loss};

use super::over::over;
use crate::CliError;

/// The network: its hidden layers, and what is minimized.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[command(next_help_heading = "Network")]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkSettings {
    /// Sizes of the hidden layers, first to last; `none` for a linear model [default: 128]
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    pub hidden: Option<Vec<String>>,
    /// The function behind each hidden layer, such as relu, gelu, silu, tanh or leaky_relu:0.01
    /// [default: relu]
    #[arg(long, value_name = "NAME")]
    pub activation: Option<String>,
    /// Share of the outputs of hidden layers that a step leaves out [default: 0]
    #[arg(long, value_name = "SHARE")]
    pub dropout: Option<f32>,
    /// How the first weights are drawn: xavier, he or kaiming_uniform [default: xavier]
    #[arg(long, value_name = "NAME")]
    pub initialization: Option<String>,
    /// What is minimized: softmax_cross_entropy for classes; mean_squared_error,
    /// mean_absolute_error or huber:1 for values [default: the first of its kind]
    #[arg(long, value_name = "NAME")]
    pub loss: Option<String>,
    /// Begin with the weights of another network: a model of this program, a state dict of PyTorch
    /// (.safetensors) or .onnx
    #[arg(long, value_name = "FILE")]
    pub initial: Option<PathBuf>,
    /// What its layers are called in a state dict of PyTorch, first to last, such as fc1,fc2
    /// [default: the numbers of nn.Sequential]
    #[arg(long, value_name = "PREFIXES", value_delimiter = ',')]
    pub initial_names: Option<Vec<String>>,
}

impl NetworkSettings {
    pub(super) fn over(self, other: Self) -> Self {
        over!(
            self,
            other,
            hidden,
            activation,
            dropout,
            initialization,
            loss,
            initial,
            initial_names
        )
    }
}

/// `name` or `name:number`.
fn parts(text: &str) -> Result<(&str, Option<f32>), CliError> {
    match text.split_once(':') {
        None => Ok((text.trim(), None)),
        Some((name, number)) => match number.trim().parse() {
            Ok(number) => Ok((name.trim(), Some(number))),
            Err(_) => Err(CliError::input(format!(
                "{text:?}: what stands behind the colon is no number"
            ))),
        },
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> CliError {
    let known = known.join(", ");
    CliError::input(format!("no {what} is called {name:?}; there are {known}"))
}

/// The sizes of hidden layers.
///
/// # Errors
/// [`CliError::Input`] where one is no number above 0.
pub fn parse_hidden(sizes: &[String]) -> Result<Vec<usize>, CliError> {
    if let [one] = sizes
        && (one == "none" || one.is_empty())
    {
        return Ok(Vec::new());
    }
    let size = |text: &String| match text.trim().parse() {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(CliError::input(format!(
            "--hidden: {text:?} is no size of a layer; write it as 128,64 or none"
        ))),
    };
    sizes.iter().map(size).collect()
}

/// An activation by its name, with its number behind a colon where it has one.
///
/// # Errors
/// [`CliError::Input`] where there is none of that name, or it takes no number.
pub fn parse_activation(text: &str) -> Result<Activation, CliError> {
    let (name, number) = parts(text)?;
    let known: Vec<_> = Activation::ALL.iter().map(|a| a.name()).collect();
    let found = Activation::ALL.into_iter().find(|a| a.name() == name);
    let found = found.ok_or_else(|| unknown("activation", name, &known))?;
    match (found, number) {
        (found, None) => Ok(found),
        (Activation::LeakyRelu { .. }, Some(slope)) => Ok(Activation::LeakyRelu { slope }),
        (Activation::Sine { .. }, Some(frequency)) => Ok(Activation::Sine { frequency }),
        _ => Err(CliError::input(format!("{name} takes no number"))),
    }
}

/// A distribution of first weights by its name.
///
/// # Errors
/// [`CliError::Input`] where there is none of that name.
pub fn parse_initialization(name: &str) -> Result<Initialization, CliError> {
    match name.trim() {
        "he" => Ok(Initialization::He),
        "xavier" => Ok(Initialization::Xavier),
        "kaiming_uniform" => Ok(Initialization::KaimingUniform),
        "zeros" => Ok(Initialization::Zeros),
        name => Err(unknown(
            "initialization",
            name,
            &["he", "xavier", "kaiming_uniform", "zeros"],
        )),
    }
}

/// A loss by its name, with its number behind a colon where it has one.
///
/// # Errors
/// [`CliError::Input`] where there is none of that name, or it takes no number.
pub fn parse_loss(text: &str) -> Result<Loss, CliError> {
    let (name, number) = parts(text)?;
    let known: Vec<_> = Loss::ALL.iter().map(|loss| loss.name()).collect();
    let found = Loss::ALL.into_iter().find(|loss| loss.name() == name);
    let found = found.ok_or_else(|| unknown("loss", name, &known))?;
    match (found, number) {
        (found, None) => Ok(found),
        (Loss::Huber { .. }, Some(delta)) => Ok(Loss::Huber { delta }),
        _ => Err(CliError::input(format!("{name} takes no number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_library() {
        for activation in Activation::ALL {
            assert_eq!(parse_activation(activation.name()).unwrap(), activation);
        }
        for loss in Loss::ALL {
            assert_eq!(parse_loss(loss.name()).unwrap(), loss);
        }
        let leaky = parse_activation("leaky_relu:0.2").unwrap();
        assert_eq!(leaky, Activation::LeakyRelu { slope: 0.2 });
        for wrong in ["relu:1", "rectifier", "leaky_relu:x"] {
            assert!(parse_activation(wrong).is_err(), "{wrong}");
        }
        assert!(parse_loss("mean_squared_error:2").is_err());
    }

    #[test]
    fn sizes_of_hidden_layers() {
        let parse = |sizes: &[&str]| {
            let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
            parse_hidden(&sizes).ok()
        };
        assert_eq!(parse(&["64", " 32"]), Some(vec![64, 32]));
        assert_eq!(parse(&["none"]), Some(vec![]));
        assert_eq!(parse(&["64", "0"]), None);
        assert_eq!(parse(&["none", "1"]), None);
    }
}
