//! What the sign-in plane remembers between requests, and the faults it can be told to have.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::account::AccountId;
use crate::millis;

/// The services that give out tokens. None knows a token or a code of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignInService {
    /// Kiro's own.
    Kiro,
    /// AWS SSO OIDC.
    Aws,
    /// The customer's own identity provider.
    Provider,
}

/// What a token endpoint does wrong, once, on the next request to any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignInFault {
    /// The refresh token is called dead, although it is not: 401, or `invalid_grant`.
    Dead,
    /// The client registration is called expired: 401 `invalid_client`.
    InvalidClient,
    /// Too many requests: 429, or 400 `slow_down`.
    SlowDown,
    /// Internal error: 500.
    ServerError,
    /// The edge blocks the request with a page of HTML: 403.
    Blocked,
    /// The request is answered after this long; `{"delayed": milliseconds}` in JSON.
    #[serde(with = "millis")]
    Delayed(Duration),
    /// The request is carried out, rotation and all, and the connection is closed without an answer.
    AnswerLost,
}

/// Codes that wait to be exchanged.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    /// Authorization codes, each good for one exchange.
    pub(crate) codes: HashMap<String, Code>,
    /// Device codes.
    pub(crate) devices: HashMap<String, Device>,
    /// What the person at the device page does.
    pub(crate) decision: DeviceDecision,
    /// What the person in the browser does.
    pub(crate) browser: BrowserDecision,
    /// What the person at the portal chooses.
    pub(crate) option: LoginOption,
}

/// An authorization code, and what its exchange has to present.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) account: AccountId,
    pub(crate) challenge: String,
    pub(crate) redirect_uri: String,
    pub(crate) client_id: Option<String>,
}

/// A device code under way.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) client_id: String,
    pub(crate) builder_id: bool,
    pub(crate) expires_at: Instant,
    pub(crate) polls: u32,
    pub(crate) last_poll: Option<Instant>,
    /// Grows by five seconds with every `slow_down`.
    pub(crate) interval: Duration,
}

/// What the person at the device page does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeviceDecision {
    /// Approves after this many polls have been told to wait. The default, with 1.
    ApproveAfter(u32),
    /// Refuses.
    Refuse,
    /// Never comes.
    Ignore,
}

impl Default for DeviceDecision {
    fn default() -> Self {
        Self::ApproveAfter(1)
    }
}

/// What the person does who is shown a sign-in page in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BrowserDecision {
    /// Agrees at once.
    #[default]
    Approve,
    /// Refuses: the browser comes back with `error=access_denied`.
    Refuse,
}

/// What the person at the portal chooses, by the portal's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginOption {
    /// A Google account.
    #[default]
    Google,
    /// A GitHub account.
    Github,
    /// AWS Builder ID.
    #[serde(rename = "builderid")]
    BuilderId,
    /// The directory `https://d-1234567890.awsapps.com/start` in `eu-west-1`.
    #[serde(rename = "awsidc")]
    IdentityCenter,
    /// The simulator's own identity provider.
    ExternalIdp,
    /// The internal provider, which is for the service's own people.
    Internal,
}

impl LoginOption {
    /// The value of `login_option`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Github => "github",
            Self::BuilderId => "builderid",
            Self::IdentityCenter => "awsidc",
            Self::ExternalIdp => "external_idp",
            Self::Internal => "internal",
        }
    }
}
