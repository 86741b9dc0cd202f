//! Pictures that a request names by URL, and what became of them.

use std::collections::HashMap;

use bytestring::ByteString;
use kiro_protocol::conversation::Image;

/// A picture that a request names by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its URL, `http:` or `https:`.
    pub(crate) url: ByteString,
    /// Where the request names it, for the refusal.
    pub(crate) place: String,
}

/// What became of pictures named by a URL, as far as a surface may know.
#[derive(Debug)]
pub(crate) enum Pictures {
    /// None is fetched, for the reason given.
    Refused(&'static str),
    /// These were. `None` is one that was left out because there are newer ones.
    Fetched(HashMap<ByteString, Option<Image>>),
}
