//! What is answered without a conversation.

pub(crate) mod admin;
pub(crate) mod count_tokens;
pub(crate) mod health;
pub(crate) mod info;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod responses;
pub(crate) mod usage;
