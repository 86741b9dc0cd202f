//! Responses that are kept, so that later requests can go on from them.
//!
//! ```text
//! Surface::recalls ─> Recall ── recall ─> Recalled ─> Surface::accept
//! ReplyEncoder::keep ─> Kept ── keep ─> memory, or Redis
//! ```
//!
//! Everything is under its owner's name: what another tenant has kept is as unknown as what nobody has.

mod keeper;
mod memory;
mod options;
mod owner;
#[cfg(feature = "redis")]
mod redis;
mod response;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use keeper::Keeper;
pub use options::KeepOptions;
pub(crate) use owner::Owner;
pub(crate) use response::{Item, Kept, Recall, Recalled};
