//! The body of a request, written by hand.
//!
//! ```text
//! {"conversationState":{
//!    "conversationId":"…",
//!    "rootConversationId":"…",                             where the profile has it
//!    "chatTriggerType":"MANUAL",
//!    "agentTaskType":"vibe",
//!    "history":[ user, assistant, … ],                     when there is any
//!    "currentMessage": user,
//!    "agentContinuationId":"…"},
//!  "profileArn":"…",                                       when there is one
//!  "agentMode":"vibe",                                     where the profile has it
//!  "additionalModelRequestFields":{…}}                     when there is anything to say
//!
//! user      {"userInputMessage":{"content":"…","modelId":"…","origin":"…",
//!              "images":[{"format":"png","source":{"bytes":"…"}}],
//!              "userInputMessageContext":{
//!                "toolResults":[{"toolUseId":"…","status":"success","content":[{"text":"…"}]}],
//!                "tools":[{"toolSpecification":{"name":"…","description":"…",
//!                          "inputSchema":{"json":{…}}}}]}}}
//! assistant {"assistantResponseMessage":{"content":"…",
//!              "reasoningContent":{"reasoningText":{"text":"…","signature":"…"}},
//!              "toolUses":[{"toolUseId":"…","name":"…","input":{…}}]}}
//! ```
//!
//! Empty lists and missing values are left out: the service answers both, and `null`, with
//! "Improperly formed request." Everything that changes when a conversation grows comes after the
//! history, so a longer conversation's body begins with the bytes of the shorter one's.
//!
//! Texts, tool inputs and schemas are copied as they came. The text is written twice, first into a
//! counter, so that the buffer is allocated once and exactly.
//!
//! Source of the shapes: the official streaming SDK, October 2026.

use bytes::Bytes;

use super::build::{BuildError, Target};
use super::ids;
use super::prepare::Prepared;
use super::profile::AgentModePlace;
use crate::conversation::{
    Block, Conversation, Image, Reasoning, ResultPart, Role, ToolResult, ToolSpec, ToolUse, Turn,
};
use crate::text::JsonText;

/// Takes the pieces of a text in order.
trait Sink {
    fn put(&mut self, piece: &str);
}

impl Sink for Vec<u8> {
    fn put(&mut self, piece: &str) {
        self.extend_from_slice(piece.as_bytes());
    }
}

/// Counts the bytes of a text.
struct Length(usize);

impl Sink for Length {
    fn put(&mut self, piece: &str) {
        self.0 += piece.len();
    }
}

/// Checks that the turns alternate, and begin and end with the user's. The system prompt counts as one.
pub(super) fn check(prepared: &Prepared) -> Result<(), BuildError> {
    let conversation = &prepared.conversation;
    let (Some(first), Some(last)) = (conversation.turns.first(), conversation.turns.last()) else {
        return Err(BuildError::Empty);
    };
    let speaks_first = first.role == Role::User || !conversation.system.is_empty();
    let mut pairs = conversation.turns.windows(2);
    let out_of_order = if !speaks_first {
        Some(0)
    } else if let Some(before) = pairs.position(|pair| pair[0].role == pair[1].role) {
        Some(before + 1)
    } else {
        (last.role != Role::User).then_some(conversation.turns.len() - 1)
    };
    out_of_order.map_or(Ok(()), |turn| Err(BuildError::OutOfOrder { turn }))
}

/// Writes the body.
pub(super) fn body(prepared: &Prepared, target: &Target<'_>) -> Bytes {
    let conversation = &prepared.conversation;
    let body = Body {
        prepared,
        target,
        model: JsonText::new(&conversation.model),
        origin: JsonText::new(&target.profile.origin),
        tags: tags(conversation, target),
        fields: target.capabilities.request_fields(&conversation.sampling),
        continuation: ids::continuation(conversation),
    };
    let mut length = Length(0);
    body.write(&mut length);
    let mut bytes = Vec::with_capacity(length.0);
    body.write(&mut bytes);
    debug_assert_eq!(bytes.len(), length.0);
    bytes.into()
}

/// The tags that make the model think, unless the client has put its own into the system prompt.
fn tags(conversation: &Conversation, target: &Target<'_>) -> Option<&'static str> {
    let are_given = |text: &JsonText| text.escaped().contains("<thinking_mode>");
    let tags = target.capabilities.tags(&conversation.sampling)?;
    (!conversation.system.iter().any(are_given)).then_some(tags)
}

/// What both passes need, computed once.
struct Body<'a> {
    prepared: &'a Prepared,
    target: &'a Target<'a>,
    model: JsonText,
    origin: JsonText,
    tags: Option<&'static str>,
    fields: Option<String>,
    continuation: String,
}

impl Body<'_> {
    fn write(&self, out: &mut impl Sink) {
        let conversation = &self.prepared.conversation;
        let id = conversation.id.as_deref().unwrap_or_default();
        out.put(r#"{"conversationState":{"conversationId":""#);
        escape(out, id);
        if self.target.profile.root_conversation_id {
            out.put(r#"","rootConversationId":""#);
            escape(out, id);
        }
        out.put(r#"","chatTriggerType":"MANUAL","agentTaskType":"vibe""#);
        self.history_and_current(out);
        out.put(r#","agentContinuationId":""#);
        out.put(&self.continuation);
        out.put("\"}");
        if let Some(arn) = self.target.profile_arn.filter(|arn| !arn.is_empty()) {
            out.put(r#","profileArn":""#);
            escape(out, arn);
            out.put("\"");
        }
        if self.target.profile.agent_mode == AgentModePlace::Body {
            out.put(r#","agentMode":""#);
            escape(out, self.target.agent_mode);
            out.put("\"");
        }
        if let Some(fields) = &self.fields {
            out.put(r#","additionalModelRequestFields":"#);
            out.put(fields);
        }
        out.put("}");
    }

    /// The turns; the last of them is the current message.
    fn history_and_current(&self, out: &mut impl Sink) {
        let turns = &self.prepared.conversation.turns;
        let Some((current, history)) = turns.split_last() else {
            return;
        };
        let mut items = Items::default();
        let mut item = |out: &mut _| items.next(out, r#","history":["#);
        let begins_with = turns[0].role;
        if self.has_system_prompt() {
            item(out);
            self.system_message(out);
            if begins_with == Role::User {
                item(out);
                self.system_reply(out);
            }
        }
        for (index, turn) in history.iter().enumerate() {
            item(out);
            match turn.role {
                Role::User if index == 0 => self.user(out, turn, &self.placeholders().opening, &[]),
                Role::User => self.user(out, turn, &self.placeholders().current, &[]),
                Role::Assistant => self.assistant(out, turn),
            }
        }
        items.end(out, "]");
        out.put(r#","currentMessage":"#);
        let tools = &self.prepared.conversation.tools;
        self.user(out, current, &self.placeholders().current, tools);
    }

    fn placeholders(&self) -> &super::profile::Placeholders {
        &self.target.profile.placeholders
    }

    fn has_system_prompt(&self) -> bool {
        self.tags.is_some() || !self.prepared.conversation.system.is_empty()
    }

    /// The system prompt as the first user message, because the wire has no field for it that works.
    ///
    /// It stays a message of its own, so that the history's first bytes do not depend on what the user
    /// said. Source: captures of the official component, October 2026.
    fn system_message(&self, out: &mut impl Sink) {
        out.put(r#"{"userInputMessage":{"content":""#);
        let mut paragraphs = Paragraphs::default();
        if let Some(tags) = self.tags {
            paragraphs.put(out, tags);
        }
        for paragraph in &self.prepared.conversation.system {
            paragraphs.put(out, paragraph.escaped());
        }
        self.end_of_content(out);
        out.put("}}");
    }

    fn system_reply(&self, out: &mut impl Sink) {
        out.put(r#"{"assistantResponseMessage":{"content":""#);
        escape(out, &self.placeholders().system_reply);
        out.put("\"}}");
    }

    /// A user message; `empty` is its text when there is nothing in it at all.
    fn user(&self, out: &mut impl Sink, turn: &Turn, empty: &str, tools: &[ToolSpec]) {
        let is_result = |block: &Block| matches!(block, Block::ToolResult(_));
        let is_image = |block: &Block| matches!(block, Block::Image(_));
        let placeholder = if turn.blocks.iter().any(is_result) {
            &*self.placeholders().tool_results
        } else if turn.blocks.iter().any(is_image) {
            &*self.placeholders().images
        } else {
            empty
        };
        out.put(r#"{"userInputMessage":{"content":""#);
        content(out, turn, placeholder);
        self.end_of_content(out);
        let mut images = Items::default();
        for block in &turn.blocks {
            if let Block::Image(picture) = block {
                images.next(out, r#","images":["#);
                image(out, picture);
            }
        }
        images.end(out, "]");
        context(out, turn, tools);
        out.put("}}");
    }

    fn end_of_content(&self, out: &mut impl Sink) {
        out.put(r#"","modelId":""#);
        out.put(self.model.escaped());
        out.put(r#"","origin":""#);
        out.put(self.origin.escaped());
        out.put("\"");
    }

    fn assistant(&self, out: &mut impl Sink, turn: &Turn) {
        out.put(r#"{"assistantResponseMessage":{"content":""#);
        content(out, turn, &self.placeholders().assistant);
        out.put("\"");
        for block in &turn.blocks {
            if let Block::Reasoning(thoughts) = block {
                reasoning(out, thoughts);
            }
        }
        let mut uses = Items::default();
        for block in &turn.blocks {
            if let Block::ToolUse(call) = block {
                uses.next(out, r#","toolUses":["#);
                tool_use(out, call);
            }
        }
        uses.end(out, "]");
        out.put("}}");
    }
}

/// The texts of a turn as paragraphs, or the placeholder.
fn content(out: &mut impl Sink, turn: &Turn, placeholder: &str) {
    let mut paragraphs = Paragraphs::default();
    for block in &turn.blocks {
        if let Block::Text(text) = block {
            paragraphs.put(out, text.escaped());
        }
    }
    if paragraphs.is_empty() {
        escape(out, placeholder);
    }
}

fn context(out: &mut impl Sink, turn: &Turn, tools: &[ToolSpec]) {
    let mut members = Items::default();
    let mut results = Items::default();
    for block in &turn.blocks {
        if let Block::ToolResult(result) = block {
            if results.is_empty() {
                members.next(out, r#","userInputMessageContext":{"#);
            }
            results.next(out, r#""toolResults":["#);
            tool_result(out, result);
        }
    }
    results.end(out, "]");
    let mut specs = Items::default();
    for tool in tools {
        if specs.is_empty() {
            members.next(out, r#","userInputMessageContext":{"#);
        }
        specs.next(out, r#""tools":["#);
        tool_spec(out, tool);
    }
    specs.end(out, "]");
    members.end(out, "}");
}

fn image(out: &mut impl Sink, image: &Image) {
    out.put(r#"{"format":""#);
    out.put(image.format().as_str());
    out.put(r#"","source":{"bytes":""#);
    out.put(image.base64());
    out.put("\"}}");
}

fn reasoning(out: &mut impl Sink, reasoning: &Reasoning) {
    match reasoning {
        Reasoning::Signed { text, signature } => {
            out.put(r#","reasoningContent":{"reasoningText":{"text":""#);
            out.put(text.escaped());
            out.put(r#"","signature":""#);
            escape(out, signature);
            out.put("\"}}");
        }
        Reasoning::Redacted(base64) => {
            out.put(r#","reasoningContent":{"redactedContent":""#);
            escape(out, base64);
            out.put("\"}");
        }
    }
}

fn tool_use(out: &mut impl Sink, call: &ToolUse) {
    out.put(r#"{"toolUseId":""#);
    escape(out, &call.id);
    out.put(r#"","name":""#);
    escape(out, &call.name);
    out.put(r#"","input":"#);
    out.put(call.input.as_str());
    out.put("}");
}

fn tool_result(out: &mut impl Sink, result: &ToolResult) {
    out.put(r#"{"toolUseId":""#);
    escape(out, &result.id);
    out.put(if result.is_error {
        r#"","status":"error","content":["#
    } else {
        r#"","status":"success","content":["#
    });
    let mut parts = Items::default();
    for part in &result.content {
        if let ResultPart::Text(text) = part {
            parts.next(out, "");
            out.put(r#"{"text":""#);
            out.put(text.escaped());
            out.put("\"}");
        }
    }
    out.put("]}");
}

fn tool_spec(out: &mut impl Sink, tool: &ToolSpec) {
    out.put(r#"{"toolSpecification":{"name":""#);
    escape(out, &tool.name);
    out.put(r#"","description":""#);
    out.put(tool.description.escaped());
    out.put(r#"","inputSchema":{"json":"#);
    out.put(tool.schema.as_str());
    out.put("}}}");
}

/// Writes plain text as the inside of a JSON string.
fn escape(out: &mut impl Sink, plain: &str) {
    if plain
        .bytes()
        .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    {
        out.put(plain);
    } else {
        out.put(JsonText::new(plain).escaped());
    }
}

/// A list, or an object, that is only opened when there is something in it.
#[derive(Default)]
struct Items {
    count: usize,
}

impl Items {
    fn next(&mut self, out: &mut impl Sink, opening: &str) {
        out.put(if self.count == 0 { opening } else { "," });
        self.count += 1;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn end(&self, out: &mut impl Sink, closing: &str) {
        if self.count > 0 {
            out.put(closing);
        }
    }
}

/// Texts joined by a blank line.
#[derive(Default)]
struct Paragraphs {
    count: usize,
}

impl Paragraphs {
    fn put(&mut self, out: &mut impl Sink, escaped: &str) {
        if self.count > 0 {
            out.put(r"\n\n");
        }
        out.put(escaped);
        self.count += 1;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }
}
