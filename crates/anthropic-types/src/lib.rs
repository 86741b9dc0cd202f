#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod content;
mod count;
mod error;
mod event;
mod json;
mod model;
mod request;
mod response;
#[cfg(feature = "schema")]
mod schema;
mod search;
mod tool;

pub use content::{Block, Content, InputMessage, Source};
pub use count::TokenCount;
pub use error::{ErrorBody, ErrorDetails, ErrorObject};
pub use event::{Event, EventDelta};
pub use json::{Json, Object, Text};
pub use model::{Model, ModelList, rfc3339};
pub use request::{MessagesRequest, OutputConfig, OutputFormat, Thinking};
pub use response::{
    ContentBlock, Message, OutputTokensDetails, ServerToolUsage, StopReason, Usage,
};
pub use search::{SearchContent, SearchError, SearchResult};
pub use tool::{Tool, ToolChoice};
