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
//!
//! ```
//! use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
//! use kiro_protocol::request::{
//!     KRS_IDE, PrepareOptions, Region, Target, build, prepare,
//! };
//!
//! let mut conversation = Conversation::new("claude-sonnet-4.5");
//! conversation.system.push("Be brief.".into());
//! conversation.turns.push(Turn::new(Role::User, [Block::Text("What is a CRC?".into())]));
//! let prepared = prepare(&conversation, &PrepareOptions::new(b"the tenant"));
//! assert!(prepared.diagnostics.is_empty());
//!
//! let base = KRS_IDE.base(&Region::US_EAST_1)?;
//! let mut target = Target::new(&KRS_IDE, &base, "the access token");
//! target.profile_arn = Some("arn:aws:codewhisperer:us-east-1:111122223333:profile/EXAMPLE");
//! target.user_agent = "Kiro-2API/0.1.0";
//! let request = build(&prepared, &target)?;
//! assert_eq!(request.uri(), "https://runtime.us-east-1.kiro.dev/");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! - Any [`Conversation`](crate::conversation::Conversation) becomes one that obeys the rules, unless
//!   nothing is said in it at all ([`BuildError::Empty`]).
//! - The input is not changed. Equal input gives equal bytes.
//! - Every word of the user and every tool result is sent. What has no place of its own becomes text.
//! - Nothing is added to a conversation that obeys the rules. Where words had to be put in, or anything
//!   else was changed, a [`Diagnostic`] says so.
//! - Names of tools that had to change come back through [`ToolNames`].
//! - The body of a growing conversation begins with the same bytes; see [`build()`].
//! - Time and memory are linear in the input, up to 2 MiB of unfolded references in schemas.
//!
//! # What is not done here
//!
//! Nothing is trimmed to a size, because the limits that people report contradict each other. Model names
//! are taken as Kiro's own. No wish of a client's API that Kiro has no field for is emulated: temperature,
//! stop sequences, tool choice, response formats.
//!
//! # Where the bytes are decided
//!
//! The spelling is data ([`WireProfile`]); what the service insists on is one function per rule, each with
//! its source, listed in `request/rules/mod.rs`; what becomes of tool schemas is in `request/schema`; the
//! shape of the body stands at the top of `request/wire.rs`.

mod build;
mod diagnostic;
mod ids;
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
pub use names::ToolNames;
pub use prepare::{ImageLimits, PrepareOptions, Prepared, ReasoningHistory, prepare};
pub use profile::{
    AgentModePlace, CLI, CLI_LEGACY, HostKind, IDE_REST, KRS_CLI, KRS_IDE, Placeholders,
    WireProfile,
};
pub use region::{Region, RegionError};
pub use schema::SchemaCache;
pub use thinking::{Capabilities, Efforts, Thinking};
