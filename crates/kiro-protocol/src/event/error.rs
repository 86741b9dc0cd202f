//! A frame that is no event.

/// A valid frame that is not a valid event.
///
/// It never quotes a payload, which holds what people said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// A header that every such frame has is missing or not a string.
    #[error("the header {name} is missing or not a string")]
    MissingHeader {
        /// The header's name.
        name: &'static str,
    },
    /// The `:message-type` is none of the three.
    #[error("unknown message type {message_type:?}")]
    UnknownMessageType {
        /// The value of the header, at most 64 characters of it.
        message_type: String,
    },
    /// The payload of a known event does not have its shape.
    #[error("the payload of {event_type} is wrong at byte {offset}: {fault}")]
    Payload {
        /// The known event.
        event_type: &'static str,
        /// Where reading stopped, in bytes from the start of the payload.
        offset: usize,
        /// What is wrong there.
        fault: PayloadFault,
    },
}

/// What is wrong with a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadFault {
    /// It is not JSON, or not UTF-8.
    #[error("not JSON")]
    NotJson,
    /// It is JSON that ends too early.
    #[error("ends early")]
    Incomplete,
    /// A member is missing or of another type.
    #[error("a member is missing or of the wrong type")]
    WrongShape,
}
