//! Tools: what is offered, and what must be used.

use std::collections::HashSet;

use anthropic_types::{MessagesRequest, Tool, ToolChoice};
use kiro_protocol::conversation::{JsonObject, ToolSpec};
use kiro_protocol::text::JsonText;

use super::place::Place;
use crate::bounds::{Calls, Force};
use crate::error::Error;
use crate::search::{self, Domains, Search};
use crate::surface::source::Source;

/// What is offered to the model.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) tools: Vec<ToolSpec>,
    pub(super) force: Option<Force>,
    pub(super) calls: Calls,
    pub(super) search: Option<Search>,
}

/// A tool that clients run and the API knows: its schema is published and not sent.
struct Known {
    /// What its type begins with; a date follows.
    kind: &'static str,
    description: &'static str,
    schema: &'static str,
}

/// Source: the public documentation of the three tools, October 2026.
const KNOWN: [Known; 3] = [
    Known {
        kind: "bash_",
        description: "Runs commands in a bash shell that keeps its state between calls.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run."},"restart":{"type":"boolean","description":"Restarts the shell."}}}"#,
    },
    Known {
        kind: "text_editor_",
        description: "Views, creates and edits text files.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"],"description":"What to do."},"path":{"type":"string","description":"The file or folder."},"file_text":{"type":"string","description":"For create: the text of the file."},"old_str":{"type":"string","description":"For str_replace: the text to replace, which must be there exactly once."},"new_str":{"type":"string","description":"For str_replace: the text in its place."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert; 0 is the beginning."},"insert_text":{"type":"string","description":"For insert: the text."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line; -1 is the end."}},"required":["command","path"]}"#,
    },
    Known {
        kind: "memory_",
        description: "Keeps notes in files under /memories, across conversations. Look there first.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"],"description":"What to do."},"path":{"type":"string","description":"The file or folder, under /memories."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line."},"file_text":{"type":"string","description":"For create: the text of the file."},"old_str":{"type":"string","description":"For str_replace: the text to replace."},"new_str":{"type":"string","description":"For str_replace: the text in its place."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert."},"insert_text":{"type":"string","description":"For insert: the text."},"old_path":{"type":"string","description":"For rename: the present path."},"new_path":{"type":"string","description":"For rename: the new path."}},"required":["command"]}"#,
    },
];

/// Reads everything that a request says about tools.
pub(super) fn offer(source: Source<'_>, request: &MessagesRequest<'_>) -> Result<Offer, Error> {
    if request
        .mcp_servers
        .as_ref()
        .is_some_and(|servers| !servers.is_empty())
    {
        return Err(Place::top("mcp_servers").refuse("MCP servers are not supported"));
    }
    let top = Place::top("tools");
    let mut offer = Offer {
        tools: Vec::new(),
        force: None,
        calls: Calls::Any,
        search: None,
    };
    let mut names = HashSet::new();
    for (index, tool) in request.tools.iter().flatten().enumerate() {
        let place = top.item(index);
        let kind = tool.kind.as_deref().unwrap_or_default();
        let spec = match kind.starts_with("web_search_") {
            true => {
                offer.search = Some(self::search(tool, &place)?);
                search::tool()
            }
            false => spec(source, tool, &place)?,
        };
        if !names.insert(spec.name.clone()) {
            return Err(place.member("name").refuse("Tool names must be unique."));
        }
        offer.tools.push(spec);
    }
    if let Some(choice) = &request.tool_choice {
        offer.choose(choice)?;
    }
    // A choice may leave it out.
    if !offer.tools.iter().any(|tool| tool.name == search::NAME) {
        offer.search = None;
    }
    Ok(offer)
}

/// A search of the web, which the gateway carries out itself.
fn search(tool: &Tool<'_>, place: &Place<'_>) -> Result<Search, Error> {
    if tool
        .name
        .as_deref()
        .is_some_and(|name| name != search::NAME)
    {
        return Err(place.member("name").refuse("Input should be 'web_search'"));
    }
    let max_uses = tool.max_uses.map(|max| match u32::try_from(max) {
        Ok(max) if max > 0 => Ok(max),
        _ => Err(place
            .member("max_uses")
            .refuse("Input should be greater than 0")),
    });
    let domains = match (&tool.allowed_domains, &tool.blocked_domains) {
        (Some(_), Some(_)) => {
            let words = "Only one of 'allowed_domains' and 'blocked_domains' can be given";
            return Err(place.refuse(words));
        }
        (Some(only), None) => Domains::Only(only.clone()),
        (None, Some(not)) => Domains::Not(not.clone()),
        (None, None) => Domains::Any,
    };
    Ok(Search {
        max_uses: max_uses.transpose()?,
        domains,
        place: place.to_string(),
        kind: tool.kind.clone().unwrap_or_default(),
    })
}

fn spec(source: Source<'_>, tool: &Tool<'_>, place: &Place<'_>) -> Result<ToolSpec, Error> {
    let kind = tool.kind.as_deref().unwrap_or("custom");
    let known = KNOWN.iter().find(|known| kind.starts_with(known.kind));
    if known.is_none() && kind != "custom" {
        return Err(place.refuse(format!("tool type '{kind}' is not supported")));
    }
    let name = tool.name.clone().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| place.member("name").missing())?;
    if let Some(known) = known {
        return Ok(ToolSpec {
            name,
            description: JsonText::new(known.description),
            // They are objects, as a test makes sure.
            schema: JsonObject::parse(known.schema).unwrap_or_else(|_| JsonObject::empty()),
        });
    }
    let place_of_schema = place.member("input_schema");
    let schema = tool.input_schema.as_ref();
    let schema = schema.ok_or_else(|| place_of_schema.missing())?;
    let description = tool.description.as_ref().map(|text| {
        let place = place.member("description");
        source.text(text.as_json(), &place)
    });
    Ok(ToolSpec {
        name,
        description: description.transpose()?.unwrap_or_default(),
        schema: source.object(schema.as_json(), &place_of_schema)?,
    })
}

impl Offer {
    fn choose(&mut self, choice: &ToolChoice) -> Result<(), Error> {
        let place = Place::top("tool_choice");
        if choice.disable_parallel_tool_use == Some(true) {
            self.calls = Calls::One;
        }
        match choice.kind.as_deref() {
            Some("auto") => return Ok(()),
            Some("none") => {
                self.tools.clear();
                self.calls = Calls::None;
                return Ok(());
            }
            Some("any") => {}
            Some("tool") => {
                let name = choice.name.as_deref();
                let name = name.ok_or_else(|| place.member("name").missing())?;
                self.tools.retain(|tool| tool.name == name);
                if self.tools.is_empty() {
                    let message = format!("Tool '{name}' not found in provided tools");
                    return Err(place.refuse(message));
                }
            }
            Some(_) => {
                let words = "Input should be 'auto', 'any', 'tool' or 'none'";
                return Err(place.member("type").refuse(words));
            }
            None => return Err(place.member("type").missing()),
        }
        if self.tools.is_empty() {
            return Err(place.refuse("tool_choice may only be specified while providing tools"));
        }
        let names = self.tools.iter().map(|tool| tool.name.clone());
        self.force = Some(Force {
            names: names.collect(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_of_known_tools_are_objects() {
        for known in &KNOWN {
            assert!(JsonObject::parse(known.schema).is_ok(), "{}", known.kind);
        }
    }
}
