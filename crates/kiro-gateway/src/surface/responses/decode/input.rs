//! The input with what it builds on.

use std::sync::Arc;

use bytes::Bytes;
use openai_types::Text;
use openai_types::responses::{Head, Input, ResponsesRequest};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::kept::{Recall, Recalled};
use crate::surface::openai::missing;

/// One item of the conversation.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) json: &'a str,
    /// Where it stands in the request; for kept ones, what brought them in.
    pub(super) place: String,
    /// Whether the request itself has it, or names it.
    pub(super) is_new: bool,
}

/// The input: text of the user, or items with those that were kept before them.
#[derive(Debug, Default)]
pub(super) struct Whole<'a> {
    pub(super) items: Vec<Given<'a>>,
    /// What the user says after the items, where the input is one text.
    pub(super) text: Option<Text<'a>>,
}

/// What of earlier requests a body builds on. A body that is no request builds on nothing.
pub(super) fn recalls(body: &Bytes) -> Recall {
    #[derive(Deserialize)]
    struct Shape<'a> {
        previous_response_id: Option<String>,
        #[serde(borrow)]
        input: Option<&'a RawValue>,
    }
    // The rest of this reads the body once more. A reference may have nothing but its id.
    let says = |word: &str| memchr::memmem::find(body, word.as_bytes()).is_some();
    if !says("previous_response_id") && !says("\"id\"") {
        return Recall::default();
    }
    let Ok(shape) = serde_json::from_slice::<Shape<'_>>(body) else {
        return Recall::default();
    };
    let items = shape.input.map(RawValue::get);
    let items = items.and_then(|json| serde_json::from_str::<Vec<&RawValue>>(json).ok());
    let heads = items.into_iter().flatten();
    let heads = heads.filter_map(|item| serde_json::from_str::<Head>(item.get()).ok());
    Recall {
        previous: shape.previous_response_id,
        items: heads
            .filter(is_reference)
            .filter_map(|head| head.id)
            .collect(),
    }
}

/// Puts the input together.
pub(super) fn whole<'a>(
    request: &ResponsesRequest<'a>,
    recalled: &'a Recalled,
) -> Result<Whole<'a>, Error> {
    let mut whole = Whole::default();
    if let Some(previous) = &request.previous_response_id {
        let history = recalled.history.as_ref();
        let history = history.ok_or_else(|| no_previous(previous))?;
        let items = history
            .iter()
            .flat_map(|kept| kept.input.iter().chain(&kept.output));
        whole.items.extend(items.map(|item| Given {
            json: item.json.get(),
            place: "previous_response_id".to_owned(),
            is_new: false,
        }));
    }
    match &request.input {
        None if request.previous_response_id.is_none() => return Err(missing("input")),
        None => {}
        Some(Input::Text(text)) => whole.text = Some(text.clone()),
        Some(Input::Items(items)) => {
            for (index, item) in items.iter().enumerate() {
                let place = format!("input[{index}]");
                whole.items.extend(given(item.get(), place, recalled)?);
            }
        }
    }
    if whole.items.is_empty() && whole.text.is_none() {
        return Err(Error::invalid(
            "input",
            Some("empty_array"),
            "Invalid 'input': empty array. Expected at least 1 element.",
        ));
    }
    Ok(whole)
}

/// An item, or the one that it refers to. `None` for thoughts that are not kept: the conversation is whole
/// without them.
fn given<'a>(
    json: &'a str,
    place: String,
    recalled: &'a Recalled,
) -> Result<Option<Given<'a>>, Error> {
    let head: Head = serde_json::from_str(json).unwrap_or_default();
    if !is_reference(&head) {
        return Ok(Some(Given {
            json,
            place,
            is_new: true,
        }));
    }
    let id = head.id.ok_or_else(|| missing(&format!("{place}.id")))?;
    match recalled.items.get(&id).map(Arc::as_ref) {
        Some(item) => Ok(Some(Given {
            json: item.get(),
            place,
            is_new: true,
        })),
        None if id.starts_with("rs_") => Ok(None),
        None => Err(no_item(&id)),
    }
}

fn is_reference(head: &Head) -> bool {
    match &head.kind {
        Some(kind) => kind == "item_reference",
        // The type may be left out, and then there is nothing but the id.
        None => head.role.is_none() && head.id.is_some(),
    }
}

fn no_previous(id: &str) -> Error {
    Error::invalid(
        "previous_response_id",
        Some("previous_response_not_found"),
        format!("Previous response with id '{id}' not found."),
    )
}

fn no_item(id: &str) -> Error {
    let message = format!(
        "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input."
    );
    Error::invalid("input", None, message)
}
