//! What is minimized.

/// What is minimized: the mean over the examples of a batch.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// log Σ_j exp t_ij − t_i,class: the outputs are logits.
    SoftmaxCrossEntropy,
    /// Σ_j (t_ij − y_ij)² / outputs.
    MeanSquaredError,
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

impl Loss {
    /// Its name, such as `mean_squared_error`: that of its shader and its twin.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy => "softmax_cross_entropy",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }

    /// The targets that it takes.
    #[must_use]
    pub const fn targets(self) -> TargetKind {
        match self {
            Self::SoftmaxCrossEntropy => TargetKind::Classes,
            Self::MeanSquaredError => TargetKind::Values,
        }
    }
}
