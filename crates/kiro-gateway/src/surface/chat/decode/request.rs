//! The whole of a request.

use std::sync::Arc;

use bytes::Bytes;
use kiro_protocol::conversation::Conversation;
use openai_types::chat::{ChatRequest, Message};
use uuid::Uuid;

use super::{format, knobs, messages, tools};
use crate::bounds::Bounds;
use crate::error::Error;
use crate::surface::chat::answer::{Answer, CallStyle};
use crate::surface::chat::complete::CompleteEncoder;
use crate::surface::chat::stream::StreamEncoder;
use crate::surface::mend::mend;
use crate::surface::openai::{error, missing, parse};
use crate::surface::responses::{Visit, visit};
use crate::surface::source::Source;
use crate::surface::{Accepted, Context, Mode, ReplyEncoder, Surface};
use crate::usage::{Meter, Prompt};

/// `POST /v1/chat/completions`.
#[derive(Debug)]
pub(crate) struct Chat;

impl Surface for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn accept(&self, body: Bytes, context: &Context<'_>) -> Result<Accepted, Error> {
        let body = mend(body);
        let request: ChatRequest<'_> = parse::parse(&body)?;
        let name = request.model.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| missing("model"))?;
        let source = Source(&body);
        knobs::refuse(&request)?;
        let (model, is_stand_in) = context.model(name)?;
        let said = match &request.messages {
            None if request.has_input => visit(&body, context)?,
            messages => said(source, context, &request, messages.as_deref())?,
        };
        let Visit {
            dialogue,
            offer,
            format,
            max_tokens,
            ignored: dropped,
        } = said;
        let bounds = Bounds {
            stop: knobs::stop(&request),
            max_tokens: knobs::max_tokens(&request).or(max_tokens),
            calls: offer.calls(offer.legacy || request.parallel_tool_calls == Some(false)),
            demand: offer.demand(format),
        };
        let mut conversation = Conversation::new(&*model.id);
        conversation.system = dialogue.system;
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
            ignored.push(knobs::effort_name(&request));
        }
        if offer.dropped_hosted {
            ignored.push("tools.web_search");
        }
        ignored.extend(dropped);
        ignored.extend(dialogue.ignored);
        let prompt = Arc::new(Prompt::of(&conversation));
        let include_usage = includes_usage(&request);
        let mut meter = Meter::new(prompt.clone(), &model.id, model.context_window);
        if request.stream == Some(true) && !include_usage {
            meter = meter.roughly();
        }
        let answer = Answer {
            id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
            created: context.now,
            model: name.to_owned(),
            include_usage,
            reasoning: knobs::reasoning(&request, context.reasoning),
            calls: CallStyle {
                legacy: offer.legacy,
                custom: offer.custom,
            },
            meter,
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
        error::body(error, "messages")
    }
}

fn includes_usage(request: &ChatRequest<'_>) -> bool {
    let options = request.stream_options.as_ref();
    options.is_some_and(|options| options.include_usage == Some(true))
}

/// What the request says in chat's own words.
fn said(
    source: Source<'_>,
    context: &Context<'_>,
    request: &ChatRequest<'_>,
    messages: Option<&[Message<'_>]>,
) -> Result<Visit, Error> {
    let messages = messages.ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(Error::invalid(
            "messages",
            Some("empty_array"),
            "Invalid 'messages': empty array. Expected at least 1 element.",
        ));
    }
    let offer = tools::offer(source, request)?;
    let format = format::demanded(request)?;
    Ok(Visit {
        dialogue: messages::dialogue(source, context.pictures, messages)?,
        offer,
        format,
        max_tokens: None,
        ignored: Vec::new(),
    })
}
