//! Everything that is neither the conversation nor the tools.

use std::sync::Arc;

use anthropic_types::{MessagesRequest, OutputFormat};
use kiro_protocol::conversation::{Effort, Sampling};

use super::place::Place;
use crate::bounds::{Format, Kind, Schema};
use crate::error::Error;
use crate::surface::effort;
use crate::surface::messages::answer::Thoughts;
use crate::surface::messages::error;

/// The limit of tokens. With 0 the answer is empty; the prompt is sent even so, because warming a cache
/// is what such a request is for.
pub(super) fn max_tokens(request: &MessagesRequest<'_>) -> Result<u64, Error> {
    let place = Place::top("max_tokens");
    let max_tokens = request.max_tokens.ok_or_else(|| place.missing())?;
    u64::try_from(max_tokens)
        .map_err(|_| place.refuse("Input should be greater than or equal to 0"))
}

/// No conversation is held between requests. The SDKs' runners of tools ask for that by themselves, and after a
/// refusal with this code they send all of it every time; without one they would send what is new and nothing else.
pub(super) fn thread(request: &MessagesRequest<'_>) -> Result<(), Error> {
    let refusal = "conversations are not held here; send all of it every time";
    match request.thread {
        None => Ok(()),
        Some(_) => Err(Place::top("thread")
            .refuse(refusal)
            .with_code(error::NO_THREADS)),
    }
}

/// Texts that end the answer where they begin.
pub(super) fn stop(request: &MessagesRequest<'_>) -> Result<Vec<String>, Error> {
    let stop = request.stop_sequences.clone().unwrap_or_default();
    match stop.iter().position(String::is_empty) {
        Some(index) => Err(Place::top("stop_sequences")
            .item(index)
            .refuse("each stop sequence must not be empty")),
        None => Ok(stop),
    }
}

/// The knobs that Kiro can carry. What is more than the model can do is taken for all that it can.
pub(super) fn sampling(request: &MessagesRequest<'_>, max_output_tokens: u32) -> Sampling {
    let mut sampling = Sampling::default();
    sampling.max_tokens = request
        .max_tokens
        .filter(|tokens| *tokens > 0)
        .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX))
        .map(|tokens| tokens.min(max_output_tokens));
    sampling.effort = asked_effort(request);
    sampling
}

/// How hard to think. No thoughts at all win, then the word, then the number.
fn asked_effort(request: &MessagesRequest<'_>) -> Option<Effort> {
    let config = request.output_config.as_ref();
    let word = config.and_then(|config| config.effort.as_deref());
    let word = word.map(effort::named);
    let Some(thinking) = &request.thinking else {
        return word;
    };
    match thinking.kind.as_deref() {
        Some("disabled") => Some(Effort::None),
        Some("enabled") => word
            .or(thinking.budget_tokens.map(effort::of_budget))
            .or(Some(Effort::Medium)),
        // `adaptive` and `between_tools`: the API's default is high.
        _ => word.or(Some(Effort::High)),
    }
}

/// What is shown of thoughts.
pub(super) fn thoughts(request: &MessagesRequest<'_>) -> Thoughts {
    match &request.thinking {
        None => Thoughts::Hidden,
        Some(thinking) if thinking.kind.as_deref() == Some("disabled") => Thoughts::Hidden,
        Some(thinking) if thinking.display.as_deref() == Some("omitted") => Thoughts::Omitted,
        Some(_) => Thoughts::Shown,
    }
}

/// The name of the member that asked for an effort.
pub(super) fn effort_name(request: &MessagesRequest<'_>) -> &'static str {
    let config = request.output_config.as_ref();
    match config.and_then(|config| config.effort.as_ref()) {
        Some(_) => "output_config.effort",
        None => "thinking",
    }
}

/// Members that have no effect although they could change the answer. Values that ask for nothing are no
/// reason to speak.
pub(super) fn ignored(request: &MessagesRequest<'_>) -> Vec<&'static str> {
    let mut tools = request.tools.iter().flatten();
    let has_place = tools.any(|tool| tool.user_location.is_some());
    let differs = |value: Option<f64>| value.is_some_and(|value| value != 1.0);
    [
        ("temperature", differs(request.temperature)),
        ("top_p", differs(request.top_p)),
        ("top_k", request.top_k.is_some()),
        ("tools.user_location", has_place),
    ]
    .into_iter()
    .filter_map(|(name, is_ignored)| is_ignored.then_some(name))
    .collect()
}

/// The format that is demanded, if any.
pub(super) fn format(request: &MessagesRequest<'_>) -> Result<Option<Format>, Error> {
    let config = request.output_config.as_ref();
    let newer = config.and_then(|config| config.format.as_ref());
    let (format, param) = match (newer, &request.output_format) {
        (Some(format), _) => (format, "output_config.format"),
        (None, Some(format)) => (format, "output_format"),
        (None, None) => return Ok(None),
    };
    let kind = Kind::Schema(Arc::new(compile(format, &Place::top(param))?));
    Ok(Some(Format {
        param,
        kind,
        is_live: request.stream == Some(true),
    }))
}

fn compile(format: &OutputFormat<'_>, place: &Place<'_>) -> Result<Schema, Error> {
    match format.kind.as_deref() {
        Some("json_schema") => {}
        Some(_) => return Err(place.member("type").refuse("Input should be 'json_schema'")),
        None => return Err(place.member("type").missing()),
    }
    let place = place.member("schema");
    let schema = format.schema.as_ref().ok_or_else(|| place.missing())?;
    Schema::parse("answer", None, schema.as_json())
        .map_err(|error| place.refuse(format!("Invalid schema: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_is_understood_in_every_way() {
        for (json, expected) in [
            ("{}", None),
            (r#"{"output_config":{"effort":"low"}}"#, Some(Effort::Low)),
            (r#"{"thinking":{"type":"adaptive"}}"#, Some(Effort::High)),
            (
                r#"{"thinking":{"type":"between_tools"}}"#,
                Some(Effort::High),
            ),
            (
                r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}"#,
                Some(Effort::Max),
            ),
            (
                r#"{"thinking":{"type":"disabled"},"output_config":{"effort":"max"}}"#,
                Some(Effort::None),
            ),
            (r#"{"thinking":{"type":"enabled"}}"#, Some(Effort::Medium)),
            (
                r#"{"thinking":{"type":"enabled","budget_tokens":31999}}"#,
                Some(Effort::High),
            ),
            (
                r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#,
                Some(Effort::Low),
            ),
        ] {
            let request = serde_json::from_str(json).unwrap();
            assert_eq!(asked_effort(&request), expected, "{json}");
        }
    }

    #[test]
    fn a_limit_larger_than_the_models_is_the_models_own() {
        let request = serde_json::from_str(r#"{"max_tokens":9223372036854775807}"#).unwrap();
        assert_eq!(sampling(&request, 64_000).max_tokens, Some(64_000));
        let request = serde_json::from_str(r#"{"max_tokens":0}"#).unwrap();
        assert_eq!(sampling(&request, 64_000).max_tokens, None);
    }
}
