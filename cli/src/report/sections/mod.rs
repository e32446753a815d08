//! The parts of the page, one a file: what is not known has none.

pub(super) mod confusion;
pub(super) mod curves;
pub(super) mod data;
pub(super) mod findings;
pub(super) mod importance;
pub(super) mod regression;
pub(super) mod reliability;
pub(super) mod run;
pub(super) mod scores;
pub(super) mod verdict;
pub(super) mod worst;
