//! The wire protocol of the Kiro service, sans-IO.

pub mod conversation;
pub mod event;
pub mod eventstream;
pub mod fault;
mod generation;
pub mod reply;
pub mod request;
pub mod rpc;
pub mod text;

pub use generation::Generation;
