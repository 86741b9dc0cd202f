//! The schemas of what travels, taken from the types that read and write it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::surface::verdict::Table;

/// Collects the schemas that a document refers to.
///
/// A type is described as it is read or as it is written: a member that may be missing when it is read is
/// always there when it is written.
pub(super) struct Schemas {
    asked: SchemaGenerator,
    answered: SchemaGenerator,
    /// What becomes of the members of a request, by the name of its schema.
    verdicts: Vec<(String, &'static Table)>,
}

/// Where the document keeps them.
const PLACE: &str = "/components/schemas";

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = PLACE.into();
            settings.meta_schema = None;
        });
        Self {
            asked: settings.clone().for_deserialize().into_generator(),
            answered: settings.for_serialize().into_generator(),
            verdicts: Vec::new(),
        }
    }

    /// What a request holds.
    pub(super) fn asked<T: JsonSchema + ?Sized>(&mut self) -> Value {
        self.asked.subschema_for::<T>().to_value()
    }

    /// The same, and what becomes of its members.
    pub(super) fn asked_with<T: JsonSchema>(&mut self, verdicts: &'static Table) -> Value {
        self.verdicts.push((T::schema_name().into(), verdicts));
        self.asked::<T>()
    }

    /// What an answer holds.
    pub(super) fn answered<T: JsonSchema + ?Sized>(&mut self) -> Value {
        self.answered.subschema_for::<T>().to_value()
    }

    /// All that was referred to, by name. What is both read and written is described as it is read: that
    /// holds for what is written, too.
    pub(super) fn all(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        all.extend(self.asked.take_definitions(true));
        all.sort_keys();
        all.values_mut().for_each(tidy);
        for (name, verdicts) in &self.verdicts {
            let properties = all
                .get_mut(name)
                .and_then(|schema| schema.get_mut("properties"));
            if let Some(Value::Object(properties)) = properties {
                tell(verdicts, properties);
            }
        }
        all
    }
}

/// Adds what becomes of members to what they are.
fn tell(verdicts: &Table, properties: &mut Map<String, Value>) {
    for (member, schema) in properties {
        let rows = verdicts.rows.iter().filter(|row| row.is_about(member));
        let lines: Vec<String> = rows.map(|row| row.line(member)).collect();
        let description = schema.get("description").and_then(Value::as_str);
        let paragraphs = description.map(str::to_owned).into_iter().chain(lines);
        schema["description"] = paragraphs.collect::<Vec<_>>().join("\n\n").into();
    }
}

/// Makes the words of rustdoc those of a page, and numbers what JSON has.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = for_page(text);
            }
            // Rust's names of integers are no formats of OpenAPI, and say nothing that the type does not.
            let format = members.get("format").and_then(Value::as_str);
            if format.is_some_and(|format| format.starts_with("uint")) {
                members.remove("format");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Without programs in Rust, and with names in place of links to them.
fn for_page(rustdoc: &str) -> String {
    let mut page = String::new();
    for (at, piece) in rustdoc.split("```").enumerate() {
        let is_code = at % 2 == 1;
        if !is_code {
            page += &piece.replace("[`", "`").replace("`]", "`");
        } else if piece.starts_with("json") || piece.starts_with("text") {
            page += "```";
            page += piece;
            page += "```";
        }
    }
    page.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_links_are_left_out() {
        let rustdoc = "A [`Part`].\n\n```json\n{}\n```\n\n```\nuse x;\n```";
        assert_eq!(for_page(rustdoc), "A `Part`.\n\n```json\n{}\n```");
    }
}
