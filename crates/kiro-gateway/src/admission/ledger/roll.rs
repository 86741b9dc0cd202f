//! The roll of gateways that count together: each says that it does, and learns its share.
//!
//! Who cannot reach Redis lets in its share of every limit, and Redis keeps that share from the others as soon as it
//! has not heard of them for [`SILENCE`]. So the sum stays what it should be: a share is a part of the limit for each
//! gateway on the roll, none is given that another still has, and what is let in alone begins with nothing saved up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Core;
use super::script::Script;

/// How often a gateway is heard of. A third of [`SILENCE`], so that two messages may be late.
pub(super) const BEAT: Duration = Duration::from_secs(2);

/// After so long a gateway may be letting in its share alone. Until the others have less, both let in the same; a
/// tenth of a minute keeps that within a tenth of the limit.
const SILENCE: Duration = Duration::from_secs(6);

/// After so long a silent gateway is believed to be dead, and its share is that of the others again.
const FORGOTTEN: Duration = Duration::from_secs(120);

/// All of a limit, in millionths.
const WHOLE: u64 = 1_000_000;

/// This gateway's line in it.
#[derive(Debug)]
pub(super) struct Roll {
    /// In millionths.
    share: AtomicU64,
    /// When Redis has last told its time, in milliseconds, and the share.
    told: Mutex<Option<(Instant, u64)>>,
}

impl Roll {
    /// A gateway that has not heard of the others. `gateways`: how many there are at most, as far as somebody knows.
    pub(super) fn new(gateways: u64) -> Self {
        Self {
            share: AtomicU64::new(WHOLE / gateways.max(1)),
            told: Mutex::default(),
        }
    }

    /// What this gateway may let in alone.
    pub(super) fn share_of(&self, limit: u64) -> u64 {
        let share = u128::from(self.share.load(Ordering::Relaxed));
        // It is less than the limit.
        (u128::from(limit) * share / u128::from(WHOLE)) as u64
    }

    /// Whether it has to share with nobody.
    pub(super) fn is_alone(&self) -> bool {
        self.share.load(Ordering::Relaxed) >= WHOLE
    }

    /// What time it is at Redis, or somewhat earlier; and the share that it has told, if it has.
    fn said(&self) -> Option<(u64, u64)> {
        let told = *self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, millis) = told?;
        let since = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some((
            millis.saturating_add(since),
            self.share.load(Ordering::Relaxed),
        ))
    }

    fn heed(&self, share: u64, millis: u64) {
        self.share.store(share.min(WHOLE), Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some((Instant::now(), millis));
    }
}

impl Core {
    /// Says that this gateway counts with the others. Only for one that does: nobody may be kept waiting for what it
    /// lets in alone.
    pub(super) async fn beat(&self) {
        let (now, share) = self.roll.said().unwrap_or_default();
        let mut script = self.beat_script();
        script.arg(now);
        script.arg(share);
        let told = self.beaten(script).await;
        if let Some((share, millis)) = told {
            self.roll.heed(share, millis);
        }
    }

    /// Says that it will not any more.
    pub(super) async fn leave(&self) {
        let mut script = self.beat_script();
        script.arg("");
        script.arg(0);
        let _ = self.beaten(script).await;
    }

    fn beat_script(&self) -> Script {
        let mut script = Script::new(include_str!("beat.lua"));
        script.key(format!("{}gateways", self.prefix));
        script.key(format!("{}shares", self.prefix));
        script.key(self.open_key());
        script.arg(&self.process);
        script
    }

    async fn beaten(&self, mut script: Script) -> Option<(u64, u64)> {
        script.arg(SILENCE.as_millis());
        script.arg(FORGOTTEN.as_millis());
        self.reach.ask(&script.command()).await
    }

    /// Where it says how much of every limit is open to those who count together.
    pub(super) fn open_key(&self) -> String {
        format!("{}open", self.prefix)
    }
}
