//! The door to one credential: hands out its access token, and decides when somebody must refresh it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::access::{AccessToken, Overrides};
use super::flight;
use super::freshness::Freshness;
use super::published::Published;
use crate::chance;
use crate::clock::Clock;
use crate::credential::{Credential, CredentialId};
use crate::error::{AuthError, AuthErrorKind};
use crate::refresh::Refresher;
use crate::secret::Secret;
use crate::store::CredentialStore;

/// One credential, from which access tokens are taken.
///
/// | the access token | [`token`](Self::token) |
/// | --- | --- |
/// | is fresh | returns it |
/// | is stale | returns it, and one caller's visit starts a refresh in the background |
/// | is expired, missing or rejected | waits for the one refresh, whoever started it |
///
/// **A refresh** re-reads the store first, because the IDE may have refreshed in the meantime; asks the
/// sign-in service if that is not enough; re-reads the store once more when the refresh token is
/// refused; *saves* what was rotated; and only then hands out the new access token. If saving fails, the
/// token is used all the same, the failure is logged, and saving is tried again in the background until
/// it succeeds. If refreshing fails, an old token with more than 30 seconds to live is used, and the next
/// attempt waits: 1 s, doubling to 30 s. A dead credential looks at its store every 5 seconds while it
/// is asked for, and lives again when its content changes.
///
/// **Cancel safety.** The refresh is the one thing in this crate that is spawned: its answer may hold the
/// only working refresh token, which must reach the store even if every caller has left. So callers may be
/// dropped at any point; they never take a refresh with them.
///
/// Clones share one credential.
#[derive(Clone)]
pub struct TokenSource {
    shared: Arc<Shared>,
}

/// What the flight and the callers share.
pub(super) struct Shared {
    pub(super) id: CredentialId,
    pub(super) store: Arc<dyn CredentialStore>,
    pub(super) refresher: Arc<dyn Refresher>,
    pub(super) clock: Arc<dyn Clock>,
    /// Chance of this process and credential.
    seed: u64,
    state: Mutex<State>,
    /// What [`State::accepted`] gives. Written under the lock only, by [`Locked`], so that it never
    /// contradicts the state.
    published: Published,
}

/// The state, for as long as one holds its lock. Whatever its holder has done to the token is published
/// before the next one can look.
pub(super) struct Locked<'a> {
    state: MutexGuard<'a, State>,
    published: &'a Published,
}

/// What a flight brings to those who wait; `None` while it is in the air.
pub(super) type Landing = Option<Result<AccessToken, AuthError>>;

#[derive(Default)]
pub(super) struct State {
    /// The newest credential we know, without the overrides.
    pub(super) credential: Option<Credential>,
    /// Its access token, ready to be handed out.
    pub(super) held: Option<AccessToken>,
    /// The tokens that the store held when we last looked. Only a change of them is news: what it holds
    /// may be older than what we hold, if it did not take our last save or is read-only.
    pub(super) seen: Option<Tokens>,
    /// Refresh tokens that were refused. Not asked with again.
    pub(super) dead: Vec<Secret>,
    /// The generation that the upstream has refused.
    pub(super) rejected: Option<u64>,
    /// The generation that the upstream has accepted.
    proven: Option<u64>,
    /// Generations that were rejected since one was accepted.
    rejected_in_a_row: u32,
    /// When a rejected token that cannot be replaced is tried again.
    trial_at: Option<SystemTime>,
    pub(super) generation: u64,
    overrides: Overrides,
    flight: Option<watch::Receiver<Landing>>,
    setback: Option<Setback>,
}

/// The tokens of a credential, to notice a change.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    access: Option<Secret>,
    refresh: Option<Secret>,
}

/// Why the last flight failed, and when the next may start.
#[derive(Clone)]
struct Setback {
    error: AuthError,
    failures: u32,
    until: SystemTime,
}

/// What one visit leads to.
enum Next {
    Serve(AccessToken),
    Wait(watch::Receiver<Landing>),
    Fail(AuthError),
}

/// How often a dead credential looks whether its store has changed.
const REVIVAL_INTERVAL: Duration = Duration::from_secs(5);

/// The longest pause between attempts of a refresh that fails for a transient reason.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause until a rejected API key is tried again.
const LONGEST_TRIAL_PAUSE: Duration = Duration::from_secs(600);

/// How long a refresh is not forced again after the upstream has refused two tokens in a row: the fault
/// is not theirs then, and rotating them in a loop would only do harm.
const FORCED_REFRESH_PAUSE: Duration = Duration::from_secs(30);

impl TokenSource {
    /// The credential in `store`. Nothing is read until the first token is asked for.
    pub fn new(
        store: Arc<dyn CredentialStore>,
        refresher: Arc<dyn Refresher>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::with_overrides(store, refresher, clock, Overrides::default())
    }

    /// The credential in `store`, with facts that the operator knows better.
    pub fn with_overrides(
        store: Arc<dyn CredentialStore>,
        refresher: Arc<dyn Refresher>,
        clock: Arc<dyn Clock>,
        overrides: Overrides,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                id: store.id(),
                store,
                refresher,
                clock,
                seed: chance::number(),
                state: Mutex::new(State {
                    overrides,
                    ..State::default()
                }),
                published: Published::default(),
            }),
        }
    }

    /// The name of the credential.
    pub fn id(&self) -> CredentialId {
        self.shared.id
    }

    /// Whether the other one is a clone of this one.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// An access token that can be used. A fresh one is handed out without a lock.
    ///
    /// # Errors
    ///
    /// Those of the [`Refresher`] and the [`CredentialStore`] when there is no usable token and none could
    /// be had.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a refresh that was started goes on without the caller.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime, if a refresh has to be started.
    pub async fn token(&self) -> Result<AccessToken, AuthError> {
        let now = self.now();
        if let Some(token) = self.shared.published.fresh(now) {
            return Ok(token);
        }
        let mut landing = match self.next(now) {
            Next::Serve(token) => return Ok(token),
            Next::Fail(error) => return Err(error),
            Next::Wait(landing) => landing,
        };
        let landed = landing.wait_for(Option::is_some).await;
        match landed.as_deref() {
            Ok(Some(result)) => result.clone(),
            // The sender is dropped without a word only when the store or the refresher panicked or the
            // runtime is going down.
            _ => Err(AuthError::transient("the refresh was interrupted")),
        }
    }

    /// Says that the upstream refused the access token of this generation, so the next
    /// [`token`](Self::token) is a new one. Does nothing if there is a newer one already, so a thousand
    /// refused requests cause one refresh.
    ///
    /// The second token in a row that is rejected without ever having been accepted does not cause
    /// another refresh for 30 seconds; until then [`token`](Self::token) fails. Tell by
    /// [`confirm`](Self::confirm) which ones were accepted.
    ///
    /// An API key cannot be replaced by a refresh. It is tried again after 30 seconds, doubling to 10 minutes,
    /// since a refusal may be a mistake of the service.
    pub fn reject(&self, generation: u64) {
        let now = self.now();
        let mut state = self.shared.lock();
        let Some(held) = state.held.clone() else {
            return;
        };
        if held.generation() != generation || state.rejected == Some(generation) {
            return;
        }
        tracing::info!(credential = %self.id(), generation, "access token was rejected by the upstream");
        state.rejected = Some(generation);
        state.rejected_in_a_row = state.rejected_in_a_row.saturating_add(1);
        state.trial_at =
            (!held.login().expires()).then(|| now + trial_pause(state.rejected_in_a_row));
        if state.rejected_in_a_row > 1 && state.proven != Some(generation) {
            state.setback = Some(Setback {
                error: AuthError::transient("the upstream refuses one access token after another"),
                failures: 0,
                until: now + FORCED_REFRESH_PAUSE,
            });
        }
    }

    /// Says that the upstream accepted the access token of this generation.
    pub fn confirm(&self, generation: u64) {
        let mut state = self.shared.lock();
        if state.generation == generation {
            state.proven = Some(generation);
            state.rejected_in_a_row = 0;
        }
    }

    /// Sets the profile, after it was discovered. Like [`Overrides::profile_arn`] it is not written to
    /// the store.
    pub fn set_profile_arn(&self, arn: impl Into<String>) {
        let mut state = self.shared.lock();
        state.overrides.profile_arn = Some(arn.into());
        if let (Some(credential), Some(held)) = (&state.credential, &state.held) {
            let credential = state.overrides.over(credential);
            state.held = Some(held.with_facts_of(credential));
        }
    }

    /// The access token as it stands, whatever its state; nothing is started.
    pub fn current(&self) -> Option<AccessToken> {
        self.shared.lock().held.clone()
    }

    /// Why the last refresh failed, if it did.
    pub fn last_error(&self) -> Option<AuthError> {
        let state = self.shared.lock();
        state.setback.as_ref().map(|setback| setback.error.clone())
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.shared.clock.now()
    }

    fn next(&self, now: SystemTime) -> Next {
        let mut state = self.shared.lock();
        let held = state.held.clone();
        if state
            .trial_at
            .is_some_and(|at| !(now < at && at <= now + LONGEST_TRIAL_PAUSE))
        {
            state.trial_at = None;
            state.rejected = None;
            state.setback = None;
        }
        let rejected = held
            .as_ref()
            .is_some_and(|held| state.rejected == Some(held.generation()));
        let freshness = match &held {
            Some(held) if !rejected => held.freshness(now),
            _ => Freshness::Expired,
        };
        // A clock that was set back does not prolong a pause.
        let paused = state
            .setback
            .clone()
            .filter(|setback| now < setback.until && setback.until <= now + LONGEST_PAUSE);
        match (held, freshness, paused) {
            (Some(held), Freshness::Fresh, _) | (Some(held), Freshness::Stale, Some(_)) => {
                Next::Serve(held)
            }
            (Some(held), Freshness::Stale, None) => {
                self.join_flight(&mut state);
                Next::Serve(held)
            }
            (Some(held), Freshness::Expired, Some(_)) if !rejected && held.is_last_resort(now) => {
                Next::Serve(held)
            }
            (_, _, Some(setback)) if !state.is_flying() => Next::Fail(setback.error),
            _ => Next::Wait(self.join_flight(&mut state)),
        }
    }

    /// The flight that is in the air, or a new one.
    fn join_flight(&self, state: &mut State) -> watch::Receiver<Landing> {
        if state.is_flying()
            && let Some(flight) = &state.flight
        {
            return flight.clone();
        }
        let (sender, receiver) = watch::channel(None);
        state.flight = Some(receiver.clone());
        flight::start(Arc::clone(&self.shared), sender);
        receiver
    }
}

impl Shared {
    /// The state is consistent between any two statements that hold this lock, so a panic elsewhere does
    /// not spoil it.
    pub(super) fn lock(&self) -> Locked<'_> {
        Locked {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            published: &self.published,
        }
    }

    /// Between 0 and 1, different for each generation, credential and process.
    pub(super) fn jitter(&self, generation: u64) -> f64 {
        chance::mixed(self.seed.wrapping_add(generation)) as f64 / u64::MAX as f64
    }

    /// Ends the flight and decides what those who wait receive.
    pub(super) fn land(
        &self,
        outcome: Result<AccessToken, AuthError>,
    ) -> Result<AccessToken, AuthError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.flight = None;
        let error = match outcome {
            Ok(token) => {
                state.setback = None;
                return Ok(token);
            }
            Err(error) => error,
        };
        let failures = state.setback.as_ref().map_or(0, |setback| setback.failures);
        let pause = match error.kind() {
            AuthErrorKind::Transient | AuthErrorKind::StoreFailed => pause_after(failures),
            AuthErrorKind::SignedOut
            | AuthErrorKind::Misconfigured
            | AuthErrorKind::NoneAvailable { .. } => REVIVAL_INTERVAL,
        };
        state.setback = Some(Setback {
            error: error.clone(),
            failures: failures.saturating_add(1),
            until: now + pause,
        });
        match state.accepted() {
            Some(held) if held.is_last_resort(now) => Ok(held.clone()),
            _ => Err(error),
        }
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    // Runs before the fields are dropped, so the lock is still held.
    fn drop(&mut self) {
        self.published.set(self.state.accepted());
    }
}

impl State {
    /// Why nobody can sign in with what we have, as far as it is known.
    pub(super) fn last_refusal(&self) -> Option<AuthError> {
        let error = &self.setback.as_ref()?.error;
        (error.kind() == AuthErrorKind::SignedOut).then(|| error.clone())
    }

    /// The access token, unless the upstream has refused it.
    pub(super) fn accepted(&self) -> Option<&AccessToken> {
        self.held
            .as_ref()
            .filter(|held| self.rejected != Some(held.generation()))
    }

    /// Whether the store holds something else than when we last looked.
    pub(super) fn is_news(&self, loaded: &Credential) -> bool {
        self.seen != Some(Tokens::of(loaded))
    }

    /// What a credential looks like with the operator's word over it.
    pub(super) fn with_overrides(&self, credential: &Credential) -> Credential {
        self.overrides.over(credential)
    }

    /// A flight whose task has died leaves a closed channel; it is not in the air.
    fn is_flying(&self) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.has_changed().is_ok())
    }
}

impl Tokens {
    pub(super) fn of(credential: &Credential) -> Self {
        Self {
            access: credential.access_token.clone(),
            refresh: credential.refresh_token.clone(),
        }
    }
}

/// 30 s, 60 s, 120 s … 10 min.
fn trial_pause(rejected_in_a_row: u32) -> Duration {
    let doublings = rejected_in_a_row.saturating_sub(1).min(5);
    Duration::from_secs(30 << doublings).min(LONGEST_TRIAL_PAUSE)
}

/// 1 s, 2 s, 4 s … 30 s.
fn pause_after(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(5)).min(LONGEST_PAUSE)
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("id", &self.shared.id)
            .field("store", &self.shared.store)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::BoxFuture;
    use crate::clock::ManualClock;
    use crate::refresh::Refreshed;
    use crate::store::MemoryStore;

    #[derive(Debug)]
    struct Always;

    impl Refresher for Always {
        fn refresh<'a>(&'a self, _: &'a Credential) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
            Box::pin(async { Ok(Refreshed::new("access")) })
        }
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    /// The generation that a caller gets while somebody holds the lock.
    fn generation_beside_the_lock(source: &TokenSource) -> u64 {
        let (sender, receiver) = mpsc::channel();
        let locked = source.shared.lock();
        let caller = source.clone();
        thread::spawn(move || sender.send(runtime().block_on(caller.token())));
        let token = receiver.recv_timeout(Duration::from_secs(10));
        drop(locked);
        token.expect("it waits for the lock").unwrap().generation()
    }

    #[test]
    fn each_fresh_token_is_handed_out_while_somebody_holds_the_lock() {
        let clock = ManualClock::new();
        let credential = Credential::from_refresh_token("refresh").unwrap();
        let store = Arc::new(MemoryStore::new(credential));
        let source = TokenSource::new(store, Arc::new(Always), Arc::new(clock.clone()));
        let runtime = runtime();
        for _ in 0..3 {
            let token = runtime.block_on(source.token()).unwrap();
            assert_eq!(generation_beside_the_lock(&source), token.generation());
            clock.advance(Duration::from_secs(7200));
        }
    }
}
