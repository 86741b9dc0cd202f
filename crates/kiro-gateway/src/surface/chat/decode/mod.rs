//! From a request body to what is sent upstream.

mod format;
mod knobs;
mod messages;
mod parts;
mod place;
mod request;
mod tools;

pub(crate) use request::Chat;
