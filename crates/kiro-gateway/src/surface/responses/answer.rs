//! What both encoders know from the request, and the document that they agree on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kiro_protocol::reply::StopReason;
use openai_types::responses::{
    IncompleteDetails, InputTokensDetails, OutputTokensDetails, Response, ResponseError,
    ShownReasoning, ShownText, Usage,
};
use openai_types::{Object, Text};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::output::Output;
use crate::kept::{Item, Kept};
use crate::response::in_one_line;
use crate::usage::Meter;

/// What is known about an answer before it begins.
#[derive(Debug)]
pub(super) struct Answer {
    /// `resp_…`
    pub(super) id: String,
    /// Seconds since the epoch.
    pub(super) created: u64,
    /// The same moment, to measure from.
    pub(super) begun: Instant,
    /// How long it took, once it is kept: what is told afterwards is the same.
    pub(super) took: Option<Duration>,
    /// The model by the name that the request gave it.
    pub(super) model: String,
    /// As in the request.
    pub(super) echo: Echo,
    /// Whether the thoughts are told in the form in which they come back.
    pub(super) tells_sealed: bool,
    /// The caller's, for that form.
    pub(super) salt: Arc<str>,
    /// Whether the response is kept.
    pub(super) store: bool,
    /// What is kept of the request, if the response is kept.
    pub(super) kept_input: Option<Vec<Item>>,
    /// How calls are told of the tools that are not plain functions, by the names that the model sees.
    pub(super) told: HashMap<String, Told>,
    /// Measures the reply.
    pub(super) meter: Meter,
}

/// Members of the request that the response repeats.
#[derive(Debug)]
pub(super) struct Echo {
    pub(super) instructions: Option<Text<'static>>,
    pub(super) max_output_tokens: Option<i64>,
    pub(super) parallel_tool_calls: bool,
    pub(super) previous: Option<String>,
    pub(super) effort: Option<String>,
    pub(super) summary: Option<String>,
    pub(super) format: Object<'static>,
    pub(super) tool_choice: Box<RawValue>,
    pub(super) metadata: Object<'static>,
}

/// How calls of a tool are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: ToolKind,
    /// The name in its namespace.
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolKind {
    Function,
    Custom,
    ToolSearch,
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status<'a> {
    InProgress,
    Completed,
    /// With the reason.
    Incomplete(&'static str),
    /// With a word and a text.
    Failed(&'static str, &'a str),
}

impl Status<'_> {
    /// How a reply ended.
    pub(super) fn of(stop: StopReason, was_cut: bool) -> Self {
        match stop {
            _ if was_cut => Self::Incomplete("max_output_tokens"),
            StopReason::ContentFiltered => Self::Incomplete("content_filter"),
            StopReason::MaxTokens | StopReason::ContextWindow => {
                Self::Incomplete("max_output_tokens")
            }
            StopReason::EndTurn
            | StopReason::ToolUse
            | StopReason::StopSequence
            | StopReason::PauseTurn => Self::Completed,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(..) => "failed",
        }
    }
}

impl Answer {
    /// The response with the items that are done.
    pub(super) fn response<'a>(
        &'a self,
        status: Status<'a>,
        output: &'a [Box<RawValue>],
    ) -> Response<'a> {
        let echo = &self.echo;
        let is_over = matches!(status, Status::Completed | Status::Incomplete(_));
        Response {
            id: &self.id,
            object: "response",
            created_at: self.created,
            status: status.as_str(),
            completed_at: (status == Status::Completed)
                .then(|| self.created + self.took().as_secs()),
            background: false,
            error: match status {
                Status::Failed(code, message) => Some(ResponseError { code, message }),
                _ => None,
            },
            incomplete_details: match status {
                Status::Incomplete(reason) => Some(IncompleteDetails { reason }),
                _ => None,
            },
            instructions: echo.instructions.as_ref(),
            max_output_tokens: echo.max_output_tokens,
            max_tool_calls: None,
            model: &self.model,
            output,
            parallel_tool_calls: echo.parallel_tool_calls,
            previous_response_id: echo.previous.as_deref(),
            reasoning: ShownReasoning {
                effort: echo.effort.as_deref(),
                summary: echo.summary.as_deref(),
            },
            service_tier: "default",
            store: self.store,
            temperature: 1.0,
            text: ShownText {
                format: &echo.format,
            },
            tool_choice: &echo.tool_choice,
            tools: [],
            top_p: 1.0,
            truncation: "disabled",
            usage: is_over.then(|| self.usage()),
            metadata: &echo.metadata,
        }
    }

    /// The whole answer.
    pub(super) fn document(&self, output: &Output) -> Bytes {
        let response = self.response(output.status, &output.done);
        // Text in its JSON form, strings and numbers have no way to fail, nor has memory.
        let json = serde_json::to_vec(&response).expect("a response is always JSON");
        in_one_line(json.into())
    }

    /// What is kept of the whole answer.
    pub(super) fn keep(&mut self, output: &mut Output) -> Option<Kept> {
        let input = self.kept_input.take()?;
        self.took = Some(self.took());
        let document = self.document(output);
        Some(Kept {
            input,
            id: self.id.clone(),
            previous: self.echo.previous.clone(),
            output: std::mem::take(&mut output.kept),
            document,
        })
    }

    fn took(&self) -> Duration {
        self.took.unwrap_or_else(|| self.begun.elapsed())
    }

    fn usage(&self) -> Usage {
        let consumed = self.meter.consumed();
        Usage {
            input_tokens: consumed.prompt,
            input_tokens_details: consumed.cached.map_or_else(
                InputTokensDetails::default,
                |cached| InputTokensDetails {
                    cached_tokens: cached.read,
                    cache_write_tokens: cached.written,
                },
            ),
            output_tokens: consumed.output,
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: consumed.reasoning,
            },
            total_tokens: consumed.prompt.saturating_add(consumed.output),
            token_source: consumed.source.as_str(),
            credits_used: consumed.credits,
        }
    }
}
