//! What Redis is told afterwards, by one task, so that no request waits for it: places that are kept and given
//! back, tokens that were estimated, credits that were spent.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use tokio::time::{Instant, sleep_until};

use super::Core;
use super::roll::BEAT;
use super::script::{Script, month_of};
use crate::admission::book::Unsaved;

/// How often Redis is looked for while it is away.
const LOOK: Duration = Duration::from_secs(1);

/// Accounts whose credits are told at once, at most.
const MOST_TOLD: usize = 500;

/// How long it is remembered what was told last: longer than anybody lets Redis be away.
const TOLD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long sums are kept that nobody asks for: clocks differ.
const SLACK: Duration = Duration::from_secs(24 * 3600);

/// What is being told.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Each has a number, and what has the number of the one before is counted once: the answer may have been
    /// lost.
    number: u64,
    /// Credits under this number that Redis has not confirmed.
    credits: Unsaved,
}

#[cfg(test)]
impl Telling {
    /// Tells something under a number, as if nobody had confirmed it.
    pub(super) fn repeat(&mut self, number: u64, credits: Unsaved) {
        (self.number, self.credits) = (number, credits);
    }
}

impl Core {
    /// Tells Redis whatever there is to tell, for as long as the ledger lives.
    pub(super) async fn keep_telling(self: Arc<Self>) {
        let (mut renewal, mut beat) = (Instant::now(), Instant::now());
        loop {
            let is_away = self.reach.is_away();
            let next = match is_away {
                true => Instant::now() + LOOK,
                false => renewal.min(beat),
            };
            // In an order of its own, so that a simulation can be repeated.
            tokio::select! {
                biased;
                () = self.end.notified() => {
                    self.tell().await;
                    self.leave().await;
                    return;
                }
                () = self.reach.lost.notified(), if !is_away => continue,
                () = self.wake.notified(), if !is_away => {}
                () = sleep_until(next) => {}
            }
            if is_away && !self.look().await {
                continue;
            }
            if is_away || Instant::now() >= renewal {
                renewal = Instant::now() + self.life / 3;
                self.keep_places().await;
            }
            if is_away {
                self.end_alone();
            }
            self.tell().await;
            // After that, because the others have the use of our share from then on.
            if is_away || Instant::now() >= beat {
                beat = Instant::now() + BEAT;
                self.beat().await;
            }
        }
    }

    /// Looks whether Redis is back: whether it takes what is told, not only whether it answers.
    async fn look(&self) -> bool {
        // The minute that these were of has passed.
        drop(self.take_corrections());
        self.tell_spent(true).await
    }

    /// Tells what is not told. Not for a request, whose caller may leave in the middle of it.
    pub(super) async fn tell(&self) {
        self.free_places().await;
        while !self.is_told().await && self.tell_spent(false).await {}
    }

    /// Whether there is nothing left to tell.
    pub(super) async fn is_told(&self) -> bool {
        let telling = self.telling.lock().await;
        telling.credits.is_empty() && !self.book.has_unsaved() && !self.has_corrections()
    }

    /// Says that the exchanges that hold places are under way.
    async fn keep_places(&self) {
        let _telling = self.telling.lock().await;
        for (name, numbers) in self.places.held() {
            let mut script = Script::new(include_str!("keep.lua"));
            script.key(self.places_key(&name));
            script.arg(self.life.as_millis());
            let ids = numbers.into_iter().map(|number| self.name_of(number));
            ids.for_each(|id| script.arg(id));
            let _: Option<u64> = self.reach.ask(&script.command()).await;
        }
    }

    /// Gives places back.
    async fn free_places(&self) {
        // Not while they are being kept: the message about that must not come after this one.
        let _telling = self.telling.lock().await;
        for (name, numbers) in self.places.take_freed() {
            let ids = numbers.iter().map(|number| self.name_of(*number));
            let mut command = redis::cmd("ZREM");
            command.arg(self.places_key(&name));
            command.arg(ids.collect::<Vec<_>>());
            let freed: Option<u64> = self.reach.ask(&command).await;
            if freed.is_none() {
                self.places.keep_freed(name, numbers);
            }
        }
    }

    /// Tells corrections of tokens, and credits. What was told and is not confirmed comes first.
    async fn tell_spent(&self, is_away: bool) -> bool {
        let mut telling = self.telling.lock().await;
        if telling.credits.is_empty() {
            telling.number += 1;
            telling.credits = self.book.unsaved(MOST_TOLD);
        }
        let mut script = Script::new(include_str!("tell.lua"));
        script.key(format!("{}told:{}", self.prefix, self.process));
        script.arg(telling.number);
        script.arg(TOLD_LIFE.as_secs());
        let corrections = self.take_corrections();
        script.arg(corrections.len());
        for (name, micros) in corrections {
            let (name, counted) = (name.0.as_str(), name.1.as_str());
            script.key(format!("{}{name}:{counted}", self.prefix));
            script.arg(micros);
        }
        for (name, date, credits) in &telling.credits {
            let name = name.as_str();
            let day_after = date.tomorrow().unwrap_or(*date);
            let month_after = date.first_of_month().saturating_add(Span::new().months(1));
            let sums = [
                (format!("{name}:day:{date}"), day_after),
                (format!("{name}:month:{}", month_of(*date)), month_after),
            ];
            for (key, end) in sums {
                script.key(format!("{}{key}", self.prefix));
                script.arg(credits);
                script.arg(midnight(end) + SLACK.as_secs() as i64);
            }
        }
        script.key(self.open_key());
        let command = script.command();
        let told: Option<u64> = match is_away {
            true => self.reach.look(&command).await,
            false => self.reach.ask(&command).await,
        };
        if told.is_some() {
            telling.credits.clear();
        }
        told.is_some()
    }
}

/// When a day of UTC begins, in seconds since the epoch.
fn midnight(date: Date) -> i64 {
    let begins = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
    begins.unwrap_or(Timestamp::MAX).as_second()
}
