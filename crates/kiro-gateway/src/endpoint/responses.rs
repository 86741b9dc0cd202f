//! `GET` and `DELETE /v1/responses/{id}`, `GET …/input_items`, `POST …/cancel`: responses that are kept.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use openai_types::responses::{Deleted, ItemList};

use crate::body::Body;
use crate::error::{Error, ErrorKind};
use crate::kept::Item;
use crate::response::json;
use crate::shared::Shared;

/// A response as it was answered.
pub(crate) fn one<B>(
    shared: &Shared,
    request: &Request<B>,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(request.headers())?;
    let kept = shared.keeper.response(&tenant.salt, id);
    let kept = kept.ok_or_else(|| unknown(id))?;
    Ok(json(StatusCode::OK, kept.document.clone()))
}

/// Forgets a response. What went on from it cannot go on further.
pub(crate) fn delete<B>(
    shared: &Shared,
    request: &Request<B>,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(request.headers())?;
    if !shared.keeper.forget(&tenant.salt, id) {
        return Err(unknown(id));
    }
    Ok(document(&Deleted {
        id,
        object: "response",
        deleted: true,
    }))
}

/// Refuses: whatever is kept has come to its end.
pub(crate) fn cancel<B>(
    shared: &Shared,
    request: &Request<B>,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(request.headers())?;
    Err(match shared.keeper.response(&tenant.salt, id) {
        Some(_) => Error::new(
            ErrorKind::InvalidRequest,
            "Cannot cancel a synchronous response.",
        ),
        None => unknown(id),
    })
}

/// What was said up to a response: the input of its request, after the conversation that it went on from.
pub(crate) fn input<B>(
    shared: &Shared,
    request: &Request<B>,
    id: &str,
) -> Result<Response<Body>, Error> {
    let tenant = shared.tenants.admit(request.headers())?;
    let page = Page::of(request.uri().query().unwrap_or_default())?;
    let history = shared.keeper.conversation(&tenant.salt, id);
    let history = history.ok_or_else(|| unknown(id))?;
    let (last, before) = history.split_last().ok_or_else(|| unknown(id))?;
    let before = before
        .iter()
        .flat_map(|kept| kept.input.iter().chain(&kept.output));
    let items: Vec<&Item> = before.chain(&last.input).collect();
    Ok(document(&page.list(items)))
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
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match (name, value) {
                ("limit", _) => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=100).contains(limit));
                    page.limit = limit.ok_or_else(|| invalid("limit", "from 1 to 100"))?;
                }
                ("order", "asc") => page.oldest_first = true,
                ("order", "desc") => page.oldest_first = false,
                ("order", _) => return Err(invalid("order", "'asc' or 'desc'")),
                ("after", id) => page.after = Some(id.to_owned()),
                // There is nothing that could be included.
                _ => {}
            }
        }
        Ok(page)
    }

    fn list(self, mut items: Vec<&Item>) -> ItemList<'_> {
        if !self.oldest_first {
            items.reverse();
        }
        let after = self.after.as_deref();
        let first = after.and_then(|after| items.iter().position(|item| item.id == after));
        let rest = &items[first.map_or(0, |at| at + 1)..];
        let shown = &rest[..rest.len().min(self.limit)];
        ItemList {
            object: "list",
            data: shown.iter().map(|item| &*item.json).collect(),
            first_id: shown.first().map(|item| &*item.id),
            last_id: shown.last().map(|item| &*item.id),
            has_more: rest.len() > shown.len(),
        }
    }
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
        let items: Vec<Item> = ["a", "b", "c"]
            .map(|id| Item {
                id: id.to_owned(),
                json: serde_json::value::to_raw_value(id).unwrap().into(),
            })
            .into();
        let list = |query: &str| {
            let list = Page::of(query).unwrap().list(items.iter().collect());
            serde_json::to_string(&(list.data, list.has_more)).unwrap()
        };
        assert_eq!(list(""), r#"[["c","b","a"],false]"#);
        assert_eq!(list("order=asc&limit=2"), r#"[["a","b"],true]"#);
        assert_eq!(list("order=asc&limit=2&after=b"), r#"[["c"],false]"#);
        for query in ["limit=0", "limit=101", "limit=x", "order=up"] {
            assert!(Page::of(query).is_err(), "{query}");
        }
    }
}
