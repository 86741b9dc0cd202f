//! Words of ours in a conversation.

use kiro_protocol::text::JsonText;

/// What stands in the place of a picture that is not fetched again.
pub(super) const LEFT_OUT: &str = "(An image is left out here.)";

/// What stands in the place of something that cannot be sent.
pub(super) fn marker(kind: &str) -> JsonText {
    JsonText::new(&format!("[content of type {kind:?} cannot be shown here]"))
}

/// A system message that stands among the turns, where nobody but the user can speak.
pub(super) fn as_system(text: &JsonText) -> JsonText {
    join(&["<system>\\n", text.escaped(), "\\n</system>"])
}

/// Escaped pieces as one text.
pub(super) fn join(escaped: &[&str]) -> JsonText {
    // Escaped texts one after the other are an escaped text.
    JsonText::from_escaped(escaped.concat().into()).unwrap_or_default()
}
