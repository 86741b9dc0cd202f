//! What a search brought, in words for the model.

use kiro_protocol::conversation::ResultPart;
use kiro_protocol::rpc::{WebPage, WebSearch};
use kiro_protocol::text::JsonText;

use super::{Domains, Failure};

/// The pages in the text of the hosted tool's answer that are wanted.
pub(super) fn read(text: &str, domains: &Domains) -> Result<Vec<WebPage>, Failure> {
    let search = WebSearch::parse(text).map_err(|error| {
        tracing::warn!(%error, "the result of a search cannot be read");
        Failure::Unavailable
    })?;
    if let (Some(error), true) = (&search.error, search.pages.is_empty()) {
        tracing::warn!(error, "the search failed");
        return Err(Failure::Unavailable);
    }
    let mut pages = search.pages;
    pages.retain(|page| domains.want(&page.url));
    Ok(pages)
}

/// The pages as the model reads them, in the answer that searched and in every later one.
///
/// The service asks for sources to be named, and for quotes to be no longer than it says.
pub(crate) fn as_text(pages: &[WebPage]) -> JsonText {
    if pages.is_empty() {
        return JsonText::new("No page was found.");
    }
    let mut text = String::from("Name the pages that you use, with their addresses.\n");
    for (n, page) in pages.iter().enumerate() {
        let title = page.title.as_deref().unwrap_or("(no title)");
        text.push_str(&format!("\n{}. {title}\n{}\n", n + 1, page.url));
        if let Some(date) = page.published.and_then(date) {
            text.push_str(&format!("Published {date}.\n"));
        }
        if let Some(snippet) = &page.snippet {
            text.push_str(&format!("{snippet}\n"));
        }
        if let (Some(words), false) = (page.max_verbatim_words, page.public_domain) {
            text.push_str(&format!("Quote at most {words} words of it.\n"));
        }
    }
    JsonText::new(text.trim_end())
}

/// The day of a time in milliseconds since 1970, as people write it.
pub(crate) fn date(milliseconds: u64) -> Option<String> {
    let milliseconds = i64::try_from(milliseconds).ok()?;
    let time = jiff::Timestamp::from_millisecond(milliseconds).ok()?;
    let day = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    Some(day.strftime("%B %-d, %Y").to_string())
}

impl Failure {
    /// What the model is told.
    fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "The search is not available at the moment.",
            Self::TooManyRequests => "There were too many searches; none is possible for now.",
            Self::InvalidInput => "The search needs a `query`.",
            Self::MaxUses => "No further search is allowed. Answer with what is known.",
        }
    }
}

/// What the model is given, and whether it is a failure.
pub(super) fn result(pages: &Result<Vec<WebPage>, Failure>) -> (ResultPart, bool) {
    match pages {
        Ok(pages) => (ResultPart::Text(as_text(pages)), false),
        Err(failure) => (ResultPart::Text(JsonText::new(failure.as_str())), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_not_wanted_are_left_out() {
        let text = r#"{"results":[{"url":"https://a.example/1","title":"A"},{"url":"https://b.example/1"}],"error":null}"#;
        let domains = Domains::Only(vec!["b.example".to_owned()]);
        let pages = read(text, &domains).unwrap();
        assert_eq!(pages.len(), 1);
        assert_eq!(pages[0].url, "https://b.example/1");
    }

    #[test]
    fn an_error_without_pages_and_what_is_no_json_are_failures() {
        for text in [r#"{"results":[],"error":"down"}"#, "so sorry", "[]"] {
            assert_eq!(
                read(text, &Domains::Any),
                Err(Failure::Unavailable),
                "{text}"
            );
        }
        assert_eq!(read(r#"{"results":[]}"#, &Domains::Any), Ok(Vec::new()));
    }

    #[test]
    fn the_model_reads_all_that_is_known_of_a_page() {
        let mut page = WebPage::default();
        page.url = "https://a.example/1".to_owned();
        page.title = Some("A title".to_owned());
        page.snippet = Some("A \"snippet\".".to_owned());
        page.published = Some(1_775_520_000_000);
        page.max_verbatim_words = Some(30);
        let text = as_text(&[page]);
        assert_eq!(
            text.unescape(),
            "Name the pages that you use, with their addresses.\n\n1. A title\nhttps://a.example/1\n\
             Published April 7, 2026.\nA \"snippet\".\nQuote at most 30 words of it."
        );
        assert_eq!(date(u64::MAX), None);
    }
}
