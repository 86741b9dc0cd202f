//! "A string or something else": visitors with messages that help.
//!
//! Serde's untagged enums buffer the value first, which loses the position of an error, says only that
//! no variant matched, and cannot hold JSON as it was written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use crate::json::{Text, unexpected};

/// A string, or what may stand in its place.
pub(crate) enum Either<T, O> {
    Text(T),
    Other(O),
}

/// Reads a string or an array.
pub(crate) fn string_or_array<'de, D, O>(
    deserializer: D,
    expected: &'static str,
) -> Result<Either<String, O>, D::Error>
where
    D: Deserializer<'de>,
    O: Deserialize<'de>,
{
    deserializer.deserialize_any(StringOr::<O, false> {
        expected,
        other: PhantomData,
    })
}

/// Reads a string or an object.
pub(crate) fn string_or_object<'de, D, O>(
    deserializer: D,
    expected: &'static str,
) -> Result<Either<String, O>, D::Error>
where
    D: Deserializer<'de>,
    O: Deserialize<'de>,
{
    deserializer.deserialize_any(StringOr::<O, true> {
        expected,
        other: PhantomData,
    })
}

/// Takes a string as it was written, or hands out whatever else begins with the byte `opening`.
pub(crate) fn split<'a, E: Error>(
    raw: &'a RawValue,
    opening: u8,
    expected: &'static str,
) -> Result<Either<Text<'a>, &'a RawValue>, E> {
    if let Some(text) = Text::from_raw(raw) {
        return Ok(Either::Text(text));
    }
    if raw.get().as_bytes().first() == Some(&opening) {
        return Ok(Either::Other(raw));
    }
    Err(E::invalid_type(unexpected(raw), &expected))
}

struct StringOr<O, const OBJECT: bool> {
    expected: &'static str,
    other: PhantomData<O>,
}

impl<'de, O: Deserialize<'de>, const OBJECT: bool> Visitor<'de> for StringOr<O, OBJECT> {
    type Value = Either<String, O>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Either::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        if OBJECT {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        O::deserialize(SeqAccessDeserializer::new(items)).map(Either::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        if !OBJECT {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        }
        O::deserialize(MapAccessDeserializer::new(members)).map(Either::Other)
    }
}
