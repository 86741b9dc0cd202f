//! Sealing: text that only whoever knows a secret can read, and nobody can change unnoticed.
//!
//! ```text
//! 1 byte    24 bytes   the plain bytes' length + 16
//! version   nonce      ciphertext and tag
//! ```
//!
//! The key is derived from the secret with HKDF-SHA256 (RFC 5869); the secrets here are tokens of a hundred
//! random characters and more, so no slow function for passwords is needed. The cipher is
//! XChaCha20-Poly1305, whose nonce is long enough to be drawn at random for every record
//! (draft-irtf-cfrg-xchacha, section 2.1).

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// What begins every sealed record.
const VERSION: u8 = 1;

const NONCE_BYTES: usize = 24;

/// A key that seals records and opens them. Wiped when dropped.
pub struct SealKey(Zeroizing<[u8; 32]>);

/// Why a record cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The operating system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// It is larger than the cipher takes, 256 GiB.
    #[error("the record is too large to be sealed")]
    TooLarge,
    /// It is not a sealed record, was sealed with another key or for another context, or was changed.
    #[error("the record cannot be opened with this key")]
    NotOurs,
}

impl SealKey {
    /// The key that follows from a secret, which is random and long: it is not stretched like a password.
    /// Another `salt` or another `info` makes an unrelated key.
    pub fn derive(secret: &Secret, salt: &[u8], info: &str) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        expand(secret, salt, info, &mut *key);
        Self(key)
    }

    /// Seals `plain` for `context`: it opens with the same context only.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers, or `plain` is larger than the cipher takes.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let message = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), message);
        let sealed = sealed.map_err(|_| SealError::TooLarge)?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) has made. The plain bytes are wiped when they are dropped.
    ///
    /// # Errors
    ///
    /// [`SealError::NotOurs`].
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let Some((&VERSION, sealed)) = sealed.split_first() else {
            return Err(SealError::NotOurs);
        };
        let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE_BYTES>() else {
            return Err(SealError::NotOurs);
        };
        let message = Payload {
            msg: sealed,
            aad: context,
        };
        let plain = self.cipher().decrypt(&XNonce::from(*nonce), message);
        plain.map(Zeroizing::new).map_err(|_| SealError::NotOurs)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// A name that follows from a secret and tells nothing about it: a keyed hash of 16 bytes, in hexadecimal.
pub fn keyed_name(secret: &Secret, salt: &[u8], info: &str) -> String {
    let mut name = [0; 16];
    expand(secret, salt, info, &mut name);
    name.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expand(secret: &Secret, salt: &[u8], info: &str, out: &mut [u8]) {
    let derived = Hkdf::<Sha256>::new(Some(salt), secret.expose().as_bytes());
    derived
        .expand(info.as_bytes(), out)
        // It fails above 255 hashes only, and no caller asks for more than one.
        .expect("32 bytes are not too many");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str, salt: &str, info: &str) -> SealKey {
        SealKey::derive(&Secret::from(secret), salt.as_bytes(), info)
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_context_only() {
        let right = key("token", "salt", "info");
        let sealed = right.seal(b"plain", b"context").unwrap();
        assert_eq!(&**right.open(&sealed, b"context").unwrap(), b"plain");
        assert_eq!(right.open(&sealed, b"other"), Err(SealError::NotOurs));
        for other in [
            key("token.", "salt", "info"),
            key("token", "salt.", "info"),
            key("token", "salt", "info."),
        ] {
            assert_eq!(other.open(&sealed, b"context"), Err(SealError::NotOurs));
        }
    }

    #[test]
    fn no_changed_byte_and_no_lost_byte_passes() {
        let key = key("token", "salt", "info");
        let sealed = key.seal(b"plain", b"").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&changed, b""), Err(SealError::NotOurs), "{at}");
            assert_eq!(
                key.open(&sealed[..at], b""),
                Err(SealError::NotOurs),
                "{at}"
            );
        }
    }

    #[test]
    fn nothing_is_sealed_the_same_way_twice() {
        let key = key("token", "salt", "info");
        assert_ne!(key.seal(b"plain", b""), key.seal(b"plain", b""));
    }

    /// Records outlive releases. This one was made by other hands: with libsodium and a key derivation written
    /// out from RFC 5869.
    #[test]
    fn records_of_the_first_version_open() {
        let sealed = include_bytes!("first_version.sealed");
        let opened = key("token", "salt", "info").open(sealed, b"context");
        assert_eq!(&**opened.unwrap(), b"the first record");
    }

    #[test]
    fn a_name_depends_on_everything_and_shows_nothing() {
        let name = |secret: &str, salt: &[u8], info| keyed_name(&Secret::from(secret), salt, info);
        let one = name("token", b"salt", "name");
        assert_eq!(one.len(), 32);
        assert_eq!(one, name("token", b"salt", "name"));
        assert_ne!(one, name("token2", b"salt", "name"));
        assert_ne!(one, name("token", b"salt2", "name"));
        assert_ne!(one, name("token", b"salt", "name2"));
    }
}
