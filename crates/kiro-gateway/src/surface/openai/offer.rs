//! Tools that are offered to the model, and which of them it must use.

use std::collections::HashSet;

use kiro_protocol::conversation::{JsonObject, ToolSpec};
use kiro_protocol::text::JsonText;
use openai_types::{Object, Text};
use serde::Deserialize;

use crate::bounds::{Calls, Demand, Force, Format};
use crate::error::Error;
use crate::surface::source::Source;

/// What is offered to the model.
#[derive(Debug, Default)]
pub(in crate::surface) struct Offer {
    /// The tools.
    pub(in crate::surface) tools: Vec<ToolSpec>,
    /// Names of those that take free text.
    pub(in crate::surface) custom: HashSet<String>,
    /// Whether the client uses `functions`, the older form.
    pub(in crate::surface) legacy: bool,
    /// Whether the client wants one of them to be used.
    pub(in crate::surface) forced: bool,
    /// Whether the client wants none to be used.
    pub(in crate::surface) forbidden: bool,
    /// Whether tools were left out that the service would have had to run.
    pub(in crate::surface) dropped_hosted: bool,
}

impl Offer {
    /// A tool with a schema; without one it takes no arguments.
    pub(in crate::surface) fn function(
        &mut self,
        source: Source<'_>,
        name: &str,
        description: Option<&Text<'_>>,
        schema: Option<&Object<'_>>,
        place: &str,
    ) -> Result<(), Error> {
        let schema = match schema {
            Some(schema) => source.object(schema.as_json(), &format!("{place}.parameters"))?,
            None => JsonObject::parse(NO_ARGUMENTS).unwrap_or_else(|_| JsonObject::empty()),
        };
        self.tools.push(ToolSpec {
            name: name.to_owned(),
            description: describe(source, description, place)?,
            schema,
        });
        Ok(())
    }

    /// A tool that takes free text is offered as a function with one string, and what the text must look
    /// like is said in words.
    pub(in crate::surface) fn custom(
        &mut self,
        source: Source<'_>,
        name: &str,
        description: Option<&Text<'_>>,
        format: Option<&Object<'_>>,
        place: &str,
    ) -> Result<(), Error> {
        let mut description = describe(source, description, place)?;
        if let Some(format) = format {
            let format = JsonText::new(format.as_json());
            let escaped = [
                description.escaped(),
                "\\n\\nThe input must have this format: ",
                format.escaped(),
            ];
            // Escaped texts one after the other are an escaped text.
            description = JsonText::from_escaped(escaped.concat().into()).unwrap_or_default();
        }
        self.custom.insert(name.to_owned());
        self.tools.push(ToolSpec {
            name: name.to_owned(),
            description,
            schema: JsonObject::parse(FREE_TEXT).unwrap_or_else(|_| JsonObject::empty()),
        });
        Ok(())
    }

    /// How many of them may be called.
    pub(in crate::surface) fn calls(&self, one_at_most: bool) -> Calls {
        match (self.forbidden, one_at_most) {
            (true, _) => Calls::None,
            (false, true) => Calls::One,
            (false, false) => Calls::Any,
        }
    }

    /// What the reply must be. Where a tool is to be called there is no answer that could have a format.
    pub(in crate::surface) fn demand(&self, format: Option<Format>) -> Option<Demand> {
        if !self.forced {
            return format.map(Demand::Json);
        }
        let names = self.tools.iter().map(|tool| tool.name.clone());
        let names = names.collect();
        Some(Demand::Tool(Force { names }))
    }

    /// Applies a choice that is one word.
    pub(in crate::surface) fn choose_mode(
        &mut self,
        mode: &str,
        param: &'static str,
    ) -> Result<(), Error> {
        match mode {
            "auto" => Ok(()),
            "none" => {
                self.tools.clear();
                self.forbidden = true;
                Ok(())
            }
            // `any` is Anthropic's word for it.
            "required" | "any" if param == "tool_choice" => {
                if self.tools.is_empty() {
                    let message = "'tool_choice' is only allowed when 'tools' are specified.";
                    return Err(Error::invalid(param, Some("invalid_value"), message));
                }
                self.forced = true;
                Ok(())
            }
            other => {
                let known = match param {
                    "tool_choice" => "'none', 'auto', and 'required'",
                    _ => "'none' and 'auto'",
                };
                let message = format!("Invalid value: '{other}'. Supported values are: {known}.");
                Err(Error::invalid(param, Some("invalid_value"), message))
            }
        }
    }

    /// Takes all tools back but these.
    pub(in crate::surface) fn keep_only(
        &mut self,
        names: &[&str],
        param: &'static str,
    ) -> Result<(), Error> {
        for name in names {
            if !self.tools.iter().any(|tool| tool.name == *name) {
                let list = match param {
                    "tool_choice" => "tools",
                    _ => "functions",
                };
                let message = format!("Tool choice '{name}' not found in '{list}'.");
                return Err(Error::invalid(param, Some("invalid_value"), message));
            }
        }
        self.tools.retain(|tool| names.contains(&&*tool.name));
        Ok(())
    }
}

const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;
const FREE_TEXT: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#;

fn describe(
    source: Source<'_>,
    description: Option<&Text<'_>>,
    place: &str,
) -> Result<JsonText, Error> {
    match description {
        Some(text) => source.text(text.as_json(), &format!("{place}.description")),
        None => Ok(JsonText::default()),
    }
}

/// The free text of a custom tool's call, out of the function that stood in for the tool: escaped, from
/// the escaped JSON text of the arguments. Arguments of another shape are passed on whole.
pub(in crate::surface) fn free_text(arguments: &JsonText) -> JsonText {
    #[derive(Deserialize)]
    struct Input<'a> {
        #[serde(borrow)]
        input: Text<'a>,
    }
    let json = arguments.unescape();
    serde_json::from_str::<Input<'_>>(&json)
        .ok()
        .and_then(|Input { input }| Some(JsonText::new(&input.to_plain().ok()?)))
        .unwrap_or_else(|| arguments.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_comes_out_of_the_arguments() {
        let arguments = JsonText::new(r#"{"input":"a \"b\"\n\u2028"}"#);
        assert_eq!(free_text(&arguments).escaped(), r#"a \"b\"\n\u2028"#);
        let other = JsonText::new(r#"{"text":1}"#);
        assert_eq!(free_text(&other), other);
    }
}
