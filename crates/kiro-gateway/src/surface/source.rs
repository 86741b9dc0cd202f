//! The request body that everything is cut out of.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use kiro_protocol::conversation::JsonObject;
use kiro_protocol::text::JsonText;

use crate::error::Error;

/// The request body. What is taken out of it shares its memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a>(pub(crate) &'a Bytes);

impl Source<'_> {
    /// Text as it was written; `json` has its quotes.
    pub(crate) fn text(&self, json: &str, place: &dyn fmt::Display) -> Result<JsonText, Error> {
        JsonText::from_json(self.share(json)).map_err(|error| {
            let message = format!("Invalid text in '{place}': {error}.");
            Error::invalid(place.to_string(), Some("invalid_value"), message).with_source(error)
        })
    }

    /// Text without its escapes.
    pub(crate) fn plain(&self, json: &str, place: &dyn fmt::Display) -> Result<ByteString, Error> {
        if !json.contains('\\') {
            let inside = &json[1..json.len() - 1];
            return Ok(self.share_str(inside));
        }
        Ok(self.text(json, place)?.unescape().into_owned().into())
    }

    /// An object as it was written.
    pub(crate) fn object(&self, json: &str, place: &dyn fmt::Display) -> Result<JsonObject, Error> {
        JsonObject::parse(self.share_str(json)).map_err(|error| {
            let message = format!("Invalid object in '{place}': {error}.");
            Error::invalid(place.to_string(), Some("invalid_value"), message).with_source(error)
        })
    }

    fn share_str(&self, part: &str) -> ByteString {
        // The bytes are those of a `str`.
        ByteString::try_from(self.share(part)).unwrap_or_default()
    }

    /// A part of the body without a copy, and anything else with one.
    fn share(&self, part: &str) -> Bytes {
        let body = self.0;
        let start = (part.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
        match start {
            Some(start) if start + part.len() <= body.len() => {
                body.slice(start..start + part.len())
            }
            _ => Bytes::copy_from_slice(part.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use openai_types::{Object, Text};

    use super::*;

    #[test]
    fn parts_of_the_body_are_not_copied() {
        let body = Bytes::from_static(br#"["plain","a\tb",{"c":1}]"#);
        let (plain, escaped, object): (Text<'_>, Text<'_>, Object<'_>) =
            serde_json::from_slice(&body).unwrap();
        let source = Source(&body);
        assert_eq!(
            source.plain(plain.as_json(), &"").unwrap().as_ptr(),
            body[2..].as_ptr()
        );
        let text = source.text(escaped.as_json(), &"").unwrap();
        assert_eq!(text.escaped().as_ptr(), body[10..].as_ptr());
        assert_eq!(source.plain(escaped.as_json(), &"").unwrap(), "a\tb");
        let object = source.object(object.as_json(), &"").unwrap();
        assert_eq!(object.as_str().as_ptr(), body[16..].as_ptr());
    }

    #[test]
    fn a_text_from_elsewhere_is_copied() {
        let body = Bytes::from_static(b"{}");
        let text = Text::new("elsewhere");
        assert_eq!(
            Source(&body).plain(text.as_json(), &"").unwrap(),
            "elsewhere"
        );
    }
}
