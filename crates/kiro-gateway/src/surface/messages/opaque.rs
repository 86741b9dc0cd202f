//! What a search brought, in the API's words, and back.
//!
//! Clients carry the content of a page without looking into it. Ours is the page itself as JSON in base64:
//! the model reads it again in every later request, and nothing of it is secret from the client.

use std::borrow::Cow;

use anthropic_types::{SearchContent, SearchError, SearchResult};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kiro_protocol::rpc::WebPage;
use serde::{Deserialize, Serialize};

use crate::search::{Failure, Found, date};

/// What a page has that the API shows nowhere.
#[derive(Serialize, Deserialize)]
struct Hidden<'a> {
    snippet: Option<Cow<'a, str>>,
    published: Option<u64>,
    max_verbatim_words: Option<u64>,
    public_domain: bool,
}

/// What a search brought.
pub(super) fn content(found: &Found) -> SearchContent<'_> {
    match &found.pages {
        Ok(pages) => SearchContent::Results(pages.iter().map(result).collect()),
        Err(failure) => SearchContent::Error(SearchError::new(code(*failure))),
    }
}

fn result(page: &WebPage) -> SearchResult<'_> {
    let title = page.title.as_deref().unwrap_or_default();
    let mut result = SearchResult::new(&*page.url, title);
    result.encrypted_content = seal(page).into();
    result.page_age = page.published.and_then(date).map(Cow::Owned);
    result
}

fn code(failure: Failure) -> &'static str {
    match failure {
        Failure::Unavailable => "unavailable",
        Failure::TooManyRequests => "too_many_requests",
        Failure::InvalidInput => "invalid_tool_input",
        Failure::MaxUses => "max_uses_exceeded",
    }
}

fn seal(page: &WebPage) -> String {
    let hidden = Hidden {
        snippet: page.snippet.as_deref().map(Cow::Borrowed),
        published: page.published,
        max_verbatim_words: page.max_verbatim_words,
        public_domain: page.public_domain,
    };
    // Strings and numbers have no way to fail.
    STANDARD.encode(serde_json::to_vec(&hidden).unwrap_or_default())
}

/// What is in the content of a page, if it is ours.
pub(super) fn open(opaque: &str) -> Option<WebPage> {
    let json = STANDARD.decode(opaque).ok()?;
    let hidden: Hidden<'_> = serde_json::from_slice(&json).ok()?;
    let mut page = WebPage::default();
    page.snippet = hidden.snippet.map(Cow::into_owned);
    page.published = hidden.published;
    page.max_verbatim_words = hidden.max_verbatim_words;
    page.public_domain = hidden.public_domain;
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_comes_back_as_it_went_and_anothers_is_none() {
        let mut page = WebPage::default();
        page.snippet = Some("A \"snippet\" – ü".to_owned());
        page.published = Some(1_775_520_000_000);
        page.max_verbatim_words = Some(30);
        page.public_domain = true;
        assert_eq!(open(&seal(&page)), Some(page));
        assert_eq!(
            open("EqgfCioIARgBIiQ3YTAwMjY1Mi1mZjM5LTQ1NGUtODgxNC1kNjNjNTk1"),
            None
        );
        assert_eq!(open(""), None);
    }
}
