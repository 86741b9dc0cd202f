//! What a refresh changes of a credential, as it is sealed by the stores that keep nothing else.

use zeroize::Zeroizing;

use crate::credential::Credential;
use crate::document::Document;
use crate::error::AuthError;
use crate::wire;

/// The tokens of a credential, their expiry, and the profile that came with them.
///
/// What the owner of the credential configures – client, region, endpoint – stays with the owner. So it can
/// be corrected without a new sign-in, and a client secret is written nowhere.
#[derive(Clone)]
pub(crate) struct Rotated(Credential);

impl Rotated {
    pub(crate) fn of(credential: &Credential) -> Self {
        let Credential { id, login, .. } = *credential;
        Self(Credential {
            access_token: credential.access_token.clone(),
            refresh_token: credential.refresh_token.clone(),
            expires_at: credential.expires_at,
            lifetime: credential.lifetime,
            profile_arn: credential.profile_arn.clone(),
            ..Credential::empty(id, login)
        })
    }

    /// The credential as its owner has it, with these tokens. A profile that the owner names counts.
    pub(crate) fn over(&self, owners: &Credential) -> Credential {
        let tokens = self.0.clone();
        Credential {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_at: tokens.expires_at,
            lifetime: tokens.lifetime,
            profile_arn: owners.profile_arn.clone().or(tokens.profile_arn),
            ..owners.clone()
        }
    }

    /// As JSON, in the form of Kiro's cache file.
    pub(crate) fn to_json(&self) -> Zeroizing<String> {
        Zeroizing::new(wire::write(&self.0))
    }

    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when it is something else.
    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, AuthError> {
        let unreadable = || AuthError::misconfigured("the sealed record cannot be understood");
        let text = std::str::from_utf8(bytes).map_err(|error| unreadable().with_source(error))?;
        let document = Document::parse(text).map_err(|error| unreadable().with_source(error))?;
        Ok(Self(wire::read(&document)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNERS: &str = r#"{
        "accessToken": "access", "refreshToken": "refresh", "authMethod": "IdC", "region": "eu-west-1",
        "provider": "Enterprise", "clientId": "client", "clientSecret": "client secret"
    }"#;

    #[test]
    fn what_the_owner_configures_is_not_written() {
        let credential = Credential::from_json(OWNERS).unwrap();
        let written = Rotated::of(&credential).to_json();
        assert!(written.contains("refresh"), "{}", *written);
        assert!(!written.contains("client"), "{}", *written);
        assert!(!written.contains("eu-west-1"), "{}", *written);
    }

    #[test]
    fn what_the_owner_configures_counts_over_what_was_kept() {
        let mut kept = Credential::from_json(OWNERS).unwrap();
        kept.refresh_token = Some("rotated".into());
        kept.profile_arn = Some("kept".to_owned());
        let kept = Rotated::from_json(Rotated::of(&kept).to_json().as_bytes()).unwrap();

        let mut owners = Credential::from_json(OWNERS).unwrap();
        assert_eq!(kept.over(&owners).profile_arn.as_deref(), Some("kept"));
        owners.profile_arn = Some("chosen".to_owned());
        owners.auth_region = Some("ap-southeast-2".to_owned());
        let credential = kept.over(&owners);
        assert_eq!(credential.profile_arn.as_deref(), Some("chosen"));
        assert_eq!(credential.auth_region.as_deref(), Some("ap-southeast-2"));
        assert_eq!(credential.refresh_token.unwrap().expose(), "rotated");
        assert_eq!(credential.client_secret.unwrap().expose(), "client secret");
    }
}
