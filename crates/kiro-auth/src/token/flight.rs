//! One refresh from take-off to landing: look into the store, ask, save, publish.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use super::access::AccessToken;
use super::freshness::{Freshness, time_left};
use super::source::{Landing, Shared, State, Tokens};
use crate::credential::Credential;
use crate::error::{AuthError, AuthErrorKind};
use crate::refresh::Refreshed;
use crate::secret::Secret;

/// How many refresh tokens one flight tries: the one we hold, the one found in the store, and the one
/// found there after a refusal.
const MAX_ATTEMPTS: usize = 3;

/// The longest pause between two attempts to save.
const LONGEST_SAVE_PAUSE: Duration = Duration::from_secs(60);

/// How long a credential that nobody holds any more is kept for its store.
const LATEST_SAVE: Duration = Duration::from_secs(24 * 3600);

/// Spawns the refresh, so that it is finished and saved whoever leaves.
pub(super) fn start(shared: Arc<Shared>, landing: watch::Sender<Landing>) {
    let span = tracing::info_span!(parent: None, "refresh", credential = %shared.id);
    let in_the_air = InTheAir::take_off();
    let flight = async move {
        let _in_the_air = in_the_air;
        let outcome = fly(&shared).await;
        if let Err(error) = &outcome {
            tell(error);
        }
        landing.send_replace(Some(shared.land(outcome)));
    };
    tokio::spawn(flight.instrument(span));
}

/// Says whether it passes by itself.
fn tell(error: &AuthError) {
    let reason = error as &dyn std::error::Error;
    match error.kind() {
        AuthErrorKind::SignedOut => tracing::warn!(
            error = reason,
            "refresh failed: this login has ended, and serves again when somebody has signed in"
        ),
        AuthErrorKind::Transient
        | AuthErrorKind::Misconfigured
        | AuthErrorKind::StoreFailed
        | AuthErrorKind::NoneAvailable { .. } => tracing::warn!(error = reason, "refresh failed"),
    }
}

/// Counts the flights of this process.
static IN_THE_AIR: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

struct InTheAir;

impl InTheAir {
    fn take_off() -> Self {
        IN_THE_AIR.send_modify(|flights| *flights += 1);
        Self
    }
}

impl Drop for InTheAir {
    fn drop(&mut self) {
        IN_THE_AIR.send_modify(|flights| *flights -= 1);
    }
}

/// Waits until no refresh is under way in this process, of whatever credential.
///
/// To be awaited before the process ends: the answer that a refresh is waiting for may hold the only working
/// refresh token. With `HttpRefresher` it takes seconds as a rule, and minutes at the worst.
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn refreshes_landed() {
    let mut flights = IN_THE_AIR.subscribe();
    // The sender is never dropped, so this never fails.
    let _ = flights.wait_for(|flights| *flights == 0).await;
}

async fn fly(shared: &Arc<Shared>) -> Result<AccessToken, AuthError> {
    // Held until what the refresh has brought is saved.
    let _claim = shared.store.claim().await?;
    let mut candidates = Vec::new();
    let mut refusal = None;
    for _ in 0..MAX_ATTEMPTS {
        candidates.splice(0..0, look(shared).await?);
        if let Some(token) = fresh(shared) {
            return Ok(token);
        }
        let Some(credential) = candidates.iter().find(|one| is_untried(shared, one)) else {
            break;
        };
        let asked_at = shared.clock.now();
        let asked_with = shared.lock().with_overrides(credential);
        match shared.refresher.refresh(&asked_with).await {
            Ok(refreshed) => {
                let next = credential.refreshed(&refreshed, asked_at);
                return Ok(keep(shared, next, refreshed).await);
            }
            Err(error) if error.kind() == AuthErrorKind::SignedOut => {
                shared.lock().dead.extend(credential.refresh_token.clone());
                refusal = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(refusal.unwrap_or_else(|| nothing_to_ask_with(shared)))
}

/// Reads the store and takes over what somebody else has written there. Returns the credentials that may
/// be refreshed, best first.
///
/// A store that replicas share may know that what is in memory is spent, and to show a spent token can end the login.
/// So where it cannot be read nothing is refreshed.
async fn look(shared: &Shared) -> Result<Vec<Credential>, AuthError> {
    let loaded = shared.store.load().await;
    let mut state = shared.lock();
    let mine = state.credential.clone();
    let loaded = match (loaded, &mine) {
        (Ok(loaded), _) => loaded,
        (Err(error), None) => return Err(error),
        (Err(error), Some(_))
            if shared.store.fences_saves() && error.kind() == AuthErrorKind::StoreFailed =>
        {
            return Err(error);
        }
        (Err(error), Some(mine)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot read the credential again; using the one in memory"
            );
            return Ok(vec![mine.clone()]);
        }
    };
    if !state.is_news(&loaded) {
        return Ok(mine.into_iter().collect());
    }
    let before = state.seen.replace(Tokens::of(&loaded));
    if mine.as_ref().map(Tokens::of) == state.seen {
        // It is what we saved ourselves.
        return Ok(mine.into_iter().collect());
    }
    if mine.is_some() {
        tracing::info!("the credential has changed in its store");
    }
    adopt(shared, &mut state, loaded.clone());
    // What we held may still work when what was found does not, as after a restored backup. Not where what is older
    // is never written over what is newer, and ours was there.
    let is_spent = shared.store.fences_saves() && mine.as_ref().map(Tokens::of) == before;
    let mine = mine.filter(|_| !is_spent);
    Ok([Some(loaded), mine].into_iter().flatten().collect())
}

/// Makes what was found in the store the credential.
fn adopt(shared: &Shared, state: &mut State, loaded: Credential) {
    let facts = state.with_overrides(&loaded);
    state.held = match (&loaded.access_token, &state.held) {
        (Some(secret), Some(held)) if held.secret() == secret => Some(held.with_facts_of(facts)),
        (Some(secret), _) => {
            let secret = secret.clone();
            state.generation += 1;
            let lifetime = lifetime(shared, state, &loaded);
            let jitter = shared.jitter(state.generation);
            Some(AccessToken::new(
                secret,
                facts,
                state.generation,
                lifetime,
                jitter,
            ))
        }
        (None, _) => None,
    };
    state.credential = Some(loaded);
}

/// How long a token lives that somebody else was issued: at least until it expires, when it has come since we last
/// looked. Without that the margins of a long life would make a token of ten minutes stale from its first second,
/// and each of several processes would refresh it for itself.
fn lifetime(shared: &Shared, state: &State, loaded: &Credential) -> Option<Duration> {
    let left = || time_left(loaded.expires_at, shared.clock.now());
    loaded
        .lifetime
        .or_else(|| state.held.as_ref().map(|_| left()))
}

/// The access token, if somebody else's refresh has made ours unnecessary.
fn fresh(shared: &Shared) -> Option<AccessToken> {
    let now = shared.clock.now();
    let state = shared.lock();
    state
        .accepted()
        .filter(|held| held.freshness(now) == Freshness::Fresh)
        .cloned()
}

fn is_untried(shared: &Shared, credential: &Credential) -> bool {
    let state = shared.lock();
    let is_dead = |token: &Secret| state.dead.contains(token);
    credential
        .refresh_token
        .as_ref()
        .is_some_and(|token| !is_dead(token))
}

fn nothing_to_ask_with(shared: &Shared) -> AuthError {
    let state = shared.lock();
    let login = state.credential.as_ref().map(|credential| credential.login);
    state.last_refusal().unwrap_or_else(|| match login {
        Some(login) if !login.expires() => {
            AuthError::signed_out(format!("the upstream refuses the {}", login.title()))
        }
        _ => AuthError::signed_out("the credential has no refresh token that could be used"),
    })
}

/// Saves what a refresh has brought, then makes it the credential. The order is the point: if the
/// process dies in between, the rotated token is found after the restart.
async fn keep(shared: &Arc<Shared>, next: Credential, refreshed: Refreshed) -> AccessToken {
    let saved = save(shared, &next).await;
    let mut state = shared.lock();
    state.generation += 1;
    let generation = state.generation;
    let token = AccessToken::new(
        refreshed.access_token,
        state.with_overrides(&next),
        generation,
        Some(refreshed.expires_in),
        shared.jitter(generation),
    );
    state.held = Some(token.clone());
    state.credential = Some(next);
    // None of them will be met again, or else the service has erred; and the list must not grow for ever.
    state.dead.clear();
    drop(state);
    tracing::info!(generation, expires_in = ?refreshed.expires_in, "refreshed");
    if let Err(error) = saved {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the refreshed credential could not be saved: it is kept in memory and would be lost with \
             the process; trying again"
        );
        tokio::spawn(save_later(Arc::clone(shared), generation).in_current_span());
    }
    token
}

/// Saves the credential, unless somebody else has written to the store since we looked: theirs is the
/// newer sign-in, and the next flight takes it over.
async fn save(shared: &Shared, credential: &Credential) -> Result<(), AuthError> {
    if let Ok(found) = shared.store.load().await
        && Tokens::of(&found) != Tokens::of(credential)
        && shared.lock().is_news(&found)
    {
        tracing::info!("the credential has changed in its store; not saving over it");
        return Ok(());
    }
    shared.store.save(credential).await?;
    if shared.store.fences_saves() {
        // Whatever differs from it is newer.
        shared.lock().seen = Some(Tokens::of(credential));
    }
    Ok(())
}

/// Saves the credential of this generation as soon as the store takes it, also when nobody else holds the
/// credential any more: they may come back. Gives up when there is a newer generation, or after a day.
async fn save_later(shared: Arc<Shared>, generation: u64) {
    let started = Instant::now();
    let mut pause = Duration::from_secs(1);
    while started.elapsed() < LATEST_SAVE {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_SAVE_PAUSE);
        if unsaved(&shared, generation).is_none() {
            return;
        }
        match save_alone(&shared, generation).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the refreshed credential still cannot be saved"
            ),
        }
    }
}

/// As [`save`], outside of a flight. Where a save is fenced it does not wait for its turn: before it there may be as
/// many as there are replicas, each of which has to be refused by the service first, because this is not saved.
async fn save_alone(shared: &Shared, generation: u64) -> Result<(), AuthError> {
    let _claim = match shared.store.fences_saves() {
        true => None,
        false => Some(shared.store.claim().await?),
    };
    // A flight may have had the claim meanwhile.
    match unsaved(shared, generation) {
        Some(credential) => save(shared, &credential).await,
        None => Ok(()),
    }
}

fn unsaved(shared: &Shared, generation: u64) -> Option<Credential> {
    let state = shared.lock();
    let credential = state.credential.clone();
    credential.filter(|_| state.generation == generation)
}
