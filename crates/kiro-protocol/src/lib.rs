#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # Parts
//!
//! | module | is |
//! | --- | --- |
//! | [`eventstream`] | frames: the binary format, both ways |
//! | [`event`] | events: the payloads of frames, typed |
//! | [`reply`] | replies: what the events mean, in order |
//! | [`conversation`] | conversations: what is asked |
//! | [`request`] | from a conversation to an HTTP request |
//! | [`fault`] | what the service refuses, classified |
//! | [`rpc`] | the small calls: models, profiles, usage, hosted tools |
//! | [`text`] | text that stays JSON-escaped |

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
