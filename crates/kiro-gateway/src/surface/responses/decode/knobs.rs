//! The verdict on every field that is neither the conversation nor the tools: refused, honoured, or
//! accepted without effect and then named.

use kiro_protocol::conversation::Sampling;
use kiro_protocol::text::JsonText;
use openai_types::responses::ResponsesRequest;

use crate::error::Error;
use crate::surface::effort;
use crate::surface::openai::verbosity;

/// Refuses what would change the meaning of the answer if it were ignored.
pub(super) fn refuse(request: &ResponsesRequest<'_>) -> Result<(), Error> {
    let includes = |what: &str| request.include.iter().flatten().any(|it| it == what);
    for (param, is_used) in [
        ("background", request.background == Some(true)),
        ("conversation", request.has_conversation),
        ("prompt", request.has_prompt),
        ("moderation", request.has_moderation),
        ("top_logprobs", request.top_logprobs.is_some_and(|n| n != 0)),
        ("include", includes("message.output_text.logprobs")),
    ] {
        if is_used {
            let what = match param {
                "background" => "background: true",
                "include" => "message.output_text.logprobs",
                param => param,
            };
            let message =
                format!("Unsupported parameter: '{what}' is not supported with this model.");
            return Err(Error::invalid(
                param,
                Some("unsupported_parameter"),
                message,
            ));
        }
    }
    if let Some(value) = request.max_output_tokens.filter(|value| *value < 1) {
        let message = format!(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 1, but got {value}."
        );
        return Err(Error::invalid(
            "max_output_tokens",
            Some("integer_below_min_value"),
            message,
        ));
    }
    Ok(())
}

/// Fields that have no effect although they could change the answer.
pub(super) fn ignored(request: &ResponsesRequest<'_>) -> Vec<&'static str> {
    let differs = |value: Option<f64>| value.is_some_and(|value| value != 1.0);
    let verbosity = verbosity(request);
    let reasoning = request.reasoning.as_ref();
    let mode = reasoning.and_then(|reasoning| reasoning.mode.as_deref());
    [
        ("temperature", differs(request.temperature)),
        ("top_p", differs(request.top_p)),
        ("max_tool_calls", request.max_tool_calls.is_some()),
        (
            "reasoning.mode",
            mode.is_some_and(|mode| mode != "standard"),
        ),
        ("truncation", request.truncation.as_deref() == Some("auto")),
        (
            "text.verbosity",
            verbosity.is_some_and(|word| word != "medium") && verbosity_hint(request).is_none(),
        ),
    ]
    .into_iter()
    .filter_map(|(name, is_ignored)| is_ignored.then_some(name))
    .collect()
}

/// How many tokens the answer may have.
pub(super) fn max_tokens(request: &ResponsesRequest<'_>) -> Option<u64> {
    let max_tokens = request.max_output_tokens;
    max_tokens.and_then(|tokens| u64::try_from(tokens).ok())
}

/// The knobs that Kiro can carry.
pub(super) fn sampling(request: &ResponsesRequest<'_>, max_output_tokens: u32) -> Sampling {
    let mut sampling = Sampling::default();
    sampling.max_tokens = max_tokens(request)
        .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX))
        .map(|tokens| tokens.min(max_output_tokens));
    let asked = request.reasoning.as_ref();
    let asked = asked.and_then(|reasoning| reasoning.effort.as_deref());
    sampling.effort = asked.map(effort::named);
    sampling
}

/// What the model is told for a `text.verbosity` other than the default.
pub(super) fn verbosity_hint(request: &ResponsesRequest<'_>) -> Option<JsonText> {
    verbosity::hint(verbosity(request)?)
}

fn verbosity<'a>(request: &'a ResponsesRequest<'_>) -> Option<&'a str> {
    request.text.as_ref()?.verbosity.as_deref()
}

/// Whether thoughts are told in the form in which they come back.
pub(super) fn tells_sealed(request: &ResponsesRequest<'_>) -> bool {
    let mut include = request.include.iter().flatten();
    include.any(|what| what == "reasoning.encrypted_content")
}
