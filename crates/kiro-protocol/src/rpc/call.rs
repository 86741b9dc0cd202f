//! How a small call is spelled.

use std::fmt;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use serde_json::{Map, Value};

use crate::Generation;
use crate::request::{BuildError, HostKind, WireProfile};

/// Where a small call goes, and as whom.
///
/// ```
/// use kiro_protocol::request::{KRS_IDE, Region};
/// use kiro_protocol::rpc::{Call, list_models};
///
/// let base = KRS_IDE.management_base(&Region::US_EAST_1)?;
/// let mut call = Call::new(&KRS_IDE, &base, "the access token");
/// call.user_agent = "Kiro-2API/0.1.0";
/// let request = list_models(&call, None)?;
/// assert_eq!(request.uri(), "https://management.us-east-1.kiro.dev/");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The envelope; decides the spelling and the origin.
    pub profile: &'a WireProfile,
    /// Scheme and authority: from [`WireProfile::management_base`], for the tools from
    /// [`WireProfile::base`], or from the operator. A path in it goes before the call's own.
    pub base: &'a Uri,
    /// The bearer token, or the API key.
    pub access_token: &'a str,
    /// What kind of token that is, when the service must be told.
    pub token_type: Option<&'a str>,
    /// The profile to name. What a host wants to hear depends on the login. An empty one is left out.
    pub profile_arn: Option<&'a str>,
    /// `user-agent`: the caller's own name and version.
    pub user_agent: &'a str,
}

impl<'a> Call<'a> {
    /// A call without profile ARN and user agent.
    pub fn new(profile: &'a WireProfile, base: &'a Uri, access_token: &'a str) -> Self {
        Self {
            profile,
            base,
            access_token,
            token_type: None,
            profile_arn: None,
            user_agent: "",
        }
    }

    /// The ARN to send, if any.
    pub(super) fn arn(&self) -> Option<&'a str> {
        self.profile_arn.filter(|arn| !arn.is_empty())
    }
}

impl fmt::Debug for Call<'_> {
    /// Shows everything but the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("profile", &self.profile.name)
            .field("base", &self.base)
            .field("token_type", &self.token_type)
            .field("profile_arn", &self.profile_arn)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// The three spellings of one call.
pub(super) struct Operation {
    pub(super) method: Method,
    /// The REST path on the legacy hosts.
    pub(super) path: &'static str,
    /// The REST path on the newer management hosts.
    pub(super) hyphened_path: &'static str,
    pub(super) cli_target: &'static str,
    pub(super) krs_target: &'static str,
}

const CONTENT_TYPE_RPC: &str = "application/x-amz-json-1.0";
const CONTENT_TYPE_REST: &str = "application/json";
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TOKEN_TYPE: HeaderName = HeaderName::from_static("tokentype");
pub(super) const PROFILE_ARN: HeaderName = HeaderName::from_static("x-amzn-kiro-profile-arn");

impl Operation {
    /// Writes a call whose parameters go into the query of a `GET`, otherwise into a JSON object.
    pub(super) fn request(
        &self,
        call: &Call<'_>,
        parameters: &Map<String, Value>,
    ) -> Result<Request<Bytes>, BuildError> {
        let by_query = call.profile.generation == Generation::Rest && self.method == Method::GET;
        if by_query {
            return self.write(call, &query_of(parameters), Bytes::new());
        }
        let body = Value::Object(parameters.clone()).to_string();
        self.write(call, "", body.into())
    }

    /// Writes a call with a body of its own.
    pub(super) fn write(
        &self,
        call: &Call<'_>,
        query: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, BuildError> {
        let (method, path, target) = match call.profile.generation {
            Generation::Rest => (self.method.clone(), self.rest_path(call), None),
            Generation::Cli => (Method::POST, "/", Some(self.cli_target)),
            Generation::Krs => (Method::POST, "/", Some(self.krs_target)),
        };
        let mut request = Request::new(body);
        *request.uri_mut() = address(call.base, path, query)?;
        *request.headers_mut() = headers(call, &method, target)?;
        *request.method_mut() = method;
        Ok(request)
    }

    fn rest_path(&self, call: &Call<'_>) -> &'static str {
        match call.profile.management_host_kind {
            HostKind::Management => self.hyphened_path,
            _ => self.path,
        }
    }
}

fn address(base: &Uri, path: &str, query: &str) -> Result<Uri, BuildError> {
    let before = base.path().trim_end_matches('/');
    let mut parts = base.clone().into_parts();
    let path = format!("{before}{path}{query}").parse();
    let path = path.map_err(|error: http::uri::InvalidUri| BuildError::Address(error.into()))?;
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|error| BuildError::Address(error.into()))
}

fn headers(
    call: &Call<'_>,
    method: &Method,
    target: Option<&str>,
) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::with_capacity(8);
    let mut set = |name: HeaderName, value: &str| {
        let value = HeaderValue::from_str(value);
        let mut value = value.map_err(|source| BuildError::Header {
            name: name.clone(),
            source,
        })?;
        value.set_sensitive(name == header::AUTHORIZATION);
        headers.insert(name, value);
        Ok(())
    };
    if let Some(authority) = call.base.authority() {
        set(header::HOST, authority.as_str())?;
    }
    set(header::ACCEPT, "application/json")?;
    match target {
        Some(target) => {
            set(header::CONTENT_TYPE, CONTENT_TYPE_RPC)?;
            set(TARGET, target)?;
        }
        None if *method == Method::GET => {}
        None => set(header::CONTENT_TYPE, CONTENT_TYPE_REST)?,
    }
    if !call.user_agent.is_empty() {
        set(header::USER_AGENT, call.user_agent)?;
    }
    if let Some(kind) = call.token_type {
        set(TOKEN_TYPE, kind)?;
    }
    set(
        header::AUTHORIZATION,
        &format!("Bearer {}", call.access_token),
    )?;
    Ok(headers)
}

fn query_of(parameters: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (name, value) in parameters {
        out.push(if out.is_empty() { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        match value {
            Value::String(text) => percent_encode(text, &mut out),
            other => percent_encode(&other.to_string(), &mut out),
        }
    }
    out
}

/// Everything but the unreserved characters of RFC 3986.
fn percent_encode(text: &str, out: &mut String) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => {
                out.push('%');
                out.push(HEX[usize::from(other >> 4)]);
                out.push(HEX[usize::from(other & 15)]);
            }
        }
    }
}
