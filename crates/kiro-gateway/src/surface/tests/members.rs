//! Every member that a request type reads has a row in its surface's table, and the other way round.

use std::collections::BTreeSet;

use anthropic_types::MessagesRequest;
use openai_types::chat::ChatRequest;
use openai_types::responses::ResponsesRequest;
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::schema;
use crate::surface::verdict::{Row, Table};
use crate::surface::{chat, messages, responses};

/// The members of the documented request (source: `@anthropic-ai/sdk` 1.12 and 0.137, the types of
/// `messages.create` and `beta.messages.create`).
const OF_MESSAGES: [&str; 25] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "stream",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "output_format",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "metadata",
    "cache_control",
    "context_management",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "diagnostics",
    "mcp_servers",
    "thread",
    "betas",
];

/// The names of the members that a type reads: serde's derive tells them to whoever it asks for the value.
fn members<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut members: &[&str] = &[];
    let refused = T::deserialize(Names(&mut members));
    assert!(refused.is_err() && !members.is_empty());
    members
}

/// Has no value to give, and remembers what it was asked for.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        members: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = members;
        Err(Error::custom("there is no value"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("there is no value"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The members that the rows of a table name, without what is inside of them.
fn rows(table: &Table) -> BTreeSet<String> {
    let things = table.rows.iter().flat_map(Row::things);
    let outermost = things.map(|thing| thing.split(['.', ' ']).next().unwrap().to_owned());
    outermost.collect()
}

/// `documented` are the members that the vendor's API has.
fn assert_same(table: &Table, read: &[&str], documented: &[&str]) {
    let rows = rows(table);
    let members: BTreeSet<&str> = read.iter().chain(documented).copied().collect();
    let title = table.title;
    for member in &members {
        assert!(rows.contains(*member), "{title}: `{member}` has no row");
    }
    for row in &rows {
        assert!(members.contains(&**row), "{title}: `{row}` is no member");
    }
}

#[test]
fn every_member_has_a_row_and_every_row_is_a_member() {
    let documented = schema::members("CreateChatCompletionRequest");
    let documented: Vec<&str> = documented.iter().map(String::as_str).collect();
    let read = members::<ChatRequest<'static>>();
    assert_same(&chat::verdicts::MEMBERS, read, &documented);
    let documented = schema::members("CreateResponse");
    let documented = documented.iter().map(String::as_str);
    // Codex sends one more.
    let documented: Vec<&str> = documented.chain(["client_metadata"]).collect();
    let read = members::<ResponsesRequest<'static>>();
    assert_same(&responses::verdicts::MEMBERS, read, &documented);
    let read = members::<MessagesRequest<'static>>();
    assert_same(&messages::verdicts::MEMBERS, read, &OF_MESSAGES);
}
