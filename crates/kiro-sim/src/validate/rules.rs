//! How much to insist on.

use kiro_protocol::Generation;

use super::Holder;
use crate::Catalog;

/// Which rules are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strictness {
    /// Every rule that anybody has met. A request that passes is accepted by every version of the service.
    #[default]
    Strict,
    /// Only the rules on which observers agree.
    Lenient,
}

/// The circumstances of a request that decide which rules hold.
///
/// The default is strict, plays the newest generation, knows the built-in catalogue and asks for no profile.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rules {
    /// How much to insist on.
    pub strictness: Strictness,
    /// The envelope that the body came in.
    pub generation: Generation,
    /// Whether the operation is the Amazon Q twin `SendMessage`, which wants another origin.
    pub send_message: bool,
    /// Whose token came with the request. `None` leaves the profile ARN unchecked.
    pub holder: Option<Holder>,
    /// The models there are. `None` accepts every model and every knob.
    pub catalog: Option<Catalog>,
    /// Limits on size and number.
    pub limits: Limits,
    /// Whether a member that the service does not know is refused. The service skips it, so a misspelt one does nothing:
    /// for tests of what writes requests. `false`.
    pub known_members: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            strictness: Strictness::Strict,
            generation: Generation::Krs,
            send_message: false,
            holder: None,
            catalog: Some(Catalog::default()),
            limits: Limits::default(),
            known_members: false,
        }
    }
}

impl Rules {
    /// Strict rules for one generation of the wire, without a profile check.
    pub fn strict(generation: Generation) -> Self {
        Self {
            generation,
            ..Self::default()
        }
    }

    /// Lenient rules for one generation of the wire, without a profile check.
    pub fn lenient(generation: Generation) -> Self {
        Self {
            strictness: Strictness::Lenient,
            ..Self::strict(generation)
        }
    }

    pub(super) fn is_strict(&self) -> bool {
        self.strictness == Strictness::Strict
    }
}

/// Limits on size and number.
///
/// Sources: limits of the official CLI and the official language server, 2026, the larger where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Messages in the history. 10 000.
    pub history: usize,
    /// Characters of one user message. 600 000.
    pub message_chars: usize,
    /// Characters of one tool result. 800 000.
    pub tool_result_chars: usize,
    /// Bytes of one tool description. 10 237, the longest that a public client sends.
    pub tool_description_bytes: usize,
    /// Pictures in one request. 20.
    pub images: usize,
    /// Bytes of one picture, after base64. 10 MB.
    pub image_bytes: usize,
    /// Pixels of either side of a picture. 8 000.
    pub image_side: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            history: 10_000,
            message_chars: 600_000,
            tool_result_chars: 800_000,
            tool_description_bytes: 10_237,
            images: 20,
            image_bytes: 10 * 1024 * 1024,
            image_side: 8_000,
        }
    }
}
