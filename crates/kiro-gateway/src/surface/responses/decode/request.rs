//! The whole of a request.

use std::sync::Arc;

use bytes::Bytes;
use kiro_protocol::conversation::Conversation;
use openai_types::responses::{ChosenTool, ResponsesRequest, ToolChoice};
use openai_types::{Object, Text};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use uuid::Uuid;

use super::tools::Tools;
use super::{format, input, items, keep, knobs};
use crate::bounds::Bounds;
use crate::error::Error;
use crate::kept::Recall;
use crate::surface::mend::mend;
use crate::surface::openai::{error, missing, parse};
use crate::surface::responses::answer::{Answer, Echo};
use crate::surface::responses::complete::CompleteEncoder;
use crate::surface::responses::stream::StreamEncoder;
use crate::surface::source::Source;
use crate::surface::{Accepted, Context, Mode, ReplyEncoder, Surface};
use crate::usage::{Meter, Prompt};

/// `POST /v1/responses`.
#[derive(Debug)]
pub(crate) struct Responses;

impl Surface for Responses {
    fn name(&self) -> &'static str {
        "responses"
    }

    fn recalls(&self, body: &Bytes) -> Recall {
        input::recalls(body)
    }

    fn accept(&self, body: Bytes, context: &Context<'_>) -> Result<Accepted, Error> {
        let body = mend(body);
        let request: ResponsesRequest<'_> = parse::parse(&body)?;
        let name = request.model.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| missing("model"))?;
        let source = Source(&body);
        knobs::refuse(&request)?;
        let echo = echo(&request)?;
        let whole = input::whole(&request, context.recalled)?;
        let (model, is_stand_in) = context.model(name)?;
        let format = format::demanded(&request)?;

        let mut tools = Tools::default();
        tools.add(
            source,
            request.tools.as_deref().unwrap_or_default(),
            None,
            "tools",
        )?;
        let dialogue = items::dialogue(source, context, &whole, &mut tools)?;
        tools.choose(&request)?;
        let Tools {
            offer,
            told,
            ignored: dropped,
        } = tools;

        let bounds = Bounds {
            stop: Vec::new(),
            max_tokens: knobs::max_tokens(&request),
            calls: offer.calls(!echo.parallel_tool_calls),
            demand: offer.demand(format),
        };
        let mut conversation = Conversation::new(&*model.id);
        if let Some(instructions) = &request.instructions {
            let text = source.text(instructions.as_json(), &"instructions")?;
            conversation
                .system
                .extend((!text.is_empty()).then_some(text));
        }
        conversation.system.extend(dialogue.system);
        conversation.system.extend(knobs::verbosity_hint(&request));
        conversation.turns = dialogue.turns;
        conversation.tools = offer.tools;
        conversation.sampling = knobs::sampling(&request, model.max_output_tokens);
        conversation.session = request.prompt_cache_key.clone();
        if let Some(demand) = &bounds.demand {
            demand.instruct(&mut conversation);
        }

        let mut ignored = knobs::ignored(&request);
        if is_stand_in {
            ignored.push("model");
        }
        if model.ignores(conversation.sampling.effort) {
            ignored.push("reasoning");
        }
        ignored.extend(dropped);
        ignored.extend(dialogue.ignored);
        let prompt = Arc::new(Prompt::of(&conversation));
        let is_kept = context.recalled.keeps && request.store != Some(false);
        let answer = Answer {
            id: format!("resp_{}", Uuid::new_v4().simple()),
            created: context.now,
            begun: Instant::now(),
            took: None,
            model: name.to_owned(),
            echo,
            tells_sealed: knobs::tells_sealed(&request),
            salt: context.salt.into(),
            store: is_kept,
            kept_input: is_kept.then(|| keep::items(&whole)),
            told,
            meter: Meter::new(prompt.clone(), &model.id, model.context_window),
        };
        let (mode, encoder): (_, Box<dyn ReplyEncoder>) = match request.stream {
            Some(true) => (Mode::Stream, Box::new(StreamEncoder::new(answer))),
            _ => (Mode::Complete, Box::new(CompleteEncoder::new(answer))),
        };
        Ok(Accepted {
            conversation,
            wanted: dialogue.wanted,
            prompt,
            bounds,
            search: None,
            mode,
            encoder,
            ignored,
        })
    }

    fn refuse(&self, error: &Error) -> Bytes {
        error::body(error, "input")
    }
}

/// What the response repeats, as far as it is what the schema allows there.
fn echo(request: &ResponsesRequest<'_>) -> Result<Echo, Error> {
    let reasoning = request.reasoning.as_ref();
    let known = |word: Option<&String>, words: &[&str]| {
        word.filter(|word| words.contains(&&***word)).cloned()
    };
    let format = request.text.as_ref().and_then(|text| text.format.clone());
    Ok(Echo {
        instructions: request.instructions.clone().map(Text::into_owned),
        max_output_tokens: request.max_output_tokens,
        parallel_tool_calls: request.parallel_tool_calls.unwrap_or(true),
        previous: request.previous_response_id.clone(),
        effort: known(
            reasoning.and_then(|reasoning| reasoning.effort.as_ref()),
            &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
        ),
        summary: known(
            reasoning.and_then(|reasoning| reasoning.summary.as_ref()),
            &["auto", "concise", "detailed"],
        ),
        format: format.map_or_else(|| object(r#"{"type":"text"}"#), Object::into_owned),
        tool_choice: tool_choice(request.tool_choice.as_ref()),
        metadata: metadata(request)?,
    })
}

/// Labels are texts.
fn metadata(request: &ResponsesRequest<'_>) -> Result<Object<'static>, Error> {
    /// Reads an object with texts and keeps nothing.
    #[derive(Deserialize)]
    struct Labels(#[allow(dead_code)] std::collections::HashMap<String, String>);
    let Some(metadata) = &request.metadata else {
        return Ok(object("{}"));
    };
    parse::parse_at::<Labels>(metadata.as_json(), "metadata")?;
    Ok(metadata.clone().into_owned())
}

fn tool_choice(choice: Option<&ToolChoice>) -> Box<RawValue> {
    let value = match choice {
        None => "auto".into(),
        Some(ToolChoice::Mode(mode)) if mode == "any" => "required".into(),
        Some(ToolChoice::Mode(mode)) => (&**mode).into(),
        Some(ToolChoice::Tool(tool)) => chosen(tool),
    };
    // A value in memory has no way to fail.
    serde_json::value::to_raw_value(&value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn chosen(tool: &ChosenTool) -> serde_json::Value {
    let mut members = serde_json::Map::new();
    let kind = tool.kind.as_deref().unwrap_or("function");
    members.insert("type".into(), kind.into());
    for (name, value) in [
        ("name", &tool.name),
        ("namespace", &tool.namespace),
        ("mode", &tool.mode),
    ] {
        if let Some(value) = value {
            members.insert(name.into(), (&**value).into());
        }
    }
    if let Some(tools) = &tool.tools {
        if tool.mode.is_none() {
            members.insert("mode".into(), "auto".into());
        }
        let tools: Vec<_> = tools.iter().map(chosen).collect();
        members.insert("tools".into(), tools.into());
    }
    members.into()
}

fn object(json: &'static str) -> Object<'static> {
    // Both callers have written an object.
    serde_json::from_str(json).expect("it is an object")
}
