#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # Parts
//!
//! | part | is |
//! | --- | --- |
//! | [`Credential`], [`Login`], [`Secret`] | an account as we hold it |
//! | [`CredentialStore`]: [`FileStore`], `KiroCliStore`, `RedisStore`, [`MemoryStore`]; [`Claim`] | where it lives |
//! | `Vault` | where it lives when its owner keeps the key |
//! | [`mod@sign_in`]: `SignIn` | how a person signs in |
//! | [`discover`](fn@discover), [`Places`] | which logins there are on a machine |
//! | [`Refresher`]: `HttpRefresher`; [`mod@refresh`] | how it gets a new token |
//! | [`TokenSource`], [`AccessToken`], [`freshness`](fn@freshness) | one credential, ready to use |
//! | [`Pool`], [`Lease`], [`Outcome`], [`Health`] | several of them |
//! | [`service_region`], [`Login::profile_arn`] | what follows for the upstream |
//! | [`SECRET_FORMS`], [`SECRET_MEMBERS`] | what must not be shown, for who has only a text |
//! | [`AuthError`] | retry, rotate, or tell the operator? |

pub mod chance;
mod clock;
mod credential;
mod discover;
mod document;
mod error;
mod expiry;
mod form;
#[cfg(feature = "hyper")]
mod http;
mod login;
mod pool;
pub mod refresh;
mod region;
mod secret;
mod secret_form;
pub mod sign_in;
pub mod store;
mod token;
#[cfg(feature = "vault")]
mod vault;
mod wire;

use std::future::Future;
use std::pin::Pin;

#[cfg(any(test, feature = "test-util"))]
pub use crate::clock::ManualClock;
pub use crate::clock::{Clock, SystemClock};
pub use crate::credential::{Credential, CredentialId};
pub use crate::discover::{
    ChoiceReason, Discovery, Find, LoginFacts, Place, PlaceState, Places, Platform, SourceKind,
    discover,
};
pub use crate::error::{AuthError, AuthErrorKind};
pub use crate::login::{ApiHost, BUILDER_ID_PROFILE_ARN, Login, SOCIAL_PROFILE_ARN};
pub use crate::pool::{
    CredentialState, CredentialStatus, Health, Lease, LeaseRequest, Outcome, Pool, RestReason,
};
#[cfg(feature = "hyper")]
pub use crate::refresh::{DEFAULT_IDP_HOSTS, HttpRefresher, HttpRefresherOptions};
pub use crate::refresh::{Refreshed, Refresher, Refusal};
pub use crate::region::{DEFAULT_REGION, SERVICE_REGIONS, is_region, service_region};
pub use crate::secret::Secret;
pub use crate::secret_form::{SECRET_FORMS, SECRET_MEMBERS, SecretForm};
#[cfg(feature = "sqlite")]
pub use crate::store::KiroCliStore;
#[cfg(all(feature = "redis", any(test, feature = "test-util")))]
pub use crate::store::StandIn;
pub use crate::store::{Claim, CredentialStore, FileStore, MemoryStore, replace_file};
#[cfg(feature = "redis")]
pub use crate::store::{RedisServer, RedisStore, RedisStoreOptions};
pub use crate::token::{
    AccessToken, Freshness, Margins, Overrides, TokenSource, freshness, refreshes_landed,
};
#[cfg(feature = "vault")]
pub use crate::vault::{SealError, SealKey, Vault, VaultOptions, keyed_name};

/// What the traits of this crate return, so that they stay usable as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
