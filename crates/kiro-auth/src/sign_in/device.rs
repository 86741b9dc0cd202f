//! The device code: a person approves a short code in any browser, while we ask again and again.
//!
//! ```text
//! POST https://oidc.{region}.amazonaws.com/device_authorization
//! {"clientId":"…","clientSecret":"…","startUrl":"https://view.awsapps.com/start"}
//!
//! 200 {"deviceCode":"…","userCode":"BCDF-GHJK","verificationUri":"https://…/start/#/device",
//!      "verificationUriComplete":"https://…/start/#/device?user_code=BCDF-GHJK",
//!      "expiresIn":600,"interval":1}
//!
//! POST https://oidc.{region}.amazonaws.com/token
//! {"clientId":"…","clientSecret":"…","deviceCode":"…",
//!  "grantType":"urn:ietf:params:oauth:grant-type:device_code"}
//!
//! 200 {"accessToken":"aoa…","tokenType":"Bearer","expiresIn":3600,"refreshToken":"aor…"}
//! 400 {"error":"authorization_pending","error_description":"…"}
//! ```
//!
//! | answer to the poll | means |
//! | --- | --- |
//! | 200 with a token | signed in |
//! | `authorization_pending` | ask again after the interval |
//! | `slow_down`, 429 | the interval grows by five seconds |
//! | `expired_token` | start again with a new code |
//! | `access_denied` | the person refused |
//! | 5xx, 408, no answer | ask again, until the code expires |
//! | anything else | the code or the registration is of no use |
//!
//! Source: RFC 8628, and the sign-in code of the public Amazon Q CLI and of the AWS language servers.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use serde_json::json;

use super::register::DEVICE_GRANT;
use super::{ClientRegistration, Directory, SignInError};
use crate::document::Document;
use crate::error::AuthError;
use crate::refresh::answer::Reason;
use crate::refresh::request::post;
use crate::refresh::{Refreshed, Refusal, oidc};
use crate::secret::Secret;

/// A device code, and what to show to the person who approves it.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeviceAuthorization {
    /// What the tokens are asked for with. A secret: whoever has it gets them.
    pub device_code: Secret,
    /// The short code that the person compares or types.
    pub user_code: String,
    /// The page at which it is typed.
    pub verification_uri: String,
    /// The same page with the code filled in, where the service gives one.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good. Default: 600 seconds (one gateway).
    pub expires_in: Duration,
    /// How long to wait between two polls. Default: 5 seconds (RFC 8628, section 3.2).
    pub interval: Duration,
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", &self.verification_uri)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// The request for a device code, without a user agent.
///
/// # Errors
///
/// None for a [`Directory`], whose region is one.
pub fn request(
    directory: &Directory,
    client: &ClientRegistration,
) -> Result<Request<Bytes>, AuthError> {
    let body = json!({
        "clientId": client.client_id,
        "clientSecret": client.client_secret.expose(),
        "startUrl": directory.start_url(),
    });
    let url = directory.url("/device_authorization");
    post(&url, "application/json", body.to_string())
}

/// What the answer says.
///
/// # Errors
///
/// A [`Refusal`], by the table of [`oidc`].
pub fn reply(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<DeviceAuthorization, Refusal> {
    if !status.is_success() {
        return Err(oidc::refusal(status, headers, body));
    }
    authorization(body).ok_or(Refusal::Unclear { status })
}

fn authorization(body: &[u8]) -> Option<DeviceAuthorization> {
    /// No code has been seen to live for longer than ten minutes.
    const LONGEST_LIFE: u64 = 24 * 3600;
    /// A poll that comes later than this after the approval is no use to anybody.
    const LONGEST_INTERVAL: u64 = 60;
    let document = Document::parse(std::str::from_utf8(body).ok()?).ok()?;
    // These are shown in a terminal, which obeys control characters.
    let plain = |name| {
        let text = document.string(&[name]);
        text.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
    };
    let seconds = |name, longest, default| {
        let seconds = document.value(&[name]).and_then(|value| value.as_u64());
        let seconds = seconds.filter(|seconds| (1..=longest).contains(seconds));
        Duration::from_secs(seconds.unwrap_or(default))
    };
    Some(DeviceAuthorization {
        device_code: document.string(&["deviceCode"])?.into(),
        user_code: plain("userCode")?,
        verification_uri: plain("verificationUri")?,
        verification_uri_complete: plain("verificationUriComplete"),
        expires_in: seconds("expiresIn", LONGEST_LIFE, 600),
        interval: seconds("interval", LONGEST_INTERVAL, 5),
    })
}

/// The request that asks whether the code has been approved, without a user agent.
///
/// # Errors
///
/// None for a [`Directory`], whose region is one.
pub fn poll_request(
    directory: &Directory,
    client: &ClientRegistration,
    device_code: &Secret,
) -> Result<Request<Bytes>, AuthError> {
    let body = json!({
        "clientId": client.client_id,
        "clientSecret": client.client_secret.expose(),
        "grantType": DEVICE_GRANT,
        "deviceCode": device_code.expose(),
    });
    post(
        &directory.url("/token"),
        "application/json",
        body.to_string(),
    )
}

/// When to ask, and what the answers mean. Time comes in as an argument.
///
/// ```text
///            next(now)                          answered(now, …), unanswered(now)
///  Wait(until) ──────> Ask ──────────────────> Wait(now + interval) ──> … ──> Expired
/// ```
#[derive(Debug, Clone)]
pub struct DevicePoll {
    interval: Duration,
    next_at: Instant,
    expires_at: Instant,
}

/// What a [`DevicePoll`] wants to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollStep {
    /// Send the request, and hand in the answer.
    Ask,
    /// Wait until then, and ask again what to do.
    Wait(Instant),
    /// The code is not good any more: [`SignInError::Expired`].
    Expired,
}

/// What `slow_down` adds to the interval (RFC 8628, section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

impl DevicePoll {
    /// Begins when the code has been received. The first poll comes after one interval: nobody is faster.
    pub fn new(authorization: &DeviceAuthorization, now: Instant) -> Self {
        Self {
            interval: authorization.interval,
            next_at: now + authorization.interval,
            expires_at: now + authorization.expires_in,
        }
    }

    /// What to do at this time.
    pub fn next(&self, now: Instant) -> PollStep {
        if now >= self.expires_at {
            PollStep::Expired
        } else if now >= self.next_at {
            PollStep::Ask
        } else {
            PollStep::Wait(self.next_at.min(self.expires_at))
        }
    }

    /// Takes an answer: the tokens, or `None` when there are none yet.
    ///
    /// # Errors
    ///
    /// By the table of this module's page: [`Expired`](SignInError::Expired),
    /// [`Denied`](SignInError::Denied), [`Refused`](SignInError::Refused). There is no point in asking
    /// again then.
    pub fn answered(
        &mut self,
        now: Instant,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Option<Refreshed>, SignInError> {
        if status.is_success() {
            let granted = oidc::reply(status, headers, body);
            return granted.map(Some).map_err(SignInError::Refused);
        }
        match Reason::of(body).code() {
            Some("authorization_pending") => {}
            Some("slow_down") => self.interval += SLOW_DOWN,
            Some("expired_token") => return Err(SignInError::Expired),
            Some("access_denied") => return Err(SignInError::Denied),
            _ => match oidc::refusal(status, headers, body) {
                Refusal::Throttled { .. } => self.interval += SLOW_DOWN,
                Refusal::Failed { .. } => {}
                refusal => return Err(SignInError::Refused(refusal)),
            },
        }
        self.unanswered(now);
        Ok(None)
    }

    /// Takes note that no answer came.
    pub fn unanswered(&mut self, now: Instant) {
        self.next_at = now + self.interval;
    }
}
