//! The envelopes of a request, as data.

use std::borrow::Cow;

use http::Uri;
use http::uri::InvalidUri;

use super::region::Region;
use crate::Generation;

/// Everything that distinguishes one spelling of the same request from another.
///
/// The service changes hosts, headers and values without notice. So this is data: a program clones one
/// of the known profiles, changes the fields that its operator set, and passes the result to
/// [`build`](super::build()).
///
/// ```
/// use kiro_protocol::request::{Region, WireProfile};
///
/// let krs = WireProfile::by_name("krs").expect("a known name");
/// assert_eq!(krs.base(&Region::US_EAST_1)?, "https://runtime.us-east-1.kiro.dev/");
///
/// let mut mine = krs.clone();
/// mine.host = "https://runtime.example.net".into();
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WireProfile {
    /// How operators call it, for example `krs`.
    pub name: Cow<'static, str>,
    /// The envelope, which also says what may be expected of the reply.
    pub generation: Generation,
    /// Scheme and authority for inference; `{region}` stands for the region.
    pub host: Cow<'static, str>,
    /// What kind of host that is, which decides what profile ARN it wants to hear.
    pub host_kind: HostKind,
    /// Scheme and authority for the small calls; `{region}` stands for the region.
    pub management_host: Cow<'static, str>,
    /// What kind of host that is.
    pub management_host_kind: HostKind,
    /// Path of the request.
    pub path: Cow<'static, str>,
    /// `content-type`.
    pub content_type: Cow<'static, str>,
    /// `x-amz-target`; REST has none.
    pub target: Option<Cow<'static, str>>,
    /// `origin` of every user message.
    pub origin: Cow<'static, str>,
    /// Where the agent mode travels.
    pub agent_mode: AgentModePlace,
    /// Whether the conversation also names its root.
    pub root_conversation_id: bool,
    /// `x-amzn-kiro-client-attribution`.
    pub attribution: Option<Cow<'static, str>>,
    /// Whether `x-kiro-attempt` counts the attempts.
    pub attempt_header: bool,
    /// Whether `x-amzn-codewhisperer-optout` tells if the content may be used to improve the service.
    pub opt_out_header: bool,
    /// What stands where the service demands a text and the conversation has none.
    pub placeholders: Placeholders,
    /// The profile to try once when this one meets a connect error, 404, 405 or an unknown operation
    /// before anything was sent downstream.
    pub fallback: Option<Cow<'static, str>>,
}

/// The planes and ages of hosts that judge a profile ARN differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostKind {
    /// `runtime.{region}.kiro.dev`
    Runtime,
    /// `q.{region}.amazonaws.com` and `codewhisperer.us-east-1.amazonaws.com`
    Legacy,
    /// `management.{region}.kiro.dev`
    Management,
}

/// Where the agent mode travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentModePlace {
    /// As the member `agentMode` of the body.
    Body,
    /// As the header `x-amzn-kiro-agent-mode`.
    Header,
    /// Not at all.
    Nowhere,
}

/// Texts for the places where the service demands one and the conversation has none.
///
/// They are only used there, because a model reads them as if somebody had said them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placeholders {
    /// The model's answer to the system prompt, which travels as the first user message.
    pub system_reply: Cow<'static, str>,
    /// A user message that only holds tool results.
    pub tool_results: Cow<'static, str>,
    /// A user message that only holds pictures.
    pub images: Cow<'static, str>,
    /// A user message before an assistant message that begins the conversation.
    pub opening: Cow<'static, str>,
    /// The current user message after an assistant message that ends the conversation.
    pub current: Cow<'static, str>,
    /// An assistant message that only holds tool uses or thoughts.
    pub assistant: Cow<'static, str>,
}

/// What the current official component does: nothing is said for nobody.
///
/// Source: captures of the IDE 1.0.395, October 2026. `images` follows the model, which allows an empty
/// text there; `opening` and `current` cannot arise in the official component.
const MODERN: Placeholders = Placeholders {
    system_reply: text("I will follow these instructions."),
    tool_results: text(""),
    images: text(""),
    opening: text("(no message)"),
    current: text("Continue"),
    assistant: text(""),
};

/// For services that refuse an empty text everywhere.
///
/// Source: several gateways agree on the rule, and on these words for tool results and the current
/// message (October 2026).
const NEVER_EMPTY: Placeholders = Placeholders {
    system_reply: text("I will follow these instructions."),
    tool_results: text("Tool results provided."),
    images: text("Image provided."),
    opening: text("(no message)"),
    current: text("Continue"),
    assistant: text(" "),
};

/// `krs`, the IDE 1.x, and the default: AWS-JSON to `KiroRuntimeService`.
///
/// Source: captures of the IDE 1.0.395, October 2026.
pub static KRS_IDE: WireProfile = WireProfile {
    name: text("krs"),
    generation: Generation::Krs,
    host: text("https://runtime.{region}.kiro.dev"),
    host_kind: HostKind::Runtime,
    management_host: text("https://management.{region}.kiro.dev"),
    management_host_kind: HostKind::Management,
    path: text("/"),
    content_type: text("application/x-amz-json-1.0"),
    target: Some(text("KiroRuntimeService.GenerateAssistantResponse")),
    origin: text("AI_EDITOR"),
    agent_mode: AgentModePlace::Body,
    root_conversation_id: true,
    attribution: Some(text("unrecognized")),
    attempt_header: true,
    opt_out_header: false,
    placeholders: MODERN,
    fallback: Some(text("rest")),
};

/// `krs-cli`, the CLI with its third engine: as [`KRS_IDE`] with other headers.
///
/// Source: captures of the CLI 2.23.1, October 2026.
pub static KRS_CLI: WireProfile = WireProfile {
    name: text("krs-cli"),
    generation: Generation::Krs,
    host: text("https://runtime.{region}.kiro.dev"),
    host_kind: HostKind::Runtime,
    management_host: text("https://management.{region}.kiro.dev"),
    management_host_kind: HostKind::Management,
    path: text("/"),
    content_type: text("application/x-amz-json-1.0"),
    target: Some(text("KiroRuntimeService.GenerateAssistantResponse")),
    origin: text("AI_EDITOR"),
    agent_mode: AgentModePlace::Body,
    root_conversation_id: true,
    attribution: Some(text("unrecognized")),
    attempt_header: false,
    opt_out_header: true,
    placeholders: MODERN,
    fallback: Some(text("rest")),
};

/// `cli`, the classic CLI: AWS-JSON to `AmazonCodeWhispererStreamingService`. For API keys.
///
/// Source: the official CLI's code and captures of 2.4.1 and 2.12.2, October 2026.
pub static CLI: WireProfile = WireProfile {
    name: text("cli"),
    generation: Generation::Cli,
    host: text("https://runtime.{region}.kiro.dev"),
    host_kind: HostKind::Runtime,
    management_host: text("https://management.{region}.kiro.dev"),
    management_host_kind: HostKind::Management,
    path: text("/"),
    content_type: text("application/x-amz-json-1.0"),
    target: Some(text(
        "AmazonCodeWhispererStreamingService.GenerateAssistantResponse",
    )),
    origin: text("KIRO_CLI"),
    agent_mode: AgentModePlace::Nowhere,
    root_conversation_id: false,
    attribution: None,
    attempt_header: false,
    opt_out_header: true,
    placeholders: NEVER_EMPTY,
    fallback: Some(text("cli-legacy")),
};

/// `cli-legacy`, as [`CLI`] on the host that earlier builds called.
///
/// Source: the official CLI's code and captures of May 2026. The end of the host is announced.
pub static CLI_LEGACY: WireProfile = WireProfile {
    name: text("cli-legacy"),
    generation: Generation::Cli,
    host: text("https://q.{region}.amazonaws.com"),
    host_kind: HostKind::Legacy,
    management_host: text("https://q.{region}.amazonaws.com"),
    management_host_kind: HostKind::Legacy,
    path: text("/"),
    content_type: text("application/x-amz-json-1.0"),
    target: Some(text(
        "AmazonCodeWhispererStreamingService.GenerateAssistantResponse",
    )),
    origin: text("KIRO_CLI"),
    agent_mode: AgentModePlace::Nowhere,
    root_conversation_id: false,
    attribution: None,
    attempt_header: false,
    opt_out_header: true,
    placeholders: NEVER_EMPTY,
    fallback: None,
};

/// `rest`, the IDE 0.x: REST-JSON on the legacy host, which most gateways still use.
///
/// Source: several gateways agree, October 2026. The end of the host is announced.
pub static IDE_REST: WireProfile = WireProfile {
    name: text("rest"),
    generation: Generation::Rest,
    host: text("https://q.{region}.amazonaws.com"),
    host_kind: HostKind::Legacy,
    management_host: text("https://q.{region}.amazonaws.com"),
    management_host_kind: HostKind::Legacy,
    path: text("/generateAssistantResponse"),
    content_type: text("application/json"),
    target: None,
    origin: text("AI_EDITOR"),
    agent_mode: AgentModePlace::Header,
    root_conversation_id: false,
    attribution: None,
    attempt_header: false,
    opt_out_header: true,
    placeholders: NEVER_EMPTY,
    fallback: None,
};

impl WireProfile {
    /// Every known profile, the default first.
    pub const ALL: [&'static Self; 5] = [&KRS_IDE, &KRS_CLI, &CLI, &CLI_LEGACY, &IDE_REST];

    /// The known profile of that name: `krs`, `krs-cli`, `cli`, `cli-legacy` or `rest`.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|profile| profile.name == name)
    }

    /// The known profile to fall back to, if any.
    pub fn fallback(&self) -> Option<&'static Self> {
        Self::by_name(self.fallback.as_deref()?)
    }

    /// Where inference is served in a region.
    ///
    /// # Errors
    ///
    /// When the host template that an operator gave makes no URI. The known profiles always do.
    pub fn base(&self, region: &Region) -> Result<Uri, InvalidUri> {
        self.host.replace("{region}", region.as_str()).parse()
    }

    /// Where the small calls are served in a region.
    ///
    /// # Errors
    ///
    /// As [`base`](Self::base).
    pub fn management_base(&self, region: &Region) -> Result<Uri, InvalidUri> {
        self.management_host
            .replace("{region}", region.as_str())
            .parse()
    }
}

/// The tables above would drown in `Cow::Borrowed`.
const fn text(text: &'static str) -> Cow<'static, str> {
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_falls_back_changes_the_host() {
        for profile in WireProfile::ALL {
            if let Some(fallback) = profile.fallback() {
                assert_ne!(profile.host_kind, fallback.host_kind);
            }
        }
    }

    #[test]
    fn names_are_unique_and_fallbacks_exist() {
        for profile in WireProfile::ALL {
            assert_eq!(WireProfile::by_name(&profile.name), Some(profile));
            assert_eq!(profile.fallback.is_some(), profile.fallback().is_some());
            assert_ne!(profile.fallback(), Some(profile));
        }
        assert_eq!(WireProfile::by_name("KRS"), None);
    }

    #[test]
    fn hosts_are_in_the_region_asked_for() {
        for (name, inference, management) in [
            (
                "krs",
                "https://runtime.eu-central-1.kiro.dev/",
                "https://management.eu-central-1.kiro.dev/",
            ),
            (
                "krs-cli",
                "https://runtime.eu-central-1.kiro.dev/",
                "https://management.eu-central-1.kiro.dev/",
            ),
            (
                "cli",
                "https://runtime.eu-central-1.kiro.dev/",
                "https://management.eu-central-1.kiro.dev/",
            ),
            (
                "cli-legacy",
                "https://q.eu-central-1.amazonaws.com/",
                "https://q.eu-central-1.amazonaws.com/",
            ),
            (
                "rest",
                "https://q.eu-central-1.amazonaws.com/",
                "https://q.eu-central-1.amazonaws.com/",
            ),
        ] {
            let profile = WireProfile::by_name(name).unwrap();
            assert_eq!(profile.base(&Region::EU_CENTRAL_1).unwrap(), inference);
            assert_eq!(
                profile.management_base(&Region::EU_CENTRAL_1).unwrap(),
                management
            );
        }
    }
}
