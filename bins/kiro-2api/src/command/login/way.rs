//! The ways of signing in, each from what is shown to the credential.

use std::time::Duration;

use kiro_auth::Credential;
use kiro_auth::sign_in::{
    BrowserSignIn, Directory, PortalOutcome, PortalSignIn, Provider, SignIn, SignInError,
    SignInOptions,
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::show::Terminal;
use crate::typed;

pub(super) enum Way {
    /// With a code, and a browser anywhere.
    Device(Directory),
    /// In a browser that comes back.
    Social(Provider),
    /// At a page where the person chooses.
    Portal,
}

impl Way {
    pub(super) async fn go(
        self,
        sign_in: &SignIn,
        terminal: &Terminal,
    ) -> Result<Credential, SignInError> {
        match self {
            Self::Device(directory) => device(sign_in, terminal, &directory).await,
            Self::Social(provider) => {
                let begun = sign_in.social(provider).await?;
                browser(begun, terminal, &mut typed::lines()).await
            }
            Self::Portal => portal(sign_in, terminal).await,
        }
    }
}

async fn device(
    sign_in: &SignIn,
    terminal: &Terminal,
    directory: &Directory,
) -> Result<Credential, SignInError> {
    let device = sign_in.device(directory).await?;
    terminal.link(
        "Open this page in a browser, on any machine:",
        device.page(),
    );
    terminal.line(&format!(
        "and approve when it shows this code:  {}\n",
        device.user_code()
    ));
    let _waiting = terminal.wait(device.expires_in());
    device.wait().await
}

/// What a browser may come back from.
trait ComesBack {
    type Brings;

    fn url(&self) -> &str;
    async fn wait(&self) -> Result<Self::Brings, SignInError>;
    async fn paste(&self, address: &str) -> Result<Self::Brings, SignInError>;
}

impl ComesBack for BrowserSignIn {
    type Brings = Credential;

    fn url(&self) -> &str {
        self.url()
    }

    async fn wait(&self) -> Result<Credential, SignInError> {
        self.wait().await
    }

    async fn paste(&self, address: &str) -> Result<Credential, SignInError> {
        self.paste(address).await
    }
}

impl ComesBack for PortalSignIn {
    type Brings = PortalOutcome;

    fn url(&self) -> &str {
        self.url()
    }

    async fn wait(&self) -> Result<PortalOutcome, SignInError> {
        self.wait().await
    }

    async fn paste(&self, address: &str) -> Result<PortalOutcome, SignInError> {
        self.paste(address).await
    }
}

/// Waits for the browser and for an address that is pasted, whichever comes first.
async fn browser<B: ComesBack>(
    begun: B,
    terminal: &Terminal,
    lines: &mut UnboundedReceiver<String>,
) -> Result<B::Brings, SignInError> {
    terminal.link("Open this page in a browser:", begun.url());
    terminal.line(
        "If it cannot come back to this machine, paste the address that it ends at, and press Enter.\n",
    );
    let _waiting = terminal.wait(deadline());
    let mut waiting = std::pin::pin!(begun.wait());
    let mut listens = true;
    loop {
        let pasted = tokio::select! {
            came_back = &mut waiting, if listens => match came_back {
                // An address can be pasted all the same.
                Err(SignInError::NoPort) => {
                    listens = false;
                    continue;
                }
                ended => return ended,
            },
            line = lines.recv() => line,
        };
        match pasted {
            None if listens => return waiting.await,
            None => return Err(SignInError::NoPort),
            Some(line) if line.trim().is_empty() => {}
            Some(line) => match begun.paste(&line).await {
                // The right one may be pasted after that.
                Err(error @ (SignInError::WrongState | SignInError::NoCode)) => {
                    terminal.line(&format!("{error}"));
                }
                ended => return ended,
            },
        }
    }
}

async fn portal(sign_in: &SignIn, terminal: &Terminal) -> Result<Credential, SignInError> {
    // One for both pages: a second reader would find the first one still reading.
    let mut lines = typed::lines();
    match browser(sign_in.portal().await?, terminal, &mut lines).await? {
        PortalOutcome::SignedIn(credential) => Ok(*credential),
        PortalOutcome::Directory(directory) => device(sign_in, terminal, &directory).await,
        PortalOutcome::ExternalIdp(provider) => {
            browser(sign_in.external(&provider).await?, terminal, &mut lines).await
        }
    }
}

fn deadline() -> Duration {
    SignInOptions::default().deadline
}
