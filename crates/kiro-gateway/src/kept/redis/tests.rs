//! What is particular to Redis, against a real one.

use std::time::Instant;

use kiro_auth::RedisStoreOptions;
use redis::aio::MultiplexedConnection;

use super::*;
use crate::kept::tests::server::{DEADLINE, Server};
use crate::kept::tests::{kept, owner};

const IDLE: Duration = Duration::from_secs(3600);

fn place(server: &Server, max_bytes: usize) -> Redis {
    let server = RedisServer::new(&server.url(), RedisStoreOptions::default()).unwrap();
    let options = KeepOptions {
        max_bytes,
        idle_expiry: IDLE,
        redis: None,
    };
    Redis::new(server, &options)
}

async fn ask<T: redis::FromRedisValue>(connection: &mut MultiplexedConnection, words: &str) -> T {
    let mut words = words.split(' ');
    let mut command = redis::cmd(words.next().unwrap());
    for word in words {
        command.arg(word);
    }
    command.query_async(connection).await.unwrap()
}

/// The one key that ends like this.
async fn key(server: &Server, end: &str) -> String {
    let [key] = server.keys(end).await.try_into().unwrap();
    key
}

/// Lets a key run out and waits until it has.
async fn run_out(server: &Server, key: &str) {
    let mut connection = server.connection().await;
    let _: u64 = ask(&mut connection, &format!("PEXPIRE {key} 1")).await;
    let started = Instant::now();
    while ask::<bool>(&mut connection, &format!("EXISTS {key}")).await {
        assert!(started.elapsed() < DEADLINE);
    }
}

#[tokio::test]
async fn everything_runs_out_and_use_starts_the_time_again() {
    let (server, owner) = (Server::start().await, owner("a"));
    let place = place(&server, 1 << 20);
    place
        .insert(&owner, &kept("1", None, &["i"]))
        .await
        .unwrap();
    let mut connection = server.connection().await;
    let keys = server.keys("").await;
    assert_eq!(keys.len(), 4, "{keys:?}");
    for way in 0..4 {
        for key in &keys {
            let left: u128 = ask(&mut connection, &format!("PTTL {key}")).await;
            let all = IDLE.as_millis();
            assert!((all - 60_000..=all).contains(&left), "{way} {key} {left}");
            let _: u64 = ask(&mut connection, &format!("PEXPIRE {key} 600000")).await;
        }
        match way {
            0 => drop(place.get(&owner, "1").await.unwrap().unwrap()),
            1 => drop(place.conversation(&owner, "1").await.unwrap().unwrap()),
            _ => assert_eq!(place.items(&owner, &["i".into()]).await.unwrap().len(), 1),
        }
    }
}

#[tokio::test]
async fn what_has_run_out_is_unknown_and_gives_its_room_back() {
    let (server, owner) = (Server::start().await, owner("a"));
    let place = place(&server, 1 << 20);
    place
        .insert(&owner, &kept("1", None, &["i"]))
        .await
        .unwrap();
    let first = key(&server, &response_name(&owner, "1")).await;
    place
        .insert(&owner, &kept("2", Some("1"), &[]))
        .await
        .unwrap();
    run_out(&server, &first).await;
    assert!(place.get(&owner, "1").await.unwrap().is_none());
    assert!(place.conversation(&owner, "2").await.unwrap().is_none());
    assert!(place.items(&owner, &["i".into()]).await.unwrap().is_empty());

    let third = kept("3", None, &[]);
    place.insert(&owner, &third).await.unwrap();
    let mut connection = server.connection().await;
    let sizes = key(&server, ":sizes").await;
    let total: usize = ask(&mut connection, &format!("HGET {sizes} total")).await;
    let second = kept("2", Some("1"), &[]).n_bytes();
    assert_eq!(total, second + third.n_bytes());
    assert!(!place.remove(&owner, "1").await.unwrap());
}

#[tokio::test]
async fn nothing_is_left_of_what_was_removed() {
    let (server, owner) = (Server::start().await, owner("a"));
    let place = place(&server, 1 << 20);
    place
        .insert(&owner, &kept("1", None, &["i"]))
        .await
        .unwrap();
    place
        .insert(&owner, &kept("2", None, &["i", "j"]))
        .await
        .unwrap();
    assert!(place.remove(&owner, "1").await.unwrap());
    assert!(place.remove(&owner, "2").await.unwrap());
    assert!(!place.remove(&owner, "2").await.unwrap());
    assert_eq!(server.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_redis_that_drops_a_part_to_save_memory_harms_nothing_else() {
    for end in [":used", ":sizes"] {
        let (server, owner) = (Server::start().await, owner("a"));
        let room = kept("1", None, &[]).n_bytes() * 2;
        let place = place(&server, room);
        place.insert(&owner, &kept("1", None, &[])).await.unwrap();
        let mut connection = server.connection().await;
        let lost = key(&server, end).await;
        let _: u64 = ask(&mut connection, &format!("DEL {lost}")).await;
        assert!(place.get(&owner, "1").await.unwrap().is_some());
        for id in ["2", "3", "4"] {
            place.insert(&owner, &kept(id, None, &[])).await.unwrap();
        }
        assert!(place.get(&owner, "2").await.unwrap().is_none(), "{end}");
        assert!(place.get(&owner, "3").await.unwrap().is_some(), "{end}");
        assert!(place.get(&owner, "4").await.unwrap().is_some(), "{end}");
    }
}

#[tokio::test]
async fn a_response_that_was_changed_or_moved_is_unknown() {
    let (server, owner) = (Server::start().await, owner("a"));
    let place = place(&server, 1 << 20);
    for id in ["1", "2"] {
        place.insert(&owner, &kept(id, None, &[])).await.unwrap();
    }
    place
        .insert(&owner, &kept("3", Some("2"), &[]))
        .await
        .unwrap();
    let [one, two, three] = ["1", "2", "3"].map(|id| response_name(&owner, id));
    let (one_key, two_key) = (key(&server, &one).await, key(&server, &two).await);
    let three_key = key(&server, &three).await;
    let mut connection = server.connection().await;
    // Another one before it than the one that it went on from.
    let _: u64 = ask(&mut connection, &format!("HSET {three_key} previous {one}")).await;
    assert!(place.conversation(&owner, "3").await.unwrap().is_none());
    let none = redis::cmd("HSET")
        .arg(&three_key)
        .arg("previous")
        .arg("")
        .clone();
    let _: u64 = none.query_async(&mut connection).await.unwrap();
    assert!(place.conversation(&owner, "3").await.unwrap().is_none());

    let _: String = ask(&mut connection, &format!("RENAME {two_key} {one_key}")).await;
    assert!(place.get(&owner, "1").await.unwrap().is_none());
    let _: u64 = ask(&mut connection, &format!("HSET {one_key} sealed changed")).await;
    assert!(place.get(&owner, "1").await.unwrap().is_none());
}

#[tokio::test]
async fn the_number_of_items_that_are_looked_up_is_bounded() {
    let (server, owner) = (Server::start().await, owner("a"));
    let place = place(&server, 1 << 20);
    place
        .insert(&owner, &kept("1", None, &["i", "j"]))
        .await
        .unwrap();
    let mut ids = vec!["unknown".to_owned(); MOST_ITEMS + 1];
    ids[MOST_ITEMS - 1] = "i".to_owned();
    ids[MOST_ITEMS] = "j".to_owned();
    let found = place.items(&owner, &ids).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["i"]);
}

#[tokio::test]
async fn a_full_redis_takes_nothing_more_and_does_nothing_by_half() {
    let (server, owner) = (Server::start().await, owner("a"));
    let place = place(&server, 1 << 20);
    place
        .insert(&owner, &kept("1", None, &["i"]))
        .await
        .unwrap();
    let mut connection = server.connection().await;
    let _: String = ask(&mut connection, "CONFIG SET maxmemory 1").await;
    for id in ["1", "2"] {
        let refused = place.insert(&owner, &kept(id, None, &["j"])).await;
        let refused = refused.expect_err(id);
        assert_eq!(refused.kind(), ErrorKind::StoreUnreachable);
    }
    assert!(place.remove(&owner, "1").await.is_err());
    let found = place.items(&owner, &["i".into()]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(place.get(&owner, "2").await.unwrap().is_none());
    let _: String = ask(&mut connection, "CONFIG SET maxmemory 0").await;
    assert!(place.remove(&owner, "1").await.unwrap());
    assert!(!place.remove(&owner, "1").await.unwrap());
    assert_eq!(server.keys("").await, Vec::<String>::new());
}
