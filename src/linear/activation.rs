//! The activations: what the host knows of the files in `shaders/parts/activations/`.

use crate::kernel::{File, file};

/// The function between two linear layers, element by element.
///
/// Each has a file of its own in `shaders/parts/activations/`, with its formula and its derivative.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Activation {
    /// f(t) = t.
    Identity,
    /// f(t) = max(t, 0), with f′(0) = 0. A NaN may come out as 0: WGSL lets compilers assume that
    /// there is none.
    Relu,
    /// f(t) = t where t > 0, else slope · t.
    LeakyRelu {
        /// The slope of the left half; 0.01 is usual.
        slope: f32,
    },
    /// f(t) = tanh t.
    Tanh,
    /// f(t) = σ(t) = 1 / (1 + e⁻ᵗ).
    Sigmoid,
    /// f(t) = t Φ(t) with the exact normal distribution Φ, not its tanh approximation (Hendrycks &
    /// Gimpel 2016).
    Gelu,
    /// f(t) = t σ(t) (Elfwing, Uchibe & Doya 2018); also known as swish.
    Silu,
    /// f(t) = sin(frequency · t) (Sitzmann et al. 2020). Accurate where |frequency · t| is at most
    /// 2¹³.
    Sine {
        /// ω; 30 is usual in the first layer of a SIREN, which scales its weights accordingly.
        frequency: f32,
    },
    /// f(t) = log(1 + eᵗ), a smooth ReLU.
    Softplus,
}

/// What the host knows of an activation.
struct Room {
    name: &'static str,
    file: File,
    /// Name and value of the number that the function takes beside its argument.
    parameter: Option<(&'static str, f32)>,
}

impl Activation {
    /// One of each, with usual parameters.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Relu,
        Self::LeakyRelu { slope: 0.01 },
        Self::Tanh,
        Self::Sigmoid,
        Self::Gelu,
        Self::Silu,
        Self::Sine { frequency: 1.0 },
        Self::Softplus,
    ];

    const fn room(self) -> Room {
        let (name, file, parameter) = match self {
            Self::Identity => ("identity", file!("parts/activations/identity.wgsl"), None),
            Self::Relu => ("relu", file!("parts/activations/relu.wgsl"), None),
            Self::LeakyRelu { slope } => (
                "leaky_relu",
                file!("parts/activations/leaky_relu.wgsl"),
                Some(("slope", slope)),
            ),
            Self::Tanh => ("tanh", file!("parts/activations/tanh.wgsl"), None),
            Self::Sigmoid => ("sigmoid", file!("parts/activations/sigmoid.wgsl"), None),
            Self::Gelu => ("gelu", file!("parts/activations/gelu.wgsl"), None),
            Self::Silu => ("silu", file!("parts/activations/silu.wgsl"), None),
            Self::Sine { frequency } => (
                "sine",
                file!("parts/activations/sine.wgsl"),
                Some(("frequency", frequency)),
            ),
            Self::Softplus => ("softplus", file!("parts/activations/softplus.wgsl"), None),
        };
        Room {
            name,
            file,
            parameter,
        }
    }

    /// Its name, such as `relu`: that of its file in `shaders/parts/activations/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.room().name
    }

    /// Name and value of its parameter: the slope of a leaky ReLU, for example.
    #[must_use]
    pub const fn parameter(self) -> Option<(&'static str, f32)> {
        self.room().parameter
    }

    /// Whether `value` is so short that copies of it cost a compiler nothing.
    pub(super) const fn is_short(self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::LeakyRelu { .. })
    }

    /// Its functions `value` and `derivative` in WGSL.
    pub(crate) const fn file(self) -> File {
        self.room().file
    }

    /// The same function with a parameter that keeps small numbers small.
    pub(crate) const fn with_mild_parameter(self) -> Self {
        match self {
            Self::LeakyRelu { .. } => Self::LeakyRelu { slope: 0.25 },
            Self::Sine { .. } => Self::Sine { frequency: 1.0 },
            function => function,
        }
    }

    /// `dims.parameter` in the shaders; 0 where the function takes none.
    pub(crate) fn parameter_value(self) -> f32 {
        self.parameter().map_or(0.0, |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::Activation;

    #[test]
    fn every_activation_has_the_file_of_its_name() {
        for function in Activation::ALL {
            let path = format!("parts/activations/{}.wgsl", function.name());
            assert_eq!(function.file().name, path);
        }
    }
}
