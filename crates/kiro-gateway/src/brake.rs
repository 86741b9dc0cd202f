//! A brake on those who try keys, or logins behind a right one, by their addresses.
//!
//! It does not stop the guessing of a key: that one is compared before the brake is asked, so that a right key always
//! works and nobody locks out those who share their address. A key of 128 bits needs no such help. What the brake
//! bounds is what guessing costs: lines of the log, and, for logins that are made up behind a right key, calls to
//! the sign-in service, which would rather refuse the gateway than its tenants.

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::admission::{Rate, Taken};
use crate::error::{Error, ErrorKind};

/// Where a request comes from, among its [extensions](http::Request::extensions).
///
/// [`serve`](crate::serve) puts it there; a server of your own may. Without it there is no
/// [brake](crate::GatewayOptions::failed_keys_per_minute).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What somebody tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// A key.
    Key,
    /// A login behind a right key.
    Login,
}

/// Most addresses that are remembered, some 200 bytes each; who failed longest ago is forgotten first.
const MAX_ADDRESSES: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is not zero");

/// How often the log says that an address goes on.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// Who has failed lately, and how often.
#[derive(Debug)]
pub(crate) struct Brake {
    rate: Option<Rate>,
    started: Instant,
    failed: Mutex<lru::LruCache<IpAddr, Failed>>,
    /// Attempts that did not succeed, and those that were not looked at any further.
    refused: AtomicU64,
}

/// The failures of one address.
#[derive(Debug, Default)]
struct Failed {
    keys: Taken,
    logins: Taken,
    told: Option<Instant>,
}

impl Failed {
    fn of(&mut self, attempt: Attempt) -> &mut Taken {
        match attempt {
            Attempt::Key => &mut self.keys,
            Attempt::Login => &mut self.logins,
        }
    }
}

impl Brake {
    /// `None`: there is none.
    pub(crate) fn new(per_minute: Option<NonZeroU64>) -> Self {
        Self {
            rate: per_minute.and_then(|failures| Rate::per_minute(failures.get())),
            started: Instant::now(),
            failed: Mutex::new(lru::LruCache::new(MAX_ADDRESSES)),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes over what a predecessor with the same limit knows.
    pub(crate) fn succeed(&mut self, old: &Self) {
        self.refused = AtomicU64::new(old.refused());
        if self.rate.map(Rate::limit) != old.rate.map(Rate::limit) {
            return;
        }
        self.started = old.started;
        let mut known = old.failed();
        let none = lru::LruCache::new(MAX_ADDRESSES);
        self.failed = Mutex::new(std::mem::replace(&mut *known, none));
    }

    /// Refuses another attempt of an address that has failed too often.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RateLimited`].
    pub(crate) fn check(&self, peer: Option<Peer>, attempt: Attempt) -> Result<(), Error> {
        let (Some(Peer(address)), Some(rate)) = (peer, self.rate) else {
            return Ok(());
        };
        let now = self.now();
        let mut failed = self.failed();
        let Some(failed) = failed.get_mut(&place(Peer(address))) else {
            return Ok(());
        };
        let Err(wait) = rate.ask(*failed.of(attempt), now, 1) else {
            return Ok(());
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        if failed.told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
            failed.told = Some(Instant::now());
            tracing::warn!(%address, ?attempt, "an address fails again and again; it is told to wait");
        }
        Err(too_many(attempt, wait))
    }

    /// An attempt has failed.
    pub(crate) fn failed_again(&self, peer: Option<Peer>, attempt: Attempt) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let (Some(peer), Some(rate)) = (peer, self.rate) else {
            return;
        };
        let now = self.now();
        let mut failed = self.failed();
        let failed = failed.get_or_insert_mut(place(peer), Failed::default);
        // Those that were under way at the same time may be more than there are; that they are over is enough.
        let _ = rate.take(failed.of(attempt), now, 1);
    }

    /// How many attempts there were without success.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A panic while the lock was held cannot have left the map half changed.
    fn failed(&self) -> MutexGuard<'_, lru::LruCache<IpAddr, Failed>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts as one address: of IPv6 the half that a network gives to one customer.
fn place(Peer(address): Peer) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

fn too_many(attempt: Attempt, wait: Duration) -> Error {
    let what = match attempt {
        Attempt::Key => "wrong keys",
        Attempt::Login => "logins that were refused",
    };
    let seconds = wait.as_millis().div_ceil(1000);
    let message = format!(
        "Too many {what} have come from your address. Try again in {seconds}s; a right key, and a login that was let in lately, are let in at any time."
    );
    Error::new(ErrorKind::RateLimited, message).with_retry_after(Some(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brake(per_minute: u64) -> Brake {
        Brake::new(NonZeroU64::new(per_minute))
    }

    fn peer(address: &str) -> Option<Peer> {
        Some(Peer(address.parse().unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_failures_in_a_minute_and_then_one_after_the_other() {
        let brake = brake(6);
        let (bad, good) = (peer("192.0.2.1"), peer("192.0.2.2"));
        for _ in 0..6 {
            assert!(brake.check(bad, Attempt::Key).is_ok());
            brake.failed_again(bad, Attempt::Key);
        }
        let refused = brake.check(bad, Attempt::Key).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RateLimited);
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(10)));
        assert!(brake.check(good, Attempt::Key).is_ok());
        assert!(
            brake.check(bad, Attempt::Login).is_ok(),
            "who has the key is another"
        );
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(brake.check(bad, Attempt::Key).is_ok());
        brake.failed_again(bad, Attempt::Key);
        assert!(brake.check(bad, Attempt::Key).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let brake = brake(1);
        brake.failed_again(peer("2001:db8:0:1::1"), Attempt::Key);
        assert!(
            brake
                .check(peer("2001:db8:0:1:ffff::2"), Attempt::Key)
                .is_err()
        );
        assert!(brake.check(peer("2001:db8:0:2::1"), Attempt::Key).is_ok());
        brake.failed_again(peer("::ffff:192.0.2.1"), Attempt::Key);
        assert!(brake.check(peer("192.0.2.1"), Attempt::Key).is_err());
        assert!(brake.check(peer("::ffff:192.0.2.2"), Attempt::Key).is_ok());
    }

    #[test]
    fn without_a_limit_or_an_address_nobody_is_refused() {
        for (brake, peer) in [(brake(0), peer("192.0.2.1")), (brake(1), None)] {
            for _ in 0..10 {
                brake.failed_again(peer, Attempt::Key);
            }
            assert!(brake.check(peer, Attempt::Key).is_ok());
        }
    }

    #[test]
    fn addresses_are_bounded_and_outlive_a_reload() {
        let old = brake(1);
        for n in 0..2 * MAX_ADDRESSES.get() as u32 {
            old.failed_again(Some(Peer(std::net::Ipv4Addr::from(n).into())), Attempt::Key);
        }
        assert_eq!(old.failed().len(), MAX_ADDRESSES.get());
        let last = peer("0.0.78.31");
        assert!(old.check(last, Attempt::Key).is_err());
        let (mut same, mut other) = (brake(1), brake(2));
        other.succeed(&old);
        assert!(other.check(last, Attempt::Key).is_ok());
        same.succeed(&old);
        assert!(same.check(last, Attempt::Key).is_err());
    }
}
