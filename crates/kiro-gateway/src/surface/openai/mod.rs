//! What OpenAI's dialects have in common.

pub(super) mod error;
pub(super) mod limits;
mod offer;
pub(super) mod parse;
pub(super) mod verbosity;

pub(super) use offer::{Offer, free_text};

use crate::error::Error;

/// The refusal of a request without a member that it needs.
pub(super) fn missing(param: &str) -> Error {
    Error::invalid(
        param,
        Some("missing_required_parameter"),
        format!("Missing required parameter: '{param}'."),
    )
}
