//! The whole of a request.

use std::sync::Arc;

use anthropic_types::MessagesRequest;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use kiro_protocol::conversation::Conversation;
use uuid::Uuid;

use super::blocks::Reader;
use super::parse::parse;
use super::place::Place;
use super::tools::{self, Offer};
use super::{knobs, messages, session};
use crate::admission::Standing;
use crate::bounds::{Bounds, Demand};
use crate::error::Error;
use crate::image::{Pictures, Wanted};
use crate::surface::mend::mend;
use crate::surface::messages::answer::Answer;
use crate::surface::messages::complete::CompleteEncoder;
use crate::surface::messages::stream::StreamEncoder;
use crate::surface::messages::{error, limits};
use crate::surface::source::Source;
use crate::surface::{Accepted, Context, Mode, ReplyEncoder, Surface};
use crate::usage::{Meter, Prompt};

/// `POST /v1/messages`.
#[derive(Debug)]
pub(crate) struct Messages;

/// What is said in a request, and with which tools.
struct Said {
    conversation: Conversation,
    offer: Offer,
    wanted: Vec<Wanted>,
}

impl Surface for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn accept(&self, body: Bytes, context: &Context<'_>) -> Result<Accepted, Error> {
        let body = mend(body);
        let request: MessagesRequest<'_> = parse(&body, &"")?;
        let name = name(&request)?;
        let max_tokens = knobs::max_tokens(&request)?;
        knobs::thread(&request)?;
        let stop = knobs::stop(&request)?;
        let format = knobs::format(&request)?;
        let (model, is_stand_in) = context.model(name)?;
        let said = said(&body, &request, &model.id, context.pictures)?;
        let Said {
            mut conversation,
            offer,
            wanted,
        } = said;
        conversation.sampling = knobs::sampling(&request, model.max_output_tokens);
        conversation.session = session::session(&request);

        let bounds = Bounds {
            stop,
            max_tokens: Some(max_tokens),
            calls: offer.calls,
            // Where a tool is to be called there is no answer that could have a format.
            demand: match offer.force {
                Some(force) => Some(Demand::Tool(force)),
                None => format.map(Demand::Json),
            },
        };
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
        let prompt = Arc::new(Prompt::of(&conversation));
        let answer = Answer {
            id: format!("msg_{}", Uuid::new_v4().simple()),
            model: name.to_owned(),
            thoughts: knobs::thoughts(&request),
            meter: Meter::new(prompt.clone(), &model.id, model.context_window),
            n_searches: 0,
            request_id: context.request_id.to_owned(),
        };
        let (mode, encoder): (_, Box<dyn ReplyEncoder>) = match request.stream {
            Some(true) => (Mode::Stream, Box::new(StreamEncoder::new(answer))),
            _ => (Mode::Complete, Box::new(CompleteEncoder::new(answer))),
        };
        Ok(Accepted {
            conversation,
            wanted,
            prompt,
            bounds,
            search: offer.search,
            mode,
            encoder,
            ignored,
        })
    }

    fn refuse(&self, error: &Error) -> Bytes {
        error::body(error, None)
    }

    fn status(&self, error: &Error) -> StatusCode {
        error::status(error)
    }

    fn tell_limits(&self, standing: &Standing, now: u64, headers: &mut HeaderMap) {
        limits::tell(standing, now, headers);
    }
}

/// The conversation of a request that is only to be counted: of any model, without a limit, and without
/// the pictures that would have to be fetched.
///
/// # Errors
///
/// As for a request that is answered.
pub(crate) fn conversation(
    body: Bytes,
    id: impl FnOnce(&str) -> String,
) -> Result<Conversation, Error> {
    let body = mend(body);
    let request: MessagesRequest<'_> = parse(&body, &"")?;
    let id = id(name(&request)?);
    let none = Pictures::Fetched(Default::default());
    said(&body, &request, &id, &none).map(|said| said.conversation)
}

fn name<'a>(request: &'a MessagesRequest<'_>) -> Result<&'a str, Error> {
    let name = request.model.as_deref().filter(|name| !name.is_empty());
    name.ok_or_else(|| Place::top("model").missing())
}

fn said(
    body: &Bytes,
    request: &MessagesRequest<'_>,
    model: &str,
    fetched: &Pictures,
) -> Result<Said, Error> {
    let place = Place::top("messages");
    let messages = request.messages.as_deref();
    let messages = messages.ok_or_else(|| place.missing())?;
    if messages.is_empty() {
        return Err(place.refuse("at least one message is required"));
    }
    let source = Source(body);
    let mut offer = tools::offer(source, request)?;
    let mut reader = Reader {
        source,
        searches: offer.search.is_some(),
        fetched,
        wanted: Vec::new(),
    };
    let mut conversation = Conversation::new(model);
    conversation.system = messages::system(&mut reader, request.system.as_ref())?;
    conversation.turns = messages::turns(&mut reader, messages)?;
    conversation.tools = std::mem::take(&mut offer.tools);
    Ok(Said {
        conversation,
        offer,
        wanted: reader.wanted,
    })
}
