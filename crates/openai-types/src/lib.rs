#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod chat;
mod either;
mod error;
mod json;
mod model;
pub mod responses;
#[cfg(feature = "schema")]
mod schema;

pub use error::{ErrorBody, ErrorObject};
pub use json::{Object, Text};
pub use model::{Model, ModelCapabilities, ModelList};
