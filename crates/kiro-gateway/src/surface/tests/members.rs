//! Every member that a request type reads has a row in `docs/compatibility.md`, and the other way round.

use std::collections::BTreeSet;

use anthropic_types::MessagesRequest;
use openai_types::chat::ChatRequest;
use openai_types::responses::ResponsesRequest;
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

use super::schema;

const PAGE: &str = include_str!("../../../../../docs/compatibility.md");

const OF_CHAT: &str = "\n### Members of the request\n";

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
fn rows(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, part) = page.split_once(heading).unwrap();
    let table = part.split("\n### ").next().unwrap();
    let names = table.lines().filter(|line| line.starts_with("| `"));
    let names = names.map(|row| row.split('|').nth(1).unwrap());
    let names = names.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let outermost = names.map(|name| name.split('.').next().unwrap());
    outermost.map(str::to_owned).collect()
}

/// What is read and has no row.
fn without_a_row(page: &str) -> Vec<String> {
    let tables = [
        (OF_CHAT, members::<ChatRequest<'static>>()),
        (
            "\n### Members of a responses request\n",
            members::<ResponsesRequest<'static>>(),
        ),
        (
            "\n### Members of a message request\n",
            members::<MessagesRequest<'static>>(),
        ),
    ];
    let mut missing = Vec::new();
    for (heading, members) in tables {
        let rows = rows(page, heading);
        let members = members.iter().filter(|member| !rows.contains(**member));
        missing.extend(members.map(|member| format!("{}: {member}", heading.trim())));
    }
    missing
}

#[test]
fn every_member_that_is_read_has_a_row() {
    assert_eq!(without_a_row(PAGE), [""; 0]);
    let without = PAGE.replace("| `seed` | ignored | |\n", "");
    assert_eq!(
        without_a_row(&without),
        ["### Members of the request: seed"]
    );
}

/// That of the other surfaces is shown beside their verdicts.
#[test]
fn every_row_of_chat_is_a_member_that_is_read_or_that_the_official_schema_has() {
    let official = schema::members("CreateChatCompletionRequest");
    let read = members::<ChatRequest<'static>>();
    let is_member = |row: &String| official.contains(row) || read.contains(&&**row);
    let invented: Vec<String> = rows(PAGE, OF_CHAT)
        .into_iter()
        .filter(|row| !is_member(row))
        .collect();
    assert_eq!(invented, [""; 0]);
}
