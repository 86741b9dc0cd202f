//! Getting the first token: how a person signs in.
//!
//! | way | halves | for |
//! | --- | --- | --- |
//! | device code | [`register`], [`device`] | Builder ID, Identity Center; the browser may be anywhere |
//! | browser at AWS | [`register`], [`oidc`] | Builder ID, Identity Center |
//! | browser at Kiro | [`social`] | Google, GitHub |
//! | browser at the provider | [`external`] | Entra, Okta and their like |
//! | the portal | [`portal`] | any of them; the person chooses in the browser |
//!
//! As in [`refresh`](mod@crate::refresh), every step is written down as pure halves: a URL or a request that is made
//! from values, and a value that is made from the answer. Randomness ([`Pkce`]) and time ([`DevicePoll`])
//! come in as arguments. `SignIn` (feature `hyper`) performs the steps.
//!
//! ```text
//!               register ──> device code ──> poll, poll, poll ──────────────┐
//!                                                                           v
//!  [register ──>] URL ──> browser ──> Callback (by port, or pasted) ──> exchange ──> Credential
//! ```
//!
//! The result is a [`Credential`](crate::Credential) with everything that its refreshes need; saving it is
//! the caller's: [`FileStore`](crate::FileStore) writes a new file.

mod callback;
pub mod device;
mod directory;
mod error;
pub mod external;
#[cfg(feature = "hyper")]
mod http;
pub mod oidc;
mod pkce;
pub mod portal;
pub mod register;
pub mod social;

pub use self::callback::{CALLBACK_PATH, Callback, LOCALHOST_PORTS};
pub use self::device::{DeviceAuthorization, DevicePoll, PollStep};
pub use self::directory::Directory;
pub use self::error::SignInError;
pub use self::external::{Endpoints, IdentityProvider};
#[cfg(feature = "hyper")]
pub use self::http::{
    BrowserSignIn, DeviceSignIn, PortalOutcome, PortalSignIn, SignIn, SignInOptions,
};
pub use self::pkce::Pkce;
pub use self::portal::PortalChoice;
pub use self::register::{ClientRegistration, SCOPES};
pub use self::social::Provider;
