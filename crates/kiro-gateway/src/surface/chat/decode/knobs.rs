//! The verdict on every field that is neither the conversation nor the tools: refused, honoured, or
//! accepted without effect and then named.

use kiro_protocol::conversation::{Effort, Sampling};
use kiro_protocol::text::JsonText;
use openai_types::chat::{ChatRequest, Reasoning, Thinking};

use super::parts::no_audio;
use crate::error::Error;
use crate::options::Reasoning as Told;
use crate::surface::effort;
use crate::surface::openai::verbosity;

/// Refuses what would change the meaning of the answer if it were ignored.
pub(super) fn refuse(request: &ChatRequest<'_>) -> Result<(), Error> {
    if let Some(n) = request.n.filter(|n| *n != 1) {
        let message = format!(
            "Unsupported value: 'n' does not support {n} with this model. Only the value 1 is supported."
        );
        return Err(Error::invalid("n", Some("unsupported_value"), message));
    }
    let bias = request.logit_bias.as_ref();
    for (param, is_used) in [
        ("logprobs", request.logprobs == Some(true)),
        ("top_logprobs", request.top_logprobs.is_some_and(|n| n != 0)),
        ("logit_bias", bias.is_some_and(|bias| !bias.is_empty())),
        ("web_search_options", request.web_search_options.is_some()),
        ("moderation", request.moderation.is_some()),
    ] {
        if is_used {
            let message =
                format!("Unsupported parameter: '{param}' is not supported with this model.");
            return Err(Error::invalid(
                param,
                Some("unsupported_parameter"),
                message,
            ));
        }
    }
    let mut modalities = request.modalities.iter().flatten();
    if modalities.any(|modality| modality == "audio") {
        return Err(no_audio("modalities"));
    }
    if request.audio.is_some() {
        return Err(no_audio("audio"));
    }
    check_max_tokens(request)?;
    check_stop(request)
}

/// Fields that have no effect although they could change the answer. Values that ask for nothing, such
/// as a penalty of 0, are no reason to speak.
pub(super) fn ignored(request: &ChatRequest<'_>) -> Vec<&'static str> {
    let differs = |value: Option<f64>, neutral: f64| value.is_some_and(|value| value != neutral);
    [
        ("temperature", differs(request.temperature, 1.0)),
        ("top_p", differs(request.top_p, 1.0)),
        ("frequency_penalty", differs(request.frequency_penalty, 0.0)),
        ("presence_penalty", differs(request.presence_penalty, 0.0)),
        (
            "repetition_penalty",
            differs(request.repetition_penalty, 1.0),
        ),
        ("min_p", differs(request.min_p, 0.0)),
        ("top_k", request.top_k.is_some()),
        ("seed", request.seed.is_some()),
        (
            "verbosity",
            verbosity_hint(request).is_none()
                && request
                    .verbosity
                    .as_deref()
                    .is_some_and(|word| word != "medium"),
        ),
    ]
    .into_iter()
    .filter_map(|(name, is_ignored)| is_ignored.then_some(name))
    .collect()
}

/// Texts that end the answer where they begin.
pub(super) fn stop(request: &ChatRequest<'_>) -> Vec<String> {
    let stop = request.stop.as_ref();
    stop.map_or_else(Vec::new, |stop| stop.0.clone())
}

/// How many tokens the answer may have. The newer name wins.
pub(super) fn max_tokens(request: &ChatRequest<'_>) -> Option<u64> {
    let max_tokens = request.max_completion_tokens.or(request.max_tokens);
    max_tokens.and_then(|tokens| u64::try_from(tokens).ok())
}

/// The knobs that Kiro can carry.
pub(super) fn sampling(request: &ChatRequest<'_>, max_output_tokens: u32) -> Sampling {
    let mut sampling = Sampling::default();
    sampling.max_tokens = max_tokens(request)
        .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX))
        .map(|tokens| tokens.min(max_output_tokens));
    sampling.effort = asked_effort(request);
    sampling
}

/// What is asked of the model for a `verbosity` other than the default: the service has no knob for it,
/// and a sentence in the system prompt is the same in every turn, so a cached prompt stays cached.
pub(super) fn verbosity_hint(request: &ChatRequest<'_>) -> Option<JsonText> {
    verbosity::hint(request.verbosity.as_deref()?)
}

/// The name of the field that asked for an effort.
pub(super) fn effort_name(request: &ChatRequest<'_>) -> &'static str {
    match (&request.reasoning_effort, &request.reasoning) {
        (Some(_), _) => "reasoning_effort",
        (None, Some(reasoning)) if reasoning_effort(reasoning).is_some() => "reasoning",
        (None, _) => "thinking",
    }
}

/// Where thoughts are told: where the operator wants them, unless the client does not want to see them or
/// wants a text that is nothing but JSON.
pub(super) fn reasoning(request: &ChatRequest<'_>, wanted: Told) -> Told {
    let reasoning = request.reasoning.as_ref();
    let format = request.response_format.as_ref();
    match wanted {
        _ if reasoning.is_some_and(|reasoning| reasoning.exclude == Some(true)) => Told::Hidden,
        Told::Tags if format.is_some_and(|format| format.kind != "text") => Told::Member,
        wanted => wanted,
    }
}

/// How hard to think, from any of the three ways to say it. The first that says something wins.
fn asked_effort(request: &ChatRequest<'_>) -> Option<Effort> {
    let named = request.reasoning_effort.as_deref().map(effort::named);
    named
        .or_else(|| request.reasoning.as_ref().and_then(reasoning_effort))
        .or_else(|| request.thinking.as_ref().and_then(thinking_effort))
}

fn reasoning_effort(reasoning: &Reasoning) -> Option<Effort> {
    if reasoning.enabled == Some(false) {
        return Some(Effort::None);
    }
    let named = reasoning.effort.as_deref().map(effort::named);
    named
        .or(reasoning.max_tokens.map(effort::of_budget))
        .or(reasoning.enabled.map(|_| Effort::Medium))
}

fn thinking_effort(thinking: &Thinking) -> Option<Effort> {
    match thinking.kind.as_deref() {
        Some("disabled") => Some(Effort::None),
        Some("enabled") => thinking
            .budget_tokens
            .map(effort::of_budget)
            .or(Some(Effort::Medium)),
        // `adaptive` leaves it to the model, which is what saying nothing does.
        _ => thinking.budget_tokens.map(effort::of_budget),
    }
}

fn check_max_tokens(request: &ChatRequest<'_>) -> Result<(), Error> {
    for (param, value) in [
        ("max_completion_tokens", request.max_completion_tokens),
        ("max_tokens", request.max_tokens),
    ] {
        if let Some(value) = value.filter(|value| *value < 1) {
            let message = format!(
                "Invalid '{param}': integer below minimum value. Expected a value >= 1, but got {value}."
            );
            return Err(Error::invalid(
                param,
                Some("integer_below_min_value"),
                message,
            ));
        }
    }
    Ok(())
}

fn check_stop(request: &ChatRequest<'_>) -> Result<(), Error> {
    let stop = request.stop.as_ref().map_or(&[][..], |stop| &stop.0);
    if stop.len() > 4 || stop.iter().any(String::is_empty) {
        let message = "Invalid 'stop': expected 1 to 4 non-empty strings.";
        return Err(Error::invalid("stop", Some("invalid_value"), message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort_of(json: &str) -> Option<Effort> {
        asked_effort(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn effort_is_understood_in_all_three_ways() {
        for (json, expected) in [
            ("{}", None),
            (r#"{"reasoning_effort":"none"}"#, Some(Effort::None)),
            (r#"{"reasoning_effort":"minimal"}"#, Some(Effort::None)),
            (r#"{"reasoning_effort":"low"}"#, Some(Effort::Low)),
            (r#"{"reasoning_effort":"medium"}"#, Some(Effort::Medium)),
            (r#"{"reasoning_effort":"high"}"#, Some(Effort::High)),
            (r#"{"reasoning_effort":"xhigh"}"#, Some(Effort::ExtraHigh)),
            (r#"{"reasoning_effort":"max"}"#, Some(Effort::Max)),
            (r#"{"reasoning_effort":"hm"}"#, Some(Effort::Medium)),
            (r#"{"reasoning":{}}"#, None),
            (r#"{"reasoning":{"effort":"low"}}"#, Some(Effort::Low)),
            (r#"{"reasoning":{"enabled":true}}"#, Some(Effort::Medium)),
            (
                r#"{"reasoning":{"enabled":false,"effort":"high"}}"#,
                Some(Effort::None),
            ),
            (r#"{"reasoning":{"max_tokens":0}}"#, Some(Effort::None)),
            (r#"{"reasoning":{"max_tokens":4096}}"#, Some(Effort::Medium)),
            (r#"{"thinking":{"type":"adaptive"}}"#, None),
            (r#"{"thinking":{"type":"enabled"}}"#, Some(Effort::Medium)),
            (
                r#"{"thinking":{"type":"enabled","budget_tokens":31999}}"#,
                Some(Effort::High),
            ),
            (
                r#"{"thinking":{"type":"enabled","budget_tokens":60000}}"#,
                Some(Effort::ExtraHigh),
            ),
            (
                r#"{"reasoning_effort":"low","thinking":{"type":"disabled"}}"#,
                Some(Effort::Low),
            ),
        ] {
            assert_eq!(effort_of(json), expected, "{json}");
        }
    }

    #[test]
    fn thoughts_are_told_where_the_operator_wants_unless_the_client_could_not_use_it() {
        for (json, wanted, told) in [
            ("{}", Told::Member, Told::Member),
            ("{}", Told::Tags, Told::Tags),
            (r#"{"reasoning":{"exclude":false}}"#, Told::Tags, Told::Tags),
            (
                r#"{"reasoning":{"exclude":true}}"#,
                Told::Tags,
                Told::Hidden,
            ),
            (
                r#"{"reasoning":{"exclude":false}}"#,
                Told::Hidden,
                Told::Hidden,
            ),
            (
                r#"{"response_format":{"type":"json_object"}}"#,
                Told::Tags,
                Told::Member,
            ),
            (
                r#"{"response_format":{"type":"text"}}"#,
                Told::Tags,
                Told::Tags,
            ),
        ] {
            let request = serde_json::from_str(json).unwrap();
            assert_eq!(reasoning(&request, wanted), told, "{json} {wanted:?}");
        }
    }

    #[test]
    fn a_limit_larger_than_any_number_is_the_models_own() {
        let request = serde_json::from_str(r#"{"max_tokens":9223372036854775807}"#).unwrap();
        assert_eq!(sampling(&request, 64_000).max_tokens, Some(64_000));
    }
}
