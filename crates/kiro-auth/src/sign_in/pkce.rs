//! What binds the code that a browser brings back to the program that sent it there (RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The verifier and the `state` of one sign-in. Both are secrets: with the first a stolen code can be
/// exchanged, with the second somebody else's account can be slipped in.
#[derive(Clone)]
pub struct Pkce {
    verifier: Secret,
    challenge: String,
    state: Secret,
}

impl Pkce {
    /// Bytes of randomness that a sign-in needs: 32 for the verifier, as RFC 7636 recommends, and 16 for
    /// the state, which nobody guesses.
    pub const RANDOM_BYTES: usize = 48;

    /// Makes both from random bytes, which must be good for a key and are used for nothing else.
    pub fn from_random(random: [u8; Self::RANDOM_BYTES]) -> Self {
        let random = Zeroizing::new(random);
        let (verifier, state) = random.split_at(32);
        let verifier = Secret::new(URL_SAFE_NO_PAD.encode(verifier));
        // Letters and digits only: the official clients send nothing else.
        let state = state.iter().map(|byte| format!("{byte:02x}"));
        Self {
            challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose())),
            state: Secret::new(state.collect()),
            verifier,
        }
    }

    /// What the exchange of the code has to show.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// The hash of the verifier, by the method `S256`.
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// What the browser has to bring back.
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// Whether the browser brought it back. The hashes are compared, so that the time that takes tells
    /// nothing about the state.
    pub fn is_state(&self, text: &str) -> bool {
        Sha256::digest(text) == Sha256::digest(self.state.expose())
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkce(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    const RANDOM: [u8; 32] = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];

    #[test]
    fn verifier_and_challenge_are_those_of_the_standard() {
        let mut random = [0; Pkce::RANDOM_BYTES];
        random[..32].copy_from_slice(&RANDOM);
        let pkce = Pkce::from_random(random);
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(pkce.verifier().expose(), verifier);
        assert_eq!(
            pkce.challenge(),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert_eq!(pkce.state().expose(), "0".repeat(32));
    }

    #[test]
    fn no_other_text_is_the_state() {
        let pkce = Pkce::from_random([0xab; Pkce::RANDOM_BYTES]);
        let state = pkce.state().expose().to_owned();
        assert!(pkce.is_state(&state));
        for other in ["", &state[1..], &format!("{state}0"), &state.to_uppercase()] {
            assert!(!pkce.is_state(other), "{other}");
        }
    }
}
