//! Tools: what is offered, and what must be used.

use openai_types::chat::{
    AllowedTools, ChatRequest, Custom, Function, FunctionChoice, NamedTool, Tool, ToolChoice,
};

use crate::error::Error;
use crate::surface::openai::{Offer, missing};
use crate::surface::source::Source;

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
}
