//! The page at which a person chooses how to sign in, as current clients open it.
//!
//! ```text
//! GET https://app.kiro.dev/signin?state=…&code_challenge=…&code_challenge_method=S256
//!     &redirect_uri=http%3A%2F%2Flocalhost%3A49153&redirect_from=kirocli
//! ```
//!
//! The browser comes back to `/oauth/callback` or `/signin/callback` of that port:
//!
//! | `login_option` | carries | goes on with |
//! | --- | --- | --- |
//! | `google`, `github` | `code` | the exchange of [`social`](super::social) |
//! | `builderid` | – | [`oidc`](super::oidc) |
//! | `awsidc` | `issuer_url`, `idc_region` | [`oidc`](super::oidc) |
//! | `external_idp` | `issuer_url`, `client_id`, `scopes`, maybe `login_hint` and `audience` | [`external`](super::external) |
//!
//! Source: the sign-in code of kiro-cli's public predecessor. That the ports are those of
//! [`social`](super::social) is a guess.

use super::error::shown;
use super::{Callback, Directory, IdentityProvider, Pkce, SignInError};
use crate::form;

/// What a person chose at the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortalChoice {
    /// Google or GitHub: the code is to be exchanged at Kiro's own sign-in.
    Social {
        /// The redirect that the exchange has to name: the address of the callback with its option.
        redirect_uri: String,
    },
    /// An AWS directory, which is signed in to next.
    Directory(Directory),
    /// An identity provider, which is signed in to next.
    ExternalIdp(IdentityProvider),
}

/// The page to open in a browser. `base` is where the browser comes back to, without a path:
/// `http://localhost:49153`.
///
/// The page knows its clients by name and hands the browser back to one that it knows, so this is a request
/// in the name of kiro-cli.
pub fn signin_url(pkce: &Pkce, base: &str) -> String {
    let query = form::query(&[
        ("state", pkce.state().expose()),
        ("code_challenge", pkce.challenge()),
        ("code_challenge_method", "S256"),
        ("redirect_uri", base),
        ("redirect_from", "kirocli"),
    ]);
    format!("https://app.kiro.dev/signin?{query}")
}

/// Reads the choice. `base` is the same as for [`signin_url`].
///
/// # Errors
///
/// [`Unsupported`](SignInError::Unsupported) for a choice that is not in the table of this module's page,
/// [`Failed`](SignInError::Failed) when the directory that was chosen makes no sense,
/// [`NoCode`](SignInError::NoCode) when something that belongs to the choice is missing.
pub fn choice(callback: &Callback, base: &str) -> Result<PortalChoice, SignInError> {
    let required = |name| callback.get(name).ok_or(SignInError::NoCode);
    let optional = |name| callback.get(name).map(str::to_owned);
    Ok(match required("login_option")? {
        option @ ("google" | "github") => {
            let path = callback.path();
            PortalChoice::Social {
                redirect_uri: format!("{base}{path}?login_option={option}"),
            }
        }
        "builderid" => PortalChoice::Directory(Directory::builder_id()),
        "awsidc" => {
            let (start_url, region) = (required("issuer_url")?, required("idc_region")?);
            PortalChoice::Directory(Directory::identity_center(start_url, region)?)
        }
        "external_idp" => PortalChoice::ExternalIdp(IdentityProvider {
            scopes: optional("scopes"),
            login_hint: optional("login_hint"),
            audience: optional("audience"),
            ..IdentityProvider::new(required("issuer_url")?, required("client_id")?)
        }),
        other => {
            return Err(SignInError::Unsupported {
                option: shown(other),
            });
        }
    })
}
