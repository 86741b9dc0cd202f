//! The AWS directories that a person may sign in to.

use std::time::SystemTime;

use super::ClientRegistration;
use crate::credential::Credential;
use crate::error::AuthError;
use crate::login::Login;
use crate::refresh::Refreshed;
use crate::region::{DEFAULT_REGION, is_region};
use crate::wire::BUILDER_ID_START_URL;

/// A directory of AWS IAM Identity Center, or AWS Builder ID, which to the sign-in service is one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    login: Login,
    start_url: String,
    region: String,
}

impl Directory {
    /// AWS Builder ID: `https://view.awsapps.com/start` in `us-east-1`.
    pub fn builder_id() -> Self {
        Self {
            login: Login::BuilderId,
            start_url: BUILDER_ID_START_URL.to_owned(),
            region: DEFAULT_REGION.to_owned(),
        }
    }

    /// The directory of an organisation: its start URL, `https://d-1234567890.awsapps.com/start` for
    /// example, and the region it lives in. The start URL of Builder ID makes it Builder ID.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](crate::AuthErrorKind::Misconfigured) when the URL is not a plain `https` URL or
    /// the region does not have the form of one.
    pub fn identity_center(start_url: &str, region: &str) -> Result<Self, AuthError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        if !start_url.starts_with("https://") || !start_url.bytes().all(is_plain) {
            return Err(AuthError::misconfigured(
                "the start URL of the directory is not an https URL",
            ));
        }
        if !is_region(region) {
            return Err(AuthError::misconfigured(
                "the region of the directory is not a region",
            ));
        }
        if start_url.trim_end_matches('/') == BUILDER_ID_START_URL {
            return Ok(Self::builder_id());
        }
        Ok(Self {
            login: Login::IdentityCenter,
            start_url: start_url.to_owned(),
            region: region.to_owned(),
        })
    }

    /// [`Login::BuilderId`] or [`Login::IdentityCenter`].
    pub fn login(&self) -> Login {
        self.login
    }

    /// The page at which one signs in.
    pub fn start_url(&self) -> &str {
        &self.start_url
    }

    /// The region of the sign-in service.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The credential that a sign-in to this directory has brought. `asked_at` is the time before the
    /// tokens were asked for.
    pub fn credential(
        &self,
        client: &ClientRegistration,
        granted: &Refreshed,
        asked_at: SystemTime,
    ) -> Credential {
        Credential {
            auth_region: Some(self.region.clone()),
            start_url: Some(self.start_url.clone()),
            client_id: Some(client.client_id.clone()),
            client_secret: Some(client.client_secret.clone()),
            client_expires_at: client.expires_at,
            ..Credential::signed_in(self.login, granted, asked_at)
        }
    }

    /// A page or an operation of the sign-in service.
    pub(super) fn url(&self, path: &str) -> String {
        format!("https://oidc.{}.amazonaws.com{path}", self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_smuggled_into_the_host() {
        for (start_url, region) in [
            ("http://d-1.awsapps.com/start", "eu-west-1"),
            ("https://d-1.awsapps.com/start\r\nx", "eu-west-1"),
            ("d-1.awsapps.com/start", "eu-west-1"),
            ("https://d-1.awsapps.com/start", "eu-west-1.evil.example/"),
            ("https://d-1.awsapps.com/start", ""),
        ] {
            let error = Directory::identity_center(start_url, region).unwrap_err();
            assert_eq!(error.kind(), crate::AuthErrorKind::Misconfigured);
        }
    }

    #[test]
    fn builder_id_is_recognised_by_its_start_url() {
        let url = "https://view.awsapps.com/start/";
        let directory = Directory::identity_center(url, "eu-west-1").unwrap();
        assert_eq!(directory, Directory::builder_id());
    }
}
