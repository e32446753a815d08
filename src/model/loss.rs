//! What is minimized.

/// What is minimized: the mean over the examples of a batch.
///
/// With values, that is the mean over all outputs of all examples; each such loss has a file of its
/// own in `shaders/parts/losses/`, with its formula and its slope.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Loss {
    /// log Σ_j exp t_ij − t_i,class: the outputs are logits.
    SoftmaxCrossEntropy,
    /// Σ_j (t_ij − y_ij)² / outputs.
    MeanSquaredError,
    /// Σ_j |t_ij − y_ij| / outputs, with a slope of 0 where they agree.
    MeanAbsoluteError,
    /// Σ_j h(t_ij − y_ij) / outputs, with h(d) = d² / 2 where |d| ≤ δ, and δ (|d| − δ / 2) beyond:
    /// square near 0, and so straight far out that outliers do not pull without limit (Huber 1964).
    /// PyTorch's *HuberLoss*.
    Huber {
        /// δ, above 0; 1 is usual.
        delta: f32,
    },
    /// Σ_j (log(1 + exp t_ij) − t_ij y_ij) / outputs: the outputs are logits, each of a probability
    /// of its own, and the values wanted are probabilities, from 0 to 1. PyTorch's
    /// *BCEWithLogitsLoss*.
    BinaryCrossEntropy,
}

/// What a loss compares outputs with.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// The class of each example.
    Classes,
    /// Values in the shape of the outputs.
    Values,
}

impl TargetKind {
    /// `classes` or `values`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classes => "classes",
            Self::Values => "values",
        }
    }
}

impl Loss {
    /// One of each, with usual parameters.
    pub const ALL: [Self; 5] = [
        Self::SoftmaxCrossEntropy,
        Self::MeanSquaredError,
        Self::MeanAbsoluteError,
        Self::Huber { delta: 1.0 },
        Self::BinaryCrossEntropy,
    ];

    /// Its name, such as `mean_squared_error`: that of its file in `shaders/` or
    /// `shaders/parts/losses/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy => "softmax_cross_entropy",
            Self::MeanSquaredError => "mean_squared_error",
            Self::MeanAbsoluteError => "mean_absolute_error",
            Self::Huber { .. } => "huber",
            Self::BinaryCrossEntropy => "binary_cross_entropy",
        }
    }

    /// Name and value of its parameter: δ of the Huber loss.
    #[must_use]
    pub const fn parameter(self) -> Option<(&'static str, f32)> {
        match self {
            Self::Huber { delta } => Some(("delta", delta)),
            _ => None,
        }
    }

    /// The targets that it takes.
    #[must_use]
    pub const fn targets(self) -> TargetKind {
        match self {
            Self::SoftmaxCrossEntropy => TargetKind::Classes,
            _ => TargetKind::Values,
        }
    }

    /// Whether the values wanted are probabilities.
    pub(crate) const fn wants_probabilities(self) -> bool {
        matches!(self, Self::BinaryCrossEntropy)
    }
}
