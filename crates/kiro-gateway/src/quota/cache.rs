//! What the service has said of each credential, and when it may be asked again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kiro_auth::CredentialId;
use kiro_protocol::rpc::UsageLimits;
use tokio::time::Instant;

use super::figures::Quota;
use super::threshold::Threshold;
use crate::clock::seconds_since_epoch;
use crate::error::{Error, ErrorKind};

/// How long an answer stands. The service counts with a delay of minutes itself.
pub(super) const FRESH: Duration = Duration::from_secs(300);

/// Between two questions about one credential, whether somebody insists or the service did not answer.
pub(super) const PAUSE: Duration = Duration::from_secs(30);

/// What is known of the credentials of one pool.
#[derive(Debug)]
pub(crate) struct Quotas {
    entries: Mutex<HashMap<CredentialId, Entry>>,
    threshold: Threshold,
    /// Held while somebody looks for a profile in order to ask.
    pub(super) finding_profile: tokio::sync::Mutex<()>,
}

/// What is known of one credential.
#[derive(Debug, Default)]
struct Entry {
    /// Held by the one who asks; the others wait for the answer.
    asking: Arc<tokio::sync::Mutex<()>>,
    /// When it was last asked for, with or without an answer.
    tried: Option<Instant>,
    answer: Option<Answer>,
    /// Why the last question had no answer.
    refusal: Option<Refusal>,
    /// Whether it was said that little is left.
    is_warned: bool,
}

#[derive(Debug)]
struct Answer {
    quota: Quota,
    at: Instant,
    /// The same in seconds since the epoch.
    fetched_at: u64,
}

/// An error that can be told several times.
#[derive(Debug)]
struct Refusal {
    kind: ErrorKind,
    message: String,
    code: Option<&'static str>,
}

/// An answer of the service, and how much it is worth now.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[cfg_attr(feature = "pages", derive(schemars::JsonSchema))]
pub(crate) struct Standing {
    #[serde(flatten)]
    pub(crate) quota: Quota,
    /// When the service said so, in seconds since the epoch; of several accounts the oldest.
    pub(crate) fetched_at: u64,
    /// Whether it is older than five minutes, or the service did not answer since.
    pub(crate) stale: bool,
    /// Why it could not be asked for again.
    pub(crate) stale_because: Option<String>,
    /// Whether less is left than `quota.warn_below` says.
    pub(crate) low: bool,
}

impl Quotas {
    pub(crate) fn new(threshold: Threshold) -> Self {
        Self {
            entries: Mutex::default(),
            threshold,
            finding_profile: tokio::sync::Mutex::default(),
        }
    }

    /// What is known of each credential, without asking. In the order of their names.
    pub(crate) fn standings(&self) -> Vec<(CredentialId, Standing)> {
        let entries = self.entries();
        let known = entries.iter();
        let known = known.filter_map(|(id, entry)| Some((*id, entry.standing(&self.threshold)?)));
        let mut known: Vec<_> = known.collect();
        known.sort_unstable_by_key(|(id, _)| *id);
        known
    }

    /// What is known of one credential.
    pub(crate) fn standing(&self, id: &CredentialId) -> Option<Standing> {
        self.entries().get(id)?.standing(&self.threshold)
    }

    /// Why nothing is known of one credential, where something has been tried.
    pub(crate) fn refusal(&self, id: &CredentialId) -> Option<Error> {
        let entries = self.entries();
        let entry = entries.get(id).filter(|entry| entry.answer.is_none())?;
        let refusal = entry.refusal.as_ref()?;
        let mut error = Error::new(refusal.kind, &*refusal.message);
        if let Some(code) = refusal.code {
            error = error.with_code(code);
        }
        Some(match refusal.kind.may_retry() {
            true => error.with_retry_after(Some(entry.pause())),
            false => error,
        })
    }

    /// How long nobody asks about a credential again, even if somebody insists.
    pub(crate) fn pause(&self, id: &CredentialId) -> Duration {
        self.entries()
            .get(id)
            .map_or(Duration::ZERO, |entry| entry.pause())
    }

    /// What is left of a credential of which little is.
    pub(super) fn low(&self, id: &CredentialId) -> Option<f64> {
        let entries = self.entries();
        let quota = &entries.get(id)?.answer.as_ref()?.quota;
        quota
            .is_below(self.threshold.share())
            .then_some(quota.remaining)
    }

    /// Whether little that is left is said at all.
    pub(super) fn warns(&self) -> bool {
        self.threshold.share() > 0.0
    }

    /// Whether it is worth going for an answer: one is due, or on its way.
    pub(super) fn is_worth_asking(&self, id: CredentialId, insist: bool) -> bool {
        self.change(id, |entry| {
            entry.is_due(insist) || entry.asking.try_lock().is_err()
        })
    }

    /// Whether an answer is due.
    pub(super) fn is_due(&self, id: CredentialId) -> bool {
        self.change(id, |entry| entry.is_due(false))
    }

    /// Waits for whoever is asking about a credential, and then has the right to ask.
    pub(super) async fn turn(&self, id: CredentialId) -> tokio::sync::OwnedMutexGuard<()> {
        let asking = self.change(id, |entry| entry.asking.clone());
        asking.lock_owned().await
    }

    /// Whether to ask now, and if so, notes that it is done.
    pub(super) fn begin(&self, id: CredentialId, insist: bool) -> bool {
        self.change(id, |entry| {
            let is_due = entry.is_due(insist);
            if is_due {
                entry.tried = Some(Instant::now());
            }
            is_due
        })
    }

    /// Takes an answer in.
    pub(crate) fn note(&self, id: CredentialId, limits: &UsageLimits) {
        let quota = Quota::of(limits);
        let is_low = quota.is_below(self.threshold.share());
        self.change(id, |entry| {
            if is_low && !entry.is_warned {
                let (remaining, resets_at) = (quota.remaining, quota.resets_at);
                let resets_at = resets_at.map(tracing::field::display);
                tracing::warn!(credential = %id, remaining, limit = quota.limit, resets_at, "little is left of the quota");
            }
            entry.is_warned = is_low;
            entry.refusal = None;
            entry.answer = Some(Answer {
                quota,
                at: Instant::now(),
                fetched_at: seconds_since_epoch(),
            });
        });
    }

    /// Takes in that there was no answer. What was known before stays.
    pub(super) fn note_refusal(&self, id: CredentialId, error: &Error) {
        let refusal = Refusal {
            kind: error.kind(),
            message: error.public_message().to_owned(),
            code: error.code(),
        };
        self.change(id, |entry| entry.refusal = Some(refusal));
    }

    /// Forgets the credentials that are not in the pool any more.
    pub(super) fn keep_only(&self, ids: &[CredentialId]) {
        self.entries().retain(|id, _| ids.contains(id));
    }

    fn change<T>(&self, id: CredentialId, change: impl FnOnce(&mut Entry) -> T) -> T {
        change(self.entries().entry(id).or_default())
    }

    /// An entry is changed in one step.
    fn entries(&self) -> MutexGuard<'_, HashMap<CredentialId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_due(&self, insist: bool) -> bool {
        self.pause().is_zero() && (insist || !self.is_fresh())
    }

    fn is_fresh(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_some_and(|answer| answer.at.elapsed() < FRESH)
    }

    fn pause(&self) -> Duration {
        self.tried.map_or(Duration::ZERO, |tried| {
            PAUSE.saturating_sub(tried.elapsed())
        })
    }

    fn standing(&self, threshold: &Threshold) -> Option<Standing> {
        let answer = self.answer.as_ref()?;
        Some(Standing {
            quota: answer.quota.clone(),
            fetched_at: answer.fetched_at,
            stale: self.refusal.is_some() || !self.is_fresh(),
            stale_because: self.refusal.as_ref().map(|why| why.message.clone()),
            low: answer.quota.is_below(threshold.share()),
        })
    }
}

impl Standing {
    /// Several accounts as one.
    pub(crate) fn together(standings: &[Self], threshold: &Threshold) -> Option<Self> {
        let fetched_at = standings.iter().map(|it| it.fetched_at).min()?;
        let quota = Quota::together(standings.iter().map(|it| &it.quota));
        Some(Self {
            low: quota.is_below(threshold.share()),
            quota,
            fetched_at,
            stale: standings.iter().any(|it| it.stale),
            stale_because: standings.iter().find_map(|it| it.stale_because.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn cache() -> (Quotas, CredentialId) {
        let quotas = Quotas::new(Threshold::new(0.1));
        (quotas, CredentialId::of("test", "one"))
    }

    fn limits(used: u64) -> UsageLimits {
        let body = serde_json::json!({
            "usageBreakdownList": [{"resourceType": "CREDIT", "currentUsage": used, "usageLimit": 1000}],
        });
        UsageLimits::parse(body.to_string().as_bytes()).unwrap()
    }

    fn silence() -> Error {
        Error::new(ErrorKind::Timeout, "silent")
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_stands_for_five_minutes() {
        let (quotas, id) = cache();
        assert!(quotas.begin(id, false));
        quotas.note(id, &limits(1));
        assert!(!quotas.begin(id, false));
        advance(FRESH - Duration::from_secs(1)).await;
        assert!(!quotas.begin(id, false));
        assert!(!quotas.standing(&id).unwrap().stale);
        advance(Duration::from_secs(1)).await;
        assert!(
            quotas.standing(&id).unwrap().stale,
            "nobody has asked again"
        );
        assert!(quotas.begin(id, false));
    }

    #[tokio::test(start_paused = true)]
    async fn who_insists_may_ask_every_thirty_seconds() {
        let (quotas, id) = cache();
        assert!(quotas.begin(id, true));
        quotas.note(id, &limits(1));
        advance(Duration::from_secs(12)).await;
        assert!(!quotas.begin(id, true));
        assert_eq!(quotas.pause(&id), Duration::from_secs(18));
        advance(Duration::from_secs(18)).await;
        assert!(quotas.begin(id, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_without_an_answer_is_asked_again_after_a_pause_and_what_was_known_stays() {
        let (quotas, id) = cache();
        assert!(quotas.begin(id, false));
        quotas.note_refusal(id, &silence());
        let error = quotas.refusal(&id).unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.retry_after(), Some(PAUSE));
        assert!(!quotas.begin(id, false), "not at once");
        advance(PAUSE).await;
        assert!(quotas.begin(id, false), "and not only after five minutes");
        quotas.note(id, &limits(1));
        advance(FRESH).await;
        assert!(quotas.begin(id, false));
        quotas.note_refusal(id, &silence());
        let standing = quotas.standing(&id).unwrap();
        assert_eq!(standing.quota.used, 1.0);
        assert!(standing.stale);
        assert_eq!(standing.stale_because.as_deref(), Some("silent"));
        assert!(quotas.refusal(&id).is_none(), "something is known");
        quotas.note(id, &limits(2));
        let standing = quotas.standing(&id).unwrap();
        assert_eq!((standing.stale, standing.stale_because), (false, None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_while_somebody_does_waits_for_the_same_answer() {
        let (quotas, id) = cache();
        let quotas = Arc::new(quotas);
        let turn = quotas.turn(id).await;
        assert!(quotas.begin(id, false));
        assert!(quotas.is_worth_asking(id, false), "it is on its way");
        let other = quotas.clone();
        let waiting = tokio::spawn(async move {
            let _turn = other.turn(id).await;
            other.begin(id, true)
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        quotas.note(id, &limits(1));
        drop(turn);
        assert!(!waiting.await.unwrap(), "the answer is there");
        assert!(!quotas.is_worth_asking(id, false));
    }

    #[test]
    fn little_is_left_below_the_share_and_a_reload_moves_it() {
        let (quotas, id) = cache();
        quotas.note(id, &limits(900));
        assert_eq!(quotas.low(&id), None, "a tenth is no less than a tenth");
        quotas.note(id, &limits(901));
        assert_eq!(quotas.low(&id), Some(99.0));
        let mut next = Threshold::new(0.0);
        next.succeed(&quotas.threshold);
        assert_eq!(quotas.low(&id), None);
        assert!(!quotas.warns());
    }

    #[test]
    fn credentials_that_are_gone_are_forgotten() {
        let (quotas, id) = cache();
        let gone = CredentialId::of("test", "gone");
        quotas.note(id, &limits(1));
        quotas.note(gone, &limits(2));
        assert_eq!(quotas.standings().len(), 2);
        quotas.keep_only(&[id]);
        assert_eq!(quotas.standings().len(), 1);
        assert!(quotas.standing(&gone).is_none());
    }
}
