//! A sign-in at the portal, under way.

use std::fmt;

use super::SignIn;
use super::browser::{Window, exchange_social};
use crate::credential::Credential;
use crate::sign_in::{Callback, Directory, IdentityProvider, PortalChoice, SignInError, portal};

/// The portal's page, waiting to be opened, and a way back from it; otherwise as
/// [`BrowserSignIn`](super::BrowserSignIn).
#[must_use = "nobody is signed in before `wait` or `paste` returns"]
pub struct PortalSignIn {
    sign_in: SignIn,
    url: String,
    window: Window,
}

/// What a person did at the portal. Complete: each is gone on with in another way.
#[derive(Debug, Clone)]
pub enum PortalOutcome {
    /// Signed in with Google or GitHub.
    SignedIn(Box<Credential>),
    /// Chose an AWS directory: go on with [`SignIn::directory`] or [`SignIn::device`].
    Directory(Directory),
    /// Chose an identity provider: go on with [`SignIn::external`].
    ExternalIdp(IdentityProvider),
}

impl PortalSignIn {
    pub(super) fn new(sign_in: SignIn, url: String, window: Window) -> Self {
        Self {
            sign_in,
            url,
            window,
        }
    }

    /// The page to open. It carries the state of this sign-in, so it is for the person's eyes only.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the browser comes back.
    ///
    /// # Errors
    ///
    /// As [`BrowserSignIn::wait`](super::BrowserSignIn::wait), and those of [`portal::choice`].
    ///
    /// # Cancel safety
    ///
    /// As [`BrowserSignIn::wait`](super::BrowserSignIn::wait).
    pub async fn wait(&self) -> Result<PortalOutcome, SignInError> {
        let callback = self.window.wait().await?;
        self.finish(&callback).await
    }

    /// Takes the address that the browser ended at.
    ///
    /// # Errors
    ///
    /// As [`BrowserSignIn::paste`](super::BrowserSignIn::paste), and those of [`portal::choice`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the code is good for one exchange.
    pub async fn paste(&self, address: &str) -> Result<PortalOutcome, SignInError> {
        self.finish(&Callback::read(address, &self.window.pkce)?)
            .await
    }

    async fn finish(&self, callback: &Callback) -> Result<PortalOutcome, SignInError> {
        let Window {
            pkce, redirect_uri, ..
        } = &self.window;
        Ok(match portal::choice(callback, redirect_uri)? {
            PortalChoice::Social { redirect_uri } => {
                let credential =
                    exchange_social(&self.sign_in, pkce, &redirect_uri, callback).await?;
                PortalOutcome::SignedIn(Box::new(credential))
            }
            PortalChoice::Directory(directory) => PortalOutcome::Directory(directory),
            PortalChoice::ExternalIdp(provider) => PortalOutcome::ExternalIdp(provider),
        })
    }
}

impl fmt::Debug for PortalSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalSignIn")
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}
