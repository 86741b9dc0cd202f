//! The pages that a browser opens. The person behind it decides at once, so each answers with a redirect.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::{idp, invalid_request, oidc};
use crate::account::AccountId;
use crate::refusal::Refusal;
use crate::service::{Call, Outcome};
use crate::sign_in::{BrowserDecision, Code, LoginOption, SignInService};
use crate::state::Inner;
use crate::stream::whole_body;
use crate::{CredentialKind, form};

/// Where Kiro's own sign-in lets a browser go back to: the deep link of the IDE, and five ports.
const DEEP_LINK: &str = "kiro://kiro.kiroAgent/authenticate-success";
const LOCALHOST_PORTS: [u16; 5] = [49153, 50153, 51153, 52153, 53153];

/// `GET /login`: Kiro's own sign-in, with Google or GitHub.
pub(in crate::plane) fn login(call: &Call) -> Outcome {
    let page = Page::of(call)?;
    if !matches!(page.required("idp")?, "Google" | "Github" | "Cognito") {
        return Err(invalid_request("idp is not a known provider").into());
    }
    let redirect_uri = page.required("redirect_uri")?;
    let is_port = |port| redirect_uri == format!("http://localhost:{port}/oauth/callback");
    if redirect_uri != DEEP_LINK && !LOCALHOST_PORTS.into_iter().any(is_port) {
        return Err(invalid_request("redirect_uri is not an allowed one").into());
    }
    page.redirect_with_code(CredentialKind::Social)
}

/// `GET /authorize`: AWS SSO, for a client that has registered for it.
pub(in crate::plane) fn authorize(call: &Call) -> Outcome {
    let page = Page::of(call)?;
    page.check_response_type()?;
    let redirect_uri = page.required("redirect_uri")?;
    let kind = oidc::admit_browser(&call.shared.look(), &page.query, redirect_uri)?;
    page.redirect_with_code(kind)
}

/// `GET /idp/authorize`: the external identity provider, whose clients come back to this machine.
pub(in crate::plane) fn identity_provider(call: &Call) -> Outcome {
    let page = Page::of(call)?;
    page.check_response_type()?;
    page.required("client_id")?;
    let redirect_uri = page.required("redirect_uri")?;
    let mut hosts = ["http://localhost:", "http://127.0.0.1:"].into_iter();
    if !hosts.any(|host| redirect_uri.starts_with(host)) {
        return Err(invalid_request("redirect_uri is not of this machine").into());
    }
    page.redirect_with_code(CredentialKind::ExternalIdp)
}

/// `GET /signin`: the unified page.
pub(in crate::plane) fn portal(call: &Call) -> Outcome {
    let page = Page::of(call)?;
    page.required("redirect_from")?;
    let callback = format!("{}/oauth/callback", page.required("redirect_uri")?);
    let option = call.shared.look().flows.option;
    let issuer = idp::issuer(call);
    let more: &[(&str, &str)] = match option {
        LoginOption::Google | LoginOption::Github => {
            // The exchange presents the callback as it was called, option and all.
            let redirect_uri = format!("{callback}?login_option={}", option.name());
            let code = page.new_code(CredentialKind::Social, redirect_uri)?;
            let option = ("login_option", option.name());
            return page.redirect(&callback, &[option, ("code", &code)]);
        }
        LoginOption::BuilderId => &[
            ("issuer_url", "https://view.awsapps.com/start"),
            ("idc_region", "us-east-1"),
        ],
        LoginOption::IdentityCenter => &[
            ("issuer_url", "https://d-1234567890.awsapps.com/start"),
            ("idc_region", "eu-west-1"),
        ],
        LoginOption::ExternalIdp => &[
            ("issuer_url", &issuer),
            ("client_id", "11111111-2222-3333-4444-555555555555"),
            (
                "scopes",
                "api://example/codewhisperer:conversations offline_access",
            ),
        ],
        LoginOption::Internal => &[],
    };
    let option = ("login_option", option.name());
    page.redirect(&callback, &[&[option], more].concat())
}

/// A page that a browser has opened.
struct Page<'a> {
    call: &'a Call,
    query: Vec<(String, String)>,
}

impl<'a> Page<'a> {
    fn of(call: &'a Call) -> Result<Self, Refusal> {
        let page = Self {
            call,
            query: form::parse(call.head.uri.query().unwrap_or_default()),
        };
        page.required("state")?;
        page.required("code_challenge")?;
        if page.required("code_challenge_method")? != "S256" {
            return Err(invalid_request("the challenge method is not S256"));
        }
        Ok(page)
    }

    fn required(&self, name: &str) -> Result<&str, Refusal> {
        form::get(&self.query, name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| invalid_request(&format!("{name} is missing")))
    }

    fn check_response_type(&self) -> Result<(), Refusal> {
        match self.required("response_type")? {
            "code" => Ok(()),
            _ => Err(invalid_request("response_type is not code")),
        }
    }

    fn redirect_with_code(&self, kind: CredentialKind) -> Outcome {
        let redirect_uri = self.required("redirect_uri")?;
        let code = self.new_code(kind, redirect_uri.to_owned())?;
        self.redirect(redirect_uri, &[("code", &code)])
    }

    /// A code for a new account.
    fn new_code(&self, kind: CredentialKind, redirect_uri: String) -> Result<String, Refusal> {
        let challenge = self.required("code_challenge")?.to_owned();
        let client_id = form::get(&self.query, "client_id").map(str::to_owned);
        Ok(self.call.shared.change(|inner| {
            let account = inner.accounts.open(kind);
            let code = inner.random.base64url(40);
            let held = Code {
                account,
                challenge,
                redirect_uri,
                client_id,
            };
            inner.flows.codes.insert(code.clone(), held);
            code
        }))
    }

    /// Sends the browser back with these values, or with an error if the person refuses.
    fn redirect(&self, to: &str, pairs: &[(&str, &str)]) -> Outcome {
        let decision = self.call.shared.look().flows.browser;
        let refusal = [("error", "access_denied")];
        let pairs = match decision {
            BrowserDecision::Approve => pairs,
            BrowserDecision::Refuse => &refusal,
        };
        let state = ("state", self.required("state")?);
        let query: Vec<String> = pairs
            .iter()
            .chain([&state])
            .map(|(name, value)| format!("{name}={}", form::encode(value)))
            .collect();
        let location = HeaderValue::from_str(&format!("{to}?{}", query.join("&")))
            .map_err(|_| invalid_request("redirect_uri is not a URL"))?;
        let mut response = Response::new(whole_body(""));
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().insert(LOCATION, location);
        Ok(response)
    }
}

/// Takes a code if it fits its service, verifier, redirect and client; it is good for one exchange.
pub(super) fn take_code(
    inner: &mut Inner,
    service: SignInService,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
    client_id: Option<&str>,
) -> Option<AccountId> {
    let held = inner.flows.codes.get(code)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let kind = inner.accounts.account(held.account).kind;
    let fits = kind.service() == Some(service)
        && held.challenge == challenge
        && held.redirect_uri == redirect_uri
        && held.client_id.as_deref() == client_id;
    if !fits {
        return None;
    }
    inner.flows.codes.remove(code).map(|held| held.account)
}
