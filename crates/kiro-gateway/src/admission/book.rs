//! Credits spent by all keys and callers that have a budget, as far as they are known here, and what nobody has
//! saved yet.
//!
//! ```text
//! Gate ── add ─> CreditBook ── unsaved ─> whoever saves, in a file or in Redis
//! Gate <─ check ─ CreditBook <─ learn ─── and tells what others have saved
//! ```
//!
//! What is handed out to be saved are differences and not sums, so that several processes can save in one place.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use kiro_auth::{Clock as _, SystemClock};
use tokio::sync::Notify;

use super::budget::{Spent, UsedUp, date, is_same_month};
use super::name::GateName;

/// Credits spent by keys and callers with a budget. Clones are the same book.
///
/// A gateway has one in its memory. To let budgets survive a restart, save what [`merge`](Self::merge) gives:
///
/// ```
/// # use kiro_gateway::{CreditBook, BadCredits};
/// # fn example(saved: Option<String>) -> Result<(), BadCredits> {
/// let book = CreditBook::default();
/// let merged = book.merge(saved.as_deref())?;
/// if let Some(text) = merged.text() {
///     // Write `text` in the place of what was saved.
///     merged.done();
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CreditBook(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    accounts: Mutex<HashMap<GateName, Account>>,
    changed: Notify,
}

/// One key or caller.
#[derive(Debug, Default)]
struct Account {
    /// All that is known of.
    spent: Spent,
    /// What of it was spent here and is not saved, by days.
    unsaved: BTreeMap<Date, f64>,
}

/// Most accounts. One is a hundred bytes, and there is one for each caller with a budget who has spent something
/// this month.
const MOST_ACCOUNTS: usize = 10_000;

/// More than any answer costs: a sum of as many as there may be is a number still.
const MOST_CREDITS: f64 = 1e12;

/// What was spent, and is to be saved.
pub(super) type Unsaved = Vec<(GateName, Date, f64)>;

impl CreditBook {
    /// Counts what an exchange has cost.
    pub(super) fn add(&self, name: &GateName, now: u64, credits: f64) {
        let credits = credits.min(MOST_CREDITS);
        let mut accounts = self.accounts();
        let account = account(&mut accounts, name, date(now));
        account.spent.add(now, credits);
        *account.unsaved.entry(date(now)).or_default() += credits;
        drop(accounts);
        self.0.changed.notify_one();
    }

    /// Whether there is something left for the day and for the month.
    pub(super) fn check(
        &self,
        name: &GateName,
        now: u64,
        per_day: Option<f64>,
        per_month: Option<f64>,
    ) -> Result<(), UsedUp> {
        match self.accounts().get_mut(name) {
            Some(account) => account.spent.check(now, per_day, per_month),
            None => Spent::default().check(now, per_day, per_month),
        }
    }

    /// Takes over what others have spent, too.
    pub(super) fn learn(&self, name: &GateName, now: u64, spent: Spent) {
        let is_nothing = spent.parts().is_none_or(|(_, _, month)| month <= 0.0);
        if !is_nothing {
            let mut accounts = self.accounts();
            let account = account(&mut accounts, name, date(now));
            account.spent.learn(now, spent);
        }
    }

    /// Takes what is not saved, of so many accounts at most.
    pub(super) fn unsaved(&self, most: usize) -> Unsaved {
        let mut unsaved = Unsaved::new();
        let mut accounts = self.accounts();
        let accounts = accounts.iter_mut();
        let accounts = accounts.filter(|(_, account)| !account.unsaved.is_empty());
        for (name, account) in accounts.take(most) {
            let days = std::mem::take(&mut account.unsaved).into_iter();
            unsaved.extend(days.map(|(date, credits)| (name.clone(), date, credits)));
        }
        unsaved
    }

    /// Whether there is something that is not saved.
    #[cfg(feature = "redis")]
    pub(super) fn has_unsaved(&self) -> bool {
        let accounts = self.accounts();
        let mut accounts = accounts.values();
        accounts.any(|account| !account.unsaved.is_empty())
    }

    /// Gives back what could not be saved.
    fn put_back(&self, unsaved: Unsaved) {
        let mut accounts = self.accounts();
        for (name, date, credits) in unsaved {
            let account = account(&mut accounts, &name, date);
            *account.unsaved.entry(date).or_default() += credits;
        }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<GateName, Account>> {
        // Each change is one of numbers, so a panic has left nothing half done.
        let accounts = self.0.accounts.lock();
        accounts.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a book is for outside of this crate: to be saved as a text, and read again.
///
/// ```json
/// {"version": 1, "spent": {"6f0c…": {"date": "2026-11-27", "day": 0.4, "month": 12.6}}}
/// ```
impl CreditBook {
    /// Waits until something was spent that is not saved.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Adds what was spent here to a text that was saved before, and takes over what that says.
    ///
    /// # Errors
    ///
    /// It is not such a text; then nothing has changed.
    pub fn merge(&self, saved: Option<&str>) -> Result<Merged, BadCredits> {
        self.merge_at(utc(), saved)
    }

    fn merge_at(&self, now: u64, saved: Option<&str>) -> Result<Merged, BadCredits> {
        let mut sums = saved.map_or_else(|| Ok(Sums::new()), read)?;
        for spent in sums.values_mut() {
            spent.turn(now);
        }
        let unsaved = self.unsaved(usize::MAX);
        for (name, date, credits) in &unsaved {
            let spent = sums.entry(name.clone()).or_default();
            spent.turn(now);
            spent.add_on(*date, *credits);
        }
        shrink(&mut sums);
        for (name, spent) in &sums {
            self.learn(name, now, spent.clone());
        }
        let text = (!unsaved.is_empty()).then(|| write(&sums));
        let book = self.clone();
        Ok(Merged {
            book,
            text,
            unsaved,
        })
    }
}

/// What is to be saved. Dropped without [`done`](Self::done), it stays unsaved.
#[derive(Debug)]
#[must_use]
pub struct Merged {
    book: CreditBook,
    text: Option<String>,
    unsaved: Unsaved,
}

impl Merged {
    /// The text, which goes in the place of the one before. `None` when nothing has changed.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// It is saved.
    pub fn done(mut self) {
        self.unsaved.clear();
    }
}

impl Drop for Merged {
    fn drop(&mut self) {
        self.book.put_back(std::mem::take(&mut self.unsaved));
    }
}

/// A text is not what credits are saved as. It is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("these are no credits as they are saved here")]
pub struct BadCredits {
    source: Option<serde_json::Error>,
}

/// The form of the text.
#[derive(serde::Serialize, serde::Deserialize)]
struct Document {
    version: u32,
    spent: BTreeMap<String, Entry>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    date: String,
    day: f64,
    month: f64,
}

const VERSION: u32 = 1;

type Sums = BTreeMap<GateName, Spent>;

fn read(text: &str) -> Result<Sums, BadCredits> {
    let bad = || BadCredits { source: None };
    let document: Document = serde_json::from_str(text).map_err(|error| BadCredits {
        source: Some(error),
    })?;
    if document.version != VERSION {
        return Err(bad());
    }
    let entries = document.spent.into_iter().map(|(name, entry)| {
        let Entry { date, day, month } = entry;
        let is_amount = |credits: f64| credits.is_finite() && credits >= 0.0;
        let name = GateName::read(&name).filter(|_| is_amount(day) && is_amount(month));
        let date = date.parse().map_err(|_| bad())?;
        Ok((name.ok_or_else(bad)?, Spent::on(date, day, month)))
    });
    entries.collect()
}

fn write(sums: &Sums) -> String {
    let entries = sums.iter().filter_map(|(name, spent)| {
        let (date, day, month) = spent.parts()?;
        let date = date.to_string();
        Some((name.as_str().to_owned(), Entry { date, day, month }))
    });
    let document = Document {
        version: VERSION,
        spent: entries.collect(),
    };
    // Texts and finite numbers always serialize.
    serde_json::to_string(&document).unwrap_or_default()
}

/// Forgets other months, and of too many those who have spent least.
fn shrink(sums: &mut Sums) {
    let month = |spent: &Spent| spent.parts().map_or(0.0, |(_, _, month)| month);
    sums.retain(|_, spent| month(spent) > 0.0);
    if sums.len() > MOST_ACCOUNTS {
        let mut all: Vec<f64> = sums.values().map(month).collect();
        all.sort_by(|one, other| other.total_cmp(one));
        let least = all[MOST_ACCOUNTS - 1];
        sums.retain(|_, spent| month(spent) >= least);
    }
}

/// The account of a name, in place of another one if there are too many.
fn account<'a>(
    accounts: &'a mut HashMap<GateName, Account>,
    name: &GateName,
    today: Date,
) -> &'a mut Account {
    if accounts.len() >= MOST_ACCOUNTS && !accounts.contains_key(name) {
        make_room(accounts, today);
    }
    accounts.entry(name.clone()).or_default()
}

/// Forgets other months, and if that is not enough whoever has spent least: they lose the least by it.
fn make_room(accounts: &mut HashMap<GateName, Account>, today: Date) {
    let month = |account: &Account| match account.spent.parts() {
        Some((date, _, month)) if is_same_month(date, today) => month,
        _ => 0.0,
    };
    accounts.retain(|_, account| month(account) > 0.0 || !account.unsaved.is_empty());
    if accounts.len() >= MOST_ACCOUNTS {
        let least = accounts
            .iter()
            .min_by(|(_, one), (_, other)| month(one).total_cmp(&month(other)));
        if let Some(name) = least.map(|(name, _)| name.clone()) {
            accounts.remove(&name);
        }
    }
}

/// Seconds since the epoch.
pub(super) fn utc() -> u64 {
    let since = SystemClock.now().duration_since(std::time::UNIX_EPOCH);
    since.as_ref().map_or(0, Duration::as_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyDigest;

    /// 2026-10-20T12:00:00Z.
    const NOW: u64 = 1_792_497_600;

    fn name(n: usize) -> GateName {
        GateName::of_key(&KeyDigest::of_text(&n.to_string()))
    }

    /// The text, as if it was written.
    fn saved(book: &CreditBook, before: Option<&str>) -> String {
        let merged = book.merge_at(NOW, before).unwrap();
        let text = merged.text().unwrap().to_owned();
        merged.done();
        text
    }

    fn is_used_up(book: &CreditBook, name: &GateName, budget: f64) -> bool {
        let refused = book.check(name, NOW, None, Some(budget));
        refused.is_err()
    }

    #[test]
    fn what_is_saved_is_known_after_a_restart() {
        let (one, other) = (name(1), name(2));
        let book = CreditBook::default();
        book.add(&one, NOW, 0.75);
        book.add(&other, NOW, 2.0);
        let text = saved(&book, None);
        assert!(text.contains(one.as_str()));
        let next = CreditBook::default();
        let merged = next.merge_at(NOW, Some(&text)).unwrap();
        assert_eq!(merged.text(), None, "nothing is new");
        for (name, spent) in [(&one, 0.75), (&other, 2.0)] {
            assert!(is_used_up(&next, name, spent));
            assert!(!is_used_up(&next, name, spent + 0.01));
        }
    }

    #[test]
    fn two_who_save_in_one_place_lose_nothing_of_each_other() {
        let (name, one, other) = (name(1), CreditBook::default(), CreditBook::default());
        one.add(&name, NOW, 1.0);
        other.add(&name, NOW, 2.0);
        let text = saved(&one, None);
        let text = saved(&other, Some(&text));
        one.add(&name, NOW, 4.0);
        let text = saved(&one, Some(&text));
        assert!(text.contains(r#""month":7.0"#), "{text}");
        // Each knows what was there when it saved.
        assert!(is_used_up(&one, &name, 7.0) && is_used_up(&other, &name, 3.0));
    }

    #[test]
    fn what_could_not_be_written_is_there_the_next_time() {
        let (name, book) = (name(1), CreditBook::default());
        book.add(&name, NOW, 1.5);
        assert!(book.merge_at(NOW, None).unwrap().text().is_some());
        book.add(&name, NOW, 1.0);
        let text = saved(&book, None);
        assert!(text.contains(r#""month":2.5"#), "{text}");
        assert_eq!(book.merge_at(NOW, Some(&text)).unwrap().text(), None);
        assert!(!is_used_up(&book, &name, 2.6), "it is counted once");
    }

    #[test]
    fn what_is_no_such_text_is_refused_and_changes_nothing() {
        let (name, book) = (name(1), CreditBook::default());
        book.add(&name, NOW, 1.5);
        let whole = saved(&book, None);
        book.add(&name, NOW, 1.0);
        let negative = whole.replace("1.5", "-1.5");
        let digits = whole.replace(name.as_str(), "team");
        for text in [
            "",
            "{",
            "[]",
            "{}",
            &whole[..whole.len() / 2],
            &whole.replace(":1,", ":2,"),
            &negative,
            &digits,
        ] {
            assert!(book.merge_at(NOW, Some(text)).is_err(), "{text}");
        }
        assert!(saved(&book, Some(&whole)).contains(r#""month":2.5"#));
    }

    #[test]
    fn other_months_are_forgotten_and_the_number_of_accounts_is_bounded() {
        let (old, book) = (name(1), CreditBook::default());
        book.add(&old, 0, 5.0);
        book.add(&name(2), NOW, 1.0);
        let text = saved(&book, None);
        assert!(!text.contains(old.as_str()), "{text}");
        for n in 0..MOST_ACCOUNTS + 10 {
            book.add(&name(n), NOW, 1.0 + n as f64);
        }
        assert_eq!(book.accounts().len(), MOST_ACCOUNTS);
        assert!(is_used_up(&book, &name(MOST_ACCOUNTS + 9), 1.0));
        assert!(!is_used_up(&book, &name(3), 1.0), "who has spent least");
        let text = saved(&book, Some(&text));
        assert!(read(&text).unwrap().len() <= MOST_ACCOUNTS);
    }
}
