//! From a conversation to the request that Kiro takes.
//!
//! ```text
//! Conversation ──prepare──▶ Prepared ──build──▶ http::Request<Bytes>
//!                              │         ▲
//!               tool names, diagnostics  Target: wire profile, host, token, …
//! ```
//!
//! [`prepare()`] repairs the conversation to the rules that hold in every spelling of the request, once.
//! [`build()`] writes it for one attempt, in the spelling of the attempt's [`WireProfile`].

mod build;
mod diagnostic;
mod ids;
mod login;
mod names;
mod prepare;
mod profile;
mod region;
mod rules;
mod schema;
mod thinking;
mod wire;

pub use build::{BuildError, Target, build};
pub use diagnostic::{CutReference, Diagnostic, LostImage, LostThoughts};
pub use login::{
    BUILDER_ID_PROFILE_ARN, HostKind, LoginKind, ProfileArnRule, SOCIAL_PROFILE_ARN, TokenType,
    profile_arn_rule,
};
pub use names::ToolNames;
pub use prepare::{ImageLimits, PrepareOptions, Prepared, ReasoningHistory, prepare};
pub use profile::{
    AgentModePlace, CLI, CLI_LEGACY, IDE_REST, KRS_CLI, KRS_IDE, Placeholders, WireProfile,
};
pub use region::{Region, RegionError, RegionHints};
pub use thinking::{Capabilities, Efforts, Thinking};
