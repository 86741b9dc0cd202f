//! A kept response as it lies in Redis: its name, and its sealed form.

use std::borrow::Cow;

use bytes::Bytes;
use kiro_auth::{SealError, SealKey, keyed_name};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::kept::{Item, Kept, Owner};

/// Separates our names and keys from those of other parts that derive theirs from the same secret.
const SALT: &[u8] = b"kiro-gateway kept";

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    previous: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Vec<RecordItem<'a>>,
    #[serde(borrow)]
    output: Vec<RecordItem<'a>>,
    #[serde(borrow)]
    document: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct RecordItem<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    json: &'a RawValue,
}

/// Why a response cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("the response was changed, or sealed by somebody else")]
    Seal(#[from] SealError),
    #[error("the response is not in the form in which it is kept")]
    Form(#[from] serde_json::Error),
}

/// The name of a response. It tells neither whose it is nor its id.
pub(super) fn response_name(owner: &Owner, id: &str) -> String {
    keyed_name(&owner.secret, SALT, &format!("response {id}"))
}

/// The name of an item. Clients choose ids of their own, which may say something.
pub(super) fn item_name(owner: &Owner, id: &str) -> String {
    keyed_name(&owner.secret, SALT, &format!("item {id}"))
}

pub(super) fn seal(owner: &Owner, name: &str, kept: &Kept) -> Result<Vec<u8>, RecordError> {
    let record = Record {
        id: (&*kept.id).into(),
        previous: kept.previous.as_deref().map(Cow::from),
        input: kept.input.iter().map(RecordItem::of).collect(),
        output: kept.output.iter().map(RecordItem::of).collect(),
        document: serde_json::from_slice(&kept.document)?,
    };
    let plain = serde_json::to_vec(&record)?;
    Ok(key(owner).seal(&plain, name.as_bytes())?)
}

/// Opens what lies under a name: what was moved to another one does not open.
pub(super) fn open(owner: &Owner, name: &str, sealed: &[u8]) -> Result<Kept, RecordError> {
    let plain = key(owner).open(sealed, name.as_bytes())?;
    let record: Record<'_> = serde_json::from_slice(&plain)?;
    Ok(Kept {
        id: record.id.into_owned(),
        previous: record.previous.map(Cow::into_owned),
        input: record.input.into_iter().map(Item::from).collect(),
        output: record.output.into_iter().map(Item::from).collect(),
        document: Bytes::copy_from_slice(record.document.get().as_bytes()),
    })
}

fn key(owner: &Owner) -> SealKey {
    SealKey::derive(&owner.secret, SALT, "seal")
}

impl<'a> RecordItem<'a> {
    fn of(item: &'a Item) -> Self {
        Self {
            id: (&*item.id).into(),
            json: &item.json,
        }
    }
}

impl From<RecordItem<'_>> for Item {
    fn from(item: RecordItem<'_>) -> Self {
        Self {
            id: item.id.into_owned(),
            json: item.json.to_owned().into(),
        }
    }
}
