//! A JSON object whose text is kept: members are read by name and replaced in place, everything else
//! stays byte for byte.
//!
//! The files we write back belong to another program. It may rely on members we have never heard of, on
//! their order, on numbers that do not survive a parse. Cutting new values into the old text leaves no
//! room for such accidents.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// A parsed JSON object and the text it was parsed from.
pub(crate) struct Document<'a> {
    text: &'a str,
    members: Vec<Member>,
}

/// The text is not a JSON object.
///
/// It carries no excerpt, because the text is full of secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a JSON object (line {line}, column {column})")]
pub(crate) struct NotAnObject {
    line: usize,
    column: usize,
}

struct Member {
    name: String,
    /// Where the value stands in the text.
    value: Range<usize>,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, NotAnObject> {
        let raw: Members<'_> = serde_json::from_str(text).map_err(|error| NotAnObject {
            line: error.line(),
            column: error.column(),
        })?;
        let start = text.as_ptr() as usize;
        let members = raw.0.into_iter().map(|(name, value)| {
            // A borrowed `RawValue` is a slice of the text it was parsed from.
            let at = value.get().as_ptr() as usize - start;
            Member {
                name,
                value: at..at + value.get().len(),
            }
        });
        Ok(Self {
            text,
            members: members.collect(),
        })
    }

    /// The member that goes by one of these names, as JSON text. The last one counts where a name
    /// stands twice, as for JavaScript.
    pub(crate) fn raw(&self, names: &[&str]) -> Option<&'a str> {
        let member = self.find(names)?;
        Some(&self.text[member.value.clone()])
    }

    /// The same as a value.
    pub(crate) fn value(&self, names: &[&str]) -> Option<Value> {
        serde_json::from_str(self.raw(names)?).ok()
    }

    /// The same if it is a string with something in it.
    pub(crate) fn string(&self, names: &[&str]) -> Option<String> {
        serde_json::from_str::<String>(self.raw(names)?)
            .ok()
            .filter(|text| !text.is_empty())
    }

    /// The text with some members replaced. Each is given as its names – the one that is present is
    /// kept, the first is used for a new member – and its new value as JSON text.
    pub(crate) fn with(&self, changes: &[(&[&str], String)]) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        let mut added = String::new();
        for (names, json) in changes {
            match (self.find(names), names.first()) {
                (Some(member), _) => edits.push((member.value.clone(), json.clone())),
                (None, Some(name)) => {
                    let separator = if self.members.is_empty() && added.is_empty() {
                        ""
                    } else {
                        ","
                    };
                    added.push_str(separator);
                    added.push_str(self.indent());
                    added.push_str(&format!("{}:{}{json}", Value::from(*name), self.space()));
                }
                (None, None) => {}
            }
        }
        let end = self.end_of_members();
        edits.push((end..end, added));
        edits.sort_by_key(|(range, _)| range.start);
        let mut out = String::with_capacity(self.text.len() + 256);
        let mut copied = 0;
        for (range, new) in edits {
            out.push_str(&self.text[copied..range.start]);
            out.push_str(&new);
            copied = range.end;
        }
        out.push_str(&self.text[copied..]);
        out
    }

    fn find(&self, names: &[&str]) -> Option<&Member> {
        names
            .iter()
            .find_map(|name| self.members.iter().rfind(|member| member.name == *name))
    }

    /// Where a new last member goes: after the last value, or after the brace of an empty object.
    fn end_of_members(&self) -> usize {
        match self.members.last() {
            Some(last) => last.value.end,
            None => self.text.find('{').map_or(0, |brace| brace + 1),
        }
    }

    /// The white space that stands before the first member.
    fn indent(&self) -> &'a str {
        let inside = self
            .text
            .find('{')
            .map_or("", |brace| &self.text[brace + 1..]);
        match self.members.is_empty() {
            true => "",
            false => &inside[..inside.find('"').unwrap_or(0)],
        }
    }

    /// The white space that stands between the colon and the value of the first member.
    fn space(&self) -> &'a str {
        let before = self
            .members
            .first()
            .map_or("", |first| &self.text[..first.value.start]);
        &before[before.trim_end().len()..]
    }
}

impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.members.iter().map(|member| &member.name))
            .finish()
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_replaced_in_place_and_new_members_follow_the_layout() {
        let text = "{\n  \"a\": \"old\",\n  \"odd\" : 1.50e+2,\n  \"b\": [ 1 ]\n}\n";
        let document = Document::parse(text).unwrap();
        let patched = document.with(&[
            (&["a"], "\"new\"".to_owned()),
            (&["c"], "3".to_owned()),
            (&["d"], "4".to_owned()),
        ]);
        assert_eq!(
            patched,
            "{\n  \"a\": \"new\",\n  \"odd\" : 1.50e+2,\n  \"b\": [ 1 ],\n  \"c\": 3,\n  \"d\": 4\n}\n"
        );
    }

    #[test]
    fn compact_and_empty_objects_keep_their_layout() {
        let change: (&[&str], String) = (&["c"], "3".to_owned());
        let patched = |text| {
            Document::parse(text)
                .unwrap()
                .with(std::slice::from_ref(&change))
        };
        assert_eq!(patched("{\"a\":1}"), "{\"a\":1,\"c\":3}");
        assert_eq!(patched("{}"), "{\"c\":3}");
        assert_eq!(patched(" { } "), " {\"c\":3 } ");
    }

    #[test]
    fn the_spelling_that_is_present_is_kept() {
        let document = Document::parse("{\"access_token\":\"old\"}").unwrap();
        let names: &[&str] = &["accessToken", "access_token"];
        assert_eq!(document.string(names).as_deref(), Some("old"));
        assert_eq!(
            document.with(&[(names, "\"new\"".to_owned())]),
            "{\"access_token\":\"new\"}"
        );
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let document = Document::parse("{\"a\":1,\"a\":2}").unwrap();
        assert_eq!(document.raw(&["a"]), Some("2"));
    }

    #[test]
    fn an_error_shows_no_text() {
        for text in [
            "\"planted-secret\"",
            "{\"a\":planted-secret}",
            "{\"a\":\"planted-secret",
            "[]",
            "",
        ] {
            let error = Document::parse(text).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("planted"),
                "{error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn unknown_members_survive_byte_for_byte(
            before in "[ \n\t]{0,3}",
            unknown in proptest::collection::vec(("[a-z]{1,6}", "(-?[1-9][0-9]{0,30}(\\.[0-9]{1,9})?|\"[ -!#-\\[\\]-~é✓]{0,9}\"|null|\\{ \\}|\\[1, 2\\])"), 0..6),
            new in any::<u64>(),
        ) {
            let members: Vec<String> = unknown.iter().map(|(name, value)| format!("\"_{name}\": {value}")).collect();
            let text = format!("{before}{{{before}{}{before}}}", members.join(", "));
            let patched = Document::parse(&text).unwrap().with(&[(&["known"], new.to_string())]);
            let again = Document::parse(&patched).unwrap();
            prop_assert_eq!(again.value(&["known"]), Some(json!(new)));
            for member in &members {
                prop_assert!(patched.contains(member.as_str()), "{} lost from {}", member, patched);
            }
            // A second change touches nothing but the value.
            prop_assert_eq!(again.with(&[(&["known"], new.to_string())]), patched.clone());
        }
    }
}
