//! An answer in JSON, although the upstream knows text only.
//!
//! The model is told what to write. What it writes is freed from a code fence around all of it and
//! checked; if it is wrong the model is told why and asked once more, as long as nothing of the answer
//! has gone downstream.

mod cost;
mod schema;
mod shape;

use std::sync::Arc;

use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
use serde_json::Value;

use crate::error::{Error, ErrorKind};

pub(crate) use self::schema::Schema;
pub(super) use self::shape::Shape;

/// The JSON that an answer must be.
#[derive(Debug, Clone)]
pub(crate) struct Format {
    /// What the client calls it.
    pub(crate) param: &'static str,
    pub(crate) kind: Kind,
    /// Whether the answer goes downstream while it comes in, as soon as it begins like JSON.
    pub(crate) is_live: bool,
}

/// Which JSON is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Any object.
    Object,
    /// What fits a schema.
    Schema(Arc<Schema>),
}

/// What the `x-gateway-warning` header says of an answer that is something else.
pub(super) const UNSATISFIED: &str = "response_format_unsatisfied";

/// Longest reason that is given for an answer that does not fit, in bytes.
const MAX_REASON: usize = 500;

impl Format {
    /// Tells the model, at the end for the same reason as with a tool that must be called.
    pub(crate) fn instruct(&self, conversation: &mut Conversation) {
        super::say(conversation, &self.wanted());
    }

    /// Tells the model again, with its answer and what is wrong with it.
    pub(super) fn insist(&self, conversation: &mut Conversation, answer: &str, reason: &str) {
        if !answer.trim().is_empty() {
            let said = Turn::new(Role::Assistant, [Block::Text(answer.into())]);
            conversation.turns.push(said);
        }
        let wanted = self.wanted();
        let words = format!("The answer was refused: {reason}. Answer once more. {wanted}");
        super::say(conversation, &words);
    }

    /// What goes downstream in place of an answer that is something else.
    pub(super) fn unsatisfied(&self, attempts: &str, fault: &str) -> Error {
        let param = self.param;
        let message = format!("The model output did not satisfy {param}{attempts}: {fault}.");
        Error::new(ErrorKind::Unsatisfied, message)
            .with_code("structured_output_failed")
            .with_param(param)
    }

    fn wanted(&self) -> String {
        match &self.kind {
            Kind::Object => {
                "Answer with one JSON object alone: no other words and no code fence.".to_owned()
            }
            Kind::Schema(schema) => {
                let mut words = format!(
                    "Answer with JSON alone: no other words and no code fence. It must fit the JSON schema \"{}\"",
                    schema.name
                );
                if let Some(description) = &schema.description {
                    words.push_str(&format!(" ({description})"));
                }
                words.push_str(&format!(":\n{}", schema.text));
                words
            }
        }
    }

    /// The JSON in an answer, if it is what was asked for, or what is wrong.
    pub(super) fn check<'a>(&self, answer: &'a str) -> Result<&'a str, String> {
        let json = without_fence(answer.trim());
        let value: Value = serde_json::from_str(json).map_err(|error| match json {
            "" => "it is empty".to_owned(),
            _ => format!("it is not JSON alone ({error})"),
        })?;
        match &self.kind {
            Kind::Object if value.is_object() => Ok(json),
            Kind::Object => Err("it is JSON, and not an object".to_owned()),
            Kind::Schema(schema) => schema.check(&value).map_or(Ok(json), |mut reason| {
                truncate(&mut reason);
                Err(reason)
            }),
        }
    }
}

/// What is in a code fence that is all there is.
fn without_fence(text: &str) -> &str {
    let inside = || {
        let text = text.strip_prefix("```")?.strip_suffix("```")?;
        let (info, inside) = text.split_once('\n')?;
        (!info.contains('`')).then(|| inside.trim())
    };
    inside().unwrap_or(text)
}

fn truncate(reason: &mut String) {
    let end = reason.char_indices().map(|(at, _)| at);
    let end = end.take_while(|at| *at <= MAX_REASON).last();
    if let Some(end) = end.filter(|_| reason.len() > MAX_REASON) {
        reason.truncate(end);
        reason.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Format {
        Format {
            param: "response_format",
            kind: Kind::Object,
            is_live: false,
        }
    }

    fn schema(schema: &str) -> Format {
        Format {
            param: "response_format",
            kind: Kind::Schema(Arc::new(Schema::parse("s", None, schema).unwrap())),
            is_live: false,
        }
    }

    #[test]
    fn a_fence_around_all_of_it_is_taken_off_and_nothing_else() {
        for (answer, json) in [
            ("{\"a\":1}", "{\"a\":1}"),
            (" \n{\"a\": 1}\n", "{\"a\": 1}"),
            ("```json\n{\"a\":1}\n```", "{\"a\":1}"),
            ("```\n\n{\"a\":1}\n```\n", "{\"a\":1}"),
            ("```JSON5 x\n{\"a\":\"```\"}\n```", "{\"a\":\"```\"}"),
        ] {
            assert_eq!(object().check(answer), Ok(json), "{answer}");
        }
        for answer in [
            "Here it is:\n```json\n{\"a\":1}\n```",
            "```json\n{\"a\":1}\n```\nI hope that helps.",
            "```json\n{\"a\":1}\n```\n```json\n{}\n```",
            "{\"a\":1} {\"b\":2}",
            "```{\"a\":1}```",
            "{\"a\":1}\n```",
        ] {
            let reason = object().check(answer).unwrap_err();
            assert!(reason.starts_with("it is not JSON alone ("), "{reason}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (answer, reason) in [
            ("", "it is empty"),
            ("```\n\n```", "it is empty"),
            ("[1]", "it is JSON, and not an object"),
            (
                "{\"a\":",
                "it is not JSON alone (EOF while parsing a value at line 1 column 5)",
            ),
        ] {
            assert_eq!(object().check(answer), Err(reason.to_owned()), "{answer}");
        }
        let person = r#"{"type":"object","properties":{"age":{"type":"integer"}},"required":["age","name"]}"#;
        assert_eq!(
            schema(person).check(r#"{"age":"old"}"#),
            Err(
                "\"name\" is a required property; \"old\" is not of type \"integer\" at /age"
                    .to_owned()
            )
        );
        let long = format!("{{\"name\":1,\"age\":\"{}\"}}", "é".repeat(1000));
        let reason = schema(person).check(&long).unwrap_err();
        assert!(reason.len() <= MAX_REASON + "…".len(), "{}", reason.len());
    }

    #[test]
    fn a_schema_may_ask_for_other_things_than_objects() {
        assert_eq!(schema(r#"{"type":"integer"}"#).check("42"), Ok("42"));
        assert_eq!(schema("{}").check("```\n[]\n```"), Ok("[]"));
    }
}
