//! The small calls: JSON in, JSON out.
//!
//! | call | request | answer |
//! | --- | --- | --- |
//! | which models there are | [`list_models`] | [`ModelList`] |
//! | which profiles a credential may use | [`list_profiles`] | [`ProfileList`] |
//! | what is used of the quota | [`usage_limits`] | [`UsageLimits`] |
//! | which tools the service hosts | [`list_tools`] | [`HostedTools`] |
//! | use one of them | [`call_tool`] | [`ToolOutput`], [`WebSearch`] |
//!
//! Each generation spells them differently; the [`WireProfile`](crate::request::WireProfile) decides:
//!
//! ```text
//! Rest  GET  {base}/ListAvailableModels?origin=AI_EDITOR&profileArn=…
//! Cli   POST {base}/    x-amz-target: AmazonCodeWhispererService.ListAvailableModels       {"origin":…}
//! Krs   POST {base}/    x-amz-target: KiroControlPlaneBearerService.ListAvailableModels    {"origin":…}
//! ```
//!
//! Any status but 200 is a [`Fault`](crate::fault::Fault). Answers are read leniently: what is missing is
//! `None`, an entry of a list that makes no sense is left out, and only an answer that is no JSON object
//! or lacks its list is an [`RpcError`].
//!
//! Sources: the official control-plane clients and captures of kiro-cli 2.12.2 for the calls and their
//! targets; one gateway for the targets of the newest control plane and the paths with hyphens
//! (October 2026).

mod call;
mod error;
mod mcp;
mod models;
mod profiles;
mod read;
mod usage;

pub use call::Call;
pub use error::RpcError;
pub use mcp::{HostedTool, HostedTools, ToolOutput, WebPage, WebSearch, call_tool, list_tools};
pub use models::{InputType, ModelInfo, ModelList, PromptCaching, list_models};
pub use profiles::{ProfileInfo, ProfileList, list_profiles};
pub use usage::{
    Bonus, Overage, Subscription, UsageBreakdown, UsageLimits, UsageQuestion, usage_limits,
};
