//! Searches of the web in the middle of an answer.
//!
//! The model is offered a tool, `web_search`. When it calls it, the gateway searches with the service's own
//! hosted tool, gives the model what was found, and lets it go on; the client sees one answer.
//!
//! ```text
//! offer ─> reply ── the model calls web_search ──> Asked ─> hosted tool ─> Found ─> next reply
//!            └── it does not ──> the end
//! ```
//!
//! Source of the tool and its answers: section "web search" of `docs/kiro-protocol.md`.

mod domain;
mod generation;
mod hosted;
mod pages;
mod reply;

use kiro_protocol::conversation::{JsonObject, ToolSpec};
use kiro_protocol::reply::ReplyEvent;
use kiro_protocol::rpc::WebPage;
use kiro_protocol::text::JsonText;

use crate::error::Error;

pub(crate) use domain::Domains;
pub(crate) use hosted::Hosted;
pub(crate) use pages::{as_text, date};
pub(crate) use reply::{SearchedReply, open};

/// The tool's name, here and at the service.
pub(crate) const NAME: &str = "web_search";

/// What a request says of its searches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Search {
    /// Most searches in the answer. `None`: ten.
    pub(crate) max_uses: Option<u32>,
    /// Whose pages are wanted.
    pub(crate) domains: Domains,
    /// Where the request asks for it, for the refusal where there is no search.
    pub(crate) place: String,
    /// The tool's type by the name that the request gives it.
    pub(crate) kind: String,
}

impl Search {
    /// What is said where the account has no search. An answer without would look the same and be wrong.
    fn unavailable(&self) -> Error {
        let message = format!(
            "tool type '{}' is not supported: the Kiro account has no web search",
            self.kind
        );
        Error::invalid(&*self.place, None, message)
    }
}

/// One event of an answer with searches in it.
#[derive(Debug)]
pub(crate) enum Event {
    /// What the model says.
    Reply(ReplyEvent),
    /// The stop sequence that ended the answer, just before its `Stop`.
    StoppedAt(String),
    /// The model asks for a search, which begins.
    Asked(Asked),
    /// It is over.
    Found(Found),
}

/// A search that the model asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// `srvtoolu_…`
    pub(crate) id: String,
    /// `{"query": "…"}`
    pub(crate) input: JsonObject,
}

/// What a search brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The id of the search.
    pub(crate) id: String,
    /// Its pages, best first, or why there are none.
    pub(crate) pages: Result<Vec<WebPage>, Failure>,
}

/// Why a search brought nothing. The answer goes on without it, and the model is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It could not be carried out.
    Unavailable,
    /// The service limits the rate.
    TooManyRequests,
    /// The model asked for nothing.
    InvalidInput,
    /// The request allows no more of them.
    MaxUses,
}

/// The tool as it is offered to a model before the service has said how.
pub(crate) fn tool() -> ToolSpec {
    const SCHEMA: &str = r#"{"type":"object","properties":{"query":{"type":"string","description":"What to search for."}},"required":["query"]}"#;
    ToolSpec {
        name: NAME.to_owned(),
        description: JsonText::new("Searches the public web for current information."),
        // It is an object, as a test makes sure.
        schema: JsonObject::parse(SCHEMA).unwrap_or_else(|_| JsonObject::empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_takes_a_query() {
        assert!(tool().schema.as_str().contains("\"query\""));
    }
}
