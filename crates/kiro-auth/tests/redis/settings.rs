//! What a store is made from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kiro_auth::AuthErrorKind::{Misconfigured, StoreFailed};
use kiro_auth::store::contract;
use kiro_auth::{Credential, CredentialStore, RedisStore, RedisStoreOptions, Secret};

use crate::server::Server;
use crate::support::{key, refresh_token, store};

fn credential(refresh: &str) -> Credential {
    Credential::from_refresh_token(refresh).unwrap()
}

fn rotated(store: &RedisStore, refresh: &str) -> Credential {
    let mut next = credential(refresh);
    next.id = store.id();
    next
}

#[tokio::test]
async fn promises_of_a_store_are_kept() {
    let server = Server::start().await;
    let places = AtomicUsize::new(0);
    contract::check(async |seed| {
        let mut options = RedisStoreOptions::default();
        options.prefix = format!("place-{}:", places.fetch_add(1, Ordering::Relaxed));
        RedisStore::new(&server.url(), seed, &key(), options).unwrap()
    })
    .await;
    contract::check_claims(async |seed| (store(&server, seed.clone()), store(&server, seed))).await;
}

#[tokio::test]
async fn first_replica_starts_from_the_seed_and_the_next_from_the_record() {
    let server = Server::start().await;
    let first = store(&server, credential("refresh-0"));
    assert_eq!(refresh_token(&first).await.expose(), "refresh-0");
    first.save(&rotated(&first, "refresh-1")).await.unwrap();
    let second = store(&server, credential("refresh-0"));
    assert_eq!(refresh_token(&second).await.expose(), "refresh-1");
}

#[tokio::test]
async fn new_sign_in_wins_over_the_old_record() {
    let server = Server::start().await;
    let old = store(&server, credential("refresh-0"));
    old.save(&rotated(&old, "refresh-1")).await.unwrap();
    let new = store(&server, credential("sign-in-2"));
    assert_eq!(refresh_token(&new).await.expose(), "sign-in-2");
    assert_eq!(refresh_token(&old).await.expose(), "refresh-1");
}

#[tokio::test]
async fn configuration_wins_over_the_record_in_all_but_the_tokens() {
    let server = Server::start().await;
    let mut seed = credential("refresh-0");
    seed.client_secret = Some("old client secret".into());
    let old = store(&server, seed.clone());
    let mut next = seed.clone();
    next.access_token = Some("access-1".into());
    old.save(&next).await.unwrap();

    seed.client_secret = Some("new client secret".into());
    seed.api_region = Some("eu-central-1".into());
    let loaded = store(&server, seed).load().await.unwrap();
    assert_eq!(loaded.access_token.unwrap().expose(), "access-1");
    assert_eq!(loaded.client_secret.unwrap().expose(), "new client secret");
    assert_eq!(loaded.api_region.as_deref(), Some("eu-central-1"));
}

#[tokio::test]
async fn everything_in_redis_is_forgotten_when_nobody_uses_it() {
    let server = Server::start().await;
    let store = store(&server, credential("refresh-0"));
    drop(store.claim().await.unwrap());
    let hours_left = async || {
        let [record] = server.keys(":record").await.try_into().unwrap();
        let mut connection = server.connection().await;
        let mut ttl = redis::cmd("TTL");
        let seconds: u64 = ttl.arg(&record).query_async(&mut connection).await.unwrap();
        let mut shorten = redis::cmd("EXPIRE");
        let (): () = shorten
            .arg(record)
            .arg(100)
            .query_async(&mut connection)
            .await
            .unwrap();
        seconds.div_ceil(3600)
    };
    assert_eq!(
        hours_left().await,
        1,
        "nothing was saved yet, and may never be"
    );
    store.save(&rotated(&store, "refresh-1")).await.unwrap();
    assert_eq!(hours_left().await, 90 * 24, "after a save");
    drop(store.claim().await.unwrap());
    assert_eq!(hours_left().await, 90 * 24, "after another claim");
}

#[tokio::test]
async fn replicas_with_different_keys_are_told() {
    let server = Server::start().await;
    let seed = credential("refresh-0");
    let one = store(&server, seed.clone());
    one.save(&rotated(&one, "refresh-1")).await.unwrap();
    let key = Secret::from("another-key-0123456789");
    let other = RedisStore::new(&server.url(), seed, &key, RedisStoreOptions::default()).unwrap();
    let error = other.load().await.unwrap_err();
    assert_eq!(error.kind(), Misconfigured);
    assert!(error.to_string().contains("another key"), "{error}");
}

#[tokio::test]
async fn record_with_another_fence_does_not_open() {
    let server = Server::start().await;
    let replica = store(&server, credential("refresh-0"));
    replica.save(&rotated(&replica, "refresh-1")).await.unwrap();
    let [record] = server.keys(":record").await.try_into().unwrap();
    let mut raise = redis::cmd("HSET");
    let mut connection = server.connection().await;
    let raise = raise.arg(record).arg("written").arg(1_000_000);
    let (): () = raise.query_async(&mut connection).await.unwrap();
    assert_eq!(replica.load().await.unwrap_err().kind(), Misconfigured);
}

#[tokio::test]
async fn wrong_password_is_said_at_once_and_not_shown() {
    let server = Server::start().await;
    let mut protect = redis::cmd("CONFIG");
    protect.arg("SET").arg("requirepass").arg("planted-right");
    let mut connection = server.connection().await;
    let (): () = protect.query_async(&mut connection).await.unwrap();
    let load = async |password: &str| {
        let url = server
            .url()
            .expose()
            .replace("//", &format!("//:{password}@"));
        let seed = credential("refresh-0");
        let options = RedisStoreOptions::default();
        let store = RedisStore::new(&Secret::from(url), seed, &key(), options).unwrap();
        // Sooner than a question is given up.
        let loaded = tokio::time::timeout(Duration::from_secs(4), store.load()).await;
        loaded.expect("it is tried again")
    };
    load("planted-right").await.unwrap();
    let error = load("planted-wrong").await.unwrap_err();
    assert_eq!(error.kind(), StoreFailed);
    assert!(!format!("{error:?}").contains("planted"), "{error:?}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let local = "redis://127.0.0.1:1";
    let seed = || credential("refresh-0");
    let defaults = RedisStoreOptions::default;
    let new = |url: &str, seed, key: &str, options| {
        let made = RedisStore::new(&Secret::from(url), seed, &Secret::from(key), options);
        made.map(drop).map_err(|error| error.kind())
    };
    let long = "0123456789abcdef";
    assert_eq!(new(local, seed(), long, defaults()), Ok(()));
    assert_eq!(new(local, seed(), "short", defaults()), Err(Misconfigured));
    for url in [
        "127.0.0.1",
        "rediss://127.0.0.1",
        "valkeys://127.0.0.1",
        "http://127.0.0.1",
    ] {
        assert_eq!(
            new(url, seed(), long, defaults()),
            Err(Misconfigured),
            "{url}"
        );
    }
    let mut options = defaults();
    options.lease = Duration::from_millis(99);
    assert_eq!(new(local, seed(), long, options), Err(Misconfigured));
    let mut options = defaults();
    options.keep_for = options.lease / 2;
    assert_eq!(new(local, seed(), long, options), Err(Misconfigured));
    let mut empty = seed();
    empty.refresh_token = None;
    assert_eq!(new(local, empty, long, defaults()), Err(Misconfigured));
}
