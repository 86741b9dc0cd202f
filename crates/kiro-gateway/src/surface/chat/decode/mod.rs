//! From a request body to what is sent upstream.

mod format;
mod image;
mod knobs;
mod messages;
mod parse;
mod parts;
mod request;
mod source;
mod tools;

pub(crate) use request::Chat;
