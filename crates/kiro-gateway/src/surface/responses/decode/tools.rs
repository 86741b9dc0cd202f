//! Tools: what is offered, what must be used, and how calls are told.

use std::collections::HashMap;

use openai_types::responses::{ChosenTool, ResponsesRequest, Tool, ToolChoice};

use crate::error::Error;
use crate::surface::openai::{Offer, missing};
use crate::surface::responses::answer::{Told, ToolKind};
use crate::surface::source::Source;

/// Tools as the model sees them, and the way back.
#[derive(Debug, Default)]
pub(super) struct Tools {
    pub(super) offer: Offer,
    /// How calls are told of all that are not plain functions.
    pub(super) told: HashMap<String, Told>,
    /// Tools that were left out, for the header.
    pub(super) ignored: Vec<&'static str>,
}

/// The name of a tool as the model sees it. It knows no namespaces.
pub(super) fn flat(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}__{name}"),
        _ => name.to_owned(),
    }
}

/// What the tool that finds tools is called upstream; it has no name of its own.
pub(super) const TOOL_SEARCH: &str = "tool_search";

impl Tools {
    /// Adds a list of tools.
    pub(super) fn add(
        &mut self,
        source: Source<'_>,
        tools: &[Tool<'_>],
        namespace: Option<&str>,
        place: &str,
    ) -> Result<(), Error> {
        for (index, tool) in tools.iter().enumerate() {
            self.add_one(source, tool, namespace, &format!("{place}[{index}]"))?;
        }
        Ok(())
    }

    fn add_one(
        &mut self,
        source: Source<'_>,
        tool: &Tool<'_>,
        namespace: Option<&str>,
        place: &str,
    ) -> Result<(), Error> {
        let kind = tool.kind.as_deref().unwrap_or("function");
        let name = || {
            let name = tool.name.as_deref();
            name.ok_or_else(|| missing(&format!("{place}.name")))
        };
        match kind {
            "function" => {
                self.callable(source, tool, ToolKind::Function, name()?, namespace, place)
            }
            "custom" => self.callable(source, tool, ToolKind::Custom, name()?, namespace, place),
            "namespace" if namespace.is_none() => {
                let tools = tool.tools.as_deref().unwrap_or_default();
                self.add(source, tools, Some(name()?), &format!("{place}.tools"))
            }
            "tool_search" if tool.execution.as_deref() == Some("client") => {
                self.callable(source, tool, ToolKind::ToolSearch, TOOL_SEARCH, None, place)
            }
            "file_search" | "code_interpreter" | "mcp" => Err(unsupported(kind, place)),
            _ if kind.starts_with("computer") => Err(unsupported(kind, place)),
            _ => {
                self.leave_out(kind);
                Ok(())
            }
        }
    }

    fn callable(
        &mut self,
        source: Source<'_>,
        tool: &Tool<'_>,
        kind: ToolKind,
        name: &str,
        namespace: Option<&str>,
        place: &str,
    ) -> Result<(), Error> {
        let seen = flat(namespace, name);
        let told = Told {
            kind,
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        // Agents repeat their tools in the course of a conversation; the last word counts.
        let known = self.offer.tools.iter().position(|tool| tool.name == seen);
        if let Some(known) = known {
            let plain = Told {
                kind: ToolKind::Function,
                name: seen.clone(),
                namespace: None,
            };
            let before = self.told.get(&seen).unwrap_or(&plain);
            if (&before.name, &before.namespace) != (&told.name, &told.namespace) {
                let message = format!("Two tools have the name '{seen}'.");
                return Err(Error::invalid(place, Some("invalid_value"), message));
            }
            self.offer.tools.remove(known);
            self.offer.custom.remove(&seen);
            self.told.remove(&seen);
        }
        let description = tool.description.as_ref();
        match kind {
            ToolKind::Custom => {
                let format = tool.format.as_ref();
                self.offer
                    .custom(source, &seen, description, format, place)?;
            }
            _ => {
                let schema = tool.parameters.as_ref();
                self.offer
                    .function(source, &seen, description, schema, place)?;
            }
        }
        if kind != ToolKind::Function || namespace.is_some() {
            self.told.insert(seen, told);
        }
        Ok(())
    }

    /// Tools that the server would run, and it does not.
    fn leave_out(&mut self, kind: &str) {
        let name = match kind {
            "image_generation" => "tools.image_generation",
            "local_shell" => "tools.local_shell",
            "shell" => "tools.shell",
            "apply_patch" => "tools.apply_patch",
            "tool_search" => "tools.tool_search",
            _ if kind.starts_with("web_search") => "tools.web_search",
            _ => "tools",
        };
        if !self.ignored.contains(&name) {
            self.ignored.push(name);
        }
    }

    /// Applies `tool_choice`.
    pub(super) fn choose(&mut self, request: &ResponsesRequest<'_>) -> Result<(), Error> {
        let param = "tool_choice";
        let tool = match &request.tool_choice {
            None => return Ok(()),
            Some(ToolChoice::Mode(mode)) => return self.offer.choose_mode(mode, param),
            Some(ToolChoice::Tool(tool)) => tool,
        };
        if tool.kind.as_deref() == Some("allowed_tools") {
            let tools = tool.tools.as_deref().unwrap_or_default();
            // What was left out is not there to be allowed.
            let names = tools.iter().filter_map(|tool| chosen(tool).ok());
            let names: Vec<String> = names.collect();
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            self.offer.keep_only(&names, param)?;
            let mode = tool.mode.as_deref().unwrap_or("auto");
            return self.offer.choose_mode(mode, param);
        }
        self.offer.forced = true;
        self.offer.keep_only(&[&chosen(tool)?], param)
    }
}

/// The name of a chosen tool as the model sees it.
fn chosen(tool: &ChosenTool) -> Result<String, Error> {
    let name = tool.name.as_deref();
    match (tool.kind.as_deref(), name) {
        (None | Some("function" | "custom"), Some(name)) => {
            Ok(flat(tool.namespace.as_deref(), name))
        }
        (None | Some("function" | "custom"), None) => Err(missing("tool_choice.name")),
        (Some(kind), _) => {
            let message = format!("Tool choice of type '{kind}' is not supported.");
            Err(Error::invalid(
                "tool_choice.type",
                Some("unsupported_value"),
                message,
            ))
        }
    }
}

fn unsupported(kind: &str, place: &str) -> Error {
    let message = format!("Tool type '{kind}' is not supported.");
    Error::invalid(format!("{place}.type"), Some("unsupported_value"), message)
}
