//! A conversation in `input` that came to the chat surface: Cursor sends it there for models whose names it
//! takes for OpenAI's (`openai-surface`, 1.6). The answer is chat's.

use bytes::Bytes;
use openai_types::responses::ResponsesRequest;

use super::tools::Tools;
use super::{format, input, items, knobs};
use crate::bounds::Format;
use crate::error::Error;
use crate::surface::Context;
use crate::surface::dialogue::Dialogue;
use crate::surface::openai::{Offer, parse};
use crate::surface::source::Source;

/// What such a request says in the words of this surface.
pub(in crate::surface) struct Visit {
    pub(in crate::surface) dialogue: Dialogue,
    pub(in crate::surface) offer: Offer,
    pub(in crate::surface) format: Option<Format>,
    pub(in crate::surface) max_tokens: Option<u64>,
    /// Tools that were left out.
    pub(in crate::surface) ignored: Vec<&'static str>,
}

/// Reads such a request.
pub(in crate::surface) fn visit(body: &Bytes, context: &Context<'_>) -> Result<Visit, Error> {
    let request: ResponsesRequest<'_> = parse::parse(body)?;
    let source = Source(body);
    let whole = input::whole(&request, context.recalled)?;
    let mut tools = Tools::default();
    let declared = request.tools.as_deref().unwrap_or_default();
    tools.add(source, declared, None, "tools")?;
    let mut dialogue = items::dialogue(source, context, &whole, &mut tools)?;
    tools.choose(&request)?;
    if let Some(instructions) = &request.instructions {
        let text = source.text(instructions.as_json(), &"instructions")?;
        dialogue.system.insert(0, text);
    }
    Ok(Visit {
        dialogue,
        offer: tools.offer,
        format: format::demanded(&request)?,
        max_tokens: knobs::max_tokens(&request),
        ignored: tools.ignored,
    })
}
