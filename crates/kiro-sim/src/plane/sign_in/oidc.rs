//! AWS SSO OIDC: JSON in camel case both ways, no authentication but the client's own.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{JsonBody, browser, invalid_client, invalid_grant, invalid_request};
use crate::CredentialKind;
use crate::account::Grant;
use crate::plane::ok;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::sign_in::{Device, DeviceDecision};
use crate::state::Inner;

/// Life of a client registration: 90 days, as observed.
const CLIENT_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Life of a device code.
const DEVICE_LIFE: Duration = Duration::from_secs(600);
/// What `slow_down` adds to the interval.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The directory of AWS Builder ID.
const BUILDER_ID_START_URL: &str = "https://view.awsapps.com/start";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `POST /client/register`.
pub(super) fn register(call: &Call) -> Outcome {
    let body = json_body(call)?;
    if body.text("clientName").is_empty() || body.text("clientType") != "public" {
        return Err(invalid_request("clientName or clientType").into());
    }
    let now = Instant::now();
    let (id, secret) = call
        .shared
        .change(|inner| inner.accounts.register_client(Some(now + CLIENT_LIFE)));
    let issued_at = epoch_seconds();
    Ok(ok(&json!({
        "clientId": id,
        "clientSecret": secret,
        "clientIdIssuedAt": issued_at,
        "clientSecretExpiresAt": issued_at + CLIENT_LIFE.as_secs(),
    })))
}

/// `POST /device_authorization`.
pub(super) fn device_authorization(call: &Call) -> Outcome {
    let body = json_body(call)?;
    let start_url = body.text("startUrl");
    if start_url.is_empty() {
        return Err(invalid_request("startUrl is missing").into());
    }
    let interval = call.shared.options.device_poll_interval;
    let (device_code, user_code) = call.shared.change(|inner| {
        check_client(&body, inner)?;
        let user_code = inner.random.letters(b"BCDFGHJKLMNPQRSTVWXZ", 8);
        let device_code = inner.random.base64url(60);
        let device = Device {
            client_id: body.text("clientId").to_owned(),
            builder_id: start_url == BUILDER_ID_START_URL,
            expires_at: Instant::now() + DEVICE_LIFE,
            polls: 0,
            last_poll: None,
            interval: Duration::from_secs(interval),
        };
        inner.flows.devices.insert(device_code.clone(), device);
        Ok::<_, Refusal>((device_code, user_code))
    })?;
    let user_code = format!("{}-{}", &user_code[..4], &user_code[4..]);
    let page = format!("{}/#/device", start_url.trim_end_matches('/'));
    Ok(ok(&json!({
        "deviceCode": device_code,
        "userCode": user_code,
        "verificationUri": page,
        "verificationUriComplete": format!("{page}?user_code={user_code}"),
        "expiresIn": DEVICE_LIFE.as_secs(),
        "interval": interval,
    })))
}

/// `POST /token`, all grant types.
pub(super) fn token(call: &Call) -> Outcome {
    let body = json_body(call)?;
    let now = Instant::now();
    let grant = call.shared.change(|inner| {
        check_client(&body, inner)?;
        let client_id = body.text("clientId");
        match body.text("grantType") {
            "refresh_token" => {
                let token = body.text("refreshToken");
                let grant = inner.accounts.refresh(token, Some(client_id), now);
                inner.state.refreshes += u64::from(grant.is_some());
                grant
                    .ok_or_else(|| invalid_grant().detailed("the refresh token is dead or unknown"))
            }
            "authorization_code" => {
                let (code, verifier) = (body.text("code"), body.text("codeVerifier"));
                let redirect_uri = body.text("redirectUri");
                browser::take_code(inner, code, verifier, redirect_uri, Some(client_id))
                    .map(|account| inner.accounts.sign_in(account, Some(client_id), now))
                    .ok_or_else(|| invalid_grant().detailed("the code is unknown or does not fit"))
            }
            DEVICE_GRANT => poll(&body, inner, now),
            _ => Err(Refusal::oauth(
                400,
                "UnsupportedGrantTypeException",
                "unsupported_grant_type",
                "Unsupported grant type",
            )),
        }
    })?;
    Ok(ok(&answer(grant)))
}

/// One poll of the device-code flow.
fn poll(body: &JsonBody, inner: &mut Inner, now: Instant) -> Result<Grant, Refusal> {
    let decision = inner.flows.decision;
    let code = body.text("deviceCode");
    let Some(device) = inner.flows.devices.get_mut(code) else {
        return Err(invalid_grant().detailed("the device code is unknown"));
    };
    if device.client_id != body.text("clientId") {
        return Err(invalid_grant().detailed("the device code is another client's"));
    }
    if device.expires_at <= now {
        let description = "The device code has expired";
        return Err(Refusal::oauth(
            400,
            "ExpiredTokenException",
            "expired_token",
            description,
        ));
    }
    let too_fast = device
        .last_poll
        .is_some_and(|last| now.duration_since(last) < device.interval);
    device.last_poll = Some(now);
    if too_fast {
        device.interval += SLOW_DOWN;
        return Err(Refusal::oauth(
            400,
            "SlowDownException",
            "slow_down",
            "Polling too fast",
        ));
    }
    device.polls += 1;
    let approved = match decision {
        DeviceDecision::Refuse => {
            let description = "The user refused";
            return Err(Refusal::oauth(
                400,
                "AccessDeniedException",
                "access_denied",
                description,
            ));
        }
        DeviceDecision::Ignore => false,
        DeviceDecision::ApproveAfter(waits) => device.polls > waits,
    };
    if !approved {
        let description = "The user has not approved yet";
        let exception = "AuthorizationPendingException";
        return Err(Refusal::oauth(
            400,
            exception,
            "authorization_pending",
            description,
        ));
    }
    let kind = match device.builder_id {
        true => CredentialKind::BuilderId,
        false => CredentialKind::IdentityCenter,
    };
    let client_id = device.client_id.clone();
    inner.flows.devices.remove(code);
    let account = inner.accounts.open(kind);
    Ok(inner.accounts.sign_in(account, Some(&client_id), now))
}

/// Without `refreshToken` the old one stays good.
fn answer(grant: Grant) -> Value {
    let mut answer = json!({
        "accessToken": grant.access_token,
        "tokenType": "Bearer",
        "expiresIn": grant.expires_in.as_secs(),
    });
    if let Some(token) = grant.refresh_token {
        answer["refreshToken"] = token.into();
    }
    answer
}

/// A form-encoded body is refused here, although some documents show one.
fn json_body(call: &Call) -> Result<JsonBody, Refusal> {
    JsonBody::of(call).ok_or_else(|| invalid_request("the body is not a JSON object"))
}

fn check_client(body: &JsonBody, inner: &Inner) -> Result<(), Refusal> {
    let known = inner.accounts.is_client(
        body.text("clientId"),
        body.text("clientSecret"),
        Instant::now(),
    );
    if known {
        Ok(())
    } else {
        Err(invalid_client().detailed("no such client registration"))
    }
}

/// The one place where the simulator tells the date: registrations carry their expiry as seconds since the
/// epoch, and clients compare it with their own clock.
fn epoch_seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulator plays a service with its own clock"
    )]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
