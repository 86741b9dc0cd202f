//! Tools: what is offered, and what must be used.

use std::collections::HashSet;

use kiro_protocol::conversation::{JsonObject, ToolSpec};
use kiro_protocol::text::JsonText;
use openai_types::chat::{
    AllowedTools, ChatRequest, Custom, Function, FunctionChoice, NamedTool, Tool, ToolChoice,
};
use openai_types::{Object, Text};

use super::source::{Source, missing};
use crate::bounds::Force;
use crate::error::Error;

/// What is offered to the model.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// The tools.
    pub(super) tools: Vec<ToolSpec>,
    /// Names of those that take free text.
    pub(super) custom: HashSet<String>,
    /// Whether the client uses `functions`, the older form.
    pub(super) legacy: bool,
    /// Whether the client wants one of them to be used.
    pub(super) forced: bool,
    /// Whether the client wants none to be used.
    pub(super) forbidden: bool,
    /// Whether tools were left out that the service would have had to run.
    pub(super) dropped_hosted: bool,
}

/// Reads everything that a request says about tools.
pub(super) fn offer(source: Source<'_>, request: &ChatRequest<'_>) -> Result<Offer, Error> {
    let tools = request.tools.as_deref().unwrap_or_default();
    let functions = request.functions.as_deref().unwrap_or_default();
    if !tools.is_empty() && !functions.is_empty() {
        return Err(Error::invalid(
            "functions",
            Some("invalid_value"),
            "'functions' and 'tools' cannot be used together.",
        ));
    }
    let mut offer = Offer {
        legacy: request.functions.is_some() || request.function_call.is_some(),
        ..Offer::default()
    };
    for (index, tool) in tools.iter().enumerate() {
        offer.add(source, tool, &format!("tools[{index}]"))?;
    }
    for (index, function) in functions.iter().enumerate() {
        offer.add_function(source, function, &format!("functions[{index}]"))?;
    }
    offer.choose(request)?;
    Ok(offer)
}

impl Offer {
    fn add(&mut self, source: Source<'_>, tool: &Tool<'_>, place: &str) -> Result<(), Error> {
        let kind = tool.kind.as_deref();
        if let Some(function) = &tool.function {
            return self.add_function(source, function, &format!("{place}.function"));
        }
        if let Some(custom) = &tool.custom {
            return self.add_custom(source, custom, &format!("{place}.custom"));
        }
        if kind.is_some_and(|kind| kind.starts_with("web_search")) {
            self.dropped_hosted = true;
            return Ok(());
        }
        if !matches!(kind, None | Some("function" | "custom")) && tool.input_schema.is_none() {
            return Err(Error::invalid(
                format!("{place}.type"),
                Some("unsupported_value"),
                format!("Tool type '{}' is not supported.", kind.unwrap_or_default()),
            ));
        }
        let name = tool.name.as_deref();
        let name = name.ok_or_else(|| missing(&format!("{place}.name")))?;
        let schema = tool.parameters.as_ref().or(tool.input_schema.as_ref());
        match (kind, schema) {
            (Some("custom"), None) => {
                let description = tool.description.as_ref();
                self.custom(source, name, description, tool.format.as_ref(), place)
            }
            _ => self.function(source, name, tool.description.as_ref(), schema, place),
        }
    }

    fn add_function(
        &mut self,
        source: Source<'_>,
        function: &Function<'_>,
        place: &str,
    ) -> Result<(), Error> {
        let description = function.description.as_ref();
        let schema = function.parameters.as_ref();
        self.function(source, &function.name, description, schema, place)
    }

    fn add_custom(
        &mut self,
        source: Source<'_>,
        custom: &Custom<'_>,
        place: &str,
    ) -> Result<(), Error> {
        let description = custom.description.as_ref();
        self.custom(
            source,
            &custom.name,
            description,
            custom.format.as_ref(),
            place,
        )
    }

    fn function(
        &mut self,
        source: Source<'_>,
        name: &str,
        description: Option<&Text<'_>>,
        schema: Option<&Object<'_>>,
        place: &str,
    ) -> Result<(), Error> {
        let schema = match schema {
            Some(schema) => source.object(schema, &format!("{place}.parameters"))?,
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
    fn custom(
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

    /// That one of the tools must be called, if the client wants it.
    pub(super) fn force(&self) -> Option<Force> {
        let names = self.tools.iter().map(|tool| tool.name.clone());
        self.forced.then(|| Force {
            names: names.collect(),
        })
    }

    /// Applies `tool_choice` and `function_call`.
    fn choose(&mut self, request: &ChatRequest<'_>) -> Result<(), Error> {
        match (&request.tool_choice, &request.function_call) {
            (Some(ToolChoice::Mode(mode)), _) => self.choose_mode(mode, "tool_choice"),
            (Some(ToolChoice::Named(NamedTool { name, .. })), _) => {
                self.forced = true;
                self.keep_only(&[name], "tool_choice")
            }
            (Some(ToolChoice::Allowed(AllowedTools { mode, tools, .. })), _) => {
                let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
                self.keep_only(&names, "tool_choice")?;
                self.choose_mode(mode.as_deref().unwrap_or("auto"), "tool_choice")
            }
            (None, Some(FunctionChoice::Mode(mode))) => self.choose_mode(mode, "function_call"),
            (None, Some(FunctionChoice::Named(name))) => {
                self.forced = true;
                self.keep_only(&[name], "function_call")
            }
            _ => Ok(()),
        }
    }

    fn choose_mode(&mut self, mode: &str, param: &'static str) -> Result<(), Error> {
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

    fn keep_only(&mut self, names: &[&str], param: &'static str) -> Result<(), Error> {
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
        Some(text) => source.text(text, &format!("{place}.description")),
        None => Ok(JsonText::default()),
    }
}
