//! Why a reply cannot be read to its end.

use crate::event::EventError;
use crate::eventstream::FrameError;
use crate::fault::Fault;

/// The reply is broken or was refused. What was given out before is all there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The bytes are not a valid stream of frames, or end inside a frame.
    #[error("the reply is not a valid event stream")]
    Frame(#[from] FrameError),
    /// A frame is not a valid event.
    #[error("the reply holds an event that cannot be read")]
    Event(#[from] EventError),
    /// The service broke off.
    #[error("the service broke off the reply")]
    Fault(#[from] Fault),
    /// The stream ended cleanly, but without the stop reason that ends every whole reply of this
    /// generation.
    #[error("the reply ended without a stop reason")]
    Unfinished,
    /// The stream ended without text, thoughts or tool use, and without a reason for it. Several gateways
    /// see this when the service is overloaded; asking again mostly helps.
    #[error("the reply is empty")]
    Empty,
    /// The first fragment of a tool use does not name the tool.
    #[error("a tool use without a name")]
    ToolUseWithoutName,
    /// More blocks wait for a tool use to end than [`ReplyOptions::MAX_WAITING_BLOCKS`].
    ///
    /// [`ReplyOptions::MAX_WAITING_BLOCKS`]: super::ReplyOptions::MAX_WAITING_BLOCKS
    #[error("more than {limit} blocks wait for a tool use to end")]
    TooManyBlocks {
        /// The limit.
        limit: usize,
    },
    /// More has to be held back than [`ReplyOptions::max_held_bytes`].
    ///
    /// [`ReplyOptions::max_held_bytes`]: super::ReplyOptions::max_held_bytes
    #[error("more than {limit} bytes would have to be held back")]
    TooMuchHeld {
        /// The limit in bytes.
        limit: usize,
    },
}

impl ReplyError {
    /// Whether the reply was cut off: the service or the network stopped too early.
    pub fn is_truncated(&self) -> bool {
        matches!(
            self,
            Self::Unfinished | Self::Frame(FrameError::Truncated { .. })
        )
    }

    /// The refusal, if it is one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}
