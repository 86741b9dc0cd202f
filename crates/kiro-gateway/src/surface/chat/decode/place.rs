//! Places in `messages`, for error messages.

use std::fmt;

use crate::error::Error;
use crate::surface::openai::missing;

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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use openai_types::Text;

    use super::*;
    use crate::surface::source::Source;

    #[test]
    fn half_a_character_is_refused_with_its_place() {
        let body = Bytes::from_static(br#""a\ud83d""#);
        let text: Text<'_> = serde_json::from_slice(&body).unwrap();
        let place = Place::message(2).part(1).part(0).member("text");
        let error = Source(&body).text(text.as_json(), &place).unwrap_err();
        assert_eq!(
            error.param(),
            Some("messages[2].content[1].content[0].text")
        );
        assert!(error.public_message().contains("at byte 1"), "{error}");
    }
}
