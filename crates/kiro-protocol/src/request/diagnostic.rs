//! What a repair changed, and why.

/// One change that [`prepare`](super::prepare()) made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Diagnostic {}
