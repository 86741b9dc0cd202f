//! The members of Kiro's cache file: how they are spelled, read and written back.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::credential::{Credential, CredentialId};
use crate::document::Document;
use crate::error::AuthError;
use crate::expiry::{format_rfc3339, parse_expiry};
use crate::login::Login;
use crate::secret::Secret;

/// The spellings of each member: the IDE's first, kiro-cli's last.
const ACCESS_TOKEN: &[&str] = &["accessToken", "access_token"];
const REFRESH_TOKEN: &[&str] = &["refreshToken", "refresh_token"];
const EXPIRES_AT: &[&str] = &["expiresAt", "expires_at"];
const LIFETIME: &[&str] = &["expiresIn", "expires_in"];
const PROFILE_ARN: &[&str] = &["profileArn", "profile_arn"];
const AUTH_METHOD: &[&str] = &["authMethod", "auth_method"];
const PROVIDER: &[&str] = &["provider"];
const REGION: &[&str] = &["region"];
const API_REGION: &[&str] = &["apiRegion", "api_region"];
const START_URL: &[&str] = &["startUrl", "start_url"];
const CLIENT_ID: &[&str] = &["clientId", "client_id"];
const CLIENT_SECRET: &[&str] = &["clientSecret", "client_secret"];
const CLIENT_EXPIRES_AT: &[&str] = &["clientSecretExpiresAt", "client_secret_expires_at"];
const CLIENT_ID_HASH: &[&str] = &["clientIdHash", "client_id_hash"];
const ISSUER_URL: &[&str] = &["issuerUrl", "issuer_url"];
const TOKEN_ENDPOINT: &[&str] = &["tokenEndpoint", "token_endpoint"];
const SCOPES: &[&str] = &["scopes"];
const API_KEY: &[&str] = &["kiroApiKey", "apiKey", "api_key"];

/// What begins every API key.
pub(crate) const API_KEY_PREFIX: &str = "ksk_";

/// The directory behind AWS Builder ID, and what Kiro's IDE makes of it as a `clientIdHash`: the SHA-1
/// of `{"startUrl":"https://view.awsapps.com/start"}` (computed; file names of that form are seen).
pub(crate) const BUILDER_ID_START_URL: &str = "https://view.awsapps.com/start";
const BUILDER_ID_HASH: &str = "e909a0580879b06ece1202964fbe9dda95ea4ce3";

/// Reads a credential. Its id is derived from the token it holds; a store that knows something more
/// lasting replaces it.
pub(crate) fn read(document: &Document<'_>) -> Result<Credential, AuthError> {
    let secret = |names| document.string(names).map(Secret::new);
    let api_key = secret(API_KEY)
        .or_else(|| secret(ACCESS_TOKEN).filter(is_api_key))
        .or_else(|| secret(REFRESH_TOKEN).filter(is_api_key));
    let login = login(document, api_key.is_some());
    if let (Login::ApiKey, Some(key)) = (login, api_key) {
        return Ok(Credential {
            api_region: document.string(API_REGION),
            auth_region: document.string(REGION),
            ..Credential::from_api_key(key)?
        });
    }
    read_as(document, login)
}

/// Reads a credential whose kind of login is known. Its id is as with [`read`].
pub(crate) fn read_as(document: &Document<'_>, login: Login) -> Result<Credential, AuthError> {
    let secret = |names| document.string(names).map(Secret::new);
    let (access_token, refresh_token) = (secret(ACCESS_TOKEN), secret(REFRESH_TOKEN));
    let Some(seed) = refresh_token.as_ref().or(access_token.as_ref()) else {
        return Err(AuthError::misconfigured("the credential holds no token"));
    };
    let id = CredentialId::of("refresh-token", seed.expose());
    Ok(Credential {
        access_token,
        refresh_token,
        expires_at: expiry(document, EXPIRES_AT),
        lifetime: lifetime(document),
        profile_arn: document.string(PROFILE_ARN),
        auth_region: document.string(REGION),
        api_region: document.string(API_REGION),
        client_id: document.string(CLIENT_ID),
        client_secret: secret(CLIENT_SECRET),
        client_expires_at: expiry(document, CLIENT_EXPIRES_AT),
        client_id_hash: document.string(CLIENT_ID_HASH),
        start_url: document.string(START_URL),
        issuer_url: document.string(ISSUER_URL),
        token_endpoint: document.string(TOKEN_ENDPOINT),
        scopes: scopes(document),
        ..Credential::empty(id, login)
    })
}

/// Reads what a client registration file adds to a credential.
///
/// ```json
/// {"clientId": "…", "clientSecret": "…", "expiresAt": "2027-01-18T12:00:00.000Z"}
/// ```
pub(crate) fn read_registration(document: &Document<'_>, into: &mut Credential) {
    into.client_id = document.string(CLIENT_ID).or(into.client_id.take());
    into.client_secret = document
        .string(CLIENT_SECRET)
        .map(Secret::new)
        .or(into.client_secret.take());
    into.client_expires_at = expiry(document, EXPIRES_AT).or(into.client_expires_at.take());
}

/// The text of a file with the tokens of a credential in it. Only what a refresh can change is written:
/// the tokens, their expiry, and the profile.
pub(crate) fn patch(document: &Document<'_>, credential: &Credential) -> String {
    let mut changes: Vec<(&[&str], String)> = Vec::new();
    let mut set = |names, text: Option<&str>| {
        if let Some(text) = text
            && document.string(names).as_deref() != Some(text)
        {
            let names = in_spelling_of(document, names);
            changes.push((names, Value::from(text).to_string()));
        }
    };
    set(
        ACCESS_TOKEN,
        credential.access_token.as_ref().map(Secret::expose),
    );
    set(
        REFRESH_TOKEN,
        credential.refresh_token.as_ref().map(Secret::expose),
    );
    set(PROFILE_ARN, credential.profile_arn.as_deref());
    if let Some(expires_at) = credential.expires_at {
        let names = in_spelling_of(document, EXPIRES_AT);
        changes.push((names, expiry_in_style_of(document, expires_at)));
    }
    document.with(&changes)
}

/// The text of a new file.
pub(crate) fn write(credential: &Credential) -> String {
    let spelling = spelling(credential.login);
    let (method, provider) = (spelling.methods.first(), spelling.providers.first());
    let expires_at = credential.expires_at.map(format_rfc3339);
    let lifetime = credential.lifetime.map(|life| life.as_secs().to_string());
    let client_expires_at = credential.client_expires_at.map(format_rfc3339);
    let members = [
        (
            ACCESS_TOKEN,
            credential.access_token.as_ref().map(Secret::expose),
        ),
        (
            REFRESH_TOKEN,
            credential.refresh_token.as_ref().map(Secret::expose),
        ),
        (PROFILE_ARN, credential.profile_arn.as_deref()),
        (EXPIRES_AT, expires_at.as_deref()),
        (LIFETIME, lifetime.as_deref()),
        (AUTH_METHOD, method.copied()),
        (PROVIDER, provider.copied()),
        (REGION, credential.auth_region.as_deref()),
        (API_REGION, credential.api_region.as_deref()),
        (CLIENT_ID, credential.client_id.as_deref()),
        (
            CLIENT_SECRET,
            credential.client_secret.as_ref().map(Secret::expose),
        ),
        (CLIENT_EXPIRES_AT, client_expires_at.as_deref()),
        (CLIENT_ID_HASH, credential.client_id_hash.as_deref()),
        (START_URL, credential.start_url.as_deref()),
        (ISSUER_URL, credential.issuer_url.as_deref()),
        (TOKEN_ENDPOINT, credential.token_endpoint.as_deref()),
        (SCOPES, credential.scopes.as_deref()),
    ];
    let lines: Vec<String> = members
        .iter()
        .filter_map(|(names, text)| Some((names.first()?, (*text)?)))
        .map(|(name, text)| format!("  {}: {}", Value::from(*name), Value::from(text)))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn expiry(document: &Document<'_>, names: &[&str]) -> Option<SystemTime> {
    document.value(names).as_ref().and_then(parse_expiry)
}

/// In whole seconds.
fn lifetime(document: &Document<'_>) -> Option<Duration> {
    let seconds = match document.value(LIFETIME)? {
        Value::Number(seconds) => seconds.as_u64(),
        Value::String(seconds) => seconds.parse().ok(),
        _ => None,
    };
    seconds
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

/// How a login is told in a file: what [`write`] writes comes first, behind it what others have written.
struct Spelling {
    /// Its `authMethod`.
    methods: &'static [&'static str],
    /// Its `provider`, which tells logins of one method apart.
    providers: &'static [&'static str],
}

/// The one table, for writing and for reading.
fn spelling(login: Login) -> Spelling {
    let (methods, providers): (&[_], &[_]) = match login {
        Login::Social => (&["social"], &[]),
        Login::BuilderId => (
            &[DIRECTORY, "identity_center", "builder-id"],
            &["BuilderId"],
        ),
        Login::IdentityCenter => (
            &[DIRECTORY, "identity_center"],
            &["Enterprise", "IdentityCenter", "IdC"],
        ),
        Login::ExternalIdp => (&["external_idp"], &["ExternalIdp"]),
        Login::ApiKey => (&["api_key"], &[]),
    };
    Spelling { methods, providers }
}

/// The method of both kinds of AWS directory.
const DIRECTORY: &str = "IdC";

/// An explicit method wins; else the shape decides (several gateways agree on this order).
///
/// A method that is not in the table leaves it to the shape, as if there were none: other programs write these files
/// and invent words, and what a refresh takes is what the file holds. A guess that is wrong is refused by the service,
/// and says so.
fn login(document: &Document<'_>, has_api_key: bool) -> Login {
    let method = document.string(AUTH_METHOD).unwrap_or_default();
    let provider = document.string(PROVIDER).unwrap_or_default();
    let mut named = named(&method);
    match (named.next(), named.next()) {
        // Without a key the word is not to be believed.
        (Some(Login::ApiKey), None) if !has_api_key => {}
        (Some(login), None) => return login,
        (Some(_), Some(_)) => return directory(document, &provider),
        (None, _) => {}
    }
    let has = |names| document.string(names).is_some();
    if has_api_key {
        Login::ApiKey
    } else if has(TOKEN_ENDPOINT) || has(ISSUER_URL) {
        Login::ExternalIdp
    } else if has(CLIENT_ID_HASH) || (has(CLIENT_ID) && has(CLIENT_SECRET)) {
        directory(document, &provider)
    } else {
        Login::Social
    }
}

/// The logins that a method stands for.
fn named(method: &str) -> impl Iterator<Item = Login> {
    let logins = Login::ALL.iter().copied();
    logins.filter(move |login| is_among(method, spelling(*login).methods))
}

/// Which of the two kinds of AWS directory. Without a name, a start URL or a profile of its own it is
/// taken for Builder ID, which needs none of them.
pub(crate) fn directory(document: &Document<'_>, provider: &str) -> Login {
    let by_name = named(DIRECTORY).find(|login| is_among(provider, spelling(*login).providers));
    if let Some(login) = by_name {
        return login;
    }
    let start_url = document.string(START_URL);
    match start_url.as_deref().map(|url| url.trim_end_matches('/')) {
        Some(BUILDER_ID_START_URL) => Login::BuilderId,
        Some(_) => Login::IdentityCenter,
        None => match document.string(CLIENT_ID_HASH).as_deref() {
            Some(BUILDER_ID_HASH) => Login::BuilderId,
            Some(_) => Login::IdentityCenter,
            None if document.string(PROFILE_ARN).is_some() => Login::IdentityCenter,
            None => Login::BuilderId,
        },
    }
}

fn is_among(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| bare(other) == bare(word))
}

/// `external_idp`, `ExternalIdp` and `external-idp` are one word.
fn bare(word: &str) -> String {
    word.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn is_api_key(secret: &Secret) -> bool {
    secret.expose().starts_with(API_KEY_PREFIX)
}

/// A string in the IDE's files, a list in kiro-cli's rows.
fn scopes(document: &Document<'_>) -> Option<String> {
    match document.value(SCOPES)? {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Some(words.join(" ")).filter(|text| !text.is_empty())
        }
        _ => None,
    }
}

/// The names of a member, the one for a new member first: kiro-cli would not find the IDE's spelling.
fn in_spelling_of<'n>(document: &Document<'_>, names: &'n [&'n str]) -> &'n [&'n str] {
    let is_snake_case = [ACCESS_TOKEN, REFRESH_TOKEN, EXPIRES_AT]
        .iter()
        .any(|names| document.raw(&names[1..]).is_some());
    match document.raw(names) {
        None if is_snake_case => &names[names.len() - 1..],
        _ => names,
    }
}

/// An expiry as the owner of the file spells it, since it has to read it back: a number stays a number
/// of the same unit.
fn expiry_in_style_of(document: &Document<'_>, time: SystemTime) -> String {
    let since_epoch = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    match document.value(EXPIRES_AT) {
        Some(Value::Number(old)) if old.as_f64().is_some_and(|old| old < 1e11) => {
            since_epoch.as_secs().to_string()
        }
        Some(Value::Number(_)) => since_epoch.as_millis().to_string(),
        _ => Value::from(format_rfc3339(time)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a new file has to hold for each login, so that it can be refreshed after a restart.
    #[test]
    fn what_is_written_is_read_back() {
        let client = r#""clientId": "client", "clientSecret": "client-secret",
            "clientSecretExpiresAt": 1797776000"#;
        for login in Login::ALL.iter().copied() {
            let members = match login {
                Login::Social => {
                    r#""profileArn": "arn:aws:codewhisperer:us-east-1:1:profile/X""#.to_owned()
                }
                Login::BuilderId => format!(
                    r#"{client}, "startUrl": "{BUILDER_ID_START_URL}", "region": "us-east-1""#
                ),
                Login::IdentityCenter => format!(
                    r#"{client}, "startUrl": "https://d-1.awsapps.com/start", "region": "eu-west-1""#
                ),
                Login::ExternalIdp => r#""clientId": "public", "issuerUrl": "https://idp.example",
                    "scopes": "a b", "tokenEndpoint": "https://idp.example/token""#
                    .to_owned(),
                // A file that we write holds a key that a person has brought, and nothing else.
                Login::ApiKey => {
                    let key = Credential::from_api_key("ksk_0123456789").unwrap();
                    let again = Credential::from_json(&write(&key)).unwrap();
                    assert_eq!(facts(&again), facts(&key));
                    continue;
                }
            };
            let common = r#""accessToken": "aoa-1", "refreshToken": "aor-1",
                "expiresAt": "2026-10-20T12:34:56.789Z""#;
            let credential = Credential::from_json(&format!("{{{common}, {members}}}")).unwrap();
            assert_eq!(credential.login, login);
            let again = Credential::from_json(&write(&credential)).unwrap();
            assert_eq!(facts(&again), facts(&credential));
        }
    }

    /// The words alone tell it: nothing else in these files has a shape.
    #[test]
    fn each_login_is_read_from_the_words_that_are_written_for_it() {
        for login in Login::ALL.iter().copied() {
            let token = Secret::from("ksk_0123456789");
            let credential = Credential {
                access_token: Some(token),
                ..Credential::empty(CredentialId::of("test", "1"), login)
            };
            let again = Credential::from_json(&write(&credential)).unwrap();
            assert_eq!(again.login, login);
        }
    }

    #[test]
    fn every_other_spelling_is_read_as_well() {
        let read = |method: &str, provider: &str| {
            let text = format!(
                r#"{{"kiroApiKey": "ksk_0123456789", "refreshToken": "aor-1",
                    "authMethod": "{method}", "provider": "{provider}"}}"#
            );
            Credential::from_json(&text).unwrap().login
        };
        for login in Login::ALL.iter().copied() {
            let Spelling { methods, providers } = spelling(login);
            for method in methods {
                for provider in providers
                    .iter()
                    .copied()
                    .chain(providers.is_empty().then_some(""))
                {
                    assert_eq!(read(method, provider), login, "{method} {provider}");
                }
            }
        }
    }

    #[test]
    fn what_holds_a_secret_is_known_by_its_name() {
        for name in [ACCESS_TOKEN, REFRESH_TOKEN, CLIENT_SECRET].concat() {
            assert!(crate::SECRET_MEMBERS.contains(&name), "{name}");
        }
    }

    /// Other programs invent words: what the file holds says how it is refreshed.
    #[test]
    fn a_method_that_nobody_knows_leaves_it_to_the_shape() {
        for (members, login) in [
            (r#""refreshToken": "aor-1""#, Login::Social),
            (
                r#""refreshToken": "1.A", "issuerUrl": "https://idp.example""#,
                Login::ExternalIdp,
            ),
            (
                r#""refreshToken": "aor-1", "clientId": "c", "clientSecret": "s""#,
                Login::BuilderId,
            ),
            (r#""kiroApiKey": "ksk_0123456789""#, Login::ApiKey),
        ] {
            let text = format!(r#"{{"authMethod": "of tomorrow", {members}}}"#);
            assert_eq!(Credential::from_json(&text).unwrap().login, login);
        }
    }

    fn facts(credential: &Credential) -> String {
        let secret = credential.client_secret.as_ref().map(Secret::expose);
        let tokens = [&credential.access_token, &credential.refresh_token]
            .map(|token| token.as_ref().map(Secret::expose));
        format!("{credential:?} {secret:?} {tokens:?}")
    }
}
