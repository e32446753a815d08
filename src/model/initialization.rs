//! How the first weights are drawn.

/// How the first weights are drawn; biases begin at 0.
///
/// Uniform distributions are used throughout: they need no transcendental functions, so the numbers
/// are the same everywhere.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialization {
    /// Uniform in ±√(6 / inputs) (He et al. 2015), for ReLU and its relatives.
    He,
    /// Uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010), for tanh and sigmoid.
    Xavier,
}
