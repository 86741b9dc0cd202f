//! One credential and its access token: fresh, stale or expired, refreshed by one at a time.

mod access;
mod flight;
mod freshness;
mod published;
mod source;

pub use self::access::{AccessToken, Overrides};
pub use self::flight::refreshes_landed;
pub use self::freshness::{Freshness, Margins, freshness};
pub use self::source::TokenSource;
