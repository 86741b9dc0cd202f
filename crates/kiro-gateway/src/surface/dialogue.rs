//! What was said, in the order in which it was said.

use kiro_protocol::conversation::Turn;
use kiro_protocol::text::JsonText;

use crate::image::Wanted;

/// What the messages or items of a request become.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// The leading system and developer messages.
    pub(super) system: Vec<JsonText>,
    /// The rest.
    pub(super) turns: Vec<Turn>,
    /// Pictures that are still to be fetched.
    pub(super) wanted: Vec<Wanted>,
    /// What of it was left out, for the header.
    pub(super) ignored: Vec<&'static str>,
}
