//! No secret lies in Redis, or shows when a store is printed.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use kiro_auth::{Credential, CredentialStore, RedisStore, RedisStoreOptions, Refreshed, Secret};

use crate::server::Server;
use crate::support::{key, store};

const PLANTED: &str = "planted";

fn seed() -> Credential {
    let text = r#"{
        "accessToken": "planted-access-0", "refreshToken": "planted-refresh-0", "authMethod": "IdC",
        "provider": "Enterprise", "region": "eu-west-1", "clientId": "planted-client",
        "clientSecret": "planted-client-secret"
    }"#;
    Credential::from_json(text).unwrap()
}

#[tokio::test]
async fn nothing_that_redis_was_ever_told_holds_a_secret() {
    let server = Server::start().await;
    let replica = store(&server, seed());
    for round in 1..=3 {
        let claim = replica.claim().await.unwrap();
        let refreshed = Refreshed::new(format!("planted-access-{round}"))
            .with_refresh_token(format!("planted-refresh-{round}"));
        let next = seed().refreshed(&refreshed, SystemTime::UNIX_EPOCH);
        replica.save(&next).await.unwrap();
        drop(claim);
    }
    let mut told = String::new();
    let mut connection = server.connection().await;
    for key in server.keys("").await {
        let dump: Vec<u8> = redis::cmd("DUMP")
            .arg(&key)
            .query_async(&mut connection)
            .await
            .unwrap();
        told += &format!("{key} {}\n", String::from_utf8_lossy(&dump));
    }
    // What lies there now, and every command that has led to it.
    read_all(server.folder(), &mut told);
    assert!(
        told.contains("kiro-2api:{"),
        "something was looked at: {told}"
    );
    assert!(
        told.contains("PXAT") || told.contains("PEXPIREAT"),
        "the log of commands as well: {told}"
    );
    assert!(!told.contains(PLANTED), "{told}");
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            *into += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        }
    }
}

#[tokio::test]
async fn printed_store_and_errors_hold_no_secret() {
    let url = Secret::from("redis://planted-user:planted-password@127.0.0.1:1/0");
    let mut options = RedisStoreOptions::default();
    options.timeout = std::time::Duration::from_millis(300);
    let store = RedisStore::new(&url, seed(), &key(), options).unwrap();
    let error = store.load().await.unwrap_err();
    let bad = Secret::from("redis://planted-user:planted-password@127.0.0.1:port/planted");
    let refused = RedisStore::new(&bad, seed(), &key(), RedisStoreOptions::default()).unwrap_err();
    let shown = format!("{store:?} {store:#?} {error:?} {error} {refused:?} {refused}");
    assert!(shown.contains("127.0.0.1:1"), "{shown}");
    assert!(!shown.contains(PLANTED), "{shown}");
}
