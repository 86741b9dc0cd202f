//! What the service insists on in a request, as pure functions.
//!
//! [`validate`] reads the JSON body of a Generate call and answers with the first rule that it breaks. It
//! knows nothing of sockets or tokens, so property tests and fuzz targets can call it directly:
//!
//! ```
//! use kiro_sim::validate::{Rules, validate};
//! use serde_json::json;
//!
//! let body = json!({"agentMode": "vibe", "conversationState": {
//!     "chatTriggerType": "MANUAL",
//!     "history": [{"assistantResponseMessage": {"content": "I speak first."}}],
//!     "currentMessage": {"userInputMessage": {"content": "Hello", "origin": "AI_EDITOR"}},
//! }});
//! let violation = validate(&body, &Rules::default()).unwrap_err();
//! assert_eq!(violation.rule, "H2");
//! assert_eq!(violation.reason, Some("REQUEST_BODY_INVALID"));
//! ```
//!
//! # The rules
//!
//! "Both" rules hold in [`Strictness::Lenient`] too; "strict" ones are reported by some observers only, and a
//! client that keeps them is accepted everywhere.
//!
//! | Rule | Holds | What | Reason |
//! | --- | --- | --- | --- |
//! | `S1` | both | required members are there and known members have their type | `REQUEST_BODY_INVALID` |
//! | `S2` | both | at most 128 levels of nesting | `REQUEST_BODY_INVALID` |
//! | `S3` | both | `chatTriggerType` is `MANUAL`, `DIAGNOSTIC` or `INLINE_CHAT` | `REQUEST_BODY_INVALID` |
//! | `S4` | both | `conversationId` matches `[A-Za-z0-9._:-]{1,256}` | `INVALID_CONVERSATION_ID` |
//! | `S5` | strict | `agentMode` is in the body of the newest generation | `REQUEST_BODY_INVALID` |
//! | `S6` | both: known; strict: fits the operation | `origin` of every user message | `REQUEST_BODY_INVALID`, or none |
//! | `S7` | both | no top-level `systemPrompt` | `REQUEST_BODY_INVALID` |
//! | `S8` | strict | `additionalModelRequestFields` follows the model's published schema | `REQUEST_BODY_INVALID` |
//! | `S9` | both: empty; strict: blank | a message says something, or carries tools or pictures | `REQUEST_BODY_INVALID` |
//! | `S10` | both | texts and tool results stay below the service's limits | `CONTENT_LENGTH_EXCEEDS_THRESHOLD` |
//! | `S11` | where [`Rules::known_members`] asks for it | no member that the service does not know; it skips them | `REQUEST_BODY_INVALID` |
//! | `H1` | both | a history entry is exactly one of user and assistant message | `REQUEST_BODY_INVALID` |
//! | `H2` | both | the history begins with a user message | `REQUEST_BODY_INVALID` |
//! | `H3` | strict | user and assistant alternate, and the assistant is last in the history | `REQUEST_BODY_INVALID` |
//! | `H4` | both | the current message is a user message | `REQUEST_BODY_INVALID` |
//! | `H5` | both | every tool use is answered in the next user message | `TOOL_USE_RESULT_MISMATCH` |
//! | `H6` | both | every tool result answers the assistant message before it | `TOOL_USE_RESULT_MISMATCH` |
//! | `H7` | both | a tool use id occurs once, and is answered once | `TOOL_USE_RESULT_MISMATCH` |
//! | `H8` | both | tools used in the history are declared (compared without case) | `REQUEST_BODY_INVALID` |
//! | `H9` | strict | tools are declared in the current message only | `REQUEST_BODY_INVALID` |
//! | `H10` | strict | empty lists are omitted (`history` excepted) | `REQUEST_BODY_INVALID` |
//! | `H11` | both | no member is `null` | `REQUEST_BODY_INVALID` |
//! | `H12` | strict | at most 10 000 history messages | `REQUEST_BODY_INVALID` |
//! | `H13` | both | reasoning in the history is signed | `THINKING_SIGNATURE_INVALID` |
//! | `H14` | – | text beside tool results is allowed: no request breaks it | – |
//! | `T1` | both: characters; strict: leading letter | tool names | `REQUEST_BODY_INVALID` |
//! | `T2` | both | tool names differ, without case | `TOOL_DUPLICATE` |
//! | `T3` | both | a tool is described, in at most 10 237 bytes | `REQUEST_BODY_INVALID` |
//! | `T4` | both | the root of a schema is a plain object schema | `TOOL_SCHEMA_INVALID` |
//! | `T5` | both: type; strict: not empty | `required` is a list of strings | `TOOL_SCHEMA_INVALID` |
//! | `T6` | both | `properties` is an object of schemas | `TOOL_SCHEMA_INVALID` |
//! | `T7` | strict | no keyword that the service is known to refuse | `TOOL_SCHEMA_INVALID` |
//! | `T8` | strict | `type` is one string | `TOOL_SCHEMA_INVALID` |
//! | `T9` | both | tool use ids match `[a-zA-Z0-9_-]{1,64}`, and inputs are objects | `REQUEST_BODY_INVALID` |
//! | `T10` | both; strict: lower-case status | a tool result has content and a known status | `REQUEST_BODY_INVALID` |
//! | `T11` | both | an entry of `tools` is one tool specification or one cache point | `REQUEST_BODY_INVALID` |
//! | `I1` | both | pictures are `png`, `jpeg`, `gif` or `webp` | `IMAGE_FORMAT_UNSUPPORTED` |
//! | `I2` | both | picture bytes are plain base64 | `REQUEST_BODY_INVALID` |
//! | `I3` | both | a picture is what it says it is | `IMAGE_MIME_MISMATCH` |
//! | `I4` | both | number, size and dimensions of pictures | `IMAGE_COUNT_EXCEEDED`, `IMAGE_SIZE_EXCEEDED`, `IMAGE_DIMENSION_EXCEEDED` |
//! | `I5` | strict | the model can see | `REQUEST_BODY_INVALID` |
//! | `D1` | both | documents have a name and a known format | `DISALLOWED_FILE_TYPE`, `INVALID_DOCUMENT_NAME` |
//! | `E2` | both | the model is in the catalogue | `INVALID_MODEL_ID` |
//! | `E3` | both | the profile ARN is well-formed and exists | `REQUEST_BODY_INVALID` |
//! | `E9` | both | the runtime host is told a profile ARN | none |
//! | `E17` | both | the profile is the caller's on this host | none |
//!
//! `H1` to `H14` are the numbers under which the rules are known among people who speak this protocol; `E`
//! numbers are rows of the service's error table. The endings of the `IMAGE_…_EXCEEDED` reasons and the
//! reason of `I5` are guesses: only their prefixes are published.
//!
//! Whether a signature was really given by the model is not a question about the body alone: see
//! [`signed_reasoning`].

mod attachment;
mod envelope;
mod history;
mod knobs;
mod message;
mod pairing;
mod profile;
mod rules;
mod schema;
mod shape;
mod tool;
mod violation;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use history::bad_signature;
pub use history::signed_reasoning;
pub use profile::{BUILDER_ID_PROFILE_ARN, Holder, SOCIAL_PROFILE_ARN, check_profile};
pub use rules::{Limits, Rules, Strictness};
pub use violation::Violation;

/// Says which rule a Generate body breaks first, if any.
///
/// Rules are checked in the order in which the service would meet them: shape, profile, model, history,
/// tools, attachments.
///
/// # Errors
///
/// The first [`Violation`], with the status and reason that the service answers.
pub fn validate(body: &Value, rules: &Rules) -> Result<(), Violation> {
    shape::check_depth(body)?;
    let request = envelope::open(body, rules)?;
    if let Some(holder) = &rules.holder {
        check_profile(request.profile_arn, holder)?;
    }
    let model = knobs::check_model(&request, rules)?;
    history::check(&request, rules)?;
    pairing::check(&request)?;
    tool::check(&request, rules)?;
    attachment::check(&request, model, rules)?;
    knobs::check_fields(&request, model, rules)
}
