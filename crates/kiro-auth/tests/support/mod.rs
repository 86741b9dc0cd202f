//! A sign-in service, a store and a clock that do what a test tells them.
#![allow(dead_code, reason = "each test file uses its own part")]

#[cfg(feature = "hyper")]
pub(crate) mod http;
pub(crate) mod world;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use kiro_auth::{
    AccessToken, AuthError, AuthErrorKind, BoxFuture, Claim, Clock, Credential, CredentialId,
    CredentialStore, ManualClock, MemoryStore, Refreshed, Refresher, Secret, TokenSource,
};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// One credential with everything around it under control.
pub(crate) struct Scene {
    pub(crate) clock: ManualClock,
    pub(crate) service: Arc<SignInService>,
    pub(crate) store: Arc<TestStore>,
    pub(crate) source: TokenSource,
}

impl Scene {
    /// The store holds `access-0`, with `minutes` to live, and `refresh-0`, which the service accepts.
    pub(crate) fn with_token_for(minutes: u64) -> Self {
        let clock = ManualClock::new();
        let expires_at = clock.now() + MINUTE * u32::try_from(minutes).unwrap();
        Self::with(stored("access-0", "refresh-0", Some(expires_at)), clock)
    }

    /// The store holds a refresh token and nothing else.
    pub(crate) fn with_refresh_token_only() -> Self {
        let credential = Credential::from_refresh_token("refresh-0").unwrap();
        Self::with(credential, ManualClock::new())
    }

    pub(crate) fn with(credential: Credential, clock: ManualClock) -> Self {
        http::log::write_log();
        let service = Arc::new(SignInService::new("refresh-0"));
        let store = Arc::new(TestStore::new(credential));
        let source = TokenSource::new(store.clone(), service.clone(), Arc::new(clock.clone()));
        Self {
            clock,
            service,
            store,
            source,
        }
    }

    /// Another source for the same store, whose service leaves its visitors waiting.
    pub(crate) fn hesitating(&self) -> (Arc<SignInService>, TokenSource) {
        let service = Arc::new(SignInService::that_hesitates("refresh-0"));
        let clock = Arc::new(self.clock.clone());
        let source = TokenSource::new(self.store.clone(), service.clone(), clock);
        (service, source)
    }

    /// The access token that a caller gets.
    pub(crate) async fn token(&self) -> Result<String, AuthErrorKind> {
        match self.source.token().await {
            Ok(token) => Ok(token.secret().expose().to_owned()),
            Err(error) => Err(error.kind()),
        }
    }

    /// Some other program signs in anew or refreshes, and writes to the store.
    pub(crate) fn somebody_else_writes(&self, access: &str, refresh: &str) {
        let expires_at = self.clock.now() + HOUR;
        self.store
            .memory
            .replace(stored(access, refresh, Some(expires_at)));
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Somebody asks for a token, and may have to wait.
pub(crate) fn call(source: &TokenSource) -> JoinHandle<Result<AccessToken, AuthError>> {
    let source = source.clone();
    tokio::spawn(async move { source.token().await })
}

/// A social credential as a store holds it.
pub(crate) fn stored(access: &str, refresh: &str, expires_at: Option<SystemTime>) -> Credential {
    let mut credential = Credential::from_refresh_token(refresh).unwrap();
    credential.access_token = Some(access.into());
    credential.expires_at = expires_at;
    credential
}

/// Lets every task that can run do so. All of them are in this process and wait for nothing but each
/// other, so a few turns are enough.
pub(crate) async fn let_others_run() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// A service that knows one good refresh token and replaces it at each use: `refresh-0` by `refresh-1`,
/// with `access-1`.
pub(crate) struct SignInService {
    state: Mutex<ServiceState>,
    /// Visits so far, for tests that wait for one.
    visits: watch::Sender<usize>,
    /// Visits that may be answered. Closed means: all of them.
    gate: Semaphore,
}

struct ServiceState {
    good: String,
    issued: usize,
    lifetime: Duration,
    rotates: bool,
    failures: VecDeque<AuthErrorKind>,
    panics: bool,
    under_way: usize,
    dead_tokens_shown: usize,
    refused: Vec<Secret>,
    asked_with: Vec<Credential>,
}

impl SignInService {
    pub(crate) fn new(good: &str) -> Self {
        let gate = Semaphore::new(0);
        gate.close();
        Self {
            state: Mutex::new(ServiceState {
                good: good.to_owned(),
                issued: 0,
                lifetime: HOUR,
                rotates: true,
                failures: VecDeque::new(),
                panics: false,
                under_way: 0,
                dead_tokens_shown: 0,
                refused: Vec::new(),
                asked_with: Vec::new(),
            }),
            visits: watch::Sender::new(0),
            gate,
        }
    }

    /// A service that leaves its visitors waiting.
    pub(crate) fn that_hesitates(good: &str) -> Self {
        Self {
            gate: Semaphore::new(0),
            ..Self::new(good)
        }
    }

    pub(crate) fn answer_one(&self) {
        self.gate.add_permits(1);
    }

    pub(crate) async fn visited(&self, times: usize) {
        let mut visits = self.visits.subscribe();
        visits.wait_for(|visits| *visits >= times).await.unwrap();
    }

    pub(crate) fn visits(&self) -> usize {
        *self.visits.borrow()
    }

    pub(crate) fn is_visited(&self) -> bool {
        self.state.lock().unwrap().under_way > 0
    }

    /// Visitors whose refresh token was dead already when they came.
    pub(crate) fn dead_tokens_shown(&self) -> usize {
        self.state.lock().unwrap().dead_tokens_shown
    }

    /// The refresh tokens that were refused, as often as they were.
    pub(crate) fn refused(&self) -> Vec<Secret> {
        self.state.lock().unwrap().refused.clone()
    }

    pub(crate) fn fails_next(&self, kind: AuthErrorKind) {
        self.state.lock().unwrap().failures.push_back(kind);
    }

    pub(crate) fn recovers(&self) {
        self.state.lock().unwrap().failures.clear();
    }

    pub(crate) fn panics_next(&self) {
        self.state.lock().unwrap().panics = true;
    }

    pub(crate) fn does_not_rotate(&self) {
        self.state.lock().unwrap().rotates = false;
    }

    pub(crate) fn issues_tokens_for(&self, lifetime: Duration) {
        self.state.lock().unwrap().lifetime = lifetime;
    }

    /// From here on only this refresh token is good, as after a sign-in or a refresh by somebody else.
    pub(crate) fn accepts_only(&self, refresh: &str) {
        self.state.lock().unwrap().good = refresh.to_owned();
    }

    /// The access tokens issued so far.
    pub(crate) fn issued(&self) -> Vec<String> {
        let issued = self.state.lock().unwrap().issued;
        (1..=issued).map(|n| format!("access-{n}")).collect()
    }

    /// The refresh token that the service accepts.
    pub(crate) fn good_token(&self) -> String {
        self.state.lock().unwrap().good.clone()
    }

    /// The credentials that visitors came with.
    pub(crate) fn asked_with(&self) -> Vec<Credential> {
        self.state.lock().unwrap().asked_with.clone()
    }

    fn answer(&self, credential: &Credential) -> Result<Refreshed, AuthError> {
        let mut state = self.state.lock().unwrap();
        if std::mem::take(&mut state.panics) {
            drop(state);
            panic!("the refresher has a bug");
        }
        if let Some(kind) = state.failures.pop_front() {
            return Err(AuthError::new(kind, "as the test wishes"));
        }
        if !state.is_good(credential) {
            state.refused.extend(credential.refresh_token.clone());
            return Err(AuthError::new(
                AuthErrorKind::SignedOut,
                "not the good token",
            ));
        }
        state.issued += 1;
        let issued = state.issued;
        let refreshed = Refreshed::new(format!("access-{issued}")).with_expires_in(state.lifetime);
        if !state.rotates {
            return Ok(refreshed);
        }
        state.good = format!("refresh-{issued}");
        Ok(refreshed.with_refresh_token(state.good.as_str()))
    }
}

impl ServiceState {
    fn is_good(&self, credential: &Credential) -> bool {
        let shown = credential.refresh_token.as_ref();
        shown.is_some_and(|token| token.expose() == self.good)
    }
}

impl Refresher for SignInService {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        Box::pin(async move {
            let visit = Visit::begin(self, credential);
            if let Ok(permit) = self.gate.acquire().await {
                permit.forget();
            }
            let answer = self.answer(credential);
            drop(visit);
            answer
        })
    }
}

impl fmt::Debug for SignInService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInService")
    }
}

/// Fails the test when two visits overlap, which single flight forbids.
struct Visit<'a>(&'a SignInService);

impl<'a> Visit<'a> {
    fn begin(service: &'a SignInService, credential: &Credential) -> Self {
        let mut state = service.state.lock().unwrap();
        state.asked_with.push(credential.clone());
        state.dead_tokens_shown += usize::from(!state.is_good(credential));
        state.under_way += 1;
        assert_eq!(state.under_way, 1, "two refreshes at once");
        drop(state);
        service.visits.send_modify(|visits| *visits += 1);
        Self(service)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.state.lock() {
            state.under_way -= 1;
        }
    }
}

/// A memory store that can refuse, forget, or take its time.
#[derive(Debug)]
pub(crate) struct TestStore {
    pub(crate) memory: MemoryStore,
    state: Mutex<StoreState>,
    /// As the gate of the service.
    gate: Semaphore,
    saving: watch::Sender<usize>,
    /// One, for whoever may refresh.
    claims: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct StoreState {
    failing_saves: usize,
    unreadable: bool,
    read_only: bool,
    gives_no_claim: bool,
    fences: bool,
    loads: usize,
    saves_done: usize,
}

impl TestStore {
    pub(crate) fn new(credential: Credential) -> Self {
        let gate = Semaphore::new(0);
        gate.close();
        Self {
            memory: MemoryStore::new(credential),
            state: Mutex::default(),
            gate,
            saving: watch::Sender::new(0),
            claims: Arc::new(Semaphore::new(1)),
        }
    }

    /// A store whose saves take until [`finish_save`](Self::finish_save).
    pub(crate) fn that_saves_slowly(credential: Credential) -> Self {
        Self {
            gate: Semaphore::new(0),
            ..Self::new(credential)
        }
    }

    pub(crate) fn finish_save(&self) {
        self.gate.add_permits(1);
    }

    pub(crate) async fn save_begun(&self, times: usize) {
        let mut saving = self.saving.subscribe();
        saving.wait_for(|saves| *saves >= times).await.unwrap();
    }

    pub(crate) fn fails_to_save(&self, times: usize) {
        self.state.lock().unwrap().failing_saves = times;
    }

    pub(crate) fn is_read_only(&self) {
        self.state.lock().unwrap().read_only = true;
    }

    pub(crate) fn gives_no_claim(&self, gives_none: bool) {
        self.state.lock().unwrap().gives_no_claim = gives_none;
    }

    /// As one of replicas, which leaves out what comes late.
    pub(crate) fn fences(&self) {
        self.state.lock().unwrap().fences = true;
    }

    pub(crate) fn is_unreadable(&self, unreadable: bool) {
        self.state.lock().unwrap().unreadable = unreadable;
    }

    pub(crate) fn loads(&self) -> usize {
        self.state.lock().unwrap().loads
    }

    pub(crate) fn attempted_saves(&self) -> usize {
        *self.saving.borrow()
    }

    pub(crate) fn is_saving(&self) -> bool {
        self.attempted_saves() > self.state.lock().unwrap().saves_done
    }

    /// The refresh token that would be found after a restart.
    pub(crate) async fn refresh_token(&self) -> String {
        let credential = self.memory.load().await.unwrap();
        credential.refresh_token.unwrap().expose().to_owned()
    }
}

impl CredentialStore for TestStore {
    fn id(&self) -> CredentialId {
        self.memory.id()
    }

    fn load(&self) -> BoxFuture<'_, Result<Credential, AuthError>> {
        let mut state = self.state.lock().unwrap();
        state.loads += 1;
        if state.unreadable {
            let error = AuthError::new(AuthErrorKind::StoreFailed, "as the test wishes");
            return Box::pin(async { Err(error) });
        }
        self.memory.load()
    }

    fn save<'a>(&'a self, credential: &'a Credential) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async move {
            self.saving.send_modify(|saves| *saves += 1);
            if let Ok(permit) = self.gate.acquire().await {
                permit.forget();
            }
            {
                let mut state = self.state.lock().unwrap();
                state.saves_done += 1;
                if state.read_only {
                    return Ok(());
                }
                if state.failing_saves > 0 {
                    state.failing_saves -= 1;
                    return Err(AuthError::new(AuthErrorKind::StoreFailed, "disk full"));
                }
            }
            self.memory.save(credential).await
        })
    }

    fn fences_saves(&self) -> bool {
        self.state.lock().unwrap().fences
    }

    fn claim(&self) -> BoxFuture<'_, Result<Claim, AuthError>> {
        if self.state.lock().unwrap().gives_no_claim {
            let error = AuthError::new(
                AuthErrorKind::Transient,
                "somebody has held it for too long",
            );
            return Box::pin(async { Err(error) });
        }
        // It is never closed.
        let claim = self.claims.clone().acquire_owned();
        Box::pin(async { Ok(Claim::held(claim.await.unwrap())) })
    }
}
