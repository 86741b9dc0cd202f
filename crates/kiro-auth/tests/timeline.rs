//! The life of a credential, with a clock that is moved by hand.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::sync::Arc;

use kiro_auth::{
    ApiHost, AuthErrorKind, Clock as _, Credential, CredentialStore, Login, ManualClock, Overrides,
    SOCIAL_PROFILE_ARN, TokenSource,
};
use support::{HOUR, MINUTE, SECOND, Scene, SignInService, call, let_others_run, stored};

use AuthErrorKind::{SignedOut, StoreFailed, Transient};

/// A token with `minutes` to live, and a source whose service leaves its visitors waiting.
fn hesitating(minutes: u64) -> (Scene, Arc<SignInService>, TokenSource) {
    let scene = Scene::with_token_for(minutes);
    let (service, source) = scene.hesitating();
    (scene, service, source)
}

#[tokio::test]
async fn fresh_token_is_served_as_it_is() {
    let scene = Scene::with_token_for(60);
    assert_eq!(scene.token().await, Ok("access-0".into()));
    scene.clock.advance(45 * MINUTE);
    assert_eq!(scene.token().await, Ok("access-0".into()));
    let_others_run().await;
    assert_eq!(scene.service.visits(), 0);
}

#[tokio::test]
async fn credential_without_an_access_token_is_refreshed_at_its_first_use() {
    let scene = Scene::with_refresh_token_only();
    assert_eq!(scene.token().await, Ok("access-1".into()));
    assert_eq!(scene.store.refresh_token().await, "refresh-1");
}

#[tokio::test]
async fn stale_token_is_served_while_one_caller_refreshes() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();

    scene.clock.advance(55 * MINUTE);
    for _ in 0..10 {
        assert_eq!(scene.token().await, Ok("access-0".into()));
    }
    let_others_run().await;

    assert_eq!(scene.token().await, Ok("access-1".into()));
    assert_eq!(scene.service.visits(), 1);
}

#[tokio::test]
async fn credentials_that_were_issued_together_are_not_refreshed_together() {
    let mut became_stale = HashSet::new();
    for _ in 0..20 {
        let scene = Scene::with_refresh_token_only();
        scene.token().await.unwrap();
        scene.clock.advance(47 * MINUTE);
        let mut seconds = 0;
        while scene.service.visits() == 1 {
            scene.token().await.unwrap();
            let_others_run().await;
            scene.clock.advance(SECOND);
            seconds += 1;
        }
        assert!((60..=182).contains(&seconds), "47 min and {seconds} s");
        became_stale.insert(seconds);
    }
    assert!(became_stale.len() > 1, "all of them in the same second");
}

#[tokio::test]
async fn stale_token_is_served_until_the_refresh_is_saved_and_not_longer() {
    let (scene, service, source) = hesitating(60);
    source.token().await.unwrap();
    scene.clock.advance(55 * MINUTE);
    let served = async || source.token().await.unwrap().secret().expose().to_owned();
    assert_eq!(served().await, "access-0");
    service.visited(1).await;
    for _ in 0..10 {
        assert_eq!(served().await, "access-0");
    }
    service.answer_one();
    let_others_run().await;
    assert_eq!(served().await, "access-1");
    assert_eq!(service.visits(), 1);
}

#[tokio::test]
async fn refresh_waits_while_another_process_holds_the_claim() {
    let scene = Scene::with_token_for(0);
    let other = scene.store.claim().await.unwrap();
    let caller = call(&scene.source);
    let_others_run().await;
    assert_eq!((scene.service.visits(), caller.is_finished()), (0, false));

    // It dies, without having refreshed: its claim goes with it.
    drop(other);
    let token = caller.await.unwrap().unwrap();
    assert_eq!(token.secret().expose(), "access-1");
}

#[tokio::test]
async fn refresh_by_the_one_who_held_the_claim_makes_ours_unnecessary() {
    let scene = Scene::with_token_for(0);
    let other = scene.store.claim().await.unwrap();
    let caller = call(&scene.source);
    let_others_run().await;
    scene.somebody_else_writes("access-of-the-other", "refresh-of-the-other");
    drop(other);
    let token = caller.await.unwrap().unwrap();
    assert_eq!(token.secret().expose(), "access-of-the-other");
    assert_eq!(scene.service.visits(), 0);
}

#[tokio::test]
async fn callers_that_leave_do_not_keep_the_claim_from_others() {
    let scene = Scene::with_token_for(0);
    let other = scene.store.claim().await.unwrap();
    let caller = call(&scene.source);
    let_others_run().await;
    caller.abort();
    drop(other);
    let_others_run().await;
    assert_eq!(scene.store.refresh_token().await, "refresh-1");
    drop(scene.store.claim().await.unwrap());
}

#[tokio::test]
async fn claim_that_is_not_to_be_had_leaves_the_service_alone_and_is_asked_for_again() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    scene.store.gives_no_claim(true);
    scene.clock.advance(55 * MINUTE);
    assert_eq!(scene.token().await, Ok("access-0".into()));
    let_others_run().await;
    scene.clock.advance(4 * MINUTE);
    assert_eq!(scene.token().await, Ok("access-0".into()));
    scene.clock.advance(MINUTE);
    assert_eq!(scene.token().await, Err(Transient));
    assert_eq!(scene.service.visits(), 0);

    scene.store.gives_no_claim(false);
    scene.clock.advance(MINUTE);
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn expired_token_is_not_served() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    scene.clock.advance(2 * HOUR);
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn token_without_an_expiry_is_refreshed_before_it_is_used() {
    let credential = support::stored("access-0", "refresh-0", None);
    let scene = Scene::with(credential, ManualClock::new());
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn refresh_token_that_does_not_rotate_is_kept() {
    let scene = Scene::with_refresh_token_only();
    scene.service.does_not_rotate();
    for round in 1..4 {
        assert_eq!(scene.token().await, Ok(format!("access-{round}")));
        scene.clock.advance(2 * HOUR);
    }
    assert_eq!(scene.store.refresh_token().await, "refresh-0");
}

#[tokio::test]
async fn short_lived_tokens_are_used_for_most_of_their_life() {
    let scene = Scene::with_refresh_token_only();
    scene.service.issues_tokens_for(5 * MINUTE);
    scene.token().await.unwrap();
    scene.clock.advance(3 * MINUTE);
    for _ in 0..10 {
        assert_eq!(scene.token().await, Ok("access-1".into()));
        let_others_run().await;
    }
    assert_eq!(scene.service.visits(), 1);
}

#[tokio::test]
async fn old_token_is_served_while_the_service_is_down_and_the_token_lives() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    for _ in 0..100 {
        scene.service.fails_next(Transient);
    }

    scene.clock.advance(59 * MINUTE);
    assert_eq!(
        scene.token().await,
        Ok("access-0".into()),
        "a minute to live"
    );
    scene.clock.advance(20 * SECOND);
    assert_eq!(
        scene.token().await,
        Ok("access-0".into()),
        "40 seconds to live"
    );
    scene.clock.advance(15 * SECOND);
    assert_eq!(scene.token().await, Err(Transient), "25 seconds to live");

    scene.service.recovers();
    scene.clock.advance(MINUTE);
    assert!(scene.source.last_error().is_some());
    assert_eq!(scene.token().await, Ok("access-1".into()));
    assert!(scene.source.last_error().is_none());
}

#[tokio::test]
async fn failing_refresh_is_tried_again_with_growing_pauses() {
    let scene = Scene::with_refresh_token_only();
    for _ in 0..100 {
        scene.service.fails_next(Transient);
    }
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        let before = scene.service.visits();
        assert_eq!(scene.token().await, Err(Transient));
        assert_eq!(scene.service.visits(), before + 1);
        scene.clock.advance(pause * SECOND - SECOND / 10);
        assert_eq!(scene.token().await, Err(Transient), "answered from memory");
        assert_eq!(scene.service.visits(), before + 1, "{pause} s are not over");
        scene.clock.advance(SECOND / 10);
    }
}

#[tokio::test]
async fn refresh_by_somebody_else_makes_ours_unnecessary() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    scene.clock.advance(59 * MINUTE);
    scene.somebody_else_writes("access-of-the-ide", "refresh-of-the-ide");
    assert_eq!(scene.token().await, Ok("access-of-the-ide".into()));
    assert_eq!(scene.service.visits(), 0);
}

#[tokio::test]
async fn lost_race_against_the_ide_is_won_by_reading_again() {
    let (scene, racing, source) = hesitating(0);
    // Between our look into the store and our visit, the IDE refreshes and writes.
    racing.accepts_only("refresh-of-the-ide");
    let caller = call(&source);
    racing.visited(1).await;
    scene.somebody_else_writes("access-of-the-ide", "refresh-of-the-ide");
    racing.answer_one();

    let token = caller.await.unwrap().unwrap();
    assert_eq!(token.secret().expose(), "access-of-the-ide");
    assert_eq!(racing.visits(), 1, "the token found was fresh");
}

#[tokio::test]
async fn refused_refresh_token_is_replaced_by_the_one_in_the_store() {
    let (scene, racing, source) = hesitating(0);
    racing.accepts_only("refresh-of-the-ide");
    let caller = call(&source);
    racing.visited(1).await;
    let expired = support::stored("access-of-the-ide", "refresh-of-the-ide", None);
    scene.store.memory.replace(expired);
    racing.answer_one();
    racing.visited(2).await;
    racing.answer_one();

    assert_eq!(caller.await.unwrap().unwrap().secret().expose(), "access-1");
}

#[tokio::test]
async fn our_own_token_is_tried_when_the_one_in_the_store_is_refused() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    // Somebody restores a backup: its tokens are old.
    let old = support::stored("access-from-backup", "refresh-from-backup", None);
    scene.store.memory.replace(old);
    scene.clock.advance(2 * HOUR);
    assert_eq!(scene.token().await, Ok("access-1".into()));
    assert_eq!(scene.store.refresh_token().await, "refresh-1");
}

#[tokio::test]
async fn dead_credential_leaves_the_service_alone_and_revives_when_its_store_changes() {
    let scene = Scene::with_token_for(0);
    scene.service.accepts_only("refresh-after-signing-in");
    assert_eq!(scene.token().await, Err(SignedOut));
    assert_eq!(scene.service.visits(), 1);

    for _ in 0..20 {
        scene.clock.advance(7 * SECOND);
        assert_eq!(scene.token().await, Err(SignedOut));
    }
    assert_eq!(
        scene.service.visits(),
        1,
        "a refused token is not shown again"
    );

    scene.somebody_else_writes("access-after-signing-in", "refresh-after-signing-in");
    scene.clock.advance(7 * SECOND);
    assert_eq!(scene.token().await, Ok("access-after-signing-in".into()));
}

#[tokio::test]
async fn dead_credential_does_not_read_its_store_for_every_request() {
    let scene = Scene::with_token_for(0);
    scene.service.accepts_only("another");
    assert_eq!(scene.token().await, Err(SignedOut));
    let loads = scene.store.loads();
    for _ in 0..100 {
        assert_eq!(scene.token().await, Err(SignedOut));
    }
    assert_eq!(scene.store.loads(), loads);
}

#[tokio::test]
async fn token_of_a_dead_credential_is_used_to_its_end() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    scene.service.accepts_only("another");
    scene.clock.advance(55 * MINUTE);
    for _ in 0..3 {
        assert_eq!(scene.token().await, Ok("access-0".into()));
        let_others_run().await;
    }
    scene.clock.advance(5 * MINUTE);
    assert_eq!(scene.token().await, Err(SignedOut));
}

#[tokio::test]
async fn rotated_token_is_saved_before_the_access_token_is_handed_out() {
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let scene = Scene::with(credential.clone(), ManualClock::new());
    let store = Arc::new(support::TestStore::that_saves_slowly(credential));
    let source = TokenSource::new(
        store.clone(),
        scene.service.clone(),
        Arc::new(scene.clock.clone()),
    );
    let caller = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    store.save_begun(1).await;
    let_others_run().await;
    assert!(!caller.is_finished(), "handed out before it was saved");
    assert!(source.current().is_none());

    store.finish_save();
    assert_eq!(caller.await.unwrap().unwrap().secret().expose(), "access-1");
    assert_eq!(store.refresh_token().await, "refresh-1");
}

#[tokio::test]
async fn save_does_not_overwrite_what_was_written_during_the_refresh() {
    let scene = Scene::with_refresh_token_only();
    let service = Arc::new(support::SignInService::that_hesitates("refresh-0"));
    let source = TokenSource::new(
        scene.store.clone(),
        service.clone(),
        Arc::new(scene.clock.clone()),
    );
    let caller = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    service.visited(1).await;
    scene.somebody_else_writes("access-of-the-ide", "refresh-of-the-ide");
    service.answer_one();
    let token = caller.await.unwrap().unwrap();
    assert_eq!(
        token.secret().expose(),
        "access-1",
        "it is good, whoever else signed in"
    );
    assert_eq!(scene.store.refresh_token().await, "refresh-of-the-ide");

    scene.clock.advance(55 * MINUTE);
    scene.somebody_else_writes("access-of-the-ide", "refresh-of-the-ide");
    source.token().await.unwrap();
    let_others_run().await;
    let token = source.token().await.unwrap();
    assert_eq!(token.secret().expose(), "access-of-the-ide");
}

#[tokio::test(start_paused = true)]
async fn token_that_cannot_be_saved_is_served_and_saved_later() {
    let scene = Scene::with_refresh_token_only();
    scene.store.fails_to_save(3);
    assert_eq!(scene.token().await, Ok("access-1".into()));
    assert_eq!(scene.store.refresh_token().await, "refresh-0");

    // Tries after 1, 3 and 7 seconds; the last of them succeeds.
    tokio::time::sleep(8 * SECOND).await;
    assert_eq!(scene.store.attempted_saves(), 4);
    assert_eq!(scene.store.refresh_token().await, "refresh-1");
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(scene.store.attempted_saves(), 4, "once is enough");
}

#[tokio::test(start_paused = true)]
async fn late_save_does_not_overwrite_what_somebody_else_has_written() {
    let scene = Scene::with_refresh_token_only();
    scene.store.fails_to_save(1);
    scene.token().await.unwrap();
    scene.somebody_else_writes("access-of-the-ide", "refresh-of-the-ide");
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(scene.store.refresh_token().await, "refresh-of-the-ide");
}

#[tokio::test(start_paused = true)]
async fn late_save_outlives_the_last_holder_of_its_credential_for_a_day() {
    let scene = Scene::with_refresh_token_only();
    scene.store.fails_to_save(20);
    scene.token().await.unwrap();
    let store = scene.store.clone();
    drop(scene);
    tokio::time::sleep(HOUR).await;
    assert_eq!(store.refresh_token().await, "refresh-1");
    assert_eq!(Arc::strong_count(&store), 1, "it is done");

    let scene = Scene::with_refresh_token_only();
    scene.store.fails_to_save(usize::MAX);
    scene.token().await.unwrap();
    let store = scene.store.clone();
    drop(scene);
    tokio::time::sleep(25 * HOUR).await;
    assert_eq!(Arc::strong_count(&store), 1, "nobody comes back");
}

/// A flight may have the claim when the late save comes to ask for it.
#[tokio::test(start_paused = true)]
async fn late_save_never_writes_an_older_token_than_the_newest() {
    let scene = Scene::with_refresh_token_only();
    scene.store.fails_to_save(1);
    assert_eq!(scene.token().await, Ok("access-1".into()));
    let claim = scene.store.claim().await.unwrap();
    let first = scene.source.current().unwrap().generation();
    scene.source.confirm(first);
    scene.source.reject(first);
    let caller = call(&scene.source);
    // The flight asks for the claim first, and the late save after it.
    let_others_run().await;
    tokio::time::sleep(2 * SECOND).await;
    scene.store.fails_to_save(1);
    drop(claim);
    assert_eq!(caller.await.unwrap().unwrap().secret().expose(), "access-2");
    tokio::time::sleep(10 * MINUTE).await;
    assert_eq!(
        scene.store.refresh_token().await,
        scene.service.good_token()
    );
}

#[tokio::test]
async fn clock_that_is_set_back_does_not_prolong_a_pause() {
    let scene = Scene::with_refresh_token_only();
    scene.service.fails_next(AuthErrorKind::Transient);
    scene.token().await.unwrap_err();
    scene.clock.set(scene.clock.now() - 24 * HOUR);
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn who_ends_the_process_can_wait_for_refreshes() {
    let scene = Scene::with_refresh_token_only();
    let (service, source) = scene.hesitating();
    let caller = call(&source);
    service.visited(1).await;
    caller.abort();
    let waiting = tokio::spawn(kiro_auth::refreshes_landed());
    let_others_run().await;
    assert!(!waiting.is_finished(), "the answer is still to come");
    service.answer_one();
    waiting.await.unwrap();
    assert_eq!(scene.store.refresh_token().await, "refresh-1");
}

#[tokio::test]
async fn read_only_store_does_not_bring_back_the_used_token() {
    let scene = Scene::with_refresh_token_only();
    scene.store.is_read_only();
    for round in 1..5 {
        assert_eq!(scene.token().await, Ok(format!("access-{round}")));
        scene.clock.advance(2 * HOUR);
    }
    scene.somebody_else_writes("access-after-signing-in", "refresh-after-signing-in");
    assert_eq!(scene.token().await, Ok("access-after-signing-in".into()));
}

#[tokio::test]
async fn unreadable_store_does_not_stop_a_credential_that_is_in_memory() {
    let scene = Scene::with_refresh_token_only();
    scene.store.is_unreadable(true);
    assert_eq!(scene.token().await, Err(StoreFailed));

    scene.store.is_unreadable(false);
    scene.clock.advance(MINUTE);
    assert_eq!(scene.token().await, Ok("access-1".into()));

    scene.store.is_unreadable(true);
    scene.clock.advance(2 * HOUR);
    assert_eq!(scene.token().await, Ok("access-2".into()));
}

#[tokio::test]
async fn rejected_token_is_replaced_at_once() {
    let scene = Scene::with_token_for(60);
    let token = scene.source.token().await.unwrap();
    scene.source.reject(token.generation());
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn late_rejection_of_an_older_token_changes_nothing() {
    let scene = Scene::with_token_for(60);
    let old = scene.source.token().await.unwrap();
    scene.source.reject(old.generation());
    let new = scene.source.token().await.unwrap();
    assert!(new.generation() > old.generation());

    scene.source.reject(old.generation());
    assert_eq!(scene.token().await, Ok("access-1".into()));
    assert_eq!(scene.service.visits(), 1);
}

#[tokio::test]
async fn rejected_token_is_not_served_even_when_the_service_is_down() {
    let scene = Scene::with_token_for(60);
    let token = scene.source.token().await.unwrap();
    scene.source.reject(token.generation());
    scene.service.fails_next(Transient);
    assert_eq!(scene.token().await, Err(Transient));
}

#[tokio::test]
async fn tokens_that_are_rejected_as_soon_as_they_are_issued_cause_no_storm() {
    let scene = Scene::with_refresh_token_only();
    let mut failures = 0;
    for _ in 0..100 {
        match scene.source.token().await {
            Ok(token) => scene.source.reject(token.generation()),
            Err(error) => {
                assert_eq!(error.kind(), Transient);
                failures += 1;
            }
        }
        scene.clock.advance(SECOND);
    }
    assert!(
        scene.service.visits() <= 6,
        "{} refreshes in 100 s",
        scene.service.visits()
    );
    assert!(failures > 90);
}

#[tokio::test]
async fn first_token_may_be_rejected_and_is_replaced_at_once() {
    let scene = Scene::with_refresh_token_only();
    let first = scene.source.token().await.unwrap();
    scene.source.reject(first.generation());
    assert_eq!(scene.token().await, Ok("access-2".into()));
}

#[tokio::test]
async fn accepted_token_makes_good_for_an_earlier_rejection() {
    let scene = Scene::with_token_for(60);
    for round in 1..5 {
        let rejected = scene.source.token().await.unwrap();
        scene.source.reject(rejected.generation());
        let accepted = scene.source.token().await.unwrap();
        assert_eq!(
            accepted.secret().expose(),
            format!("access-{}", 2 * round - 1)
        );
        scene.source.confirm(accepted.generation());
        scene.clock.advance(2 * HOUR);
    }
}

#[tokio::test]
async fn rejected_token_stays_rejected_when_only_its_refresh_token_changes() {
    let scene = Scene::with_token_for(60);
    let token = scene.source.token().await.unwrap();
    scene.source.reject(token.generation());
    scene.service.accepts_only("refresh-of-the-ide");
    scene.somebody_else_writes("access-0", "refresh-of-the-ide");
    assert_eq!(scene.token().await, Ok("access-1".into()));
}

#[tokio::test]
async fn token_that_has_worked_may_be_rejected_at_any_time() {
    let scene = Scene::with_refresh_token_only();
    for round in 1..10 {
        let token = scene.source.token().await.unwrap();
        assert_eq!(token.secret().expose(), format!("access-{round}"));
        scene.source.confirm(token.generation());
        scene.source.reject(token.generation());
    }
}

#[tokio::test]
async fn api_key_is_used_as_it_is_and_never_refreshed() {
    let key = Credential::from_api_key("ksk_example").unwrap();
    let scene = Scene::with(key, ManualClock::new());
    scene.clock.advance(1000 * HOUR);
    let token = scene.source.token().await.unwrap();
    assert_eq!(token.secret().expose(), "ksk_example");
    assert_eq!(token.token_type(), Some("API_KEY"));
    assert_eq!(token.profile_arn_for(ApiHost::Runtime), None);
    assert_eq!(scene.service.visits(), 0);
}

#[tokio::test]
async fn rejected_api_key_is_dead_until_it_is_replaced() {
    let key = |key: &str| Credential::from_api_key(key).unwrap();
    let scene = Scene::with(key("ksk_revoked"), ManualClock::new());
    let token = scene.source.token().await.unwrap();
    scene.source.reject(token.generation());
    assert_eq!(scene.token().await, Err(SignedOut));
    assert_eq!(scene.service.visits(), 0);

    scene.store.memory.replace(key("ksk_new"));
    scene.clock.advance(7 * SECOND);
    assert_eq!(scene.token().await, Ok("ksk_new".into()));
}

/// A refusal may be a mistake of the service, and nothing else would ever revive a key from the environment.
#[tokio::test]
async fn rejected_api_key_is_tried_again_with_growing_pauses() {
    let key = Credential::from_api_key("ksk_good").unwrap();
    let scene = Scene::with(key, ManualClock::new());
    for pause in [30, 60, 120, 240, 480, 600, 600] {
        let token = scene.source.token().await.unwrap();
        scene.source.reject(token.generation());
        scene.clock.advance((pause - 1) * SECOND);
        scene.token().await.unwrap_err();
        scene.clock.advance(SECOND);
    }
    let token = scene.source.token().await.unwrap();
    scene.source.confirm(token.generation());
    scene.source.reject(token.generation());
    scene.clock.advance(30 * SECOND);
    assert_eq!(scene.token().await, Ok("ksk_good".into()));
    assert_eq!(scene.service.visits(), 0);
}

/// The operator's word for this credential, the credential's own, the operator's for all, and the profile.
#[tokio::test]
async fn region_of_the_service_follows_the_strongest_word() {
    const FRANKFURT: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/X";
    let word = |word: &str| Some(word.to_owned());
    for (explicit, own, default, region) in [
        (
            word("us-gov-west-1"),
            word("us-east-1"),
            word("us-gov-east-1"),
            "us-gov-west-1",
        ),
        (None, word("us-east-1"), word("us-gov-east-1"), "us-east-1"),
        (None, None, word("us-gov-east-1"), "us-gov-east-1"),
        (None, None, None, "eu-central-1"),
    ] {
        let mut credential = stored("access-0", "refresh-0", None);
        credential.profile_arn = word(FRANKFURT);
        credential.api_region = own;
        let scene = Scene::with(credential, ManualClock::new());
        let mut overrides = Overrides::default();
        overrides.api_region = explicit;
        overrides.default_api_region = default;
        let (store, service) = (scene.store.clone(), scene.service.clone());
        let clock = Arc::new(scene.clock.clone());
        let source = TokenSource::with_overrides(store, service, clock, overrides);
        assert_eq!(source.token().await.unwrap().api_region(), region);
    }
}

#[tokio::test]
async fn clock_that_jumps_back_does_not_harm() {
    let scene = Scene::with_token_for(60);
    scene.token().await.unwrap();
    scene.clock.set(std::time::SystemTime::UNIX_EPOCH);
    assert_eq!(scene.token().await, Ok("access-0".into()));
}

#[tokio::test]
async fn word_of_the_operator_stands_over_the_store_and_is_not_written_to_it() {
    const OWN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/OWN";
    let scene = Scene::with_refresh_token_only();
    let mut overrides = Overrides::default();
    overrides.profile_arn = Some(OWN.into());
    overrides.auth_region = Some("eu-west-1".into());
    let source = TokenSource::with_overrides(
        scene.store.clone(),
        scene.service.clone(),
        Arc::new(scene.clock.clone()),
        overrides,
    );
    let token = source.token().await.unwrap();
    assert_eq!(token.profile_arn(), Some(OWN));
    assert_eq!(token.api_region(), "eu-central-1");
    assert_eq!(token.auth_region(), "eu-west-1");
    assert_eq!(scene.service.asked_with()[0].login_region(), "eu-west-1");

    let kept = scene.store.load().await.unwrap();
    assert_eq!((kept.profile_arn, kept.auth_region), (None, None));
}

#[tokio::test]
async fn discovered_profile_is_used_from_then_on() {
    const OWN: &str = "arn:aws:codewhisperer:eu-central-1:111122223333:profile/OWN";
    let scene = Scene::with_token_for(60);
    let before = scene.source.token().await.unwrap();
    assert_eq!(before.login(), Login::Social);
    assert_eq!(
        before.profile_arn_for(ApiHost::Runtime),
        Some(SOCIAL_PROFILE_ARN)
    );

    scene.source.set_profile_arn(OWN);
    let after = scene.source.token().await.unwrap();
    assert_eq!(after.profile_arn(), Some(OWN));
    assert_eq!(after.generation(), before.generation());
    scene.clock.advance(2 * HOUR);
    assert_eq!(scene.source.token().await.unwrap().profile_arn(), Some(OWN));
}
