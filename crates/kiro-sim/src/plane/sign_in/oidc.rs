//! AWS SSO OIDC: JSON in camel case both ways, no authentication but the client's own.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{JsonBody, browser, invalid_client, invalid_grant, invalid_request};
use crate::account::{ClientTerms, Grant};
use crate::plane::ok;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::sign_in::{Device, DeviceDecision, SignInService};
use crate::state::Inner;
use crate::{CredentialKind, form};

/// Life of a client registration: 90 days, as observed.
const CLIENT_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// Life of a device code.
const DEVICE_LIFE: Duration = Duration::from_secs(600);
/// What `slow_down` adds to the interval.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The directory of AWS Builder ID.
const BUILDER_ID_START_URL: &str = "https://view.awsapps.com/start";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const BROWSER_GRANT: &str = "authorization_code";

/// `POST /client/register`.
pub(in crate::plane) fn register(call: &Call) -> Outcome {
    let body = json_body(call)?;
    if body.text("clientName").is_empty() || body.text("clientType") != "public" {
        return Err(invalid_request("clientName or clientType").into());
    }
    let terms = terms(&body)?;
    let expires_at = Some(Instant::now() + CLIENT_LIFE);
    let (id, secret) = call
        .shared
        .change(|inner| inner.accounts.register_client(terms, expires_at));
    let issued_at = epoch_seconds();
    Ok(ok(&json!({
        "clientId": id,
        "clientSecret": secret,
        "clientIdIssuedAt": issued_at,
        "clientSecretExpiresAt": issued_at + CLIENT_LIFE.as_secs(),
    })))
}

/// What a registration asks for. Without `grantTypes` it is for devices, as the official CLI has it; for a
/// browser the CLI names redirects and issuer, and here they are insisted on.
fn terms(body: &JsonBody) -> Result<ClientTerms, Refusal> {
    let mut terms = ClientTerms {
        grant_types: body.texts("grantTypes")?,
        scopes: body.texts("scopes")?,
        redirect_uris: body.texts("redirectUris")?,
        issuer_url: body.text("issuerUrl").to_owned(),
    };
    if terms.grant_types.is_empty() {
        terms.grant_types = vec![DEVICE_GRANT.to_owned(), "refresh_token".to_owned()];
    }
    if !terms.grant_types.iter().all(|grant| is_grant(grant)) {
        return Err(invalid_request("grantTypes has one that is not known"));
    }
    let scoped = |scope: &String| scope.starts_with("codewhisperer:") || scope.starts_with("sso:");
    if terms.scopes.is_empty() || !terms.scopes.iter().all(scoped) {
        return Err(invalid_scope());
    }
    if !terms
        .redirect_uris
        .iter()
        .all(|uri| uri.starts_with("http://127.0.0.1"))
    {
        return Err(invalid_redirect("a redirect is not to 127.0.0.1"));
    }
    let for_browser = terms.grant_types.iter().any(|grant| grant == BROWSER_GRANT);
    if for_browser && (terms.redirect_uris.is_empty() || terms.issuer_url.is_empty()) {
        return Err(invalid_request("redirectUris or issuerUrl is missing"));
    }
    Ok(terms)
}

/// The kind of account that the page for a client's browser signs in, if the client may send one there.
pub(super) fn admit_browser(
    inner: &Inner,
    query: &[(String, String)],
    redirect_uri: &str,
) -> Result<CredentialKind, Refusal> {
    let get = |name| form::get(query, name).unwrap_or_default();
    let terms = inner.accounts.terms_of(get("client_id"), Instant::now());
    let terms = terms.ok_or_else(|| invalid_client().detailed("no such client registration"))?;
    check_grant(terms, BROWSER_GRANT)?;
    // A redirect that was registered without a port is good with any, as for the IDE.
    let fits = |registered: &String| {
        registered == redirect_uri || *registered == without_port(redirect_uri)
    };
    if !terms.redirect_uris.iter().any(fits) {
        return Err(invalid_redirect("the redirect is not registered"));
    }
    let mut scopes = get("scopes").split(' ');
    if !scopes.all(|scope| terms.scopes.iter().any(|registered| registered == scope)) {
        return Err(invalid_scope());
    }
    Ok(match terms.issuer_url == BUILDER_ID_START_URL {
        true => CredentialKind::BuilderId,
        false => CredentialKind::IdentityCenter,
    })
}

fn without_port(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.split(':').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

fn is_grant(grant_type: &str) -> bool {
    matches!(grant_type, DEVICE_GRANT | BROWSER_GRANT | "refresh_token")
}

/// A grant type that nobody knows gets a refusal of its own, later.
fn check_grant(terms: &ClientTerms, grant_type: &str) -> Result<(), Refusal> {
    let mut registered = terms.grant_types.iter();
    if registered.any(|grant| grant == grant_type) || !is_grant(grant_type) {
        return Ok(());
    }
    let exception = "UnauthorizedClientException";
    let refusal = Refusal::oauth(400, exception, "unauthorized_client", "Unauthorized client");
    Err(refusal.detailed("the client has not registered for this grant type"))
}

fn invalid_scope() -> Refusal {
    Refusal::oauth(
        400,
        "InvalidScopeException",
        "invalid_scope",
        "Invalid scope",
    )
}

fn invalid_redirect(detail: &str) -> Refusal {
    let exception = "InvalidRedirectUriException";
    let refusal = Refusal::oauth(
        400,
        exception,
        "invalid_redirect_uri",
        "Invalid redirect URI",
    );
    refusal.detailed(detail)
}

/// `POST /device_authorization`.
pub(in crate::plane) fn device_authorization(call: &Call) -> Outcome {
    let body = json_body(call)?;
    let start_url = body.text("startUrl");
    if start_url.is_empty() {
        return Err(invalid_request("startUrl is missing").into());
    }
    let interval = call.shared.options.device_poll_interval;
    let (device_code, user_code) = call.shared.change(|inner| {
        check_client(&body, DEVICE_GRANT, inner)?;
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
pub(in crate::plane) fn token(call: &Call) -> Outcome {
    let body = json_body(call)?;
    let now = Instant::now();
    let grant = call.shared.change(|inner| {
        let grant_type = body.text("grantType");
        check_client(&body, grant_type, inner)?;
        let client_id = body.text("clientId");
        match grant_type {
            "refresh_token" => {
                let token = body.text("refreshToken");
                let grant = inner
                    .accounts
                    .refresh(SignInService::Aws, token, Some(client_id), now);
                inner.state.refreshes += u64::from(grant.is_some());
                grant
                    .ok_or_else(|| invalid_grant().detailed("the refresh token is dead or unknown"))
            }
            BROWSER_GRANT => {
                let (code, verifier) = (body.text("code"), body.text("codeVerifier"));
                let redirect_uri = body.text("redirectUri");
                browser::take_code(
                    inner,
                    SignInService::Aws,
                    code,
                    verifier,
                    redirect_uri,
                    Some(client_id),
                )
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

fn check_client(body: &JsonBody, grant_type: &str, inner: &Inner) -> Result<(), Refusal> {
    let (id, now) = (body.text("clientId"), Instant::now());
    let known = inner.accounts.is_client(id, body.text("clientSecret"), now);
    match inner.accounts.terms_of(id, now) {
        Some(terms) if known => check_grant(terms, grant_type),
        _ => Err(invalid_client().detailed("no such client registration")),
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
