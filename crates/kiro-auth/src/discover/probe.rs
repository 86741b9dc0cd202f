//! Looking into every place, without changing a login.

use std::path::PathBuf;
use std::time::SystemTime;

use super::places::{Place, Places};
use super::report::{Discovery, Find, LoginFacts, PlaceState};
use crate::error::{AuthError, AuthErrorKind};

/// Looks for logins in all the places that are known, and says which one to take; see
/// [`ChoiceReason`](super::ChoiceReason) for the rule. `now` decides which tokens are still valid.
///
/// No token is refreshed, no login is changed, no host is asked. A database in write-ahead mode may be left
/// with its `-shm` file and an empty `-wal`, as by every reader that comes when nobody has it open.
///
/// # Cancel safety
///
/// Cancel safe.
///
/// # Panics
///
/// Outside of a Tokio runtime.
///
/// ```
/// use kiro_auth::{Clock, Places, Platform, SystemClock, discover};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let home = Some("/home/nobody-lives-here".into());
/// let places = Places::new(Platform::of_this_build(), home);
/// let discovery = discover(&places, SystemClock.now()).await;
/// assert!(discovery.chosen().is_none());
/// println!("{discovery}");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn discover(places: &Places, now: SystemTime) -> Discovery {
    let mut finds = Vec::new();
    for place in places.list() {
        let state = probe(&place, now).await;
        finds.push(Find { place, state });
    }
    Discovery::of(finds)
}

async fn probe(place: &Place, now: SystemTime) -> PlaceState {
    match exists(place.path.clone()).await {
        Ok(true) => {}
        Ok(false) => return PlaceState::Absent,
        Err(error) => return PlaceState::Unreadable(error),
    }
    let Some(store) = place.open() else {
        return PlaceState::Unsupported;
    };
    match store.load().await {
        Ok(credential) => PlaceState::SignedIn(LoginFacts::of(&credential, now)),
        Err(error) => match error.kind() {
            AuthErrorKind::SignedOut => PlaceState::SignedOut,
            AuthErrorKind::Misconfigured => PlaceState::NotUnderstood(error),
            _ => PlaceState::Unreadable(error),
        },
    }
}

/// Whether there is a file. It is not opened: see the store of kiro-cli for the reason.
async fn exists(path: PathBuf) -> Result<bool, AuthError> {
    let cannot_find = AuthError::store_failed(format!("cannot find {}", path.display()));
    match tokio::task::spawn_blocking(move || path.try_exists()).await {
        Ok(result) => result.map_err(|error| cannot_find.with_source(error)),
        Err(interrupted) => Err(cannot_find.with_source(interrupted)),
    }
}
