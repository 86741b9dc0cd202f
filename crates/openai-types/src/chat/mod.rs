//! `POST /v1/chat/completions`: one request, one completion or one stream of chunks.
//!
//! The request:
//!
//! ```json
//! {"model": "claude-sonnet-4-5",
//!  "messages": [{"role": "system", "content": "Be brief."},
//!               {"role": "user", "content": "Hello"}],
//!  "stream": true, "stream_options": {"include_usage": true}}
//! ```
//!
//! The answer to it without `stream`:
//!
//! ```json
//! {"id": "chatcmpl-1", "object": "chat.completion", "created": 1763800000, "model": "claude-sonnet-4-5",
//!  "choices": [{"index": 0,
//!               "message": {"role": "assistant", "content": "Hi!", "refusal": null, "annotations": []},
//!               "logprobs": null, "finish_reason": "stop"}],
//!  "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}
//! ```
//!
//! With `stream` it comes as server-sent events, each `data: ` and one [`ChatCompletionChunk`] on one
//! line, in this order, closed by `data: [DONE]`:
//!
//! ```text
//! role → reasoning deltas → content deltas → tool-call fragments → finish reason → usage, if asked for
//! ```
//!
//! Requests are read leniently, because clients differ: a member that is `null` is a member that is
//! absent, unknown members are ignored, and one struct stands for one JSON object with everything in it
//! optional without which something can be done. Answers are exact.

mod chunk;
mod message;
mod request;
mod response;
mod tool;

pub use chunk::{
    ChatCompletionChunk, ChunkChoice, CustomFragment, Delta, FunctionFragment, ToolCallFragment,
};
pub use message::{Content, File, ImageUrl, Message, Part, Role, Source};
pub use request::{
    ChatRequest, JsonSchemaFormat, Reasoning, ResponseFormat, Stop, StreamOptions, Thinking,
};
pub use response::{
    Annotation, ChatCompletion, Choice, CompletionMessage, CompletionTokensDetails, FinishReason,
    PromptTokensDetails, Usage,
};
pub use tool::{
    AllowedTools, Arguments, Custom, CustomCall, Function, FunctionCall, FunctionChoice, NamedTool,
    Tool, ToolCall, ToolChoice,
};
