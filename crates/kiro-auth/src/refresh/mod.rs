//! Getting a new access token.
//!
//! The conversation with each sign-in service is written down as two pure halves, a request made from a
//! [`Credential`](crate::Credential) and a [`Refreshed`] or [`Refusal`] made from the answer, so that any
//! HTTP stack can perform it:
//!
//! | login | halves | service |
//! | --- | --- | --- |
//! | social | [`social`] | Kiro's own sign-in |
//! | Builder ID, Identity Center | [`oidc`] | AWS SSO OIDC |
//! | external identity provider | [`external`] | the provider |
//!
//! [`first_request`] chooses by the login. `HttpRefresher` (feature `hyper`) performs them with hyper.

pub(crate) mod answer;
pub mod external;
mod first;
#[cfg(feature = "hyper")]
mod http;
pub mod oidc;
mod refresher;
mod refusal;
pub(crate) mod request;
#[cfg(feature = "hyper")]
mod retry;
pub mod social;

pub use self::first::{FirstRequest, TokenReply, first_request};
#[cfg(feature = "hyper")]
pub use self::http::{DEFAULT_IDP_HOSTS, HttpRefresher, HttpRefresherOptions};
pub use self::refresher::{Refreshed, Refresher};
pub use self::refusal::Refusal;
#[cfg(feature = "hyper")]
pub(crate) use self::retry::{Failure, pause_after};
