//! The pool itself: its members, their books, and the lease.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::health::{Health, Outcome, RestReason};
use super::lease::{Lease, Seat};
use super::select::{Candidate, select};
use crate::credential::CredentialId;
use crate::error::{AuthError, AuthErrorKind};
use crate::login::Login;
use crate::token::TokenSource;

/// The credentials that we may use.
///
/// [`lease`](Self::lease) chooses one that is available and has the fewest leases out, and gets its
/// access token; one that has no token to give is passed over. What an attempt teaches comes back through
/// [`Lease::settle`]; see [`Health`]. Clones share one pool.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

/// What a lease is asked to respect.
///
/// ```
/// use kiro_auth::LeaseRequest;
///
/// let anything = LeaseRequest::default();
/// assert!(anything.avoid.is_empty() && anything.affinity.is_none());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LeaseRequest<'a> {
    /// Credentials that this exchange has already tried.
    pub avoid: &'a [CredentialId],
    /// A hash of the conversation. Equal values get the same credential while that is reasonable.
    pub affinity: Option<u64>,
}

/// What there is to say about one credential, for a health endpoint. It holds no secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CredentialStatus {
    /// Its name.
    pub id: CredentialId,
    /// How it was obtained; `None` until it has been read for the first time.
    pub login: Option<Login>,
    /// When its access token expires.
    pub expires_at: Option<SystemTime>,
    /// Leases that are out.
    pub leases: usize,
    /// Why it rests, and until when.
    pub resting: Option<(RestReason, SystemTime)>,
    /// Why its last refresh failed, if it did.
    pub last_error: Option<AuthError>,
}

/// What a credential is good for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialState {
    /// It serves, or is not known to be unable to.
    Usable,
    /// The service refused it, and it is left alone for a while.
    Resting,
    /// Its last refresh failed. It is tried again, or waits for a new login.
    Broken,
}

impl CredentialState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Usable, Self::Resting, Self::Broken];

    /// A word for metrics and pages: `usable`, `resting` or `broken`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Resting => "resting",
            Self::Broken => "broken",
        }
    }
}

impl CredentialStatus {
    /// What it is good for.
    pub fn state(&self) -> CredentialState {
        match (&self.resting, &self.last_error) {
            (Some(_), _) => CredentialState::Resting,
            (None, Some(_)) => CredentialState::Broken,
            (None, None) => CredentialState::Usable,
        }
    }
}

/// What the pool and its leases share.
pub(super) struct Shared {
    sources: Vec<TokenSource>,
    books: Mutex<Books>,
}

struct Books {
    /// One for each source, in the same order.
    entries: Vec<Entry>,
    /// Leases so far.
    count: u64,
}

#[derive(Default)]
struct Entry {
    health: Health,
    load: usize,
    last_leased: u64,
}

impl Pool {
    /// A pool of these credentials. It may be empty, and then has nothing to lease. Of several sources
    /// with one name only the first is kept: they would use up each other's refresh tokens.
    pub fn new(mut sources: Vec<TokenSource>) -> Self {
        let mut seen = HashSet::new();
        sources.retain(|source| {
            let is_new = seen.insert(source.id());
            if !is_new {
                tracing::warn!(credential = %source.id(), "credential is listed more than once");
            }
            is_new
        });
        let entries = sources.iter().map(|_| Entry::default()).collect();
        Self {
            shared: Arc::new(Shared {
                sources,
                books: Mutex::new(Books { entries, count: 0 }),
            }),
        }
    }

    /// The pool that takes the place of this one when the list of credentials changes. What is known of those
    /// that stay, such as that they rest, is known there as well. It is this very pool when the sources are
    /// the same; otherwise leases that are out settle with this one.
    #[must_use]
    pub fn succeed(&self, sources: Vec<TokenSource>) -> Self {
        let next = Self::new(sources);
        let (old, new) = (&self.shared.sources, &next.shared.sources);
        if old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.is(new)) {
            return self.clone();
        }
        let books = self.shared.books();
        let mut next_books = next.shared.books();
        for (source, entry) in new.iter().zip(&mut next_books.entries) {
            if let Some(at) = old.iter().position(|old| old.id() == source.id()) {
                entry.health = books.entries[at].health;
            }
        }
        drop(next_books);
        next
    }

    /// Whether the other one is a clone of this one.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The right to use one credential for one attempt.
    ///
    /// # Errors
    ///
    /// [`NoneAvailable`](AuthErrorKind::NoneAvailable) when all of them rest, or none is left that
    /// the request does not want to avoid; the error of the last one asked when none of them has a token
    /// to give.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn lease(&self) -> Result<Lease, AuthError> {
        self.lease_with(LeaseRequest::default()).await
    }

    /// As [`lease`](Self::lease), with wishes.
    ///
    /// # Errors
    ///
    /// As [`lease`](Self::lease).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn lease_with(&self, request: LeaseRequest<'_>) -> Result<Lease, AuthError> {
        let mut tokenless = request.avoid.to_vec();
        let mut failure = None;
        while let Some(seat) = self.take_seat(&tokenless, request.affinity) {
            match seat.member().token().await {
                Ok(token) => return Ok(Lease::new(seat, token)),
                Err(error) => {
                    tokenless.push(seat.member().id());
                    failure = Some(error);
                }
            }
        }
        Err(self.none_available(failure))
    }

    /// Number of credentials, usable or not.
    pub fn len(&self) -> usize {
        self.shared.sources.len()
    }

    /// Whether there is no credential at all.
    pub fn is_empty(&self) -> bool {
        self.shared.sources.is_empty()
    }

    /// What there is to say about each credential, in the order they were given.
    pub fn status(&self) -> Vec<CredentialStatus> {
        let books = self.shared.books();
        let members = self.shared.sources.iter().zip(&books.entries);
        members
            .map(|(source, entry)| {
                let token = source.current();
                CredentialStatus {
                    id: source.id(),
                    login: token.as_ref().map(|token| token.login()),
                    expires_at: token.as_ref().and_then(|token| token.expires_at()),
                    leases: entry.load,
                    resting: entry.health.resting(source.now()),
                    last_error: source.last_error(),
                }
            })
            .collect()
    }

    /// Chooses a credential and counts the lease, in one step, so that parallel callers spread.
    fn take_seat(&self, avoid: &[CredentialId], affinity: Option<u64>) -> Option<Seat> {
        let mut books = self.shared.books();
        let members = self.shared.sources.iter().zip(&books.entries).enumerate();
        let candidates: Vec<Candidate> = members
            .map(|(index, (source, entry))| Candidate {
                index,
                id: source.id(),
                availability: entry.health.availability(source.now()),
                load: entry.load,
                last_leased: entry.last_leased,
            })
            .filter(|candidate| !avoid.contains(&candidate.id))
            .collect();
        let index = select(&candidates, affinity)?;
        books.count += 1;
        let count = books.count;
        let entry = &mut books.entries[index];
        entry.load += 1;
        entry.last_leased = count;
        Some(Seat::taken(Arc::clone(&self.shared), index))
    }

    fn none_available(&self, failure: Option<AuthError>) -> AuthError {
        let books = self.shared.books();
        let members = self.shared.sources.iter().zip(&books.entries);
        let first = members
            .filter_map(|(source, entry)| entry.health.resting(source.now()))
            .min_by_key(|(_, until)| *until);
        let none = |message| {
            let kind = AuthErrorKind::NoneAvailable {
                until: first.map(|(_, until)| until),
                why: first.map(|(reason, _)| reason),
            };
            AuthError::new(kind, message)
        };
        match (first, failure) {
            (Some(_), Some(failure)) => none("no credential is available").with_source(failure),
            (Some(_), None) => none("every credential rests"),
            (None, Some(failure)) => failure,
            (None, None) if self.is_empty() => none("there are no credentials"),
            (None, None) => none("no other credential is available"),
        }
    }
}

impl Shared {
    pub(super) fn source(&self, index: usize) -> &TokenSource {
        &self.sources[index]
    }

    pub(super) fn record(&self, index: usize, outcome: Outcome) {
        let now = self.sources[index].now();
        let mut books = self.books();
        let health = &mut books.entries[index].health;
        let before = health.resting(now);
        *health = health.after(outcome, now);
        if let (None, Some((reason, _))) = (before, health.resting(now)) {
            tracing::warn!(credential = %self.sources[index].id(), ?reason, "credential rests");
        }
    }

    pub(super) fn release(&self, index: usize) {
        self.books().entries[index].load -= 1;
    }

    /// The books are right between any two statements that hold this lock.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.shared.sources).finish()
    }
}
