//! What tenants bring, sealed until they come back.
#![cfg(feature = "vault")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use kiro_auth::store::contract;
use kiro_auth::{
    AuthErrorKind, Clock, Credential, CredentialStore, ManualClock, Refreshed, Secret, TokenSource,
    Vault, VaultOptions,
};
use proptest::prelude::*;
use support::http::log::write_log;
use support::{HOUR, MINUTE, SECOND, SignInService};
use tempfile::TempDir;

/// The folder of a vault that can be opened again and again, as after restarts.
struct Place {
    folder: TempDir,
    clock: ManualClock,
    options: VaultOptions,
}

impl Place {
    fn new() -> Self {
        write_log();
        Self {
            folder: TempDir::new().unwrap(),
            clock: ManualClock::new(),
            options: VaultOptions::default(),
        }
    }

    fn vault(&self) -> Vault {
        let clock = Arc::new(self.clock.clone());
        Vault::open(self.folder.path(), self.options.clone(), clock).unwrap()
    }

    /// The store of whoever sends this token, after a restart.
    fn store(&self, sent: &str) -> Arc<dyn CredentialStore> {
        let credential = Credential::from_refresh_token(sent).unwrap();
        self.vault().store(credential)
    }

    async fn refresh_token(&self, sent: &str) -> String {
        let credential = self.store(sent).load().await.unwrap();
        credential.refresh_token.unwrap().expose().to_owned()
    }

    async fn rotate(&self, sent: &str, to: &str) {
        let store = self.store(sent);
        let refreshed = Refreshed::new("access").with_refresh_token(to);
        let next = store.load().await.unwrap();
        let next = next.refreshed(&refreshed, self.clock.now());
        store.save(&next).await.unwrap();
    }

    fn records(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.file_name().unwrap() != "salt");
        paths.sort();
        paths
    }
}

#[tokio::test]
async fn a_vault_keeps_the_contract_of_stores() {
    let place = Place::new();
    let vault = place.vault();
    let count = std::cell::Cell::new(0);
    contract::check(async |credential: Credential| {
        count.set(count.get() + 1);
        let mut sent = credential.clone();
        sent.refresh_token = Some(Secret::new(format!("sent-{}", count.get())));
        let store = vault.store(sent);
        store.save(&credential).await.unwrap();
        store
    })
    .await;
}

#[tokio::test]
async fn claims_are_shared_in_a_folder_and_in_memory() {
    let place = Place::new();
    let in_memory = Vault::in_memory(&VaultOptions::default());
    for make in [
        &|| place.vault() as Vault,
        &(|| in_memory.clone()) as &dyn Fn() -> Vault,
    ] {
        contract::check_claims(async |credential: Credential| {
            let store = || make().store(credential.clone());
            (store(), store())
        })
        .await;
    }
}

#[tokio::test]
async fn after_a_rotation_and_a_restart_the_same_token_still_works() {
    let place = Place::new();
    let service = Arc::new(SignInService::new("refresh-0"));
    let source = || {
        let clock = Arc::new(place.clock.clone());
        TokenSource::new(place.store("refresh-0"), service.clone(), clock)
    };
    for round in 1..=3 {
        let token = source().token().await.unwrap();
        assert_eq!(token.secret().expose(), format!("access-{round}"));
        assert_eq!(service.good_token(), format!("refresh-{round}"));
        assert_eq!(place.refresh_token("refresh-0").await, service.good_token());
        place.clock.advance(2 * HOUR);
    }
    assert_eq!(place.records().len(), 1);
}

#[tokio::test]
async fn a_restart_needs_no_refresh_while_the_access_token_is_good() {
    let place = Place::new();
    let service = Arc::new(SignInService::new("refresh-0"));
    for _ in 0..3 {
        let clock = Arc::new(place.clock.clone());
        let store = place.store("refresh-0");
        let source = TokenSource::new(store, service.clone(), clock);
        assert_eq!(source.token().await.unwrap().secret().expose(), "access-1");
    }
    assert_eq!(service.visits(), 1);
}

/// As when the owner is told to choose among several profiles, after the first refresh.
#[tokio::test]
async fn what_the_owner_sends_besides_the_token_can_be_corrected() {
    let place = Place::new();
    let send = |besides: &str| {
        let text = format!("{{\"refreshToken\":\"1.AXoA\",\"clientId\":\"c\"{besides}}}");
        let sent = Credential::from_json(&text).unwrap();
        place.vault().store(sent)
    };
    let first = send("");
    let refreshed = Refreshed::new("access").with_refresh_token("rotated");
    let next = first
        .load()
        .await
        .unwrap()
        .refreshed(&refreshed, place.clock.now());
    first.save(&next).await.unwrap();

    let corrected = send(",\"profileArn\":\"arn:chosen\",\"region\":\"eu-west-1\"");
    let loaded = corrected.load().await.unwrap();
    assert_eq!(loaded.refresh_token.unwrap().expose(), "rotated");
    assert_eq!(loaded.access_token.unwrap().expose(), "access");
    assert_eq!(loaded.expires_at, next.expires_at);
    assert_eq!(loaded.profile_arn.as_deref(), Some("arn:chosen"));
    assert_eq!(loaded.auth_region.as_deref(), Some("eu-west-1"));
    assert_eq!(loaded.client_id.as_deref(), Some("c"));
}

#[tokio::test]
async fn the_folder_alone_shows_nothing() {
    let place = Place::new();
    let sent = "planted-refresh-token-of-ann";
    place.rotate(sent, "planted-rotated").await;
    place.rotate("planted-other", &"planted".repeat(100)).await;
    let mut sizes = Vec::new();
    for path in place.records() {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()),
            "{name}"
        );
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("planted") && !text.contains("Token"),
            "{text}"
        );
        sizes.push(text.len());
    }
    assert_eq!(sizes[0], sizes[1], "the size tells nothing");
    let debug = format!("{:?} {:?}", place.vault(), place.store(sent));
    assert!(!debug.contains("planted"), "{debug}");
}

#[tokio::test]
async fn nobody_opens_the_record_of_another_even_under_its_name() {
    let place = Place::new();
    place.rotate("ann-0", "ann-1").await;
    let anns = place.records().remove(0);
    place.rotate("bob-0", "bob-1").await;
    let bobs = place
        .records()
        .into_iter()
        .find(|path| *path != anns)
        .unwrap();
    fs::copy(&anns, &bobs).unwrap();
    assert_eq!(
        place.refresh_token("bob-0").await,
        "bob-0",
        "taken as it was sent"
    );
    assert_eq!(place.refresh_token("ann-0").await, "ann-1");
}

#[tokio::test]
async fn a_damaged_record_counts_as_none_and_is_written_anew() {
    let place = Place::new();
    place.rotate("refresh-0", "refresh-1").await;
    let path = place.records().remove(0);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, b"\xff\xfe\x80").unwrap();
    assert_eq!(place.refresh_token("refresh-0").await, "refresh-0");
    for damaged in [
        "",
        "AQ",
        "not base64!",
        &whole[..whole.len() / 2],
        &whole.replace('a', "b"),
    ] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(place.refresh_token("refresh-0").await, "refresh-0");
    }
    place.rotate("refresh-0", "refresh-2").await;
    assert_eq!(place.refresh_token("refresh-0").await, "refresh-2");
}

#[tokio::test]
async fn a_record_of_another_vault_is_not_found() {
    let (here, there) = (Place::new(), Place::new());
    here.rotate("refresh-0", "refresh-1").await;
    there.rotate("refresh-0", "refresh-2").await;
    let name = |place: &Place| place.records()[0].file_name().unwrap().to_owned();
    assert_ne!(name(&here), name(&there), "the salt is part of the name");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_look_inside() {
    use std::os::unix::fs::PermissionsExt;

    let outer = TempDir::new().unwrap();
    let inner = outer.path().join("state/vault");
    let vault = Vault::open(
        &inner,
        VaultOptions::default(),
        Arc::new(ManualClock::new()),
    )
    .unwrap();
    let credential = Credential::from_refresh_token("refresh-0").unwrap();
    let store = vault.store(credential.clone());
    store.save(&credential).await.unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(inner.clone()), 0o700);
    for entry in fs::read_dir(&inner).unwrap() {
        assert_eq!(mode(entry.unwrap().path()), 0o600);
    }
}

#[tokio::test]
async fn records_that_were_idle_while_others_were_not_are_removed() {
    let mut place = Place::new();
    place.options.idle_expiry = HOUR;
    let vault = place.vault();
    place.rotate("idle", "idle-1").await;
    place.rotate("used", "used-1").await;
    place.clock.advance(45 * MINUTE);
    place.rotate("used", "used-2").await;
    place.clock.advance(30 * MINUTE);
    assert_eq!(place.records().len(), 2, "nothing has looked");

    let credential = Credential::from_refresh_token("new").unwrap();
    let new = vault.store(credential.clone());
    new.save(&credential).await.unwrap();
    place.vault();
    assert_eq!(place.records().len(), 2);
    assert_eq!(place.refresh_token("idle").await, "idle");
    assert_eq!(place.refresh_token("used").await, "used-2");

    place.rotate("later", "later-1").await;
    assert_eq!(place.records().len(), 3, "nobody has been idle for an hour");
}

#[tokio::test]
async fn the_number_of_records_is_bounded_and_the_longest_idle_one_goes_first() {
    let mut place = Place::new();
    place.options.max_records = 3;
    for sent in ["a", "b", "c", "d", "e"] {
        place.clock.advance(MINUTE);
        place.rotate(sent, &format!("{sent}-1")).await;
        // A record that is there is refreshed without pushing another one out.
        place.rotate(sent, &format!("{sent}-2")).await;
    }
    assert_eq!(place.records().len(), 3);
    for (sent, newest) in [
        ("a", "a"),
        ("b", "b"),
        ("c", "c-2"),
        ("d", "d-2"),
        ("e", "e-2"),
    ] {
        assert_eq!(place.refresh_token(sent).await, newest);
    }
}

/// Strangers who send what they like make empty records only, and those never push out a tenant's.
#[tokio::test]
async fn who_never_signs_in_leaves_nothing_and_pushes_nobody_out() {
    let mut place = Place::new();
    place.options.max_records = 3;
    place.rotate("tenant", "tenant-1").await;
    for stranger in 0..20 {
        place.clock.advance(SECOND);
        drop(
            place
                .store(&format!("stranger-{stranger}"))
                .claim()
                .await
                .unwrap(),
        );
    }
    assert_eq!(place.records().len(), 3);
    assert_eq!(place.refresh_token("tenant").await, "tenant-1");
    assert_eq!(place.refresh_token("stranger-19").await, "stranger-19");
    place.clock.advance(2 * HOUR);
    place.rotate("tenant", "tenant-2").await;
    place.vault();
    assert_eq!(place.records().len(), 1);
}

/// As when a gateway forgets a tenant and meets them again while their refresh is still under way, or as two
/// gateways with one folder.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_of_one_owner_take_turns() {
    let place = Place::new();
    let service = Arc::new(SignInService::new("refresh-0"));
    let ask = || {
        let clock = Arc::new(place.clock.clone());
        let source = TokenSource::new(place.store("refresh-0"), service.clone(), clock);
        tokio::spawn(async move { source.token().await.unwrap() })
    };
    for token in (0..8).map(|_| ask()).collect::<Vec<_>>() {
        assert_eq!(token.await.unwrap().secret().expose(), "access-1");
    }
    assert_eq!(service.visits(), 1);
}

#[tokio::test]
async fn a_vault_takes_away_its_own_records_only() {
    let place = Place::new();
    let foreign = place.folder.path().join("thesis.txt");
    fs::write(&foreign, "years of work").unwrap();
    let file = fs::File::options().write(true).open(&foreign).unwrap();
    file.set_modified(place.clock.now() - 400 * 24 * HOUR)
        .unwrap();
    fs::create_dir(place.folder.path().join("folder")).unwrap();
    place.vault();
    place.rotate("refresh-0", "refresh-1").await;
    assert!(foreign.exists());
}

#[tokio::test]
async fn a_clock_far_ahead_at_one_start_costs_nobody_their_login() {
    let place = Place::new();
    place.rotate("refresh-0", "refresh-1").await;
    place.clock.advance(365 * 24 * HOUR);
    place.vault();
    place.clock.set(place.clock.now() - 365 * 24 * HOUR);
    assert_eq!(place.refresh_token("refresh-0").await, "refresh-1");
}

#[tokio::test]
async fn a_lost_salt_is_not_replaced_while_there_are_records() {
    let place = Place::new();
    let salt = place.folder.path().join("salt");
    place.vault();
    fs::remove_file(&salt).unwrap();
    place.vault();

    place.rotate("refresh-0", "refresh-1").await;
    for lose in [|salt| fs::remove_file(salt), |salt| fs::write(salt, "")] {
        lose(&salt).unwrap();
        let clock = Arc::new(place.clock.clone());
        let error = Vault::open(place.folder.path(), VaultOptions::default(), clock).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    }
}

/// A service that watches for the second use of a token would take it for theft.
#[tokio::test]
async fn a_record_that_disappears_does_not_bring_the_used_token_back() {
    let place = Place::new();
    let service = Arc::new(SignInService::new("refresh-0"));
    let clock = Arc::new(place.clock.clone());
    let source = TokenSource::new(place.store("refresh-0"), service.clone(), clock);
    for _ in 0..3 {
        source.token().await.unwrap();
        place
            .records()
            .iter()
            .for_each(|path| fs::remove_file(path).unwrap());
        place.clock.advance(2 * HOUR);
    }
    assert_eq!(service.dead_tokens_shown(), 0);
}

/// The folder is gone, or protected, or its disk is full.
#[tokio::test(start_paused = true)]
async fn what_the_disk_does_not_take_is_served_from_memory_until_it_does() {
    let place = Place::new();
    let vault = place.vault();
    let service = Arc::new(SignInService::new("refresh-0"));
    let source = || {
        let sent = Credential::from_refresh_token("refresh-0").unwrap();
        let clock = Arc::new(place.clock.clone());
        TokenSource::new(vault.store(sent), service.clone(), clock)
    };
    fs::remove_dir_all(place.folder.path()).unwrap();
    // Also for an owner who was forgotten in the meantime.
    for round in 1..=3 {
        let token = source().token().await.unwrap();
        assert_eq!(token.secret().expose(), format!("access-{round}"));
        place.clock.advance(2 * HOUR);
    }
    fs::create_dir(place.folder.path()).unwrap();
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(place.records().len(), 1, "saved as soon as it could be");
    assert_eq!(
        source().token().await.unwrap().secret().expose(),
        "access-4"
    );
    assert_eq!(service.dead_tokens_shown(), 0);
}

#[tokio::test]
async fn a_vault_in_memory_keeps_the_promises_of_one_in_a_folder() {
    let vault = Vault::in_memory(&VaultOptions::default());
    let sent = || Credential::from_refresh_token("refresh-0").unwrap();
    let service = Arc::new(SignInService::new("refresh-0"));
    let clock = ManualClock::new();
    for round in 1..=3 {
        let ask = || {
            let clock = Arc::new(clock.clone());
            let source = TokenSource::new(vault.store(sent()), service.clone(), clock);
            async move { source.token().await.unwrap().secret().expose().to_owned() }
        };
        let (one, other) = tokio::join!(ask(), ask());
        assert_eq!(
            (one, other),
            (format!("access-{round}"), format!("access-{round}"))
        );
        clock.advance(2 * HOUR);
    }
    assert_eq!(service.dead_tokens_shown(), 0);
}

#[tokio::test]
async fn a_vault_in_memory_is_bounded_and_strangers_push_nobody_out() {
    let mut options = VaultOptions::default();
    options.max_records = 3;
    let vault = Vault::in_memory(&options);
    let store = |token: &str| vault.store(Credential::from_refresh_token(token).unwrap());
    let tenant = store("tenant");
    let refreshed = Refreshed::new("access").with_refresh_token("tenant-1");
    let next = tenant
        .load()
        .await
        .unwrap()
        .refreshed(&refreshed, ManualClock::new().now());
    tenant.save(&next).await.unwrap();
    drop(tenant);
    for stranger in 0..20 {
        store(&format!("stranger-{stranger}"));
    }
    let loaded = store("tenant").load().await.unwrap();
    assert_eq!(loaded.refresh_token.unwrap().expose(), "tenant-1");
    assert!(format!("{vault:?}").contains("records: 3"), "{vault:?}");
}

#[tokio::test]
async fn a_vault_without_its_salt_is_refused_and_left_alone() {
    let place = Place::new();
    place.rotate("refresh-0", "refresh-1").await;
    let salt = place.folder.path().join("salt");
    fs::write(&salt, "short").unwrap();
    let clock = Arc::new(place.clock.clone());
    let error = Vault::open(place.folder.path(), VaultOptions::default(), clock).unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
    assert!(error.to_string().contains("salt"), "{error}");
    assert_eq!(fs::read_to_string(&salt).unwrap(), "short");
}

#[test]
fn of_many_that_open_a_new_vault_all_get_the_same_salt() {
    let folder = TempDir::new().unwrap();
    let names: Vec<String> = std::thread::scope(|scope| {
        let open = || {
            let clock = Arc::new(ManualClock::new());
            let vault = Vault::open(folder.path(), VaultOptions::default(), clock).unwrap();
            let credential = Credential::from_refresh_token("refresh-0").unwrap();
            format!("{:?}", vault.store(credential))
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[tokio::test]
async fn a_full_or_protected_folder_is_an_error_that_names_it() {
    let place = Place::new();
    let store = place.store("refresh-0");
    let credential = store.load().await.unwrap();
    fs::remove_dir_all(place.folder.path()).unwrap();
    let error = store.save(&credential).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::StoreFailed);
    assert!(
        error
            .to_string()
            .contains(place.folder.path().to_str().unwrap()),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// In whatever order tenants come, rotate and restart, each finds what was theirs.
    #[test]
    fn no_order_of_visits_mixes_tenants(visits in proptest::collection::vec((0..4_usize, any::<bool>()), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let place = Place::new();
            let mut newest: Vec<String> = (0..4).map(|tenant| format!("tenant-{tenant}-0")).collect();
            for (round, (tenant, rotates)) in visits.into_iter().enumerate() {
                let sent = format!("tenant-{tenant}-0");
                if rotates {
                    newest[tenant] = format!("tenant-{tenant}-{}", round + 1);
                    place.rotate(&sent, &newest[tenant]).await;
                }
                assert_eq!(place.refresh_token(&sent).await, newest[tenant]);
            }
        });
    }
}
