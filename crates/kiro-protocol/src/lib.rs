//! The wire protocol of the Kiro service, sans-IO.

pub mod conversation;
pub mod reply;
pub mod text;
