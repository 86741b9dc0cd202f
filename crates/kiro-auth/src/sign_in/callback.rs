//! What a browser brings back: by itself to a port of this machine, or as an address that somebody pastes.

use std::fmt;

use super::error::shown;
use super::{Pkce, SignInError};
use crate::form;
use crate::secret::Secret;

/// The path that the browser comes back to.
pub const CALLBACK_PATH: &str = "/oauth/callback";

/// The ports of this machine that Kiro's own sign-in lets a browser come back to, in the order in which the
/// official CLI tries them.
pub const LOCALHOST_PORTS: [u16; 5] = [49153, 50153, 51153, 52153, 53153];

/// The address that a browser came back with, once its state has been checked.
#[derive(Clone)]
pub struct Callback {
    path: String,
    query: Vec<(String, String)>,
}

/// The longest code seen is a JWT of some kilobytes; a longer address is not a callback.
const MAX_ADDRESS_BYTES: usize = 64 * 1024;

impl Callback {
    /// Reads an address: whole (`http://127.0.0.1:51234/oauth/callback?code=…&state=…`), from the path on,
    /// or the query alone. White space in it is left out, because terminals break long lines and people
    /// copy the breaks.
    ///
    /// # Errors
    ///
    /// [`WrongState`](SignInError::WrongState) when the state is missing or another; nothing else in the
    /// address is believed then. [`Denied`](SignInError::Denied) and [`Rejected`](SignInError::Rejected)
    /// when the address tells of an error.
    pub fn read(address: &str, pkce: &Pkce) -> Result<Self, SignInError> {
        if address.len() > MAX_ADDRESS_BYTES {
            return Err(SignInError::NoCode);
        }
        let address: String = address.split_whitespace().collect();
        let address = address.split('#').next().unwrap_or_default();
        let (place, query) = match address.split_once('?') {
            Some((place, query)) => (place, query),
            None => ("", address),
        };
        let callback = Self {
            path: path_of(place).to_owned(),
            query: form::parse(query),
        };
        if !callback
            .get("state")
            .is_some_and(|state| pkce.is_state(state))
        {
            return Err(SignInError::WrongState);
        }
        match callback.get("error") {
            Some("access_denied") => Err(SignInError::Denied),
            Some(error) => Err(SignInError::Rejected {
                error: shown(error),
            }),
            None => Ok(callback),
        }
    }

    /// The code, which is good for one exchange.
    ///
    /// # Errors
    ///
    /// [`NoCode`](SignInError::NoCode) when there is none.
    pub fn code(&self) -> Result<Secret, SignInError> {
        let code = self.get("code").map(Secret::from);
        code.ok_or(SignInError::NoCode)
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The path of an address without its query. Somebody who pastes a query alone has been sent to the usual
/// one.
fn path_of(place: &str) -> &str {
    let rest = place.split_once("://").map_or(place, |(_, rest)| rest);
    rest.find('/').map_or(CALLBACK_PATH, |slash| &rest[slash..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pkce() -> Pkce {
        Pkce::from_random([7; Pkce::RANDOM_BYTES])
    }

    /// The code that an address gives. `{state}` in it stands for the right state.
    fn code(address: &str) -> Result<String, SignInError> {
        let pkce = pkce();
        let address = address.replace("{state}", pkce.state().expose());
        let callback = Callback::read(&address, &pkce)?;
        callback.code().map(|code| code.expose().to_owned())
    }

    #[test]
    fn every_form_of_the_address_is_understood() {
        for address in [
            "http://127.0.0.1:51234/oauth/callback?code=C-1&state={state}",
            "http://localhost:49153/oauth/callback?state={state}&code=C-1#",
            "localhost:49153/oauth/callback?code=C-1&state={state}",
            "/oauth/callback?code=C-1&state={state}",
            "?code=C-1&state={state}",
            "code=C-1&state={state}",
            "  code=C-1&state={state}\r\n",
            "http://127.0.0.1:51234/oauth/call\n    back?code=C\n-1&sta te={state}",
            "code=C%2D1&state={state}&session_state=x&iss=https%3A%2F%2Fidp.example",
        ] {
            assert_eq!(code(address).unwrap(), "C-1", "{address}");
        }
    }

    #[test]
    fn path_is_kept_where_there_is_one() {
        let pkce = pkce();
        for (place, path) in [
            ("http://localhost:49153/signin/callback", "/signin/callback"),
            ("localhost:49153/signin/callback", "/signin/callback"),
            ("/signin/callback", "/signin/callback"),
            ("http://localhost:49153", CALLBACK_PATH),
            ("", CALLBACK_PATH),
        ] {
            let address = format!("{place}?state={}", pkce.state().expose());
            assert_eq!(Callback::read(&address, &pkce).unwrap().path(), path);
        }
    }

    #[test]
    fn address_of_another_sign_in_is_refused_whatever_else_it_says() {
        for address in [
            "http://127.0.0.1:51234/oauth/callback?code=C-1&state=another",
            "http://127.0.0.1:51234/oauth/callback?code=C-1",
            "http://127.0.0.1:51234/oauth/callback?code=C-1&state=",
            "?error=access_denied",
            "?error=access_denied&state=another",
            "?state=another&state={state}&code=C-1",
            "C-1",
            "",
        ] {
            let error = code(address).unwrap_err();
            assert!(
                matches!(error, SignInError::WrongState),
                "{address}: {error}"
            );
        }
    }

    #[test]
    fn errors_and_missing_codes_are_told_apart() {
        let error = code("?error=access_denied&state={state}").unwrap_err();
        assert!(matches!(error, SignInError::Denied));
        let error = code("?error=%1B[2Jserver_error&code=C-1&state={state}").unwrap_err();
        assert!(matches!(error, SignInError::Rejected { error } if error == "2Jserver_error"));
        for address in ["?state={state}", "?code=&state={state}"] {
            let error = code(address).unwrap_err();
            assert!(matches!(error, SignInError::NoCode), "{address}: {error}");
        }
    }

    #[test]
    fn callback_does_not_print_its_code() {
        let pkce = pkce();
        let address = format!("?code=planted&state={}", pkce.state().expose());
        let callback = Callback::read(&address, &pkce).unwrap();
        let printed = format!("{callback:?} {pkce:?}");
        assert!(!printed.contains("planted") && !printed.contains(pkce.state().expose()));
    }

    proptest! {
        #[test]
        fn no_address_panics(address in ".{0,80}", marks in "[?&#=/:%a]{0,30}") {
            let _ = Callback::read(&address, &pkce());
            let _ = Callback::read(&marks, &pkce());
        }
    }
}
