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
