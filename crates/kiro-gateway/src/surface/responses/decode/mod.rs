//! From a request body to what is sent upstream.

mod format;
mod input;
mod items;
mod keep;
mod knobs;
mod parts;
mod request;
mod tools;
mod visit;

pub(crate) use request::Responses;
pub(in crate::surface) use visit::{Visit, visit};
