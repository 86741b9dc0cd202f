//! From a prepared conversation and a target to an HTTP request.

use std::fmt;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue, InvalidHeaderValue};
use http::{HeaderMap, Method, Request, Uri};

use super::prepare::Prepared;
use super::profile::{AgentModePlace, WireProfile};
use super::thinking::Capabilities;
use super::wire;

/// Where one attempt goes, and as whom.
///
/// ```
/// use kiro_protocol::request::{KRS_IDE, Region, Target};
///
/// let base = KRS_IDE.base(&Region::US_EAST_1)?;
/// let mut target = Target::new(&KRS_IDE, &base, "the access token");
/// target.user_agent = "Kiro-2API/0.1.0";
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Target<'a> {
    /// The envelope.
    pub profile: &'a WireProfile,
    /// Scheme and authority of the service, from [`WireProfile::base`] or from the operator. A path in
    /// it goes before the profile's own.
    pub base: &'a Uri,
    /// The bearer token, or the API key.
    pub access_token: &'a str,
    /// What kind of token that is, when the service must be told: `EXTERNAL_IDP` or `API_KEY`. Without the
    /// header these two are refused with 403 (source: the official CLI; several reports, October 2026).
    pub token_type: Option<&'a str>,
    /// The profile to name. What a host wants to hear depends on the login. An empty one is left out.
    pub profile_arn: Option<&'a str>,
    /// `user-agent`: the caller's own name and version.
    pub user_agent: &'a str,
    /// One UUID for all attempts of one call; empty leaves the header out.
    pub invocation_id: &'a str,
    /// Which attempt of the call this is, from 1.
    pub attempt: u32,
    /// How many attempts the call may have.
    pub max_attempts: u32,
    /// Whether the content may not be used to improve the service. Told only where the profile has a
    /// header for it. `true` by default.
    pub opt_out: bool,
    /// The agent mode, `vibe` by default.
    pub agent_mode: &'a str,
    /// What the model takes besides the conversation.
    pub capabilities: Capabilities,
}

impl<'a> Target<'a> {
    /// A first and only attempt without profile ARN, user agent or capabilities.
    pub fn new(profile: &'a WireProfile, base: &'a Uri, access_token: &'a str) -> Self {
        Self {
            profile,
            base,
            access_token,
            token_type: None,
            profile_arn: None,
            user_agent: "",
            invocation_id: "",
            attempt: 1,
            max_attempts: 1,
            opt_out: true,
            agent_mode: "vibe",
            capabilities: Capabilities::default(),
        }
    }
}

impl fmt::Debug for Target<'_> {
    /// Shows everything but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("profile", &self.profile.name)
            .field("base", &self.base)
            .field("token_type", &self.token_type)
            .field("profile_arn", &self.profile_arn)
            .field("user_agent", &self.user_agent)
            .field("invocation_id", &self.invocation_id)
            .field("attempt", &self.attempt)
            .field("max_attempts", &self.max_attempts)
            .field("opt_out", &self.opt_out)
            .field("agent_mode", &self.agent_mode)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

/// Why no request can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is neither a system prompt nor a turn with anything in it.
    #[error(
        "there is nothing in it but white space; give a message some text, an image or the result of a tool"
    )]
    Empty,
    /// The turns do not alternate or do not end with the user's. [`prepare`](super::prepare()) never
    /// leaves that behind.
    #[error(
        "turn {turn} is out of order: user and assistant must alternate, and the user comes last"
    )]
    OutOfOrder {
        /// Index of the turn in the prepared conversation.
        turn: usize,
    },
    /// A value cannot stand in a header, for example a token with a line break.
    #[error("the value of header {name} is not legal")]
    Header {
        /// Which header.
        name: HeaderName,
        /// What is wrong with it.
        #[source]
        source: InvalidHeaderValue,
    },
    /// Base and path make no URI.
    #[error("the address is not a URI")]
    Address(#[source] http::Error),
}

const AGENT_MODE: HeaderName = HeaderName::from_static("x-amzn-kiro-agent-mode");
const ATTEMPT: HeaderName = HeaderName::from_static("x-kiro-attempt");
const ATTRIBUTION: HeaderName = HeaderName::from_static("x-amzn-kiro-client-attribution");
const OPT_OUT: HeaderName = HeaderName::from_static("x-amzn-codewhisperer-optout");
const SDK_INVOCATION: HeaderName = HeaderName::from_static("amz-sdk-invocation-id");
const SDK_REQUEST: HeaderName = HeaderName::from_static("amz-sdk-request");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TOKEN_TYPE: HeaderName = HeaderName::from_static("tokentype");

/// Writes the HTTP request for one attempt.
///
/// The same arguments give the same bytes. The URI is absolute and `host` is set, so the request suits
/// both a pooled client and a bare connection. The body is one allocation of its exact length.
///
/// The body of a longer conversation begins with the bytes of a shorter one's, so that the service can
/// find what it has cached. Precisely: let the longer one begin with the turns of the shorter, with the
/// same system prompt, tools, model, profile and effort, and let the shorter end with a turn of the user
/// that says something. Then both bodies are the same up to the end of the shorter one's history. When
/// the assistant speaks next, the longer one goes on with what was the current message, byte for byte but
/// for the declarations of tools, which only the current message has.
///
/// # Errors
///
/// [`BuildError::Empty`] when there is nothing to send; [`BuildError::Header`] when a value of the target
/// cannot stand in a header; [`BuildError::Address`] when base and path make no URI.
pub fn build(prepared: &Prepared, target: &Target<'_>) -> Result<Request<Bytes>, BuildError> {
    wire::check(prepared)?;
    let mut request = Request::new(wire::body(prepared, target));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = address(target)?;
    *request.headers_mut() = headers(target)?;
    Ok(request)
}

fn address(target: &Target<'_>) -> Result<Uri, BuildError> {
    let before = target.base.path().trim_end_matches('/');
    let mut parts = target.base.clone().into_parts();
    let path = format!("{before}{}", target.profile.path);
    let path = path.parse().map_err(http::Error::from);
    parts.path_and_query = Some(path.map_err(BuildError::Address)?);
    Uri::from_parts(parts).map_err(|error| BuildError::Address(error.into()))
}

/// The headers of an inference request.
///
/// Source: captures and code of the official clients, October 2026. Left out on purpose: the SDK's
/// long user agent and any machine id, which would claim to be another program, and `accept-encoding`,
/// because a compressed stream would hold frames back.
fn headers(target: &Target<'_>) -> Result<HeaderMap, BuildError> {
    let profile = target.profile;
    let mut headers = HeaderMap::with_capacity(16);
    let mut set = |name: HeaderName, value: &str| match HeaderValue::from_str(value) {
        Ok(value) => {
            headers.insert(name, value);
            Ok(())
        }
        Err(source) => Err(BuildError::Header { name, source }),
    };
    if let Some(authority) = target.base.authority() {
        set(header::HOST, authority.as_str())?;
    }
    set(header::CONTENT_TYPE, &profile.content_type)?;
    set(header::ACCEPT, "*/*")?;
    if let Some(operation) = &profile.target {
        set(TARGET, operation)?;
    }
    if !target.user_agent.is_empty() {
        set(header::USER_AGENT, target.user_agent)?;
    }
    if profile.agent_mode == AgentModePlace::Header {
        set(AGENT_MODE, target.agent_mode)?;
    }
    if let Some(attribution) = &profile.attribution {
        set(ATTRIBUTION, attribution)?;
    }
    let (attempt, most) = (target.attempt, target.max_attempts);
    if profile.attempt_header {
        set(ATTEMPT, &format!("{attempt};max={most}"))?;
    }
    if profile.opt_out_header {
        set(OPT_OUT, if target.opt_out { "true" } else { "false" })?;
    }
    if let Some(kind) = target.token_type {
        set(TOKEN_TYPE, kind)?;
    }
    if !target.invocation_id.is_empty() {
        set(SDK_INVOCATION, target.invocation_id)?;
    }
    set(SDK_REQUEST, &format!("attempt={attempt}; max={most}"))?;
    headers.insert(header::AUTHORIZATION, bearer(target.access_token)?);
    Ok(headers)
}

/// The bearer token, marked so that no debug output shows it.
fn bearer(token: &str) -> Result<HeaderValue, BuildError> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|source| BuildError::Header {
            name: header::AUTHORIZATION,
            source,
        })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Block, Conversation, Role, Turn};
    use crate::request::{IDE_REST, KRS_CLI, KRS_IDE, PrepareOptions, Region, prepare};

    fn hello() -> Prepared {
        let mut hello = Conversation::new("claude-sonnet-4.5");
        hello.turns = vec![Turn::new(Role::User, [Block::Text("Hello.".into())])];
        prepare(&hello, &PrepareOptions::default())
    }

    #[test]
    fn attempts_are_counted_and_the_preference_is_told() {
        let base = Uri::from_static("https://localhost");
        let mut target = Target::new(&KRS_IDE, &base, "token");
        (target.attempt, target.max_attempts) = (2, 3);
        let request = build(&hello(), &target).unwrap();
        assert_eq!(request.headers()[ATTEMPT], "2;max=3");
        assert_eq!(request.headers()[SDK_REQUEST], "attempt=2; max=3");
        assert!(!request.headers().contains_key(OPT_OUT));

        let mut target = Target::new(&KRS_CLI, &base, "token");
        assert_eq!(build(&hello(), &target).unwrap().headers()[OPT_OUT], "true");
        target.opt_out = false;
        assert_eq!(
            build(&hello(), &target).unwrap().headers()[OPT_OUT],
            "false"
        );
    }

    #[test]
    fn a_path_of_the_base_goes_before_the_profiles() {
        for (base, address) in [
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/generateAssistantResponse",
            ),
            (
                "http://127.0.0.1/",
                "http://127.0.0.1/generateAssistantResponse",
            ),
            (
                "https://proxy.example/kiro/",
                "https://proxy.example/kiro/generateAssistantResponse",
            ),
        ] {
            let base = base.parse().unwrap();
            let request = build(&hello(), &Target::new(&IDE_REST, &base, "token")).unwrap();
            assert_eq!(request.uri(), address);
            assert_eq!(
                request.headers()[header::HOST],
                base.authority().unwrap().as_str()
            );
        }
    }

    #[test]
    fn the_token_is_never_shown() {
        let base = Region::US_EAST_1;
        let base = KRS_IDE.base(&base).unwrap();
        let target = Target::new(&KRS_IDE, &base, "secret");
        let request = build(&hello(), &target).unwrap();
        assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer secret");
        assert!(!format!("{target:?} {request:?}").contains("secret"));

        let error = build(&hello(), &Target::new(&KRS_IDE, &base, "secret\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the value of header authorization is not legal"
        );
        assert!(!format!("{error:?}").contains("secret"));
    }

    #[test]
    fn a_conversation_that_was_changed_after_the_repair_is_refused() {
        let base = Uri::from_static("https://localhost");
        let target = Target::new(&KRS_IDE, &base, "token");
        let mut changed = hello();
        changed.conversation.turns.push(Turn::new(Role::User, []));
        let error = build(&changed, &target).unwrap_err();
        assert!(matches!(error, BuildError::OutOfOrder { turn: 1 }));
        changed.conversation.turns[1].role = Role::Assistant;
        let error = build(&changed, &target).unwrap_err();
        assert!(matches!(error, BuildError::OutOfOrder { turn: 1 }));
        changed.conversation.turns.remove(0);
        let error = build(&changed, &target).unwrap_err();
        assert!(matches!(error, BuildError::OutOfOrder { turn: 0 }));
        changed.conversation.turns.clear();
        assert!(matches!(build(&changed, &target), Err(BuildError::Empty)));
    }
}
