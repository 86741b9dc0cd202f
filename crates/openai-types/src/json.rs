//! JSON kept as it was written: checked once, carried without being taken apart.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Unexpected};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON string in its escaped form, as it stands in the document.
///
/// A long conversation is mostly text that is only carried from one document into another. It is
/// therefore neither unescaped nor copied: deserializing borrows the characters from the input, so the
/// input must be a `&str` or a `&[u8]`, not a reader.
///
/// The escapes are well formed. Whether a `\ud800` is one half of a pair is not checked until somebody
/// asks for the [`plain`](Self::to_plain) text.
///
/// ```
/// use openai_types::Text;
///
/// let text: Text<'_> = serde_json::from_str(r#""two\nlines""#)?;
/// assert_eq!(text.as_json(), r#""two\nlines""#);
/// assert_eq!(text.to_plain()?, "two\nlines");
/// assert_eq!(text, Text::new("two\nlines"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Text<'a>(Cow<'a, RawValue>);

/// A JSON object as it stands in the document.
///
/// For members whose inside is nobody's business here: it is known to be an object, and kept.
///
/// ```
/// use openai_types::Object;
///
/// let object: Object<'_> = serde_json::from_str(r#"{"city": "Paris"}"#)?;
/// assert_eq!(object.as_json(), r#"{"city": "Paris"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Object<'a>(Cow<'a, RawValue>);

impl<'a> Text<'a> {
    /// Escapes plain text.
    pub fn new(plain: &str) -> Text<'static> {
        let raw = serde_json::value::to_raw_value(plain);
        // Serializing a `str` into memory has no way to fail.
        Text(Cow::Owned(raw.expect("a string is always JSON")))
    }

    /// Takes one whole JSON string, quotes included.
    ///
    /// # Errors
    ///
    /// When `json` is not JSON, or not a string.
    pub fn from_json(json: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// The string as JSON, quotes included.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// The text itself. Borrows unless there is an escape to resolve.
    ///
    /// # Errors
    ///
    /// When an escape names one half of a surrogate pair: then there is no such text.
    pub fn to_plain(&self) -> Result<Cow<'_, str>, serde_json::Error> {
        serde_json::from_str(self.0.get()).map(|Borrowed(plain)| plain)
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.get() == r#""""#
    }

    /// The same text, independent of the document.
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }

    pub(crate) fn from_raw(raw: &'a RawValue) -> Option<Self> {
        raw.get()
            .starts_with('"')
            .then_some(Self(Cow::Borrowed(raw)))
    }
}

impl Object<'_> {
    /// The object as JSON, braces included.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.as_json()[1..].trim_start().starts_with('}')
    }

    /// The same object, independent of the document.
    pub fn into_owned(self) -> Object<'static> {
        Object(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> Object<'a> {
    pub(crate) fn from_raw(raw: &'a RawValue) -> Option<Self> {
        raw.get()
            .starts_with('{')
            .then_some(Self(Cow::Borrowed(raw)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::from_raw(raw).ok_or_else(|| D::Error::invalid_type(unexpected(raw), &"a string"))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Self::from_raw(raw).ok_or_else(|| D::Error::invalid_type(unexpected(raw), &"an object"))
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Equal when written alike: `"\u0041"` is not equal to `"A"`.
impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

/// Equal when written alike, spaces included.
impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

/// What a value is, for an error message.
pub(crate) fn unexpected(raw: &RawValue) -> Unexpected<'static> {
    Unexpected::Other(match raw.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ if raw.get().contains(['.', 'e', 'E']) => "a decimal number",
        _ => "an integer",
    })
}

/// Serde copies a plain `Cow<str>`; this one borrows where it can.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_objects_are_borrowed_from_the_document() {
        let document = r#"["a\tb",{"c":1}]"#;
        let (text, object): (Text<'_>, Object<'_>) = serde_json::from_str(document).unwrap();
        assert_eq!(text.as_json().as_ptr(), document[1..].as_ptr());
        assert_eq!(object.as_json().as_ptr(), document[8..].as_ptr());
        assert_eq!(
            serde_json::to_string(&(text.into_owned(), object.into_owned())).unwrap(),
            document
        );
    }

    #[test]
    fn an_object_is_empty_however_it_is_written() {
        for (json, is_empty) in [
            ("{}", true),
            ("{ \n\t}", true),
            (r#"{"}":1}"#, false),
            (r#"{ "a":{}}"#, false),
        ] {
            let object: Object<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(object.is_empty(), is_empty, "{json}");
        }
    }

    #[test]
    fn another_type_is_named() {
        for (json, name) in [
            ("17", "an integer"),
            ("-0.5", "a decimal number"),
            ("true", "a boolean"),
            ("null", "null"),
            ("[]", "an array"),
            ("{}", "an object"),
        ] {
            let error = serde_json::from_str::<Text<'_>>(json)
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with(&format!("invalid type: {name}, expected a string")),
                "{error}"
            );
        }
        let error = serde_json::from_str::<Object<'_>>("\"\"")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("invalid type: a string, expected an object"),
            "{error}"
        );
    }

    #[test]
    fn half_a_character_is_no_plain_text() {
        let text = Text::from_json(r#""\ud83d""#).unwrap();
        assert!(text.to_plain().is_err());
        assert!(Text::from_json("\"").is_err());
        assert!(Text::from_json("1").is_err());
    }

    #[test]
    fn only_the_empty_string_is_empty() {
        assert!(Text::new("").is_empty());
        assert!(!Text::new(" ").is_empty());
    }
}
