//! Several credentials: which one is next, and what each has been through.

mod health;
mod lease;
mod members;
mod select;

pub use self::health::{Health, Outcome, RestReason};
pub use self::lease::Lease;
pub use self::members::{CredentialState, CredentialStatus, LeaseRequest, Pool};
