//! Redis is away, hangs, comes back, or has lost what it was told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kiro_auth::AuthErrorKind::StoreFailed;
use kiro_auth::{
    Credential, CredentialStore, ManualClock, RedisStore, RedisStoreOptions, TokenSource,
};
use kiro_sim::Rotation;

use crate::server::Server;
use crate::support::{key, refresh_token, refresher, seed, simulator, store};

/// A store that does not wait for long.
fn hasty(server: &Server, seed: Credential) -> RedisStore {
    let mut options = RedisStoreOptions::default();
    options.timeout = Duration::from_millis(400);
    RedisStore::new(&server.url(), seed, &key(), options).unwrap()
}

#[tokio::test]
async fn while_redis_is_away_memory_serves_and_afterwards_all_goes_on() {
    let mut server = Server::start().await;
    let simulator = simulator(Rotation::AlwaysRevoke).await;
    let issued = simulator.issue_social();
    let clock = ManualClock::new();
    let replica = hasty(&server, seed(&issued));
    let source = TokenSource::new(
        Arc::new(replica.clone()),
        refresher(simulator.address()),
        Arc::new(clock.clone()),
    );
    let first = source.token().await.unwrap();

    server.kill();
    let again = source.token().await.unwrap();
    assert_eq!(again.secret(), first.secret(), "it is valid");
    clock.advance(Duration::from_secs(55 * 60));
    let stale = source.token().await.unwrap();
    assert_eq!(
        stale.secret(),
        first.secret(),
        "it is stale, and still valid"
    );
    let started = Instant::now();
    assert_eq!(replica.load().await.unwrap_err().kind(), StoreFailed);
    assert_eq!(replica.claim().await.unwrap_err().kind(), StoreFailed);
    assert_eq!(
        replica.save(&seed(&issued)).await.unwrap_err().kind(),
        StoreFailed
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "nobody waits for long"
    );
    clock.advance(Duration::from_secs(10 * 60));
    assert_eq!(
        source.token().await.unwrap_err().kind(),
        StoreFailed,
        "it has expired"
    );
    assert_eq!(
        simulator.refreshes(issued.account),
        1,
        "nothing is refreshed without a lease"
    );

    server.start_again().await;
    clock.advance(Duration::from_secs(60));
    let new = source.token().await.unwrap();
    assert_ne!(new.secret(), first.secret());
    assert_eq!(simulator.refreshes(issued.account), 2);
    let stored = replica.load().await.unwrap();
    assert_eq!(stored.access_token.as_ref(), Some(new.secret()));
}

#[tokio::test]
async fn restart_of_redis_is_waited_out() {
    let mut server = Server::start().await;
    let replica = store(
        &server,
        Credential::from_refresh_token("refresh-0").unwrap(),
    );
    replica.load().await.unwrap();
    server.kill();
    let loading = tokio::spawn(async move { replica.load().await });
    server.start_again().await;
    loading.await.unwrap().unwrap();
}

#[tokio::test]
async fn redis_that_hangs_is_not_waited_for_and_used_again_when_it_answers() {
    let server = Server::start().await;
    let replica = hasty(
        &server,
        Credential::from_refresh_token("refresh-0").unwrap(),
    );
    replica.load().await.unwrap();
    server.signal("-STOP");
    let started = Instant::now();
    let error = replica.load().await.unwrap_err();
    assert_eq!(error.kind(), StoreFailed);
    assert!(started.elapsed() < Duration::from_secs(5));
    server.signal("-CONT");
    replica.load().await.unwrap();
}

#[tokio::test]
async fn whoever_knows_the_newest_record_puts_back_what_redis_has_lost() {
    let server = Server::start().await;
    let first = Credential::from_refresh_token("refresh-0").unwrap();
    let (one, two) = (store(&server, first.clone()), store(&server, first.clone()));
    for round in 1..=3 {
        refresh(&one, &format!("refresh-{round}")).await;
    }
    assert_eq!(refresh_token(&two).await.expose(), "refresh-3");
    lose_everything(&server).await;
    assert_eq!(refresh_token(&two).await.expose(), "refresh-3");
    let newcomer = store(&server, first);
    assert_eq!(refresh_token(&newcomer).await.expose(), "refresh-3");
}

#[tokio::test]
async fn fences_go_on_from_where_they_were_when_redis_has_lost_them() {
    let server = Server::start().await;
    let first = Credential::from_refresh_token("refresh-0").unwrap();
    let one = store(&server, first.clone());
    for round in 1..=3 {
        refresh(&one, &format!("refresh-{round}")).await;
    }
    // In the order of a refresh: the claim comes first, and what was lost is put back under it. This replica
    // has read the record and never claimed it.
    let reader = store(&server, first.clone());
    reader.load().await.unwrap();
    lose_everything(&server).await;
    refresh(&reader, "refresh-4").await;
    let two = store(&server, first.clone());
    assert_eq!(refresh_token(&two).await.expose(), "refresh-4");

    // And for a replica that knows nothing, when the record was put back without a claim.
    lose_everything(&server).await;
    reader.load().await.unwrap();
    let newcomer = store(&server, first.clone());
    let claim = newcomer.claim().await.unwrap();
    newcomer
        .save(&with_token(&first, "refresh-5"))
        .await
        .unwrap();
    drop(claim);
    let two = store(&server, first);
    assert_eq!(refresh_token(&two).await.expose(), "refresh-5");
}

async fn refresh(store: &RedisStore, token: &str) {
    let claim = store.claim().await.unwrap();
    let loaded = store.load().await.unwrap();
    store.save(&with_token(&loaded, token)).await.unwrap();
    drop(claim);
}

fn with_token(credential: &Credential, token: &str) -> Credential {
    let mut next = credential.clone();
    next.refresh_token = Some(token.into());
    next
}

async fn lose_everything(server: &Server) {
    let mut connection = server.connection().await;
    let flush = redis::cmd("FLUSHALL");
    let (): () = flush.query_async(&mut connection).await.unwrap();
}
