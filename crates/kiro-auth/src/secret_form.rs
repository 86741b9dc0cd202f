//! How the secrets of logins look, for whoever keeps them out of captures and logs.

/// How a secret looks when nobody says that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretForm {
    /// What it begins with.
    pub beginning: &'static str,
    /// Bytes that it has at least: what is shorter is a word that begins in the same way.
    pub least: usize,
}

/// The forms of what is obtained by every [`Login`](crate::Login): access tokens, refresh tokens, client secrets, keys.
pub const SECRET_FORMS: &[SecretForm] = &[
    // Access and refresh tokens of Kiro's own sign-in and of AWS.
    SecretForm::new("aoaAAAAA", 20),
    SecretForm::new("aorAAAAA", 20),
    // API keys.
    SecretForm::new("ksk_", 12),
    // JWTs: access tokens of identity providers, client secrets of AWS.
    SecretForm::new("eyJ", 30),
    // Refresh tokens of Entra, which have some hundred bytes (seen in files).
    SecretForm::new("1.A", 100),
];

/// Members of JSON, and of forms, whose values are secrets wherever they stand: in files, in requests to sign-in
/// services and in their answers. Those of API keys are not among them: every program has an `api_key`, and ours are
/// known by their form.
pub const SECRET_MEMBERS: &[&str] = &[
    "accessToken",
    "access_token",
    "refreshToken",
    "refresh_token",
    "idToken",
    "id_token",
    "clientSecret",
    "client_secret",
    "deviceCode",
    "device_code",
    "code_verifier",
];

impl SecretForm {
    const fn new(beginning: &'static str, least: usize) -> Self {
        Self { beginning, least }
    }
}
