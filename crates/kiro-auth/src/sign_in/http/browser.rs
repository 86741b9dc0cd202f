//! A sign-in in a browser, under way.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::SignIn;
use super::loopback::Loopback;
use crate::credential::Credential;
use crate::sign_in::{
    Callback, ClientRegistration, Directory, Endpoints, IdentityProvider, Pkce, SignInError,
    external, oidc, social,
};

/// A page that waits to be opened, and a way back from it.
///
/// The browser comes back to a port of this machine, which [`wait`](Self::wait) listens to. Where the
/// browser is on another machine, it ends at an address that cannot be reached; the person copies that
/// address, and [`paste`](Self::paste) takes it. Both may be offered at once.
///
/// Dropping it ends the sign-in and frees the port.
#[must_use = "nobody is signed in before `wait` or `paste` returns"]
pub struct BrowserSignIn {
    sign_in: SignIn,
    url: String,
    window: Window,
    way: Way,
}

/// Where the code is exchanged.
pub(super) enum Way {
    Social,
    Directory(Directory, ClientRegistration),
    External(IdentityProvider, Endpoints),
}

impl BrowserSignIn {
    pub(super) fn new(sign_in: SignIn, url: String, window: Window, way: Way) -> Self {
        Self {
            sign_in,
            url,
            window,
            way,
        }
    }

    /// The page to open. It carries the state of this sign-in, so it is for the person's eyes only.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the browser comes back, and exchanges the code that it brings.
    ///
    /// Requests for other paths and those that carry another state are answered and forgotten.
    ///
    /// # Errors
    ///
    /// [`Abandoned`](SignInError::Abandoned) when nobody comes back before the deadline, which began with
    /// the sign-in; [`NoPort`](SignInError::NoPort) when there is nothing to listen to;
    /// [`Denied`](SignInError::Denied) and [`Rejected`](SignInError::Rejected) when the browser brings an
    /// error; [`Refused`](SignInError::Refused) and [`Failed`](SignInError::Failed) for the exchange.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again until the browser has come back. After that the code is lost with
    /// it, and the sign-in has to start again.
    pub async fn wait(&self) -> Result<Credential, SignInError> {
        let callback = self.window.wait().await?;
        self.finish(&callback).await
    }

    /// Takes the address that the browser ended at, as [`Callback::read`] understands it, and exchanges the
    /// code that it carries.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), and [`WrongState`](SignInError::WrongState) or
    /// [`NoCode`](SignInError::NoCode) when the address is another; the right one may be pasted after that.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the code is good for one exchange.
    pub async fn paste(&self, address: &str) -> Result<Credential, SignInError> {
        self.finish(&Callback::read(address, &self.window.pkce)?)
            .await
    }

    async fn finish(&self, callback: &Callback) -> Result<Credential, SignInError> {
        let (client, code) = (self.sign_in.client(), callback.code()?);
        let asked_at = self.sign_in.clock().now();
        let Window {
            pkce, redirect_uri, ..
        } = &self.window;
        Ok(match &self.way {
            Way::Social => exchange_social(&self.sign_in, pkce, redirect_uri, callback).await?,
            Way::Directory(directory, registration) => {
                let request =
                    oidc::exchange_request(directory, registration, pkce, redirect_uri, &code)?;
                let granted = client.ask(&request, oidc::reply).await?;
                directory.credential(registration, &granted, asked_at)
            }
            Way::External(provider, endpoints) => {
                let request =
                    external::exchange_request(provider, endpoints, pkce, redirect_uri, &code)?;
                let granted = client.ask_idp(&request, external::reply).await?;
                provider.credential(endpoints, &granted, asked_at)
            }
        })
    }
}

/// Exchanges a code of Kiro's own sign-in.
pub(super) async fn exchange_social(
    sign_in: &SignIn,
    pkce: &Pkce,
    redirect_uri: &str,
    callback: &Callback,
) -> Result<Credential, SignInError> {
    let asked_at = sign_in.clock().now();
    let request = social::exchange_request(pkce, redirect_uri, &callback.code()?)?;
    let granted = sign_in.client().ask(&request, social::reply).await?;
    Ok(social::credential(&granted, asked_at))
}

impl fmt::Debug for BrowserSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrowserSignIn")
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// The way back from a browser, open for a while.
pub(super) struct Window {
    /// `None` when no port was free.
    loopback: Option<Loopback>,
    pub(super) redirect_uri: String,
    pub(super) pkce: Pkce,
    deadline: Duration,
    closes_at: Instant,
}

impl Window {
    pub(super) fn open(
        loopback: Option<Loopback>,
        redirect_uri: String,
        pkce: Pkce,
        deadline: Duration,
    ) -> Self {
        Self {
            loopback,
            redirect_uri,
            pkce,
            deadline,
            closes_at: Instant::now() + deadline,
        }
    }

    /// Waits until the browser comes back with the right state.
    pub(super) async fn wait(&self) -> Result<Callback, SignInError> {
        let loopback = self.loopback.as_ref().ok_or(SignInError::NoPort)?;
        let waiting = loopback.callback(&self.pkce);
        let waited = self.deadline;
        timeout_at(self.closes_at, waiting)
            .await
            .unwrap_or(Err(SignInError::Abandoned { waited }))
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("redirect_uri", &self.redirect_uri)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
