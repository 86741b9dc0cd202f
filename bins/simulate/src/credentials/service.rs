//! The sign-in service: strict, as the strictest that is known.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::process::Process;

/// What becomes of a refresh token that is shown a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// It is refused.
    Refused,
    /// It is refused, and none of its family works any more.
    KillsTheFamily,
    /// Within so long, what it brought is given once more, as long as that is not used.
    Forgiven(Duration),
}

/// One rotation.
#[derive(Debug)]
pub(crate) struct Issue {
    pub(crate) expires_at: SystemTime,
    /// When who has asked for it believes that it expires: they count from when they asked.
    pub(crate) believed: SystemTime,
    pub(crate) at: SystemTime,
    /// Whom it was given to. Those whose answers are lost do not count.
    pub(crate) holders: Vec<Process>,
    /// When the store held it.
    pub(crate) stored_at: Option<SystemTime>,
}

/// Tokens count up; what is configured is 0.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) issues: Vec<Issue>,
    pub(crate) is_dead: bool,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) spent: Spent,
    pub(crate) lifetime: Duration,
    family: Mutex<Family>,
}

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The rotation of this number.
    Issued(usize),
    /// The same once more.
    Again(usize),
    Refused,
}

impl Service {
    pub(crate) fn new(spent: Spent, lifetime: Duration, now: SystemTime) -> Self {
        let first = Issue {
            expires_at: now,
            believed: now,
            at: now,
            holders: Vec::new(),
            stored_at: Some(now),
        };
        Self {
            spent,
            lifetime,
            family: Mutex::new(Family {
                issues: vec![first],
                is_dead: false,
            }),
        }
    }

    pub(crate) fn family(&self) -> MutexGuard<'_, Family> {
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn refresh(
        &self,
        token: usize,
        who: &Process,
        asked_at: SystemTime,
        now: SystemTime,
    ) -> Answer {
        let mut family = self.family();
        let newest = family.newest();
        if family.is_dead {
            return Answer::Refused;
        }
        if token == newest {
            family.issues.push(Issue {
                expires_at: now + self.lifetime,
                believed: asked_at + self.lifetime,
                at: now,
                holders: vec![who.clone()],
                stored_at: None,
            });
            return Answer::Issued(newest + 1);
        }
        match self.spent {
            Spent::Forgiven(grace)
                if token + 1 == newest && now < family.issues[newest].at + grace =>
            {
                family.issues[newest].holders.push(who.clone());
                Answer::Again(newest)
            }
            Spent::KillsTheFamily => {
                family.is_dead = true;
                Answer::Refused
            }
            _ => Answer::Refused,
        }
    }
}

impl Family {
    pub(crate) fn newest(&self) -> usize {
        self.issues.len() - 1
    }

    pub(crate) fn newest_at(&self) -> SystemTime {
        self.issues[self.newest()].at
    }

    /// Whether it works no more, or nobody can know its newest token any more.
    pub(crate) fn is_over(&self) -> bool {
        let issue = &self.issues[self.newest()];
        let is_lost = issue.stored_at.is_none() && issue.holders.iter().all(Process::is_killed);
        self.is_dead || is_lost
    }
}
