//! What every [`CredentialStore`] promises, as a suite that any implementation can run.
//!
//! ```
//! use kiro_auth::{MemoryStore, store::contract};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! contract::check(async |credential| MemoryStore::new(credential)).await;
//! # });
//! ```

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::timeout;

use super::{Claim, CredentialStore};
use crate::credential::Credential;
use crate::refresh::Refreshed;
use crate::secret::Secret;

/// Runs the suite. `make` returns a new store that holds the given credential, each time in a place of
/// its own.
///
/// # Panics
///
/// Where a promise is broken; the message says which.
pub async fn check<S: CredentialStore + 'static>(make: impl AsyncFn(Credential) -> S) {
    what_was_put_in_is_loaded(&make).await;
    the_name_outlives_rotation(&make).await;
    what_was_saved_is_loaded(&make).await;
    a_save_without_news_keeps_the_rest(&make).await;
    of_parallel_saves_one_wins_whole(&make).await;
}

/// Runs the suite for stores that several processes share. `make` returns two stores of one place, as two
/// processes would open it, that holds the given credential.
///
/// # Panics
///
/// Where a promise is broken; the message says which.
pub async fn check_claims<S: CredentialStore + 'static>(make: impl AsyncFn(Credential) -> (S, S)) {
    let (one, other) = make(sample()).await;
    let (one, other) = (Arc::new(one), Arc::new(other));
    let first = claim(&*one).await;
    let taken = timeout(MOMENT, other.claim()).await;
    assert!(taken.is_err(), "a claim is given to one at a time");
    // Whoever has a claim reads and writes, and so may everybody else.
    assert_same(&load(&*other).await, &sample(), "a claim hinders no load");
    save(&*one, &rotated(1)).await;
    drop(first);

    let second = claim(&*other).await;
    assert_same(
        &load(&*other).await,
        &rotated(1),
        "the next one finds what was saved under a claim",
    );
    // Somebody waits and leaves.
    let waiting = tokio::spawn({
        let one = Arc::clone(&one);
        async move { one.claim().await.map(drop) }
    });
    assert!(
        timeout(MOMENT, async {
            while !waiting.is_finished() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .is_err()
    );
    waiting.abort();
    drop(second);
    drop(claim(&*one).await);
    drop(claim(&*other).await);
}

/// Long enough to see that somebody waits.
const MOMENT: Duration = Duration::from_millis(200);

/// How long a claim may take that nobody holds.
const DEADLINE: Duration = Duration::from_secs(10);

async fn claim(store: &impl CredentialStore) -> Claim {
    let claimed = timeout(DEADLINE, store.claim()).await;
    let claimed = claimed.expect("a claim that nobody holds is given out");
    claimed.expect("it can be asked for")
}

async fn what_was_put_in_is_loaded<S: CredentialStore>(make: &impl AsyncFn(Credential) -> S) {
    let store = make(sample()).await;
    assert_same(
        &load(&store).await,
        &sample(),
        "a new store holds what it was made with",
    );
}

async fn the_name_outlives_rotation<S: CredentialStore>(make: &impl AsyncFn(Credential) -> S) {
    let store = make(sample()).await;
    let name = store.id();
    assert_eq!(load(&store).await.id, name, "load carries the store's name");
    save(&store, &rotated(1)).await;
    assert_eq!(store.id(), name, "the name survives a save");
    assert_eq!(
        load(&store).await.id,
        name,
        "load carries the name after a save"
    );
}

async fn what_was_saved_is_loaded<S: CredentialStore>(make: &impl AsyncFn(Credential) -> S) {
    let store = make(sample()).await;
    for round in 1..=3 {
        save(&store, &rotated(round)).await;
        assert_same(
            &load(&store).await,
            &rotated(round),
            "load returns the last save",
        );
    }
}

async fn a_save_without_news_keeps_the_rest<S: CredentialStore>(
    make: &impl AsyncFn(Credential) -> S,
) {
    let store = make(sample()).await;
    let mut only_access = rotated(1);
    only_access.refresh_token = sample().refresh_token;
    save(&store, &only_access).await;
    assert_same(
        &load(&store).await,
        &only_access,
        "a refresh token that did not rotate stays",
    );
}

async fn of_parallel_saves_one_wins_whole<S: CredentialStore + 'static>(
    make: &impl AsyncFn(Credential) -> S,
) {
    let store = Arc::new(make(sample()).await);
    let saves: Vec<_> = (1..=8)
        .map(|round| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { save(&*store, &rotated(round)).await })
        })
        .collect();
    for one in saves {
        one.await.expect("a save panicked");
    }
    let loaded = load(&*store).await;
    let whole = (1..=8).any(|round| same(&loaded, &rotated(round)));
    assert!(whole, "parallel saves are not mixed with each other");
}

/// A credential in which every fact that a store has to keep is set.
fn sample() -> Credential {
    let text = r#"{
        "accessToken": "aoa-contract-0", "refreshToken": "aor-contract-0:signature",
        "expiresAt": "2026-10-20T12:34:56.789Z", "authMethod": "IdC", "provider": "Enterprise",
        "region": "eu-west-1", "clientId": "client", "clientSecret": "client-secret",
        "profileArn": "arn:aws:codewhisperer:eu-central-1:111122223333:profile/CONTRACT"
    }"#;
    Credential::from_json(text).expect("the sample is a credential")
}

fn rotated(round: u32) -> Credential {
    let refreshed = Refreshed::new(Secret::new(format!("aoa-contract-{round}")))
        .with_refresh_token(Secret::new(format!("aor-contract-{round}:signature")));
    // Whole milliseconds: stores need not keep more.
    let asked_at =
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_792_499_696_000 + u64::from(round));
    sample().refreshed(&refreshed, asked_at)
}

async fn load(store: &impl CredentialStore) -> Credential {
    store.load().await.expect("load succeeds")
}

async fn save(store: &impl CredentialStore, credential: &Credential) {
    store.save(credential).await.expect("save succeeds");
}

fn same(a: &Credential, b: &Credential) -> bool {
    a.login == b.login
        && a.access_token == b.access_token
        && a.refresh_token == b.refresh_token
        && a.expires_at == b.expires_at
        && a.profile_arn == b.profile_arn
        && a.auth_region == b.auth_region
        && a.client_id == b.client_id
        && a.client_secret == b.client_secret
}

fn assert_same(loaded: &Credential, expected: &Credential, promise: &str) {
    assert!(
        same(loaded, expected),
        "broken promise: {promise}\n  loaded: {loaded:#?}\n  expected: {expected:#?}"
    );
}
