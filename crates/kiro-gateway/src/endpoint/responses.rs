//! `GET` and `DELETE /v1/responses/{id}`, `GET …/input_items`, `POST …/cancel`: responses that are kept.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use openai_types::responses::{Deleted, ItemList};

use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::kept::Item;
use crate::response::json;
use crate::routes::percent_decode;
use crate::shared::Shared;

/// A response as it was answered.
pub(crate) async fn one(
    shared: &Shared,
    headers: &HeaderMap,
    query: &str,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    let kept = shared.keeper.response(&tenant.owner, id).await?;
    let kept = kept.ok_or_else(|| unknown(id))?;
    if members(query).any(|member| member == ("stream", "true")) {
        // A client that reads events would find none in the document, and no error either.
        return Err(Error::invalid(
            "stream",
            Some("unsupported_parameter"),
            "Unsupported parameter: 'stream' is not supported for a response that is complete.",
        ));
    }
    Ok(json(StatusCode::OK, kept.document.clone()))
}

/// Forgets a response. What went on from it cannot go on further.
pub(crate) async fn delete(
    shared: &Shared,
    headers: &HeaderMap,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    if !shared.keeper.forget(&tenant.owner, id).await? {
        return Err(unknown(id));
    }
    Ok(document(&Deleted {
        id,
        object: "response",
        deleted: true,
    }))
}

/// Refuses: whatever is kept has come to its end.
pub(crate) async fn cancel(
    shared: &Shared,
    headers: &HeaderMap,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    Err(match shared.keeper.response(&tenant.owner, id).await? {
        Some(_) => Error::new(
            ErrorKind::InvalidRequest,
            "Cannot cancel a synchronous response.",
        ),
        None => unknown(id),
    })
}

/// What was said up to a response: the input of its request, after the conversation that it went on from.
pub(crate) async fn input(
    shared: &Shared,
    headers: &HeaderMap,
    query: &str,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(headers)?;
    let page = Page::of(query)?;
    let history = shared.keeper.conversation(&tenant.owner, id).await?;
    let history = history.ok_or_else(|| unknown(id))?;
    let (last, before) = history.split_last().ok_or_else(|| unknown(id))?;
    let before = before
        .iter()
        .flat_map(|kept| kept.input.iter().chain(&kept.output));
    let items: Vec<&Item> = before.chain(&last.input).collect();
    Ok(document(&page.list(items)?))
}

/// Which items of a list are wanted.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    limit: usize,
    oldest_first: bool,
    after: Option<String>,
}

impl Page {
    fn of(query: &str) -> Result<Self, Error> {
        let mut page = Self {
            limit: 20,
            oldest_first: false,
            after: None,
        };
        for (name, value) in members(query) {
            match (name, value) {
                ("limit", _) => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=100).contains(limit));
                    page.limit = limit.ok_or_else(|| invalid("limit", "from 1 to 100"))?;
                }
                ("order", "asc") => page.oldest_first = true,
                ("order", "desc") => page.oldest_first = false,
                ("order", _) => return Err(invalid("order", "'asc' or 'desc'")),
                ("after", "") => {}
                ("after", id) => page.after = Some(percent_decode(id)),
                // There is nothing that could be included.
                _ => {}
            }
        }
        Ok(page)
    }

    fn list(self, mut items: Vec<&Item>) -> Result<ItemList<'_>, Error> {
        if !self.oldest_first {
            items.reverse();
        }
        let first = match self.after {
            None => 0,
            // Whoever reads page by page would begin again, and never come to an end.
            Some(after) => match items.iter().position(|item| item.id == after) {
                Some(at) => at + 1,
                None => return Err(invalid("after", "the id of an item of this list")),
            },
        };
        let rest = &items[first..];
        let shown = &rest[..rest.len().min(self.limit)];
        Ok(ItemList {
            object: "list",
            data: shown.iter().map(|item| &*item.json).collect(),
            first_id: shown.first().map(|item| &*item.id),
            last_id: shown.last().map(|item| &*item.id),
            has_more: rest.len() > shown.len(),
        })
    }
}

/// The members of a query.
fn members(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}

fn invalid(param: &str, expected: &str) -> Error {
    let message = format!("Invalid '{param}': expected {expected}.");
    Error::invalid(param, Some("invalid_value"), message)
}

fn unknown(id: &str) -> Error {
    let message = format!("Response with id '{id}' not found.");
    Error::new(ErrorKind::NotFound, message)
}

fn document(value: &impl serde::Serialize) -> Response<Body> {
    // Strings and JSON always serialize.
    json(
        StatusCode::OK,
        Bytes::from(serde_json::to_vec(value).unwrap_or_default()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_told_page_by_page() {
        let items: Vec<Item> = ["a", "b:1", "c"]
            .map(|id| Item {
                id: id.to_owned(),
                json: serde_json::value::to_raw_value(id).unwrap().into(),
            })
            .into();
        let list = |query: &str| {
            let list = Page::of(query).unwrap().list(items.iter().collect());
            let list = list.unwrap();
            serde_json::to_string(&(list.data, list.has_more)).unwrap()
        };
        assert_eq!(list(""), r#"[["c","b:1","a"],false]"#);
        assert_eq!(list("order=asc&limit=2"), r#"[["a","b:1"],true]"#);
        assert_eq!(list("order=asc&limit=2&after="), r#"[["a","b:1"],true]"#);
        assert_eq!(list("order=asc&limit=2&after=b:1"), r#"[["c"],false]"#);
        assert_eq!(list("order=asc&after=b%3A1"), r#"[["c"],false]"#);
        assert_eq!(list("order=asc&after=c"), r#"[[],false]"#);
        let lost = Page::of("after=d").unwrap().list(items.iter().collect());
        assert_eq!(lost.err().unwrap().param(), Some("after"));
        for query in ["limit=0", "limit=101", "limit=x", "order=up"] {
            assert!(Page::of(query).is_err(), "{query}");
        }
    }
}
