//! How many tokens a reply consumed, from the best source there is.

mod budget;
mod consumed;
mod meter;
mod prompt;
mod tokenizer;

pub(crate) use budget::Budget;
pub(crate) use consumed::{Cached, Consumed, Source};
pub(crate) use meter::Meter;
pub(crate) use prompt::Prompt;
