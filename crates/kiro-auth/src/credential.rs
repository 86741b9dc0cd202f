//! What an upstream account is, as we hold it.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::document::Document;
use crate::error::AuthError;
use crate::login::Login;
use crate::refresh::Refreshed;
use crate::region::{DEFAULT_REGION, service_region};
use crate::secret::Secret;
use crate::wire;

/// One upstream account: how it was signed in, its tokens, and what is needed to refresh them.
///
/// The fields are plain data; a [`CredentialStore`](crate::CredentialStore) reads and writes them, a
/// [`Refresher`](crate::Refresher) uses them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Credential {
    /// Names the credential in logs and metrics; stays the same when its tokens rotate.
    pub id: CredentialId,
    /// How it was obtained; decides where and how it is refreshed.
    pub login: Login,
    /// The short-lived token; for [`Login::ApiKey`] the key itself.
    pub access_token: Option<Secret>,
    /// When the access token expires. `None` counts as expired, except for API keys, which never do.
    pub expires_at: Option<SystemTime>,
    /// How long the access token lives from its issue, where that is written down: by a refresh of ours. The margins
    /// of a short life are short; see [`Margins::of`](crate::Margins::of).
    pub lifetime: Option<Duration>,
    /// The long-lived token. It is replaced by many refreshes.
    pub refresh_token: Option<Secret>,
    /// The profile that pays, `arn:aws:codewhisperer:{region}:{account}:profile/{id}`.
    pub profile_arn: Option<String>,
    /// The region of the sign-in service (`eu-west-1`, …); meaningful for the two AWS directories.
    pub auth_region: Option<String>,
    /// The region of the service, where the operator wants another than
    /// [`service_region`](crate::service_region) finds.
    pub api_region: Option<String>,
    /// The registered OIDC client, or the public client of an external identity provider.
    pub client_id: Option<String>,
    /// The secret of the registered OIDC client.
    pub client_secret: Option<Secret>,
    /// When the registration of the OIDC client expires, and with it the refresh token; weeks after the
    /// sign-in. `None` when it is not known.
    pub client_expires_at: Option<SystemTime>,
    /// Names the file beside Kiro's cache that holds the client registration. Opaque.
    pub client_id_hash: Option<String>,
    /// The page at which one signs in to an AWS directory; tells the directories apart.
    pub start_url: Option<String>,
    /// The issuer of an external identity provider.
    pub issuer_url: Option<String>,
    /// The token endpoint of an external identity provider.
    pub token_endpoint: Option<String>,
    /// The scopes to ask for when refreshing with an external identity provider, separated by spaces.
    pub scopes: Option<String>,
}

impl Credential {
    /// A credential that consists of a refresh token of Kiro's own sign-in (Google, GitHub). Its first
    /// use refreshes it.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the token is empty, holds white
    /// space, or was cut short by whatever displayed it: it holds `...`, or it begins like Kiro's own
    /// tokens (`aor`) and is shorter than 100 bytes, which none is (reported by one gateway and by
    /// every sample seen).
    pub fn from_refresh_token(token: impl Into<Secret>) -> Result<Self, AuthError> {
        let token = token.into();
        check_refresh_token(&token)?;
        Ok(Self {
            refresh_token: Some(token.clone()),
            ..Self::empty(
                CredentialId::of("refresh-token", token.expose()),
                Login::Social,
            )
        })
    }

    /// A credential that consists of an API key (`ksk_…`), which is used as it is.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the key is empty, holds white space
    /// or `...`.
    pub fn from_api_key(key: impl Into<Secret>) -> Result<Self, AuthError> {
        let key = key.into();
        check_token(&key, "API key")?;
        Ok(Self {
            access_token: Some(key.clone()),
            ..Self::empty(CredentialId::of("api-key", key.expose()), Login::ApiKey)
        })
    }

    /// Reads a credential that fits into a header, and recognises it by its shape:
    ///
    /// ```text
    /// ksk_…                           an API key
    /// eyJyZWZyZXNoVG9rZW4iOi…         base64url of a JSON object, as for from_json
    /// anything else                   a refresh token of Kiro's own sign-in
    /// ```
    ///
    /// A JWT begins like such base64url and holds dots, which base64url does not; so it is a refresh token.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured), as for [`from_api_key`](Self::from_api_key),
    /// [`from_json`](Self::from_json) and [`from_refresh_token`](Self::from_refresh_token).
    ///
    /// ```
    /// use kiro_auth::{Credential, Login, Secret};
    ///
    /// // {"refreshToken":"aor…","clientId":"c","clientSecret":"s","region":"eu-west-1"}
    /// let text = "eyJyZWZyZXNoVG9rZW4iOiIxLkFYb0EiLCJjbGllbnRJZCI6ImMiLCJjbGllbnRTZWNyZXQiOiJzIiwicmVnaW9uIjoiZXUtd2VzdC0xIn0";
    /// let credential = Credential::from_compact(&Secret::from(text))?;
    /// assert_eq!(credential.login, Login::BuilderId);
    /// assert_eq!(credential.auth_region.as_deref(), Some("eu-west-1"));
    /// # Ok::<(), kiro_auth::AuthError>(())
    /// ```
    pub fn from_compact(text: &Secret) -> Result<Self, AuthError> {
        if text.expose().starts_with(wire::API_KEY_PREFIX) {
            Self::from_api_key(text.clone())
        } else if let Some(json) = json_in_base64url(text.expose()) {
            let credential = Self::from_json(&json)?;
            if let Some(token) = &credential.refresh_token {
                check_refresh_token(token)?;
            }
            if let Some(token) = &credential.access_token {
                check_token(token, "access token")?;
            }
            Ok(credential)
        } else {
            Self::from_refresh_token(text.clone())
        }
    }

    /// Reads a credential in the form of Kiro's own cache file. Every member is optional as far as the
    /// reader is concerned; names in `snake_case`, as kiro-cli writes them, are understood too.
    ///
    /// ```json
    /// {
    ///   "accessToken": "aoa…", "refreshToken": "aor…", "expiresAt": "2026-10-20T12:34:56.789Z",
    ///   "authMethod": "social", "provider": "Github", "profileArn": "arn:aws:codewhisperer:…",
    ///   "region": "eu-west-1",
    ///   "clientId": "…", "clientSecret": "…", "clientIdHash": "…",
    ///   "clientSecretExpiresAt": "2027-01-18T12:00:00.000Z", "startUrl": "https://…",
    ///   "issuerUrl": "https://…", "tokenEndpoint": "https://…", "scopes": "…"
    /// }
    /// ```
    ///
    /// The kind of login is taken from `authMethod` where that is present and known, and recognised by
    /// the shape of the rest where it is not. A `clientIdHash` points to a second file, which
    /// [`FileStore`](crate::FileStore) follows and this function cannot.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the text is not a JSON object or
    /// holds no token at all. The error names line and column and shows none of the text.
    ///
    /// ```
    /// use kiro_auth::{Credential, Login};
    ///
    /// let credential = Credential::from_json(r#"{"refreshToken":"1.AXoA","clientId":"11111111",
    ///     "tokenEndpoint":"https://login.microsoftonline.com/t/oauth2/v2.0/token"}"#)?;
    /// assert_eq!(credential.login, Login::ExternalIdp);
    /// # Ok::<(), kiro_auth::AuthError>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, AuthError> {
        let document = Document::parse(text).map_err(|error| {
            AuthError::misconfigured("the credential cannot be read").with_source(error)
        })?;
        wire::read(&document)
    }

    /// The credential with what a refresh has brought. `asked_at` is the time *before* the request was
    /// sent, so that the token is never believed longer than it lives.
    #[must_use]
    pub fn refreshed(&self, refreshed: &Refreshed, asked_at: SystemTime) -> Self {
        let mut next = self.clone();
        next.access_token = Some(refreshed.access_token.clone());
        next.expires_at = asked_at.checked_add(refreshed.expires_in);
        next.lifetime = Some(refreshed.expires_in);
        if let Some(token) = &refreshed.refresh_token {
            next.refresh_token = Some(token.clone());
        }
        if let Some(arn) = &refreshed.profile_arn {
            next.profile_arn = Some(arn.clone());
        }
        next
    }

    /// What a sign-in has brought. `asked_at` is as for [`refreshed`](Self::refreshed).
    pub(crate) fn signed_in(login: Login, granted: &Refreshed, asked_at: SystemTime) -> Self {
        let seed = granted.refresh_token.as_ref();
        let seed = seed.unwrap_or(&granted.access_token);
        let id = CredentialId::of("refresh-token", seed.expose());
        Self::empty(id, login).refreshed(granted, asked_at)
    }

    /// The region of the service for this credential; see [`service_region`](crate::service_region).
    pub fn service_region(&self) -> &str {
        service_region(
            self.api_region.as_deref(),
            self.profile_arn.as_deref(),
            self.auth_region.as_deref(),
        )
    }

    /// The region of the sign-in service: the credential's own, else `us-east-1`.
    pub fn login_region(&self) -> &str {
        self.auth_region.as_deref().unwrap_or(DEFAULT_REGION)
    }

    pub(crate) fn empty(id: CredentialId, login: Login) -> Self {
        Self {
            id,
            login,
            access_token: None,
            expires_at: None,
            lifetime: None,
            refresh_token: None,
            profile_arn: None,
            auth_region: None,
            api_region: None,
            client_id: None,
            client_secret: None,
            client_expires_at: None,
            client_id_hash: None,
            start_url: None,
            issuer_url: None,
            token_endpoint: None,
            scopes: None,
        }
    }
}

/// Life of an access token when the sign-in service does not say; what all of them have been seen to say.
pub(crate) const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// The JSON object that a text is the base64url of, with padding or without.
fn json_in_base64url(text: &str) -> Option<Zeroizing<String>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    let json = Zeroizing::new(String::from_utf8(bytes).ok()?);
    json.trim_start().starts_with('{').then_some(json)
}

fn check_refresh_token(token: &Secret) -> Result<(), AuthError> {
    check_token(token, "refresh token")?;
    if token.expose().starts_with("aor") && token.len() < 100 {
        return Err(AuthError::misconfigured(
            "the refresh token has been cut short",
        ));
    }
    Ok(())
}

fn check_token(token: &Secret, what: &'static str) -> Result<(), AuthError> {
    let text = token.expose();
    let problem = if text.is_empty() {
        "is empty"
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        "holds white space"
    } else if text.contains("...") || text.contains('…') {
        "has been cut short"
    } else {
        return Ok(());
    };
    Err(AuthError::misconfigured(format!("the {what} {problem}")))
}

/// A short name for a credential that reveals nothing about it: twelve hexadecimal digits of a hash.
///
/// ```
/// use kiro_auth::CredentialId;
///
/// let id = CredentialId::of("file", "/home/ann/.aws/sso/cache/kiro-auth-token.json");
/// assert_eq!(id.to_string().len(), 12);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId([u8; 6]);

impl CredentialId {
    /// Derives a name from something that stays the same for the life of the credential – a path, an
    /// account name, the token it was first seen with. `kind` keeps equal seeds of different kinds apart.
    pub fn of(kind: &str, seed: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(b"kiro-auth credential\0")
            .chain_update(kind)
            .chain_update([0])
            .chain_update(seed)
            .finalize();
        let mut id = [0; 6];
        id.copy_from_slice(&digest[..6]);
        Self(id)
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialId({self})")
    }
}
