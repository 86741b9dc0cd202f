//! `POST /v1/responses`: one request, one response or one stream of events.
//!
//! The request:
//!
//! ```json
//! {"model": "claude-sonnet-4-5", "instructions": "Be brief.",
//!  "input": [{"role": "user", "content": "Hello"}], "stream": true, "store": false}
//! ```
//!
//! The answer is a [`Response`]; with `stream` it comes as server-sent events, each one [`Event`], from
//! `response.created` to `response.completed`, `response.incomplete` or `response.failed`.
//!
//! As with chat, requests are read leniently and answers are exact. Items of the input stay as they were
//! written, because there are many kinds of them and a server keeps them for later requests; each kind has
//! a type of its own to read it with.

mod event;
mod item;
mod request;
mod response;

pub use event::{Event, Failure};
pub use item::{
    AdditionalTools, CustomToolCall, FunctionCall, Head, Message, Part, Reasoning, ToolOutput,
};
pub use request::{
    ChosenTool, Format, Input, ReasoningOptions, ResponsesRequest, TextOptions, Tool, ToolChoice,
};
pub use response::{
    Deleted, IncompleteDetails, InputTokensDetails, ItemList, OutputItem, OutputTokensDetails,
    Part as OutputPart, Response, ResponseError, ShownReasoning, ShownText, Usage,
};
