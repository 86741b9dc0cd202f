//! The request body that everything is cut out of, and places in it for error messages.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use kiro_protocol::conversation::JsonObject;
use kiro_protocol::text::JsonText;
use openai_types::{Object, Text};

use crate::error::Error;

/// The request body. What is taken out of it shares its memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a Bytes);

impl Source<'_> {
    /// Text as it was written.
    pub(super) fn text(
        &self,
        text: &Text<'_>,
        place: &dyn fmt::Display,
    ) -> Result<JsonText, Error> {
        JsonText::from_json(self.share(text.as_json())).map_err(|error| {
            let message = format!("Invalid text in '{place}': {error}.");
            Error::invalid(place.to_string(), Some("invalid_value"), message).with_source(error)
        })
    }

    /// Text without its escapes.
    pub(super) fn plain(
        &self,
        text: &Text<'_>,
        place: &dyn fmt::Display,
    ) -> Result<ByteString, Error> {
        let json = text.as_json();
        if !json.contains('\\') {
            let inside = &json[1..json.len() - 1];
            return Ok(self.share_str(inside));
        }
        Ok(self.text(text, place)?.unescape().into_owned().into())
    }

    /// An object as it was written.
    pub(super) fn object(
        &self,
        object: &Object<'_>,
        place: &dyn fmt::Display,
    ) -> Result<JsonObject, Error> {
        JsonObject::parse(self.share_str(object.as_json())).map_err(|error| {
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

/// A place in `messages`, such as `messages[0].content[1].image_url`. It costs nothing until it is
/// written out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) message: usize,
    /// The deepest place is a member of a part of a part's content.
    steps: [Option<Step>; 4],
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Part(usize),
    Call(usize),
    Member(&'static str),
}

impl Place {
    pub(super) fn message(message: usize) -> Self {
        Self {
            message,
            steps: [None; 4],
        }
    }

    /// A part of the content of what stands here.
    pub(super) fn part(self, index: usize) -> Self {
        self.then(Step::Part(index))
    }

    /// A tool call of the message.
    pub(super) fn call(self, index: usize) -> Self {
        self.then(Step::Call(index))
    }

    /// A member of what stands here.
    pub(super) fn member(self, member: &'static str) -> Self {
        self.then(Step::Member(member))
    }

    /// The refusal of what does not stand here.
    pub(super) fn missing(self) -> Error {
        missing(&self.to_string())
    }

    fn then(mut self, step: Step) -> Self {
        if let Some(free) = self.steps.iter_mut().find(|free| free.is_none()) {
            *free = Some(step);
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages[{}]", self.message)?;
        for step in self.steps.iter().flatten() {
            match step {
                Step::Part(index) => write!(f, ".content[{index}]")?,
                Step::Call(index) => write!(f, ".tool_calls[{index}]")?,
                Step::Member(member) => write!(f, ".{member}")?,
            }
        }
        Ok(())
    }
}

/// The refusal of a request without a member that it needs.
pub(super) fn missing(param: &str) -> Error {
    Error::invalid(
        param,
        Some("missing_required_parameter"),
        format!("Missing required parameter: '{param}'."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_body_are_not_copied() {
        let body = Bytes::from_static(br#"["plain","a\tb",{"c":1}]"#);
        let (plain, escaped, object): (Text<'_>, Text<'_>, Object<'_>) =
            serde_json::from_slice(&body).unwrap();
        let source = Source(&body);
        assert_eq!(
            source.plain(&plain, &"").unwrap().as_ptr(),
            body[2..].as_ptr()
        );
        let text = source.text(&escaped, &"").unwrap();
        assert_eq!(text.escaped().as_ptr(), body[10..].as_ptr());
        assert_eq!(source.plain(&escaped, &"").unwrap(), "a\tb");
        let object = source.object(&object, &"").unwrap();
        assert_eq!(object.as_str().as_ptr(), body[16..].as_ptr());
    }

    #[test]
    fn a_text_from_elsewhere_is_copied() {
        let body = Bytes::from_static(b"{}");
        let text = Text::new("elsewhere");
        assert_eq!(Source(&body).plain(&text, &"").unwrap(), "elsewhere");
    }

    #[test]
    fn half_a_character_is_refused_with_its_place() {
        let body = Bytes::from_static(br#""a\ud83d""#);
        let text = serde_json::from_slice(&body).unwrap();
        let place = Place::message(2).part(1).part(0).member("text");
        let error = Source(&body).text(&text, &place).unwrap_err();
        assert_eq!(
            error.param(),
            Some("messages[2].content[1].content[0].text")
        );
        assert!(error.public_message().contains("at byte 1"), "{error}");
    }
}
