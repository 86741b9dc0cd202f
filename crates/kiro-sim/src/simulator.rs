//! The handle of a running simulator.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::account::{Account, AccountId, IssuedCredential, Profile};
use crate::operation::Operation;
use crate::playback::Playback;
use crate::record::Recorded;
use crate::script::{Matcher, Script};
use crate::server::{Order, serve};
use crate::sign_in::{BrowserDecision, DeviceDecision, LoginOption, SignInFault};
use crate::state::{Connections, Shared, SimState};
use crate::{CredentialKind, SimOptions};

/// A Kiro service that runs in this process.
///
/// It answers from the moment [`start`](Self::start) returns, on one port for all of the service's hosts.
/// Dropping the handle stops it, tasks and connections included; [`shutdown`](Self::shutdown) also waits for
/// that.
#[must_use = "the simulator stops when the handle is dropped"]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    orders: watch::Sender<Order>,
    acceptor: JoinHandle<()>,
}

impl Simulator {
    /// Starts a simulator on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound.
    pub async fn start(options: SimOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options));
        let (orders, received) = watch::channel(Order::Serve);
        let acceptor = tokio::spawn(serve(listener, Arc::clone(&shared), received));
        Ok(Self {
            address,
            shared,
            orders,
            acceptor,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where everything is served, for example `http://127.0.0.1:41234`: `https` when TLS is configured.
    pub fn base_url(&self) -> String {
        let scheme = if self.shared.options.tls.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// Stops accepting, drops every connection as it is, and waits until nothing is left.
    pub async fn shutdown(mut self) {
        self.orders.send_replace(Order::Stop);
        // The acceptor cannot panic; if it has been cancelled, it is gone as well.
        let _ = (&mut self.acceptor).await;
    }

    // Credentials.

    /// Opens an account of some kind and signs it in.
    pub fn issue(&self, kind: CredentialKind) -> IssuedCredential {
        self.shared
            .change(|inner| inner.accounts.issue(kind, Instant::now()))
    }

    /// Opens a social account: `aoa…:…`, `aor…:…`, and the profile that all social accounts share.
    pub fn issue_social(&self) -> IssuedCredential {
        self.issue(CredentialKind::Social)
    }

    /// Opens a Builder ID, with its client registration.
    pub fn issue_oidc(&self) -> IssuedCredential {
        self.issue(CredentialKind::BuilderId)
    }

    /// Opens an account with an API key: `ksk_…`.
    pub fn issue_api_key(&self) -> IssuedCredential {
        self.issue(CredentialKind::ApiKey)
    }

    /// Makes every access token expired. API keys and refresh tokens stay good.
    pub fn expire_access_tokens(&self) {
        self.shared
            .change(|inner| inner.accounts.expire_access_tokens(Instant::now()));
    }

    /// Makes every token of an account dead, API keys included.
    pub fn revoke(&self, account: AccountId) {
        self.shared
            .change(|inner| inner.accounts.revoke(account, Instant::now()));
    }

    /// Locks an account, as the service does on unusual activity; `false` unlocks it.
    pub fn suspend(&self, account: AccountId, suspended: bool) {
        self.with_account(account, |account| account.suspended = suspended);
    }

    /// Sets what an account has used of its credits.
    pub fn set_credits_used(&self, account: AccountId, credits: f64) {
        self.with_account(account, |account| account.credits_used = credits);
    }

    /// Gives an account another profile, which `ListAvailableProfiles` then lists last.
    pub fn add_profile(&self, account: AccountId, arn: &str, name: &str) {
        let profile = Profile {
            arn: arn.to_owned(),
            name: name.to_owned(),
        };
        self.with_account(account, |account| account.profiles.push(profile));
    }

    /// How often an account has refreshed.
    pub fn refreshes(&self, account: AccountId) -> u64 {
        let inner = self.shared.look();
        let mut accounts = inner.accounts.iter();
        accounts
            .find(|known| known.id == account)
            .map_or(0, |account| account.refreshes)
    }

    /// The account that a refresh token was given to, dead or alive.
    pub fn owner_of_refresh_token(&self, token: &str) -> Option<AccountId> {
        self.shared.look().accounts.owner_of_refresh_token(token)
    }

    /// Lets the next request to a token endpoint fail; several faults are taken in order.
    pub fn fail_sign_in(&self, fault: SignInFault) {
        self.shared.change(|inner| inner.faults.push_back(fault));
    }

    /// Sets what the person at the device page does.
    pub fn decide_devices(&self, decision: DeviceDecision) {
        self.shared.change(|inner| inner.flows.decision = decision);
    }

    /// Sets what the person does who is shown a sign-in page in a browser.
    pub fn decide_browsers(&self, decision: BrowserDecision) {
        self.shared.change(|inner| inner.flows.browser = decision);
    }

    /// Sets what the person at the portal chooses.
    pub fn choose_login(&self, option: LoginOption) {
        self.shared.change(|inner| inner.flows.option = option);
    }

    // Scripts.

    /// Adds a script. Of several that fit a request, the first added is taken; requests that none fits get a
    /// built-in answer.
    pub fn script(&self, matcher: Matcher, script: Script) {
        self.shared
            .change(|inner| inner.add_script(matcher, script));
    }

    /// Takes all scripts back.
    pub fn clear_scripts(&self) {
        self.shared.change(crate::state::Inner::clear_scripts);
    }

    /// Answers one call of an operation with what a service once answered, whoever asks for whatever: before
    /// anything is checked. Several are taken in order. Of [`Operation::InvokeMcp`] it answers uses of a tool.
    pub fn play_back(&self, operation: Operation, playback: Playback) {
        self.shared
            .change(|inner| inner.add_playback(operation, playback));
    }

    // What it received.

    /// The requests that are remembered, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.look().log.iter().cloned().collect()
    }

    /// The remembered requests for one operation, oldest first.
    pub fn requests_for(&self, operation: Operation) -> Vec<Recorded> {
        let inner = self.shared.look();
        inner
            .log
            .iter()
            .filter(|recorded| recorded.operation == operation)
            .cloned()
            .collect()
    }

    /// Forgets the requests, not the counts.
    pub fn forget_requests(&self) {
        self.shared.change(|inner| inner.log.clear());
    }

    /// What it has counted so far.
    pub fn state(&self) -> SimState {
        self.shared.look().state
    }

    /// Connections, open and ever.
    pub fn connections(&self) -> Connections {
        self.state().connections
    }

    /// Replies under way.
    pub fn open_streams(&self) -> u64 {
        self.state().open_streams
    }

    /// Replies whose client went away before the end.
    pub fn cancelled_streams(&self) -> u64 {
        self.state().cancelled_streams
    }

    /// Waits until this many requests have been received, and gives those that are remembered.
    ///
    /// # Errors
    ///
    /// [`Late`] when the deadline passes first.
    pub async fn wait_for_requests(
        &self,
        n: u64,
        deadline: Duration,
    ) -> Result<Vec<Recorded>, Late> {
        self.wait_until(|state| state.requests >= n, deadline)
            .await?;
        Ok(self.requests())
    }

    /// Waits until the state meets a condition, and gives that state.
    ///
    /// # Errors
    ///
    /// [`Late`] when the deadline passes first.
    pub async fn wait_until(
        &self,
        mut condition: impl FnMut(&SimState) -> bool,
        deadline: Duration,
    ) -> Result<SimState, Late> {
        let mut met = SimState::default();
        let waiting = self.shared.until(|inner| {
            met = inner.state;
            condition(&inner.state)
        });
        match timeout(deadline, waiting).await {
            Ok(()) => Ok(met),
            Err(_) => Err(Late {
                state: self.state(),
            }),
        }
    }

    /// Closes every connection that has no request under way, as a service does with idle ones.
    pub fn close_idle_connections(&self) {
        self.orders.send_modify(|order| {
            *order = match *order {
                Order::CloseIdle(n) => Order::CloseIdle(n + 1),
                Order::Stop => Order::Stop,
                Order::Serve => Order::CloseIdle(1),
            };
        });
    }

    /// Changes an account. One of another simulator is nobody here, and nothing happens.
    fn with_account(&self, id: AccountId, change: impl FnOnce(&mut Account)) {
        self.shared
            .change(|inner| inner.accounts.get_mut(id).map(change));
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.address)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// What was waited for did not happen in time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Late {
    /// What had happened instead.
    pub state: SimState,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the simulator did not get there in time: {:?}",
            self.state
        )
    }
}

impl std::error::Error for Late {}
