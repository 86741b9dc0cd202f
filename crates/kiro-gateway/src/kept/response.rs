//! A kept response, and what a later request needs of it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

/// A response that is kept.
#[derive(Debug)]
pub struct Kept {
    /// The response's id.
    pub(crate) id: String,
    /// The response that its request went on from.
    pub(crate) previous: Option<String>,
    /// What its request added.
    pub(crate) input: Vec<Item>,
    /// What was answered.
    pub(crate) output: Vec<Item>,
    /// The answer as a document.
    pub(crate) document: Bytes,
}

/// One item of a kept conversation.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) json: Arc<RawValue>,
}

/// What a request builds on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recall {
    /// The response that it goes on from.
    pub(crate) previous: Option<String>,
    /// Items that it names by their ids.
    pub(crate) items: Vec<String>,
}

/// What was found of it.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    /// The conversation up to the response that it goes on from, oldest first. `None` when any of it is
    /// missing.
    pub(crate) history: Option<Vec<Arc<Kept>>>,
    /// Items by their ids.
    pub(crate) items: HashMap<String, Arc<RawValue>>,
    /// Whether the response to this request can be kept.
    pub(crate) keeps: bool,
}

impl Kept {
    /// What it takes in memory, about.
    pub(super) fn n_bytes(&self) -> usize {
        /// For the entry itself and its keys.
        const OVERHEAD: usize = 512;
        let items = self.input.iter().chain(&self.output);
        let items = items.map(|item| item.id.len() + item.json.get().len() + OVERHEAD / 4);
        OVERHEAD + self.id.len() + self.document.len() + items.sum::<usize>()
    }

    /// One of its items.
    pub(super) fn item(&self, id: &str) -> Option<Arc<RawValue>> {
        let mut items = self.output.iter().chain(&self.input);
        let item = items.find(|item| item.id == id)?;
        Some(item.json.clone())
    }
}
