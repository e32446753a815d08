//! A training from its settings to the folder that it leaves.

mod curves;
mod defaults;
mod explain;
mod outcome;
mod pictures;
mod prepare;
mod recovery;
mod run;
mod saved;
mod trials;

pub use curves::curves;
pub use defaults::{network, spelled_out, with_split};
pub use explain::Story;
pub use outcome::{Outcome, write_predictions};
pub use prepare::{Prepared, Rows, dataset, input, prepare, read_options};
pub use recovery::Trained;
pub use run::{Finished, options, train};
pub use saved::{MODEL_FILE, SavedModel, extra};
pub use trials::{Trial, search};
