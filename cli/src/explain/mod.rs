//! Why a network answers as it does: what each input contributes, what it confuses, where it is
//! most wrong, and how it compares with an answer that takes no network.

mod baseline;
mod calibration;
mod confusion;
mod errors;
mod importance;

pub use baseline::{MeanBaseline, MostFrequent, mean_baseline, most_frequent};
pub use calibration::{Calibration, ConfidenceBin, calibration};
pub use confusion::{ClassScores, Confused, Confusion, top_confusions};
pub use errors::{Judged, WorstError, predicted_class, probabilities, worst_errors};
pub use importance::{
    Block, Effort, Group, Importance, InputImportance, blocks_of_picture, permutation_importance,
};
