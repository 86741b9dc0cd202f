//! How a sign-in begins.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::browser::{BrowserSignIn, Way, Window};
use super::device::DeviceSignIn;
use super::loopback::Loopback;
use super::portal::PortalSignIn;
use crate::clock::Clock;
use crate::error::AuthError;
use crate::http::HttpClient;
use crate::refresh::HttpRefresherOptions;
use crate::sign_in::{
    CALLBACK_PATH, Directory, IdentityProvider, LOCALHOST_PORTS, Pkce, Provider, SignInError,
    device, external, oidc, portal, register, social,
};

/// Signs people in, in any of the ways that the services know.
///
/// Each way begins with a method that returns what to show to the person – it prints nothing – and ends
/// with a wait that returns the credential. Nothing is spawned: dropping what a method returned ends the
/// sign-in and frees its port.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use kiro_auth::sign_in::{Directory, SignIn, SignInOptions};
/// use kiro_auth::{CredentialStore, FileStore, SystemClock};
///
/// # async fn example(tls: rustls::ClientConfig) -> Result<(), Box<dyn std::error::Error>> {
/// let sign_in = SignIn::new(tls, SignInOptions::default(), Arc::new(SystemClock))?;
/// let device = sign_in.device(&Directory::builder_id()).await?;
/// println!("open {} and compare {}", device.page(), device.user_code());
/// let credential = device.wait().await?;
/// FileStore::new("/home/ann/kiro-login.json").save(&credential).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SignIn(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    client: HttpClient,
    clock: Arc<dyn Clock>,
    client_name: String,
    deadline: Duration,
}

/// How a [`SignIn`] behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignInOptions {
    /// The same as for refreshes: endpoint, user agent, timeout, and the identity providers to believe.
    pub http: HttpRefresherOptions,
    /// What the AWS directories show as the program that asks for access. Default: `Kiro-2API`.
    pub client_name: String,
    /// How long a person may take in the browser. Default: 600 seconds, as the newer official clients.
    /// A device code says by itself how long it is good.
    pub deadline: Duration,
}

impl Default for SignInOptions {
    fn default() -> Self {
        Self {
            http: HttpRefresherOptions::default(),
            client_name: "Kiro-2API".to_owned(),
            deadline: Duration::from_secs(600),
        }
    }
}

impl SignIn {
    /// Signs in at services that `tls` trusts. The clock dates the tokens.
    ///
    /// # Errors
    ///
    /// As [`HttpRefresher::new`](crate::HttpRefresher::new).
    pub fn new(
        tls: rustls::ClientConfig,
        options: SignInOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthError> {
        Ok(Self(Arc::new(Parts {
            client: HttpClient::new(tls, options.http)?,
            clock,
            client_name: options.client_name,
            deadline: options.deadline,
        })))
    }

    /// Begins with a device code. The browser may be on any machine.
    ///
    /// # Errors
    ///
    /// [`Refused`](SignInError::Refused) and [`Failed`](SignInError::Failed).
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any point.
    pub async fn device(&self, directory: &Directory) -> Result<DeviceSignIn, SignInError> {
        let request = register::device_request(directory, &self.0.client_name)?;
        let client = self.client().ask(&request, register::reply).await?;
        let request = device::request(directory, &client)?;
        let authorization = self.client().ask(&request, device::reply).await?;
        DeviceSignIn::begin(self.clone(), directory.clone(), client, authorization)
    }

    /// Begins with a page of AWS SSO for the browser.
    ///
    /// # Errors
    ///
    /// [`NoPort`](SignInError::NoPort), [`Refused`](SignInError::Refused) and
    /// [`Failed`](SignInError::Failed).
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any point.
    pub async fn directory(&self, directory: &Directory) -> Result<BrowserSignIn, SignInError> {
        let loopback = Loopback::on_any_port().await?;
        let redirect_uri = format!("http://127.0.0.1:{}{CALLBACK_PATH}", loopback.port());
        let request = register::browser_request(directory, &self.0.client_name, &redirect_uri)?;
        let client = self.client().ask(&request, register::reply).await?;
        let window = self.window(Some(loopback), redirect_uri)?;
        let url = oidc::authorize_url(directory, &client, &window.pkce, &window.redirect_uri);
        let way = Way::Directory(directory.clone(), client);
        Ok(BrowserSignIn::new(
            self.clone(),
            self.page(url)?,
            window,
            way,
        ))
    }

    /// Begins with a page of Kiro's own sign-in for the browser.
    ///
    /// # Errors
    ///
    /// [`Failed`](SignInError::Failed) when the machine has no random bytes.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any point.
    pub async fn social(&self, provider: Provider) -> Result<BrowserSignIn, SignInError> {
        let window = self.window_on_localhost(CALLBACK_PATH).await?;
        let url = social::login_url(provider, &window.pkce, &window.redirect_uri);
        Ok(BrowserSignIn::new(
            self.clone(),
            self.page(url)?,
            window,
            Way::Social,
        ))
    }

    /// Begins with a page of an identity provider for the browser.
    ///
    /// # Errors
    ///
    /// [`Failed`](SignInError::Failed) when the issuer or an endpoint that it names is not on a host that
    /// the options allow, and [`Refused`](SignInError::Refused).
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any point.
    pub async fn external(
        &self,
        provider: &IdentityProvider,
    ) -> Result<BrowserSignIn, SignInError> {
        let request = external::discovery_request(provider)?;
        let endpoints = self.client().ask_idp(&request, external::discovery_reply);
        let endpoints = endpoints.await?;
        for endpoint in [&endpoints.authorization_endpoint, &endpoints.token_endpoint] {
            let endpoint = uri(endpoint)?;
            self.client().check_idp(&endpoint)?;
            self.client().place(&endpoint)?;
        }
        let window = self.window_on_localhost(CALLBACK_PATH).await?;
        let url = external::authorize_url(provider, &endpoints, &window.pkce, &window.redirect_uri);
        let way = Way::External(provider.clone(), endpoints);
        Ok(BrowserSignIn::new(
            self.clone(),
            self.page(url)?,
            window,
            way,
        ))
    }

    /// Begins with the page at which a person chooses one of the others.
    ///
    /// # Errors
    ///
    /// [`Failed`](SignInError::Failed) when the machine has no random bytes.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any point.
    pub async fn portal(&self) -> Result<PortalSignIn, SignInError> {
        let window = self.window_on_localhost("").await?;
        let url = portal::signin_url(&window.pkce, &window.redirect_uri);
        Ok(PortalSignIn::new(self.clone(), self.page(url)?, window))
    }

    pub(super) fn client(&self) -> &HttpClient {
        &self.0.client
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// A way back to one of the ports that the services know. Where none is free, the address can still be
    /// pasted.
    async fn window_on_localhost(&self, path: &str) -> Result<Window, SignInError> {
        let loopback = Loopback::on_first_free(&LOCALHOST_PORTS).await;
        let port = loopback.as_ref().map_or(LOCALHOST_PORTS[0], Loopback::port);
        self.window(loopback, format!("http://localhost:{port}{path}"))
    }

    fn window(
        &self,
        loopback: Option<Loopback>,
        redirect_uri: String,
    ) -> Result<Window, SignInError> {
        let mut random = [0; Pkce::RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|error| {
            AuthError::misconfigured("the machine has no random bytes").with_source(error)
        })?;
        let pkce = Pkce::from_random(random);
        Ok(Window::open(loopback, redirect_uri, pkce, self.0.deadline))
    }

    /// The page as a browser has to open it: at the endpoint of the options, if there is one.
    fn page(&self, url: String) -> Result<String, SignInError> {
        Ok(self.client().place(&uri(&url)?)?.to_string())
    }
}

fn uri(url: &str) -> Result<Uri, AuthError> {
    url.parse().map_err(|error: http::uri::InvalidUri| {
        AuthError::misconfigured("the sign-in endpoint is not a URL").with_source(error)
    })
}
