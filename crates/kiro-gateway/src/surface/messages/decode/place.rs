//! Places in a request, for error messages.

use std::fmt;

use crate::error::Error;

/// A place in a request, such as `messages.0.content.1.text`. It costs nothing until it is written out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    before: Option<&'a Place<'a>>,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Index(usize),
    Member(&'static str),
}

impl<'a> Place<'a> {
    /// A member of the request.
    pub(super) fn top(member: &'static str) -> Self {
        Self {
            before: None,
            step: Step::Member(member),
        }
    }

    /// An item of what stands here.
    pub(super) fn item(&'a self, index: usize) -> Self {
        Self {
            before: Some(self),
            step: Step::Index(index),
        }
    }

    /// A member of what stands here.
    pub(super) fn member(&'a self, member: &'static str) -> Self {
        Self {
            before: Some(self),
            step: Step::Member(member),
        }
    }

    /// The refusal of what does not stand here.
    pub(super) fn missing(&self) -> Error {
        self.refuse("Field required")
    }

    /// The refusal of what stands here.
    pub(super) fn refuse(&self, message: impl Into<String>) -> Error {
        Error::invalid(self.to_string(), None, message)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            write!(f, "{before}.")?;
        }
        match self.step {
            Step::Index(index) => write!(f, "{index}"),
            Step::Member(member) => f.write_str(member),
        }
    }
}
