//! What replicas do with a store that they share, where a mistake of one costs all of them the login. Each was found by
//! the simulation (`cargo xtask simulate`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use kiro_auth::{AuthErrorKind::StoreFailed, Clock as _, CredentialStore as _, TokenSource};
use support::{HOUR, MINUTE, SECOND, Scene};

/// A replica that has refreshed, whose token has then expired.
async fn scene() -> Scene {
    let scene = Scene::with_refresh_token_only();
    scene.store.fences();
    assert_eq!(scene.token().await, Ok("access-1".into()));
    scene.clock.advance(2 * HOUR);
    scene
}

#[tokio::test]
async fn nothing_is_refreshed_while_the_store_cannot_be_read() {
    let scene = scene().await;
    scene.store.is_unreadable(true);
    let before = scene.service.visits();
    assert_eq!(scene.token().await, Err(StoreFailed));
    assert_eq!(scene.service.visits(), before);
    scene.store.is_unreadable(false);
    scene.clock.advance(MINUTE);
    assert_eq!(scene.token().await, Ok("access-2".into()));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_saved_does_not_wait_for_those_who_are_refused_without_it() {
    let scene = scene().await;
    scene.store.fails_to_save(1);
    assert_eq!(scene.token().await, Ok("access-2".into()));
    let _others = scene.store.claim().await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(scene.store.refresh_token().await, "refresh-2");
}

#[tokio::test]
async fn what_the_store_held_before_is_not_shown_when_what_it_holds_is_refused() {
    let scene = scene().await;
    scene.somebody_else_writes("access-of-another", "refresh-that-was-lost");
    scene.clock.advance(2 * HOUR);
    assert!(scene.token().await.is_err());
    let shown = scene.service.refused();
    let shown: Vec<_> = shown.iter().map(|token| token.expose()).collect();
    assert_eq!(shown, ["refresh-that-was-lost"]);
}

#[tokio::test]
async fn a_short_life_is_short_for_all_replicas_and_refreshed_once() {
    let scene = Scene::with_refresh_token_only();
    scene.store.fences();
    scene.service.issues_tokens_for(5 * MINUTE);
    let other = |_| {
        let clock = Arc::new(scene.clock.clone());
        TokenSource::new(scene.store.clone(), scene.service.clone(), clock)
    };
    let others: Vec<_> = (0..5).map(other).collect();
    assert_eq!(scene.token().await, Ok("access-1".into()));
    for _ in 0..3 {
        for other in &others {
            let token = other.token().await.unwrap();
            assert_eq!(token.secret().expose(), "access-1");
        }
        support::let_others_run().await;
        scene.clock.advance(MINUTE);
    }
    assert_eq!(scene.service.visits(), 1);
}

#[tokio::test]
async fn a_life_that_nobody_has_written_down_is_what_is_left_when_it_is_found() {
    let scene = Scene::with_refresh_token_only();
    scene.service.issues_tokens_for(5 * MINUTE);
    assert_eq!(scene.token().await, Ok("access-1".into()));
    let visits = scene.service.visits();
    // As a program that knows nothing of lives writes it.
    let ends = scene.clock.now() + 10 * MINUTE;
    scene.store.memory.replace(support::stored(
        "access-of-another",
        "refresh-of-another",
        Some(ends),
    ));
    scene.clock.advance(5 * MINUTE);
    assert_eq!(scene.token().await, Ok("access-of-another".into()));
    support::let_others_run().await;
    assert_eq!(scene.token().await, Ok("access-of-another".into()));
    assert_eq!(scene.service.visits(), visits);
}
