//! From a request body to what is sent upstream.

mod blocks;
mod knobs;
mod messages;
mod parse;
mod place;
mod request;
mod session;
mod tools;

pub(crate) use request::{Messages, conversation};
