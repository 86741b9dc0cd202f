//! The answer that a request chooses when no script fits it.
//!
//! Everything here is a function of the current turn, so the same request gets the same answer.

mod call;
mod directive;
mod instance;
mod prose;

use std::time::Duration;

use serde_json::Value;

use self::directive::{Break, Directives};
use crate::catalog::Model;
use crate::script::{CurrentTurn, Script, Step};

/// Chooses an answer by the current turn.
pub(crate) fn script(turn: &CurrentTurn<'_>, model: &Model, pause: Duration) -> Script {
    let directives = Directives::parse(prose::without_instruction(turn.text));
    let mut script = Script::new();
    if let Some(first) = directives.first {
        script = script.delay(first);
    }
    if let Some(instead) = directives.instead_of_stream() {
        return script.step(instead);
    }
    if let Some(bytes) = directives.segments {
        script = script.segments(bytes);
    }
    script = think(script, turn, model, &directives);

    let calls = call::choose(turn, &directives);
    let mut text = match calls.is_empty() {
        true => prose::answer(turn, &directives),
        false => prose::announcement(&calls),
    };
    let is_cut = limit_to(&mut text, max_tokens(turn));
    let pause = directives.delay.unwrap_or(pause);
    script = say(script, &text, pause, directives.happening());
    for call in calls {
        script = script.tool(call.name, call.input);
    }
    end(script, &directives, is_cut)
}

/// Thoughts come first: in events from models that think by themselves, in tags from those that are told to.
fn think(script: Script, turn: &CurrentTurn<'_>, model: &Model, directives: &Directives) -> Script {
    let field = |path| {
        turn.fields
            .and_then(|fields| fields.pointer(path))
            .and_then(Value::as_str)
    };
    let told_not_to = field("/thinking/type") == Some("disabled");
    if directives.reasoning || (model.thinks() && !told_not_to) {
        if field("/thinking/display") == Some("omitted") {
            return script.signed_reasoning("");
        }
        return script
            .thinking(prose::THOUGHTS[0])
            .signed_reasoning(prose::THOUGHTS[1]);
    }
    let asked_by_tag =
        ["enabled", "adaptive", "interleaved"].map(|mode| format!("<thinking_mode>{mode}<"));
    if !model.thinks() && asked_by_tag.iter().any(|tag| turn.body.contains(tag)) {
        let thoughts = prose::THOUGHTS.concat();
        return script
            .text("<thin")
            .text(format!("king>\n{thoughts}"))
            .text("\n</thinking>\n\n");
    }
    script
}

/// Says the text word by word; what is to happen happens between two words.
fn say(script: Script, text: &str, pause: Duration, happening: Option<Break>) -> Script {
    let words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
    let Some(happening) = happening else {
        return script.step(Step::TextSlowly {
            pieces: words,
            pause,
        });
    };
    let at = happening.after.unwrap_or(words.len() / 2).min(words.len());
    let (before, after) = words.split_at(at);
    script
        .step(Step::TextSlowly {
            pieces: before.to_vec(),
            pause,
        })
        .step(happening.step)
        .step(Step::TextSlowly {
            pieces: after.to_vec(),
            pause,
        })
}

fn end(mut script: Script, directives: &Directives, is_cut: bool) -> Script {
    match &directives.stop {
        Some(reason) => script = script.stop(reason),
        None if directives.no_stop => script = script.no_stop(),
        None if is_cut => script = script.stop("MAX_TOKENS"),
        None => {}
    }
    if let Some(percentage) = directives.usage {
        script = script.usage(percentage);
    }
    if let Some(credits) = directives.credits {
        script = script.credits(credits);
    }
    if directives.no_tail {
        script.no_tail()
    } else {
        script
    }
}

/// The one knob of length that the wire has, for models whose schema lists it.
fn max_tokens(turn: &CurrentTurn<'_>) -> Option<usize> {
    let max = turn.fields?.get("max_tokens")?.as_u64()?;
    usize::try_from(max).ok()
}

/// Cuts the text to a number of tokens of four bytes; says whether anything was lost.
fn limit_to(text: &mut String, max_tokens: Option<usize>) -> bool {
    let limit = max_tokens.unwrap_or(usize::MAX).saturating_mul(4);
    if text.len() <= limit {
        return false;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    true
}
