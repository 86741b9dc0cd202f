//! How long an answer should be.

use kiro_protocol::text::JsonText;

/// What the model is told for a `verbosity` other than the default.
pub(in crate::surface) fn hint(verbosity: &str) -> Option<JsonText> {
    let hint = match verbosity {
        "low" => "Keep your answers short: say what matters and nothing else.",
        "high" => "Answer at length: explain, and leave out no detail that may matter.",
        _ => return None,
    };
    Some(JsonText::new(hint))
}
