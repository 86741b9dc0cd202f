//! From a conversation to the body that Kiro takes.

mod names;

pub use names::ToolNames;
