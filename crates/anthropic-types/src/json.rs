//! JSON kept as it was written: checked once, carried without being taken apart.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, Unexpected};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON string in its escaped form, as it stands in the document.
///
/// Deserializing borrows the characters from the input, so the input must be a `&str` or a `&[u8]`, not
/// a reader. The escapes are well formed; whether a `\ud800` is one half of a pair is not checked.
///
/// ```
/// use anthropic_types::Text;
///
/// let text: Text<'_> = serde_json::from_str(r#""two\nlines""#)?;
/// assert_eq!(text.as_json(), r#""two\nlines""#);
/// assert_eq!(text, Text::new("two\nlines"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Text<'a>(Cow<'a, RawValue>);

/// A JSON object as it stands in the document.
///
/// ```
/// use anthropic_types::Object;
///
/// let object: Object<'_> = serde_json::from_str(r#"{"city": "Paris"}"#)?;
/// assert_eq!(object.as_json(), r#"{"city": "Paris"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Object<'a>(Cow<'a, RawValue>);

/// Any JSON but `null`, as it stands in the document: for members that are read by what is beside them.
#[derive(Clone)]
pub struct Json<'a>(Cow<'a, RawValue>);

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
}

impl<'a> Object<'a> {
    /// Takes one whole JSON object, braces included.
    ///
    /// # Errors
    ///
    /// When `json` is not JSON, or not an object.
    pub fn from_json(json: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// `{}`.
    pub fn empty() -> Object<'static> {
        let raw = RawValue::from_string("{}".to_owned());
        // It is an object.
        Object(Cow::Owned(raw.expect("braces are JSON")))
    }
}

impl<'a> Json<'a> {
    /// A string as text. Only called with a string.
    pub(crate) fn into_text(self) -> Text<'a> {
        Text(self.0)
    }
}

/// What the three have in common, but for the byte that they begin with.
macro_rules! kept {
    ($name:ident, $expected:literal, $opening:pat) => {
        impl $name<'_> {
            /// The JSON.
            pub fn as_json(&self) -> &str {
                self.0.get()
            }
        }

        impl<'de: 'a, 'a> Deserialize<'de> for $name<'a> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <&RawValue>::deserialize(deserializer)?;
                match raw.get().as_bytes().first() {
                    Some($opening) => Ok(Self(Cow::Borrowed(raw))),
                    _ => Err(D::Error::invalid_type(unexpected(raw), &$expected)),
                }
            }
        }

        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        /// Equal when written alike, spaces and escapes included.
        impl PartialEq for $name<'_> {
            fn eq(&self, other: &Self) -> bool {
                self.as_json() == other.as_json()
            }
        }

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_json())
            }
        }
    };
}

kept!(Text, "a string", b'"');
kept!(Object, "an object", b'{');
kept!(Json, "a value", _);

/// What a value is, for an error message.
fn unexpected(raw: &RawValue) -> Unexpected<'static> {
    Unexpected::Other(match raw.get().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_borrowed_from_the_document() {
        let document = r#"["a\tb",{"c":1},[2]]"#;
        let (text, object, json): (Text<'_>, Object<'_>, Json<'_>) =
            serde_json::from_str(document).unwrap();
        assert_eq!(text.as_json().as_ptr(), document[1..].as_ptr());
        assert_eq!(object.as_json().as_ptr(), document[8..].as_ptr());
        assert_eq!(json.as_json().as_ptr(), document[16..].as_ptr());
        let again = serde_json::to_string(&(text, object, json)).unwrap();
        assert_eq!(again, document);
    }

    #[test]
    fn another_type_is_named() {
        for (json, name) in [
            ("17", "a number"),
            ("true", "a boolean"),
            ("null", "null"),
            ("[]", "an array"),
            ("{}", "an object"),
        ] {
            let error = serde_json::from_str::<Text<'_>>(json).unwrap_err();
            let expected = format!("invalid type: {name}, expected a string");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        let error = serde_json::from_str::<Object<'_>>("\"\"").unwrap_err();
        let expected = "invalid type: a string, expected an object";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(
            serde_json::from_str::<Option<Json<'_>>>("null").unwrap(),
            None
        );
    }
}
