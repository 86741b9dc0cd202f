//! The events and their members.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::TextPiece;
use super::decode::{count, list, number};
use crate::fault::Fault;
use crate::reply::StopReason;
use crate::text::JsonText;

/// One event of a reply.
///
/// Marked with how sure we are: *modelled* by the official SDK, *captured* in streams of 2026.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum KiroEvent {
    /// `initial-response`: opens the stream of the target spellings. Captured.
    InitialResponse(InitialResponse),
    /// `messageMetadataEvent`: ids. Modelled.
    MessageMetadata(MessageMetadata),
    /// `assistantResponseEvent`: a piece of text. Modelled, captured.
    AssistantResponse(AssistantResponse),
    /// `reasoningContentEvent`: a piece of thoughts, of their signature, or thoughts that only the model
    /// can read. Modelled, captured.
    ReasoningContent(ReasoningContent),
    /// `toolUseEvent`: a fragment of a tool use. Modelled, captured.
    ToolUse(ToolUseFragment),
    /// `toolResultEvent`: the result of a tool that ran in the service. Modelled, not seen.
    ToolResult(ToolResult),
    /// `metadataEvent`: why the message ended. Modelled, captured.
    Metadata(Box<Metadata>),
    /// `contextUsageEvent`: how full the context window is. Modelled, captured.
    ContextUsage(ContextUsage),
    /// `meteringEvent`: what the request cost. Modelled, captured.
    Metering(Metering),
    /// `codeReferenceEvent`: licence notices for code in the text. Modelled.
    CodeReference(CodeReference),
    /// `supplementaryWebLinksEvent`: pages about the subject. Modelled.
    SupplementaryWebLinks(Vec<WebLink>),
    /// `followupPromptEvent`: a next question to suggest. Not part of the text. Modelled.
    FollowupPrompt(FollowupPrompt),
    /// `citationEvent`, `documentCitationEvent`: where a passage of the text comes from. Modelled.
    Citation(Citation),
    /// `codeEvent`: code, in another product. Modelled.
    Code(TextPiece),
    /// `intentsEvent`: of another product. Modelled.
    Intents(Map<String, Value>),
    /// `interactionComponentsEvent`: of another product. Modelled.
    InteractionComponents(Map<String, Value>),
    /// `dryRunSucceedEvent`: of another product. Modelled.
    DryRunSucceeded,
    /// `invalidStateEvent`: the conversation cannot go on. Modelled.
    InvalidState(InvalidState),
    /// An exception or an error frame: the reply ends here.
    Fault(Box<Fault>),
    /// An event that this version does not know, kept whole.
    Unknown {
        /// The value of `:event-type`.
        event_type: ByteString,
        /// The payload as it came.
        payload: Bytes,
    },
}

impl KiroEvent {
    /// Every `:event-type` that this version understands.
    pub const TYPES: &[&str] = &[
        "assistantResponseEvent",
        "toolUseEvent",
        "reasoningContentEvent",
        "initial-response",
        "metadataEvent",
        "contextUsageEvent",
        "meteringEvent",
        "messageMetadataEvent",
        "codeReferenceEvent",
        "citationEvent",
        "documentCitationEvent",
        "invalidStateEvent",
        "intentsEvent",
        "interactionComponentsEvent",
        "dryRunSucceedEvent",
        "codeEvent",
        "toolResultEvent",
        "supplementaryWebLinksEvent",
        "followupPromptEvent",
    ];
}

/// `{"conversationId":""}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct InitialResponse {
    /// Mostly empty.
    pub conversation_id: Option<String>,
}

/// `{"conversationId"?,"utteranceId"?}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MessageMetadata {
    /// The conversation's id in the service.
    pub conversation_id: Option<String>,
    /// This message's id in the service.
    pub utterance_id: Option<String>,
}

/// `{"content":"Hi","modelId":"claude-sonnet-4.5"?}`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssistantResponse {
    /// The text.
    pub content: TextPiece,
    /// The model that writes it, which is news when the request said `auto`.
    pub model_id: Option<JsonText>,
}

/// `{"text":"…"}`, `{"signature":"…"}` or `{"redactedContent":"base64"}`; some models send text and
/// signature in one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReasoningContent {
    /// Readable thoughts.
    pub text: Option<TextPiece>,
    /// A piece of the signature over the thoughts.
    pub signature: Option<TextPiece>,
    /// Thoughts that only the model can read, base64.
    pub redacted: Option<TextPiece>,
}

/// A fragment of a tool use.
///
/// ```text
/// {"name":"read_file","toolUseId":"tooluse_1"}                               the start
/// {"input":"{\"path\": \"Car","name":"read_file","toolUseId":"tooluse_1"}    a piece of the input
/// {"name":"read_file","stop":true,"toolUseId":"tooluse_1"}                   the end
/// ```
///
/// Captured. Older streams say everything in one event, or give the input as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolUseFragment {
    /// Which tool use; repeated on every fragment.
    pub id: JsonText,
    /// The tool; repeated on every fragment.
    pub name: Option<JsonText>,
    /// What it adds to the input.
    pub input: Option<ToolInput>,
    /// Whether the tool use is complete.
    pub stop: bool,
}

/// What a fragment adds to the input of a tool use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolInput {
    /// A piece of the JSON text of the input, cut anywhere.
    Piece(TextPiece),
    /// The input itself, in JSON: mostly an object.
    Whole(ByteString),
}

/// `{"toolResult":{"toolUseId","content","status"}}`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ToolResult {
    /// Which tool use it answers.
    pub tool_use_id: Option<String>,
    /// `success` or `error`.
    pub status: Option<String>,
    /// Text and JSON blocks.
    #[serde(deserialize_with = "list")]
    pub content: Vec<Value>,
}

/// `{"stopReason"?,"stopDetails"?,"tokenUsage"?}`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Metadata {
    /// As on the wire; see [`Metadata::stop`].
    pub stop_reason: Option<String>,
    /// More about a refusal.
    pub stop_details: Option<StopDetails>,
    /// Token counts. Modelled; thousands of recorded replies of 2026 have none.
    pub token_usage: Option<ReportedUsage>,
}

/// `{"refusal"?}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct StopDetails {
    /// Why the model refused.
    pub refusal: Option<Refusal>,
}

/// `{"category"?,"explanation"?,"recommendedModel"?}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Refusal {
    /// What kind of content was refused.
    pub category: Option<String>,
    /// A sentence for the user.
    pub explanation: Option<String>,
    /// A model that might answer.
    pub recommended_model: Option<String>,
}

impl Metadata {
    /// The stop reason, if it is one that says more than "the stream is over".
    ///
    /// Source: seven reasons are modelled by the service; `STOP_SEQUENCE`, `GUARDRAIL_INTERVENED` and
    /// spellings in lower case were met by gateways. That a guardrail filters content is a guess.
    pub fn stop(&self) -> Option<StopReason> {
        let reason = self.stop_reason.as_deref()?.to_ascii_uppercase();
        match reason.as_str() {
            "END_TURN" => Some(StopReason::EndTurn),
            "TOOL_USE" => Some(StopReason::ToolUse),
            "MAX_TOKENS" => Some(StopReason::MaxTokens),
            "MODEL_CONTEXT_WINDOW_EXCEEDED" => Some(StopReason::ContextWindow),
            "CONTENT_FILTERED" | "GUARDRAIL_INTERVENED" => Some(StopReason::ContentFiltered),
            "STOP_SEQUENCE" => Some(StopReason::StopSequence),
            "PAUSE_TURN" => Some(StopReason::PauseTurn),
            _ => None,
        }
    }
}

/// `{"uncachedInputTokens","outputTokens","cacheReadInputTokens"?,"cacheWriteInputTokens"?,…}`, in tokens
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ReportedUsage {
    /// Input that came from no cache.
    #[serde(deserialize_with = "count")]
    pub uncached_input_tokens: Option<u64>,
    /// Output, thoughts included.
    #[serde(deserialize_with = "count")]
    pub output_tokens: Option<u64>,
    /// Input and output.
    #[serde(deserialize_with = "count")]
    pub total_tokens: Option<u64>,
    /// Input read from a cache.
    #[serde(deserialize_with = "count")]
    pub cache_read_input_tokens: Option<u64>,
    /// Input written to a cache.
    #[serde(deserialize_with = "count")]
    pub cache_write_input_tokens: Option<u64>,
    /// As in [`ContextUsage`].
    #[serde(deserialize_with = "number")]
    pub context_usage_percentage: Option<f64>,
}

/// `{"contextUsagePercentage":4.2175}`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ContextUsage {
    /// Share of the model's context window in percent, the output of this reply included. Can pass 100.
    #[serde(deserialize_with = "number")]
    pub context_usage_percentage: Option<f64>,
    /// Shares by origin: `conversation`, `mcpTools`, `steeringFiles`. Seen once.
    pub breakdown: Option<Map<String, Value>>,
}

/// `{"unit":"credit","unitPlural":"credits","usage":0.0381}`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Metering {
    /// `credit`.
    pub unit: Option<String>,
    /// The price in that unit.
    #[serde(deserialize_with = "number")]
    pub usage: Option<f64>,
}

/// `{"references":[…]}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CodeReference {
    /// The notices.
    #[serde(deserialize_with = "list")]
    pub references: Vec<Reference>,
}

/// `{"licenseName"?,"repository"?,"url"?,"recommendationContentSpan"?:{"start","end"}}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Reference {
    /// The licence.
    pub license_name: Option<String>,
    /// The repository that has similar code.
    pub repository: Option<String>,
    /// Where to find it.
    pub url: Option<String>,
}

/// `{"url"?,"title"?,"snippet"?}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct WebLink {
    /// The address.
    pub url: Option<String>,
    /// The page's title.
    pub title: Option<String>,
    /// A passage of it.
    pub snippet: Option<String>,
}

/// `{"content","userIntent"?}`, inside `followupPrompt`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct FollowupPrompt {
    /// The question.
    pub content: Option<String>,
    /// What it aims at, for example `EXPLAIN_CODE_SELECTION`.
    pub user_intent: Option<String>,
}

/// `{"citationText"?,"citationLink"?,"target"?}`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Citation {
    /// The passage.
    pub citation_text: Option<String>,
    /// Where it comes from.
    pub citation_link: Option<String>,
    /// Which part of the text it supports.
    pub target: Option<Value>,
}

/// `{"reason":"INVALID_TASK_ASSIST_PLAN","message":"…"}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct InvalidState {
    /// Which state.
    pub reason: Option<String>,
    /// A sentence about it.
    pub message: Option<String>,
}
