//! Two replicas that refresh at once, because one of them has lost its lease without knowing.

use std::sync::Arc;
use std::time::Duration;

use kiro_auth::{
    AuthError, AuthErrorKind, BoxFuture, Clock, Credential, CredentialStore, ManualClock,
    RedisStore, Refreshed, Refresher, TokenSource,
};
use kiro_sim::{IssuedCredential, Rotation, Simulator};

use crate::server::{DEADLINE, Server};
use crate::support::{refresh_token, refresher, seed, simulator, store, until};

/// A replica that has refreshed under its first claim and has not saved yet, while its lease has run out.
struct Slow {
    store: RedisStore,
    refreshed: Credential,
}

impl Slow {
    async fn replica(server: &Server, simulator: &Simulator, issued: &IssuedCredential) -> Self {
        let store = store(server, seed(issued));
        let claim = store.claim().await.unwrap();
        server.expire_leases().await;
        let refreshed = refresher(simulator.address()).refresh(&seed(issued)).await;
        let refreshed = seed(issued).refreshed(&refreshed.unwrap(), ManualClock::new().now());
        // Held for good: a replica that does not notice does not give it back either.
        std::mem::forget(claim);
        Self { store, refreshed }
    }

    async fn saves_at_last(&self) {
        self.store.save(&self.refreshed).await.unwrap();
    }
}

#[tokio::test]
async fn late_save_of_the_only_good_token_is_taken_and_found() {
    let server = Server::start().await;
    let simulator = simulator(Rotation::AlwaysRevoke).await;
    let issued = simulator.issue_social();
    let slow = Slow::replica(&server, &simulator, &issued).await;

    let clock = ManualClock::new();
    let successor = Arc::new(store(&server, seed(&issued)));
    let refresher = refresher(simulator.address());
    let source = TokenSource::new(successor, refresher, Arc::new(clock.clone()));
    let error = source.token().await.unwrap_err();
    assert_eq!(
        error.kind(),
        AuthErrorKind::SignedOut,
        "nobody has saved a good token"
    );

    slow.saves_at_last().await;
    clock.advance(Duration::from_secs(5));
    let token = source.token().await.unwrap();
    assert_eq!(Some(token.secret()), slow.refreshed.access_token.as_ref());
    assert_eq!(simulator.refreshes(issued.account), 1);
}

/// Has the slow replica save while the successor is at the sign-in service.
struct AskedInTheMeantime {
    inner: Arc<dyn Refresher>,
    slow: Slow,
}

impl Refresher for AskedInTheMeantime {
    fn refresh<'a>(
        &'a self,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Result<Refreshed, AuthError>> {
        Box::pin(async {
            let answer = self.inner.refresh(credential).await;
            self.slow.saves_at_last().await;
            answer
        })
    }
}

impl std::fmt::Debug for AskedInTheMeantime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AskedInTheMeantime")
    }
}

#[tokio::test]
async fn successor_that_is_refused_finds_what_was_saved_meanwhile() {
    let server = Server::start().await;
    let simulator = simulator(Rotation::AlwaysRevoke).await;
    let issued = simulator.issue_social();
    let slow = Slow::replica(&server, &simulator, &issued).await;
    let expected = slow.refreshed.access_token.clone();

    let inner = refresher(simulator.address());
    let successor = Arc::new(store(&server, seed(&issued)));
    let source = TokenSource::new(
        successor,
        Arc::new(AskedInTheMeantime { inner, slow }),
        Arc::new(ManualClock::new()),
    );
    let token = source.token().await.unwrap();
    assert_eq!(Some(token.secret()), expected.as_ref());
    assert_eq!(simulator.refreshes(issued.account), 1);
}

#[tokio::test]
async fn late_save_does_not_replace_the_tokens_of_a_later_claim() {
    let server = Server::start().await;
    let simulator = simulator(Rotation::AlwaysGrace(Duration::from_secs(600))).await;
    let issued = simulator.issue_social();
    let slow = Slow::replica(&server, &simulator, &issued).await;

    let successor = store(&server, seed(&issued));
    let source = TokenSource::new(
        Arc::new(successor.clone()),
        refresher(simulator.address()),
        Arc::new(ManualClock::new()),
    );
    let token = source.token().await.unwrap();
    assert_eq!(simulator.refreshes(issued.account), 2, "both were served");
    let written = refresh_token(&successor).await;

    slow.saves_at_last().await;
    // As a new replica finds it: one that has seen the tokens of the later claim would put them back.
    let newcomer = store(&server, seed(&issued));
    assert_eq!(refresh_token(&newcomer).await, written);
    assert_ne!(Some(written), slow.refreshed.refresh_token);
    let found = slow.store.load().await.unwrap();
    assert_eq!(found.access_token.as_ref(), Some(token.secret()));
}

#[tokio::test]
async fn claim_is_exclusive_and_given_back_when_dropped() {
    let server = Server::start().await;
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let (one, two) = (
        store(&server, credential.clone()),
        store(&server, credential),
    );
    let held = one.claim().await.unwrap();
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.claim().await }
    });
    for _ in 0..2 {
        let mut before = server.lease_left().await;
        until("the lease is prolonged", async || {
            let left = server.lease_left().await;
            left > std::mem::replace(&mut before, left)
        })
        .await;
    }
    assert!(!waiting.is_finished(), "two claims at once");
    drop(held);
    drop(waiting.await.unwrap().unwrap());
    until("the lease is given back", async || {
        server.keys(":lease").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn claim_that_nobody_waits_for_is_given_back() {
    let server = Server::start().await;
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let (one, two) = (
        store(&server, credential.clone()),
        store(&server, credential),
    );
    for pauses in 0..20 {
        let leaves = tokio::spawn({
            let one = one.clone();
            async move { one.claim().await }
        });
        for _ in 0..pauses * pauses {
            tokio::task::yield_now().await;
        }
        leaves.abort();
        drop(leaves.await);
        let taken = tokio::time::timeout(Duration::from_secs(1), two.claim());
        drop(
            taken
                .await
                .expect("sooner than the lease runs out")
                .unwrap(),
        );
    }
}

#[tokio::test]
async fn giving_back_a_lost_lease_does_not_disturb_who_has_it() {
    let server = Server::start().await;
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let (one, two) = (
        store(&server, credential.clone()),
        store(&server, credential),
    );
    let lost = one.claim().await.unwrap();
    server.expire_leases().await;
    let held = two.claim().await.unwrap();
    drop(lost);
    // The release goes over the connection of `one`, which answers in order.
    one.load().await.unwrap();
    assert_eq!(server.keys(":lease").await.len(), 1);
    drop(held);
}

#[tokio::test]
async fn lost_lease_is_not_prolonged_for_who_has_it() {
    let server = Server::start().await;
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let one = store(&server, credential);
    let _lost = one.claim().await.unwrap();
    let [lease] = server.keys(":lease").await.try_into().unwrap();
    let mut connection = server.connection().await;
    let mut take = redis::cmd("SET");
    take.arg(lease)
        .arg("a replica that dies")
        .arg("PX")
        .arg(1000);
    let (): () = take.query_async(&mut connection).await.unwrap();
    until("the lease runs out", async || {
        server.keys(":lease").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn who_has_left_does_not_ask_any_more() {
    let server = Server::start().await;
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let (one, two) = (
        store(&server, credential.clone()),
        store(&server, credential),
    );
    let _held = one.claim().await.unwrap();
    let left = tokio::time::timeout(Duration::from_millis(100), two.claim()).await;
    assert!(left.is_err(), "two claims at once");
    until("it is quiet", async || {
        let before = server.scripts_run().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.scripts_run().await == before
    })
    .await;
}

#[tokio::test]
async fn somebody_who_never_gives_back_is_not_waited_for_without_end() {
    let server = Server::start().await;
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let one = store(&server, credential.clone());
    let _held = one.claim().await.unwrap();
    let mut options = kiro_auth::RedisStoreOptions::default();
    options.claim_limit = Duration::from_millis(200);
    let key = crate::support::key();
    let two = RedisStore::new(&server.url(), credential, &key, options).unwrap();
    let claim = tokio::time::timeout(DEADLINE, two.claim()).await;
    let error = claim.expect("it waits without end").unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Transient);
    assert!(error.to_string().contains("another replica"), "{error}");
}
